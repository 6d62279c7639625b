"""Answers that nobody asked for: they must not be taken for the answer to another request."""

import asyncio
import sys

import orjson
import pytest
from raw_server import Connection, RawServer
from session_helpers import numbers

from sens_async import Credentials, OutcomeState, RetryPolicy, SensError, SensSession, Settings

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState


def answer(status: int, body: dict) -> bytes:
    data = orjson.dumps(body)
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)) + data


THROTTLED = answer(429, {"error": {"errorCode": "410", "message": "Throttle Limit Exceeded"}})
STRAYS = {
    "an acceptance": answer(202, {"requestId": "STRAY", "statusName": "success"}),
    "a refusal": answer(400, {"errorMessage": "idle"}),
    "a throttling": THROTTLED,
    "a timeout": answer(408, {}),
    "a continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "half a body": THROTTLED[:-10],
    "half a status line": THROTTLED[:11],
    "half a head": b"HTTP/1.1 429 T\r\nX-Note: ",
    "half a head of an acceptance": b"HTTP/1.1 202 A\r\nX-Note: ",
    "a line end": b"\r\n",
    "garbage": b"garbage\r\n\r\n",
}
MOMENTS = ("with", "after", "later")


class Straying:
    """A server that says something unasked once on its first connections.

    Args:
        stray: What it says.
        when: "with" the first answer, at once "after" it, or 50 ms "later".
        refuses: Numbers that it refuses.

    Attributes:
        accepted: The request id of each number, once for each time it was accepted.
        stray: What connections to come will say.
    """

    def __init__(self, stray: bytes, when: str, refuses: set[str] = frozenset()) -> None:
        self.accepted: dict[str, list[str]] = {}
        self.stray = stray
        self._when = when
        self._refuses = refuses

    async def behave(self, connection: Connection) -> None:
        stray = self.stray
        while (request := await connection.request()) is not None:
            data = self._answer(request.numbers)
            await connection.write(data + (stray if self._when == "with" else b""))
            if self._when == "later":
                await asyncio.sleep(0.05)
            if stray and self._when != "with":
                await connection.write(stray)
            stray = b""

    def _answer(self, given: list[str]) -> bytes:
        if self._refuses.intersection(given):
            return answer(400, {"errorMessage": "no"})
        request_id = f"R-{given[0]}"
        for number in given:
            self.accepted.setdefault(number, []).append(request_id)
        return answer(202, {"requestId": request_id, "statusName": "success"})


def session_at(server: RawServer, clock) -> SensSession:
    return SensSession(
        Credentials("access", "secret"),
        service_id="ncp:sms:kr:000000000001:demo",
        sender="0212345678",
        settings=Settings(rate_limit=None, base_url=server.url, retry=RetryPolicy(pause=0.1)),
        clock=clock,
    )


@pytest.fixture(params=["lazy", "eager"])
def tasks(request):
    """The kinds of tasks that a user's program may run."""
    if request.param == "lazy":
        return None
    if sys.version_info < (3, 12):
        pytest.skip("asyncio.eager_task_factory came with Python 3.12")
    return asyncio.eager_task_factory


async def fate(session: SensSession, number: str) -> str:
    """What `send` says became of a message."""
    try:
        return (await session.send(number, "안녕")).request_id
    except SensError as error:
        return error.outcome.state.name


@pytest.mark.parametrize("when", MOMENTS)
@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS.keys())
async def test_a_stray_answer_sends_nobody_twice_and_answers_nobody(stray, when, tasks, clock):
    asyncio.get_running_loop().set_task_factory(tasks)
    people = numbers(4)
    straying = Straying(stray, when, refuses={people[2]})

    async with RawServer(straying.behave) as server, session_at(server, clock) as session:
        said = []
        for number in people:
            said.append(await fate(session, number))
            await asyncio.sleep(0.2)

    assert straying.accepted == {n: [f"R-{n}"] for n in people if n != people[2]}
    for number, what in zip(people, said, strict=True):
        truth = "REJECTED" if number == people[2] else f"R-{number}"
        assert what in {truth, "UNKNOWN"}


@pytest.mark.parametrize("when", MOMENTS)
@pytest.mark.parametrize("name", ["an acceptance", "a refusal", "a throttling"])
async def test_a_whole_stray_answer_costs_a_connection_and_nothing_else(name, when, tasks, clock):
    asyncio.get_running_loop().set_task_factory(tasks)
    people = numbers(3)
    straying = Straying(STRAYS[name], when)

    async with RawServer(straying.behave) as server, session_at(server, clock) as session:
        said = []
        for number in people:
            said.append(await fate(session, number))
            await asyncio.sleep(0.2)
        assert server.connections == len(people)

    assert said == [f"R-{number}" for number in people]


async def test_connections_that_said_nothing_unasked_are_kept(tasks, clock):
    asyncio.get_running_loop().set_task_factory(tasks)
    straying = Straying(b"", "with")

    async with RawServer(straying.behave) as server, session_at(server, clock) as session:
        for number in numbers(5):
            await session.send(number, "안녕")
            await asyncio.sleep(0.2)
        assert server.connections == 1


@pytest.mark.parametrize("name", ["an acceptance", "a refusal", "a throttling"])
async def test_a_run_after_a_quiet_time_believes_no_stray_answer(name, clock):
    people = numbers(1_000)
    straying = Straying(STRAYS[name], "later", refuses=set(people[500:502]))

    async with RawServer(straying.behave) as server, session_at(server, clock) as session:
        await session.send_many(numbers(400, start=10_000), "안녕")
        await asyncio.sleep(1)
        straying.stray = b""
        report = await session.send_many(people, "안녕")

    told = {o.number: [o.request_id] for o in report.outcomes if o.state is ACCEPTED}
    truth = {n: ids for n, ids in straying.accepted.items() if n in set(people)}
    assert told == truth
    assert [o.number for o in report.rejected] == people[500:502]
