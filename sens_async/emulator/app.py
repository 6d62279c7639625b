"""The emulator as an aiohttp application: reads a request, waits, answers or breaks off."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate

import attrs
import orjson
from aiohttp import web

from sens_async.emulator.answers import Answer, gateway_error
from sens_async.emulator.breakage import broken_answer, torn_bytes
from sens_async.emulator.clock import MovableClock
from sens_async.emulator.faults import Fault, FaultKind, FaultPlan
from sens_async.emulator.gateway import Gateway, Received, endpoint_of
from sens_async.emulator.routes import READING

__all__ = ["LoggedRequest", "Site", "make_app"]

TORN_KINDS = frozenset(
    {FaultKind.DROP, FaultKind.RESET, FaultKind.HALF, FaultKind.HALF_HEAD, FaultKind.GARBAGE}
)
LINGER_OFF = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""Closing a socket with this drops what is unsent and sends RST."""


@attrs.define(kw_only=True)
class LoggedRequest:
    """One request to an endpoint of the service, in the order they came.

    Attributes:
        endpoint: One of `sens_async.emulator.routes.ENDPOINTS`; `"messages"` is the send.
        target: The request target as on the wire.
        headers: Case-insensitive, the signature's included.
        recipients: How many items `messages` had, whatever became of them.
        at: When its body was read, seconds since the epoch on the emulator's clock.
        status: Of the answer that was given; None if there was none, or not yet.
        accepted: Whether what it asked for was done: its messages accepted, its picture taken,
            its reservation cancelled. False where the endpoint only reads.
        fault: The kind of the fault it met, or None.
        body: Its bytes, if `EmulatorOptions.keep_bodies`.
    """

    endpoint: str
    target: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    recipients: int
    at: float
    status: int | None = None
    accepted: bool = False
    fault: str | None = None
    body: bytes | None = attrs.field(default=None, repr=False)


class Site:
    """The service on the wire.

    Attributes:
        requests: Every request to an endpoint of the service whose body was read.
        faults: What is ordered to go wrong.
    """

    def __init__(self, gateway: Gateway, faults: FaultPlan, clock: MovableClock) -> None:
        self.gateway = gateway
        self.faults = faults
        self.clock = clock
        self.requests: list[LoggedRequest] = []
        self._waiting: set[asyncio.Task[object]] = set()

    def reset(self) -> None:
        """Forget all requests; what still waits is dropped, unaccepted and unanswered."""
        self.requests.clear()
        self.faults.reset()
        self.gateway.state.reset()
        self.clock.restore()
        for task in self._waiting:
            task.cancel()

    async def aclose(self) -> None:
        """Drop every request that still waits, and see them end."""
        waiting = list(self._waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, whatever it is for."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            body = None
        except (ConnectionError, web.RequestPayloadError):  # the client left, or sent nonsense
            return _response(gateway_error("100"))
        received = Received(request.method, request.raw_path, request.headers, body)
        endpoint = endpoint_of(received.method, received.target)
        if endpoint is None:
            return _response(self._process(received))
        fault = self.faults.take(endpoint)
        entry = LoggedRequest(
            endpoint=endpoint,
            target=received.target,
            headers=received.headers,
            recipients=received.recipients,
            at=self.clock.time(),
            fault=None if fault is None else fault.kind.value,
            body=body if self.gateway.state.options.keep_bodies else None,
        )
        self.requests.append(entry)
        answer = await self._answer(request, received, entry, fault)
        if answer is None or request.transport is None or request.transport.is_closing():
            return web.Response()  # goes nowhere: the connection is closed
        entry.status = answer.status
        return _response(answer)

    async def _answer(
        self, request: web.Request, received: Received, entry: LoggedRequest, fault: Fault | None
    ) -> Answer | None:
        """The answer to give, or None if the connection was closed instead."""
        answer: Answer | None = None
        if fault is not None and fault.kind is FaultKind.LATE:
            await self._wait(self.clock.sleep(fault.delay))
        # What only reads may always be done, and shows what a broken answer would have held.
        done = fault is None or fault.accept or fault.kind is FaultKind.LATE
        if done or entry.endpoint in READING:
            answer = self._process(received)
            entry.accepted = answer.status < 300 and entry.endpoint not in READING
        if self.gateway.state.options.latency:
            await self._wait(self.clock.sleep(self.gateway.state.options.latency))
        if fault is None or fault.kind is FaultKind.LATE:
            return answer
        if fault.kind is FaultKind.HANG:
            await self._wait(_left(request))
            return None
        now = self.clock.time()
        if answer is not None and answer.status < 300:
            success = orjson.loads(answer.body) if answer.body else None
        else:
            success = self.gateway.success(entry.endpoint, now)
        if fault.kind in TORN_KINDS:
            _tear(request, torn_bytes(fault, success, now), reset=fault.kind is FaultKind.RESET)
            return None
        location = f"http://{request.host}{received.target}"
        shape = self.gateway.state.options.error_shape
        return broken_answer(fault, success, location=location, shape=shape)

    def _process(self, received: Received) -> Answer:
        return self.gateway.process(
            received,
            now=self.clock.time(),
            monotonic=self.clock.monotonic(),
            given_now=self.clock.given.time(),
        )

    async def _wait(self, what: Awaitable[None]) -> None:
        """Wait in a place where `reset` and `aclose` find the request."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            await what
        finally:
            self._waiting.discard(task)


def make_app(site: Site, control: web.Application) -> web.Application:
    """The whole application: the control interface, and the service everywhere else."""
    app = web.Application(client_max_size=site.gateway.state.options.max_body_bytes)

    async def date(_request: web.Request, response: web.StreamResponse) -> None:
        # A client learns its clock's error from this header.
        response.headers["Date"] = formatdate(site.clock.time(), usegmt=True)

    app.on_response_prepare.append(date)
    app.add_subapp("/_emulator", control)
    app.router.add_route("*", "/{tail:.*}", site.serve)
    return app


def _response(answer: Answer) -> web.Response:
    response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    response.headers["Content-Type"] = answer.content_type
    return response


def _tear(request: web.Request, data: bytes, *, reset: bool) -> None:
    """Write the bytes and close the connection under the answer."""
    transport = request.transport
    if transport is None:
        return
    if reset:
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, LINGER_OFF
        )
        transport.abort()
        return
    transport.write(data)
    transport.close()


class _Departure(asyncio.Protocol):
    """Stands in for a connection's protocol while its client is waited out."""

    def __init__(self, instead_of: asyncio.BaseProtocol, tell: Callable[[], None]) -> None:
        self._instead_of = instead_of
        self._tell = tell

    def connection_lost(self, exc: Exception | None) -> None:
        self._instead_of.connection_lost(exc)
        self._tell()


async def _left(request: web.Request) -> None:
    """Wait until the client has closed the connection."""
    transport = request.transport
    if transport is None:
        return
    left = asyncio.Event()
    # aiohttp tells a handler that its client has left only by cancelling it, and cancelling all
    # handlers so would lose messages that are accepted late.
    transport.set_protocol(_Departure(transport.get_protocol(), left.set))
    await left.wait()
