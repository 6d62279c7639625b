"""The part of the control interface that sets the stage of a test, and looks at what happened.

`sens_async.emulator.control` lists the routes. The bodies are the TypedDicts of this module; one
that cannot be read is answered 400 with `{"error": ...}` and changes nothing.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Literal, NotRequired, TypedDict, cast

import attrs
import orjson
from aiohttp import web

from sens_async.emulator.answers import Refused
from sens_async.emulator.clock import MovableClock
from sens_async.emulator.inbox import Inbox, InboxMessage
from sens_async.emulator.options import ReservationEnd
from sens_async.emulator.state import State

__all__ = [
    "ClockBody",
    "NumbersBody",
    "ReservationBody",
    "SeedBody",
    "Staging",
    "seeded",
]

MAX_WAIT = 3600.0
DEFAULT_WAIT = 10.0

Handler = Callable[[web.Request], Awaitable[web.Response]]


class ClockBody(TypedDict, total=False):
    """`POST /clock`: one of the two.

    `advance` is in seconds, 0 or more; `set` a time as ISO 8601 with an offset, or seconds since
    the epoch.
    """

    advance: float
    set: float | str


class SeedBody(TypedDict):
    """`POST /seed`: the body of a send, accepted without a signature, `ago` seconds ago."""

    send: dict[str, object]
    ago: NotRequired[float]


class ReservationBody(TypedDict):
    """`POST /reservations/{id}`: how a waiting reservation ends, or `CANCELED` at once."""

    status: ReservationEnd | Literal["CANCELED"]


class NumbersBody(TypedDict):
    """`POST` and `DELETE /unsubscribes`: numbers; `type` is `C` (by phone) or `M` (by hand)."""

    numbers: list[str]
    type: NotRequired[Literal["C", "M"]]


class Staging:
    """The handlers, for one emulator."""

    def __init__(self, state: State, clock: MovableClock) -> None:
        self.state = state
        self.clock = clock
        self.inbox = Inbox(state, clock)
        self._waiting: set[asyncio.Task[InboxMessage]] = set()

    def add_to(self, control: web.Application) -> None:
        """Add the routes to the control interface."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/clock", self.read_clock),
            ("POST", "/clock", self.move_clock),
            ("POST", "/seed", self.seed),
            ("GET", "/inbox", self.read_inbox),
            ("GET", "/inbox/wait", self.wait_inbox),
            ("GET", "/reservations", self.read_reservations),
            ("POST", "/reservations/{id}", self.order_reservation),
            ("GET", "/unsubscribes", self.read_unsubscribes),
            ("POST", "/unsubscribes", self.add_unsubscribes),
            ("DELETE", "/unsubscribes", self.remove_unsubscribes),
            ("GET", "/results", self.read_results),
            ("POST", "/results", self.add_results),
            ("DELETE", "/results", self.clear_results),
        ]
        for method, path, handler in routes:
            control.router.add_route(method, path, _clear_about_mistakes(handler))
        control.on_shutdown.append(self._end_waits)

    async def _end_waits(self, _control: web.Application) -> None:
        """Let nobody wait on; the server has lost sight of those whose client has left."""
        waiting = list(self._waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def read_clock(self, _request: web.Request) -> web.Response:
        """What time it is."""
        return _json(_clock_facts(self.clock))

    async def move_clock(self, request: web.Request) -> web.Response:
        """Move the time; see `ClockBody`."""
        body = await _body(request, ClockBody)
        if len(body) != 1:
            raise ValueError("one of advance and set is required")
        if "advance" in body:
            self.clock.advance(_number(body, "advance"))
        else:
            self.clock.set(_moment(body["set"]))
        return _json(_clock_facts(self.clock))

    async def seed(self, request: web.Request) -> web.Response:
        """Accept a send without a request; see `SeedBody`."""
        body = await _body(request, SeedBody)
        ago = _number(body, "ago") if "ago" in body else 0.0
        return _json({"request_id": seeded(self.state, body.get("send"), self.clock.time(), ago)})

    async def read_inbox(self, request: web.Request) -> web.Response:
        """What went out."""
        limit = _query_number(request, "limit", 100.0)
        found = self.inbox.messages(**_criteria(request), limit=int(limit))
        return _json([attrs.asdict(message) for message in found])

    async def wait_inbox(self, request: web.Request) -> web.Response:
        """Wait for a message."""
        timeout = min(_query_number(request, "timeout", DEFAULT_WAIT), MAX_WAIT)
        wait = asyncio.create_task(self.inbox.wait(**_criteria(request), timeout=timeout))
        self._waiting.add(wait)
        wait.add_done_callback(self._waiting.discard)
        try:
            found = await wait
        except TimeoutError as error:
            return _json({"error": str(error)}, status=408)
        return _json(attrs.asdict(found))

    async def read_reservations(self, _request: web.Request) -> web.Response:
        """Every reservation."""
        return _json(
            [attrs.asdict(found) for found in self.state.reservations.at(self.clock.time())]
        )

    async def order_reservation(self, request: web.Request) -> web.Response:
        """Decide how one ends; see `ReservationBody`."""
        body = await _body(request, ReservationBody)
        reserve_id, now = request.match_info["id"], self.clock.time()
        status = body.get("status")
        try:
            if status == "CANCELED":
                self.state.reservations.cancel(reserve_id, now)
            else:
                self.state.reservations.order(reserve_id, cast("ReservationEnd", status), now)
            return _json(attrs.asdict(self.state.reservations.get(reserve_id, now)))
        except KeyError:
            return _json({"error": "there is no such reservation"}, status=404)

    async def read_unsubscribes(self, _request: web.Request) -> web.Response:
        """The opt-out list."""
        return _json(
            [
                {"number": entry.number, "at": entry.at, "type": entry.kind}
                for entry in self.state.unsubscribes
            ]
        )

    async def add_unsubscribes(self, request: web.Request) -> web.Response:
        """Add numbers; see `NumbersBody`."""
        body = await _body(request, NumbersBody)
        kind = body.get("type", "M")
        if kind not in {"C", "M"}:
            raise ValueError(f"type is {kind!r}, it has to be 'C' or 'M'")
        self.state.unsubscribes.add(_numbers(body), self.clock.time(), kind)
        return await self.read_unsubscribes(request)

    async def remove_unsubscribes(self, request: web.Request) -> web.Response:
        """Remove numbers; see `NumbersBody`."""
        body = await _body(request, NumbersBody)
        self.state.unsubscribes.remove(_numbers(body), self.clock.time())
        return await self.read_unsubscribes(request)

    async def read_results(self, _request: web.Request) -> web.Response:
        """The codes ordered by number."""
        return _json(self.state.deliveries.results)

    async def add_results(self, request: web.Request) -> web.Response:
        """Order some more: an object of numbers and codes."""
        body = await _object(request)
        for number, code in body.items():
            if not (number.isascii() and number.isdigit() and isinstance(code, str) and code):
                raise ValueError("the body has to be an object of numbers and codes, as strings")
        self.state.deliveries.results.update(cast("Mapping[str, str]", body))
        return _json(self.state.deliveries.results)

    async def clear_results(self, _request: web.Request) -> web.Response:
        """Forget them."""
        self.state.deliveries.results.clear()
        return web.Response(status=204)


def seeded(state: State, send: object, now: float, ago: float) -> str:
    """Accept a send as if it had come `ago` seconds before now; answers the request id.

    Raises:
        ValueError: The send is refused, or `ago` is not 0 or more.
    """
    if not 0 <= ago <= now:
        raise ValueError(f"ago is {ago!r}, it has to be 0 or more seconds")
    try:
        return state.send(send, now - ago).request_id
    except Refused as refusal:
        reason = refusal.reason or f"a quota is used up (code {refusal.code})"
        raise ValueError(f"the send is refused: {reason}") from None


def _clear_about_mistakes(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except (ValueError, TypeError, OverflowError) as error:
            return _json({"error": str(error)}, status=400)
        except Refused as refusal:
            return _json({"error": refusal.reason}, status=refusal.status)

    return handle


async def _object(request: web.Request) -> dict[str, object]:
    body = orjson.loads(await request.read())
    if not isinstance(body, dict):
        raise TypeError("the body has to be a JSON object")
    return body


async def _body(request: web.Request, shape: type) -> dict[str, object]:
    """The body's fields, of which none is unknown to the shape."""
    body = await _object(request)
    known = shape.__annotations__
    unknown = body.keys() - known.keys()
    if unknown:
        raise TypeError(f"{sorted(unknown)} are no fields here, only {sorted(known)}")
    return body


def _number(body: Mapping[str, object], name: str) -> float:
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{name} is {value!r}, it has to be a number")
    return float(value)


def _numbers(body: Mapping[str, object]) -> list[str]:
    numbers = body.get("numbers")
    if not isinstance(numbers, list) or not all(
        isinstance(number, str) and number.isascii() and number.isdigit() for number in numbers
    ):
        raise TypeError("numbers has to be a list of strings of digits")
    return numbers


def _moment(value: object) -> float:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(f"set is {value!r}, it has to say its offset from UTC")
        return moment.timestamp()
    return _number({"set": value}, "set")


def _criteria(request: web.Request) -> "_Criteria":
    return {
        "to": request.query.get("to"),
        "containing": request.query.get("containing", ""),
        "since": _query_number(request, "since", 0.0),
    }


class _Criteria(TypedDict):
    to: str | None
    containing: str
    since: float


def _query_number(request: web.Request, name: str, default: float) -> float:
    text = request.query.get(name)
    if text is None:
        return default
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {text!r}, it has to be 0 or more")
    return value


def _clock_facts(clock: MovableClock) -> dict[str, object]:
    now = clock.time()
    return {
        "time": now,
        "iso": datetime.fromtimestamp(now, UTC).isoformat(),
        "offset": clock.offset,
    }


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
