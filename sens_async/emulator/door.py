"""What stands at the emulator's port: HTTP goes on to the application, CONNECT through TLS first.

A client whose `https://sens.apigw.ntruss.com` is fixed asks its proxy to CONNECT it there. Here
the tunnel ends at once: TLS is spoken with a certificate of the emulator's own, and inside is the
application that answers outside as well. There is no way on: this is no open proxy.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from http import HTTPStatus
from weakref import WeakSet

import orjson

from sens_async.emulator import targets

__all__ = ["Door"]

BACKLOG = 1024
MAX_HEAD = 8190
"""Bytes of a CONNECT request."""
SHUTDOWN_TIMEOUT = 1.0
"""Seconds that a client may take to agree to the end of its TLS."""

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
NEEDS_TLS = "CONNECT needs an emulator with TLS: `sens emulator --tls`, or Emulator(tls=True)"

_CONNECT = b"CONNECT "
_REQUEST_LINE = re.compile(rb"CONNECT (?P<authority>[\x21-\x7e]+) HTTP/1\.[01]")


class Door:
    """Listens, and shows every connection in.

    Args:
        serve: Makes the protocol of the application for one connection.
        context: Of the TLS inside tunnels; None refuses all tunnels.
    """

    def __init__(
        self, serve: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        self._serve = serve
        self._context = context
        self._server: asyncio.Server | None = None
        self._outside: set[_Visitor] = set()
        self._entering: set[asyncio.Task[None]] = set()
        self._tunnels: WeakSet[asyncio.Transport] = WeakSet()

    async def open(self, host: str, port: int) -> int:
        """Listen; answers the port.

        Raises:
            OSError: The port is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Visitor(self._outside, self._admit), host, port, backlog=BACKLOG
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Listen no more, and drop what has not reached the application yet."""
        if self._server is not None:
            self._server.close()
        for visitor in list(self._outside):
            visitor.transport.abort()
        entering = list(self._entering)
        for task in entering:
            task.cancel()
        await asyncio.gather(*entering, return_exceptions=True)

    def abort_tunnels(self) -> None:
        """Drop the tunnels whose clients keep them open."""
        for transport in list(self._tunnels):
            transport.abort()

    def _admit(self, transport: asyncio.Transport, data: bytes) -> bool:
        """Look at what a connection began with; answers whether it needs to be seen no more."""
        if not data.startswith(_CONNECT[: len(data)]):
            _hand_over(transport, self._serve(), data)
            return True
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end and len(head) <= MAX_HEAD:
            return False
        match = _REQUEST_LINE.fullmatch(head.partition(b"\r\n")[0])
        if match is None or len(head) > MAX_HEAD or rest:  # TLS has to wait for the answer
            _refuse(transport, HTTPStatus.BAD_REQUEST, "this is no CONNECT request")
            return True
        authority = match["authority"].decode()
        if not targets.leads_here(authority, transport.get_extra_info("sockname")[1]):
            _refuse(transport, HTTPStatus.FORBIDDEN, targets.no_proxy_to(authority))
        elif self._context is None:
            _refuse(transport, HTTPStatus.FORBIDDEN, NEEDS_TLS)
        else:
            transport.pause_reading()
            transport.write(ESTABLISHED)
            task = asyncio.get_running_loop().create_task(self._enter(transport, self._context))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)
        return True

    async def _enter(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        if transport.is_closing():
            return
        waiting = _Waiting()
        self._tunnels.add(transport)
        try:
            inside = await asyncio.get_running_loop().start_tls(
                transport,
                waiting,
                context,
                server_side=True,
                ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
            )
        except OSError:  # the client left, or trusts another certificate: it knows best why
            return
        if inside is not None and not waiting.is_over:
            _hand_over(inside, self._serve(), bytes(waiting.data))


class _Visitor(asyncio.Protocol):
    """A connection of which too little was read to know what it wants."""

    transport: asyncio.Transport

    def __init__(
        self, outside: "set[_Visitor]", admit: Callable[[asyncio.Transport, bytes], bool]
    ) -> None:
        self._outside = outside
        self._admit = admit
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._outside.add(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._admit(self.transport, self._data):
            self._outside.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._outside.discard(self)


class _Waiting(asyncio.Protocol):
    """Keeps what comes right behind a handshake, before anyone has been told of its end."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_over = False

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self.is_over = True


def _hand_over(transport: asyncio.Transport, protocol: asyncio.Protocol, data: bytes) -> None:
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if data:
        protocol.data_received(data)


def _refuse(transport: asyncio.Transport, status: HTTPStatus, reason: str) -> None:
    body = orjson.dumps({"error": reason})
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    transport.write(head.encode() + body)
    transport.close()
