"""SENS and the network as they are behind a ledger's back, and what really happened there."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs, urlsplit

import attrs
import orjson
from virtual_time import VirtualClock

from sens_async import ConnectFailed, ConnectionLost
from sens_async.core.responses import Response
from sens_async.core.schedule import from_epoch
from sens_async.core.signing import SIGNATURE_LIFETIME

__all__ = ["FATES", "Copy", "Person", "Request", "Service", "Wire"]

Person = tuple[str, int]
"""Somebody's campaign and place in its list."""

FATES = ("accepted", "lost", "dropped", "late", "busy", "unreachable", "refused")
"""What may become of a request that a whole run makes; see `Wire`."""


@attrs.frozen(eq=False)
class Copy:
    """A request on its way.

    Attributes:
        people: Whom it is for.
        numbers: Theirs.
        texts: One for each.
        signed_ms: Its signature time.
    """

    people: tuple[Person, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    signed_ms: int


@attrs.frozen(eq=False)
class Request:
    """A copy that SENS has accepted.

    Attributes:
        request_id: Its id.
        copy: As it came.
        at: When.
        lags: Seconds until its first recipient is listed, and until the others are.
    """

    request_id: str
    copy: Copy
    at: float
    lags: tuple[float, float]

    def is_listed(self, now: float) -> bool:
        """Whether all of it is."""
        return now >= self.at + max(self.lags)

    def rows(self, now: float) -> list[dict[str, str]]:
        """Give what is listed of it."""
        return [
            {
                "requestId": self.request_id,
                "messageId": f"{self.request_id}-{place}",
                "requestTime": f"{from_epoch(self.at):%Y-%m-%d %H:%M:%S}",
                "type": "SMS",
                "contentType": "COMM",
                "countryCode": "82",
                "from": "0212345678",
                "to": number,
                "content": text,
            }
            for place, (number, text) in enumerate(
                zip(self.copy.numbers, self.copy.texts, strict=True)
            )
            if now >= self.at + self.lags[place > 0]
        ]


class Service:
    """Takes what is signed well, once for each copy that reaches it, and lists it after a lag.

    Attributes:
        requests: What was accepted, by id.
        sent: How often each person was accepted.
        late: Copies that nobody waits for any more.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.requests: dict[str, Request] = {}
        self.sent: Counter[Person] = Counter()
        self.late: list[Copy] = []
        self._clock = clock

    def accept(self, copy: Copy, lags: tuple[float, float] = (0.0, 0.0)) -> Request | None:
        """Take a copy; None if its signature is too old."""
        if not self.may_accept(copy):
            return None
        request = Request(f"RSLA-{len(self.requests) + 1}", copy, self._clock.time(), lags)
        self.requests[request.request_id] = request
        self.sent.update(copy.people)
        return request

    def may_accept(self, copy: Copy) -> bool:
        """Whether its signature still holds."""
        return abs(self._clock.time() - copy.signed_ms / 1000) <= SIGNATURE_LIFETIME

    def list(self, target: str) -> Response:
        """Answer the question for a request, or for a number in a window."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        now = self._clock.time()
        rows = [row for request in self.requests.values() for row in request.rows(now)]
        if "requestId" in query:
            rows = [row for row in rows if row["requestId"] == query["requestId"]]
        else:
            first, last = query["requestStartTime"], query["requestEndTime"]
            rows = [row for row in rows if first <= row["requestTime"] <= last]
            rows = [row for row in rows if (row["from"], row["to"]) == (query["from"], query["to"])]
        answer = {"statusCode": "202", "statusName": "success", "hasMore": False, "messages": rows}
        return Response(200, orjson.dumps(answer))


class Wire:
    """A session's transport.

    Args:
        service: Where to.
        whose: Given numbers, texts and signature time of a request, whom the ledger knows it to
            be for.

    Attributes:
        fates: What becomes of the next requests to send: SENS accepts it, and the answer comes or
            is lost; it is dropped; it is late, so that nobody waits for it any more; SENS is busy;
            there is no connection; SENS refuses it. When there are no more, all are accepted.
        asked: Set when a question waits for its answer.
    """

    def __init__(
        self,
        service: Service,
        whose: Callable[[tuple[str, ...], tuple[str, ...], int], Awaitable[tuple[Person, ...]]],
    ) -> None:
        self.fates: list[str] = []
        self.asked = asyncio.Event()
        self._flows = asyncio.Event()
        self._flows.set()
        self._service = service
        self._whose = whose

    def hold(self) -> None:
        """Answer questions as SENS stands when they are asked, but later."""
        self.asked.clear()
        self._flows.clear()

    def let_go(self) -> None:
        """Have the answers come."""
        self._flows.set()

    async def exchange(self, request, headers: Mapping[str, str], handover) -> Response:
        await asyncio.sleep(0)
        if not request.body:
            answer = self._service.list(request.target)
            self.asked.set()
            await self._flows.wait()
            return answer
        fate = self.fates.pop(0) if self.fates else "accepted"
        if fate == "unreachable":
            raise ConnectFailed("unreachable", is_retryable=True)
        handover.begun = True
        body = orjson.loads(request.body)
        numbers = tuple(one["to"] for one in body["messages"])
        texts = tuple(one.get("content", body["content"]) for one in body["messages"])
        signed_ms = int(headers["x-ncp-apigw-timestamp"])
        copy = Copy(await self._whose(numbers, texts, signed_ms), numbers, texts, signed_ms)
        return self._arrive(copy, fate)

    def _arrive(self, copy: Copy, fate: str) -> Response:
        match fate:
            case "accepted":
                accepted = self._service.accept(copy)
                assert accepted is not None, "sent with a signature that is too old"
                said = {"requestId": accepted.request_id, "statusName": "success"}
                return Response(202, orjson.dumps(said))
            case "busy":
                said = {"error": {"errorCode": "410", "message": "busy"}}
                return Response(429, orjson.dumps(said))
            case "refused":
                return Response(400, orjson.dumps({"errorMessage": "refused"}))
            case "lost":
                self._service.accept(copy)
            case "late":
                self._service.late.append(copy)
        raise ConnectionLost("no answer", may_have_been_sent=True)

    async def aclose(self) -> None:
        raise AssertionError("a given transport is not closed by the session")
