"""Whoever has lost a batch to somebody else changes nothing of it any more."""

from collections.abc import Awaitable, Callable

import orjson
import pytest
from scripted import accepted, session_over
from session_helpers import numbers
from sqlalchemy import select, update

from sens_async import ConnectionLost, OutcomeState, Settings
from sens_async.campaign import Ledger
from sens_async.campaign.schema import batches
from sens_async.campaign.states import BatchState
from sens_async.core.responses import Response
from sens_async.core.schedule import from_epoch

TEXT = "안녕하세요"


class Interrupted:
    """Answers, and lets something happen to the ledger before the answer comes.

    Attributes:
        sent: How many recipients each request to send had.
        before: What happens before the next answer to a POST, and to a question.
    """

    def __init__(self, clock) -> None:
        self.sent: list[int] = []
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self.first: Response | Exception = accepted("RSLA-1")
        self._clock = clock
        self._sent_at = 0.0

    async def exchange(self, request, headers, handover) -> Response:
        kind = "POST" if request.body else "GET"
        if (happens := self.before.pop(kind, None)) is not None:
            await happens()
        if kind == "GET":
            return Response(200, orjson.dumps({"statusCode": "202", "messages": self._rows()}))
        handover.begun = True
        self._sent_at = self._sent_at or self._clock.time()
        self.sent.append(len(orjson.loads(request.body)["messages"]))
        answer = self.first if len(self.sent) == 1 else accepted(f"RSLA-{len(self.sent)}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _rows(self) -> list[dict[str, str]]:
        return [
            {
                "requestId": "RSLA-1",
                "messageId": f"RSLA-1-{place}",
                "requestTime": f"{from_epoch(self._sent_at):%Y-%m-%d %H:%M:%S}",
                "type": "SMS",
                "contentType": "COMM",
                "countryCode": "82",
                "from": "0212345678",
                "to": number,
                "content": TEXT,
            }
            for place, number in enumerate(numbers(3))
        ]


@pytest.fixture
async def transport(clock) -> Interrupted:
    return Interrupted(clock)


@pytest.fixture
async def sens(stack, transport, clock):
    settings = Settings(rate_limit=None)
    return await stack.enter_async_context(session_over(transport, settings=settings, clock=clock))


def changed(ledger: Ledger, **values: object) -> Callable[[], Awaitable[None]]:
    """Have somebody else change the batch."""

    async def happens() -> None:
        await ledger.storage.write(lambda to: to.execute(update(batches).values(**values)))

    return happens


@pytest.mark.parametrize("change", [{"state": BatchState.PLANNED}, {"fence": batches.c.fence + 1}])
async def test_what_was_found_is_not_written(ledger, sens, transport, change):
    transport.first = ConnectionLost("no answer", may_have_been_sent=True)
    transport.before["GET"] = changed(ledger, **change)
    campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
    await campaign.run(sens, wait=False)
    async with ledger.storage.reading() as connection:
        row = (await connection.execute(select(batches))).one()
    assert row.state != BatchState.ACCEPTED
    assert row.request_id is None


@pytest.mark.parametrize("state", [BatchState.PLANNED, BatchState.CLAIMED])
async def test_what_was_refused_is_not_divided(ledger, sens, transport, state):
    transport.first = Response(400, orjson.dumps({"errorMessage": "refused"}))
    other = {"state": state, "fence": batches.c.fence + 1, "owner": "other", "lease_until": 0}
    transport.before["POST"] = changed(ledger, **other)
    campaign = await ledger.plan(sens, "one", numbers(4), TEXT)
    status = await campaign.run(sens)
    assert transport.sent == [4, 4]
    assert status.counts == {OutcomeState.ACCEPTED: 4}
    assert len([one async for one in campaign.report()]) == 4
