"""What errors and outcomes keep: neither frames nor requests, neither keys nor numbers."""

import asyncio
import copy
import gc
import pickle
import traceback
import types

import aiohttp
import attrs
import pytest
from raw_server import RawServer, free_port
from scripted import KEYS, Scripted, refused, session_over
from session_helpers import numbers

from sens_async import (
    BulkReport,
    Credentials,
    OutcomeState,
    Recipient,
    RetryPolicy,
    SensError,
    SensSession,
    Settings,
    Timeouts,
)
from sens_async.core.batch import Batch
from sens_async.emulator import Emulator

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState

HEAVY = (
    types.FrameType,
    types.TracebackType,
    types.CoroutineType,
    asyncio.Future,
    asyncio.BaseTransport,
    asyncio.AbstractEventLoop,
    aiohttp.ClientRequest,
    aiohttp.ClientSession,
    aiohttp.RequestInfo,
    aiohttp.Payload,
    aiohttp.StreamReader,
    SensSession,
    Credentials,
    Batch,
)
"""What makes an outcome hold on to a request, a connection, or a stack."""

NUMBER, TEXT = "01012345678", "비밀 글"
SETTINGS = Settings(
    rate_limit=None,
    timeouts=Timeouts(connect=0.1, total=0.3),
    retry=RetryPolicy(max_attempts=1, outage_pause=0.1),
)


def held_by(*roots: object) -> list[object]:
    """All that is kept alive by these, but for what modules and classes hold."""
    seen: dict[int, object] = {}
    left = list(roots)
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, type | types.ModuleType | types.FunctionType):
            continue
        seen[id(one)] = one
        left.extend(gc.get_referents(one))
    return list(seen.values())


def heavy(*roots: object) -> list[str]:
    return sorted({type(one).__name__ for one in held_by(*roots) if isinstance(one, HEAVY)})


def chain(error: BaseException | None) -> list[BaseException]:
    """An error, its cause, the cause's cause and so on, contexts included."""
    links, left = [], [error]
    while left:
        link = left.pop()
        if link is not None and link not in links:
            links.append(link)
            left += [link.__cause__, link.__context__]
    return links


def told_by(error: BaseException) -> str:
    """All that a log, a tracker of errors or a debugger might show of an error."""
    shown = [traceback.format_exception(error)]
    for link in chain(error):
        shown += [repr(link), str(link), repr(link.args), repr(vars(link))]
    return str(shown)


def session_at(url: str, **arguments) -> SensSession:
    return SensSession(
        KEYS,
        service_id="ncp:sms:kr:000000000001:demo",
        sender="0212345678",
        settings=attrs.evolve(SETTINGS, base_url=url),
        **arguments,
    )


async def errors_of(session: SensSession) -> tuple[BulkReport, SensError]:
    """What a run and a single send keep of the same failure."""
    people = [NUMBER, *numbers(300)]
    report = await session.send_many(people, TEXT)
    with pytest.raises(SensError) as caught:
        await session.send(NUMBER, TEXT)
    return report, caught.value


def without_stack(error: SensError) -> SensError:
    """What was raised into a test has the test's own frames."""
    error.__traceback__ = None
    return error


@pytest.mark.parametrize(
    "kind", ["drop", "reset", "garbage", "half", "half_head", "hang", "no_id", "html", "redirect"]
)
async def test_outcomes_of_broken_exchanges_keep_no_request(kind, clock):
    async with Emulator(clock=clock) as emulator:
        emulator.fail(kind)
        async with emulator.session(settings=SETTINGS) as session:
            report, error = await errors_of(session)

    assert report.counts[ACCEPTED] == 0
    assert heavy(report) == []
    assert heavy(without_stack(error)) == []
    assert all(link.__traceback__ is None for o in report.outcomes for link in chain(o.error))


async def test_outcomes_of_failed_connections_keep_no_request(clock):
    async with session_at(f"http://127.0.0.1:{free_port()}", clock=clock) as session:
        report, error = await errors_of(session)

    assert report.counts == {NOT_SENT: 301}
    assert heavy(report) == []
    assert heavy(without_stack(error)) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500])
async def test_outcomes_of_refusals_keep_no_request(status, clock):
    transport = Scripted(lambda _: refused(status, "400" if status == 429 else None))
    async with session_over(transport, settings=SETTINGS, clock=clock) as session:
        report, error = await errors_of(session)

    assert heavy(report) == []
    assert heavy(without_stack(error)) == []


