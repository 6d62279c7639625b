"""SENS and the network as they are behind a ledger's back, and what really happened there."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

import attrs
import orjson
from scripted import accepted, refused

from sens_async import ConnectionLost
from sens_async.core.responses import Response
from sens_async.core.schedule import from_epoch
from sens_async.core.signing import SIGNATURE_LIFETIME

__all__ = ["ANSWERS", "Copy", "Exchange", "Person", "Request", "Service", "Wire", "likeness_of"]

Person = tuple[str, int]
"""Somebody's campaign, and the place in its list."""

ANSWERS = ("accepted", "refused", "refused", "busy", "lost", "dropped", "late")
"""What may become of a request; see `Wire.answer`."""

_REFUSALS = {
    "accepted": refused(401, "200"),  # its signature is too old
    "refused": refused(400),
    "busy": refused(429, "410"),
}
"""What SENS says, by what was to become of the request."""


def likeness_of(numbers: Sequence[str], texts: Sequence[str]) -> list[tuple[str, str]]:
    """Give what is equal for requests that the service's list does not tell apart."""
    return sorted(zip(numbers, map(str.strip, texts), strict=True))


@attrs.define(eq=False)
class Copy:
    """A request that was handed to the network.

    Attributes:
        people: Whom it is for.
        numbers: Theirs.
        texts: One for each.
        signed_ms: Its signature time.
        fate: "out": somebody waits for its answer. "adrift": nobody does, and it may arrive yet.
            "accepted", "refused", or "gone": it will never arrive, which nobody is told.
    """

    people: tuple[Person, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    signed_ms: int
    fate: str = "out"


@attrs.frozen(eq=False)
class Request:
    """A copy that SENS has accepted.

    Attributes:
        request_id: Its id.
        copy: As it came.
        at: When.
        lag: Seconds until it is listed.
    """

    request_id: str
    copy: Copy
    at: float
    lag: float

    def rows(self, now: float) -> list[dict[str, str]]:
        """Give what is listed of it."""
        if now < self.at + self.lag:
            return []
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
        ]


class Service:
    """Takes what is signed well, once for each copy that reaches it, and lists it after a lag.

    Args:
        now: Gives the time, seconds since the epoch.

    Attributes:
        copies: Everything that was handed to the network.
        requests: What was accepted, by id.
        sent: How often each person was accepted.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.copies: list[Copy] = []
        self.requests: dict[str, Request] = {}
        self.sent: Counter[Person] = Counter()
        self._now = now

    def may_accept(self, copy: Copy) -> bool:
        """Whether a copy may arrive yet, with a signature that holds."""
        age = self._now() - copy.signed_ms / 1000
        return copy.fate in {"out", "adrift"} and abs(age) <= SIGNATURE_LIFETIME

    def arrive(self, copy: Copy, lag: float = 0.0) -> None:
        """Take a copy, unless its signature is too old by now."""
        if not self.may_accept(copy):
            copy.fate = "gone"
            return
        request = Request(f"RSLA-{len(self.requests) + 1}", copy, self._now(), lag)
        self.requests[request.request_id] = request
        self.sent.update(copy.people)
        copy.fate = "accepted"

    def request_of(self, copy: Copy) -> Request:
        """Give the request that a copy was accepted as."""
        return next(one for one in self.requests.values() if one.copy is copy)

    def list(self, target: str) -> Response:
        """Answer the question for a request, or for a number in a window."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        rows = [row for request in self.requests.values() for row in request.rows(self._now())]
        if "requestId" in query:
            rows = [row for row in rows if row["requestId"] == query["requestId"]]
        else:
            first, last = query["requestStartTime"], query["requestEndTime"]
            rows = [row for row in rows if first <= row["requestTime"] <= last]
            rows = [row for row in rows if (row["from"], row["to"]) == (query["from"], query["to"])]
        answer = {"statusCode": "202", "statusName": "success", "hasMore": False, "messages": rows}
        return Response(200, orjson.dumps(answer))


@attrs.frozen(eq=False)
class Exchange:
    """A request to send, and who waits for its answer."""

    copy: Copy
    answer: asyncio.Future[Response]

    def __repr__(self) -> str:
        return f"<request for {self.copy.people}, {self.copy.fate}>"


class Wire:
    """A session's transport: nothing is answered before the test says so.

    Args:
        service: Where to.
        depart: Given numbers, texts and signature time of a request; says whom it is for.

    Attributes:
        exchanges: Requests to send that are not answered yet.
        questions: Questions to the list that are not answered yet, where they wait.
        is_slow: Whether questions wait: their answers tell how SENS stood when it was asked.
        is_kind: Whether every request to send is accepted at once.
    """

    def __init__(
        self,
        service: Service,
        depart: Callable[[tuple[str, ...], tuple[str, ...], int], tuple[Person, ...]],
    ) -> None:
        self.exchanges: list[Exchange] = []
        self.questions: list[asyncio.Future[None]] = []
        self.is_slow = self.is_kind = False
        self._service = service
        self._depart = depart

    async def exchange(self, request, headers: Mapping[str, str], handover) -> Response:
        loop = asyncio.get_running_loop()
        if not request.body:
            answer = self._service.list(request.target)
            if self.is_slow:
                self.questions.append(loop.create_future())
                await self.questions[-1]
            return answer
        handover.begun = True
        body = orjson.loads(request.body)
        numbers = tuple(one["to"] for one in body["messages"])
        texts = tuple(one.get("content", body["content"]) for one in body["messages"])
        signed_ms = int(headers["x-ncp-apigw-timestamp"])
        copy = Copy(self._depart(numbers, texts, signed_ms), numbers, texts, signed_ms)
        self._service.copies.append(copy)
        if self.is_kind:
            self._service.arrive(copy)
            return accepted(self._service.request_of(copy).request_id)
        exchange = Exchange(copy, loop.create_future())
        self.exchanges.append(exchange)
        try:
            return await exchange.answer
        finally:
            self.exchanges.remove(exchange)
            if copy.fate == "out":
                copy.fate = "adrift"

    def answer(self, exchange: Exchange, what: str, lag: float) -> None:
        """End an exchange.

        Args:
            exchange: Which.
            what: SENS accepts it ("lost" if nobody hears of that), refuses it, or is busy; it is
                dropped on its way, or late: then nobody waits for it any more.
            lag: See `Request`.
        """
        copy, answer = exchange.copy, exchange.answer
        if copy.fate == "out" and what in {"accepted", "lost"}:
            self._service.arrive(copy, lag)
        elif copy.fate == "out" and what == "dropped":
            copy.fate = "gone"
        if what in {"lost", "dropped", "late"}:
            answer.set_exception(ConnectionLost("no answer", may_have_been_sent=True))
        elif copy.fate == "accepted":
            answer.set_result(accepted(self._service.request_of(copy).request_id))
        else:
            copy.fate = "refused"
            answer.set_result(_REFUSALS[what])

    def hear(self) -> None:
        """Have all questions answered."""
        for question in self.questions:
            if not question.done():
                question.set_result(None)
        self.questions.clear()

    async def aclose(self) -> None:
        raise AssertionError("a given transport is not closed by the session")
