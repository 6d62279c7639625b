"""Requests that were accepted, and that the ledger has no batch for any more."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import orjson
from scripted import accepted, session_over

from sens_async import ConnectionLost, OutcomeState
from sens_async.campaign import Ledger
from sens_async.core.responses import Response
from sens_async.core.schedule import from_epoch

TEXT = "안녕하세요"
BOTH = ["01000000001", "01000000002"]


class HalfListed:
    """Loses the first request, takes the second without an answer, and answers the third.

    Of the second it lists one recipient, once `is_listed`.
    """

    def __init__(self, clock) -> None:
        self.is_listed = False
        self._sent_at = []
        self._clock = clock

    async def exchange(self, request, headers, handover) -> Response:
        if not request.body:
            query = parse_qs(urlsplit(request.target).query)
            is_asked = query.get("to") == BOTH[:1] or query.get("requestId") == ["RSLA-1"]
            rows = [self._row()] if self.is_listed and is_asked else []
            answer = {"statusCode": "202", "statusName": "success", "messages": rows}
            return Response(200, orjson.dumps(answer))
        handover.begun = True
        self._sent_at.append(self._clock.time())
        if len(self._sent_at) == 3:
            return accepted("RSLA-2")
        raise ConnectionLost("no answer", may_have_been_sent=True)

    def _row(self) -> dict[str, str]:
        return {
            "requestId": "RSLA-1",
            "messageId": "RSLA-1-0",
            "requestTime": f"{from_epoch(self._sent_at[1]):%Y-%m-%d %H:%M:%S}",
            "type": "SMS",
            "contentType": "COMM",
            "countryCode": "82",
            "from": "0212345678",
            "to": BOTH[0],
            "content": TEXT,
        }


async def test_a_stray_that_is_listed_in_part_is_not_taken_for_a_smaller_request(
    ledger: Ledger, clock
):
    transport = HalfListed(clock)
    async with session_over(transport, clock=clock) as sens:
        small = await ledger.plan(sens, "small", BOTH[:1], TEXT)
        large = await ledger.plan(sens, "large", BOTH, TEXT, guarantee="at_least_once")
        await small.run(sens, wait=False)
        assert (await large.run(sens)).counts[OutcomeState.ACCEPTED] == 2
        transport.is_listed = True
        assert (await small.reconcile(sens, wait=False)).counts[OutcomeState.UNKNOWN] == 1
        await asyncio.sleep(600)  # now it is listed in full, if ever
        assert (await small.reconcile(sens, wait=False)).counts[OutcomeState.ACCEPTED] == 1