async def test_outcomes_of_a_stopped_and_an_abandoned_run_keep_no_request(clock):
    transport, report = Scripted(seconds=10.0), BulkReport()
    async with session_over(transport, settings=SETTINGS, clock=clock) as session:
        running = asyncio.create_task(session.send_many(numbers(900), TEXT, report=report))
        for _ in range(2):
            await asyncio.sleep(0.1)
            running.cancel()
        await asyncio.wait({running})
        del running

    assert set(report.counts) == {NOT_SENT, UNKNOWN}
    assert heavy(report) == []


async def test_outcomes_of_refused_recipients_keep_no_stack(clock):
    class Loud:
        def __str__(self):
            raise RuntimeError("no text")

    people = ["bad", Recipient(NUMBER, fields={"name": Loud()}), Recipient(NUMBER), 5]
    people += [Recipient(NUMBER, content="가" * 3_000), Recipient(NUMBER, content="뷁\u2028")]
    async with session_over(Scripted(), clock=clock) as session:
        report = await session.send_many(people, "{name}님")

    assert set(report.counts) == {REJECTED}
    assert heavy(report) == []


# -- secrets


SECRETS = (KEYS.secret_key, KEYS.access_key, NUMBER, NUMBER[3:], TEXT)


def check_tells_nothing(error: SensError, *secrets: str) -> None:
    told = told_by(error)
    for secret in (*SECRETS, *secrets):
        assert secret not in told


@pytest.mark.parametrize("how", ["status line", "header", "length", "chunk", "body", "silence"])
async def test_no_cause_tells_what_a_broken_answer_echoes(how, clock):
    async def behave(connection):
        head = await connection.head()
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        echo = b" ".join((head + await connection.reader.readexactly(length)).split())
        answers = {
            "status line": b"HTTP/1.1 " + echo + b"\r\n\r\n",
            "header": b"HTTP/1.1 202 A\r\n" + echo + b"\r\n\r\n",
            "length": b"HTTP/1.1 202 A\r\nContent-Length: " + echo + b"\r\n\r\n",
            "chunk": b"HTTP/1.1 202 A\r\nTransfer-Encoding: chunked\r\n\r\n" + echo + b"\r\n",
            "body": b"HTTP/1.1 202 A\r\nContent-Length: 9999\r\n\r\n" + echo,
            "silence": b"",
        }
        signatures.append(head.split(b"signature-v2: ")[1].split(b"\r\n")[0].decode())
        await connection.write(answers[how])
        if how == "silence":
            await connection.silence()

    signatures: list[str] = []
    async with RawServer(behave) as server, session_at(server.url, clock=clock) as session:
        report, error = await errors_of(session)

    assert report.counts[UNKNOWN]
    assert signatures
    for one in (error, *(outcome.error for outcome in report.outcomes)):
        check_tells_nothing(one, *signatures)
    assert NUMBER not in repr(report)
    assert not any(NUMBER in repr(outcome) for outcome in report.outcomes)


@pytest.mark.parametrize(
    "written", [NUMBER, "010-1234-5678", "+82 10-1234-5678", "(010) 1234 5678", "010.1234.5678"]
)
@pytest.mark.parametrize("status", [400, 403, 500])
async def test_no_error_tells_the_numbers_that_a_refusal_names(status, written, clock):
    transport = Scripted(
        lambda _: refused(status)._replace(
            body=f'{{"errorMessage": "no such number: {written}, {written}"}}'.encode()
        )
    )
    async with session_over(transport, settings=SETTINGS, clock=clock) as session:
        report, error = await errors_of(session)

    for one in (error, *(outcome.error for outcome in report.outcomes)):
        told = told_by(one)
        assert written not in told
        assert "1234" not in told
        assert NUMBER not in told


async def test_a_signer_is_not_pickled_and_tells_no_key():
    session = session_over(Scripted())
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="secret key"):
            copied(session.signer)
    assert KEYS.secret_key not in repr(session.signer)
    assert KEYS.access_key not in repr(session.signer)
    for part in (session, session.queue, session.chunker, session.attachments, session.settings):
        assert KEYS.secret_key not in repr(part)


async def test_kept_errors_survive_pickling(clock):
    async with session_at(f"http://127.0.0.1:{free_port()}", clock=clock) as session:
        report, error = await errors_of(session)

    for one in (error, report.outcomes[0].error):
        data = pickle.dumps(one)
        assert KEYS.secret_key.encode() not in data
        again = pickle.loads(data)
        assert (type(again), str(again), again.outcome) == (type(one), str(one), again.outcome)
        assert again.is_retryable == one.is_retryable
