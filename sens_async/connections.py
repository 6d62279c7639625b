"""HTTP/1.1 on aiohttp's pool of connections, without the session's generality.

A `ClientSession` makes a request from a dozen objects that could each be something else: cookies,
redirects, proxies, middlewares, a body that is a stream. None of that is used here, and it costs
twice what the exchange itself does. Connections, TLS and the parser stay aiohttp's.
"""

from collections.abc import Mapping
from types import FunctionType
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from aiohttp import hdrs
from aiohttp.base_protocol import BaseProtocol
from aiohttp.connector import Connection
from aiohttp.http import StreamWriter
from aiohttp.tracing import Trace

if TYPE_CHECKING:
    from aiohttp.http_writer import Buffer

__all__ = ["MAX_ANSWER_BYTES", "Answer", "Connector", "exchange", "is_watched", "read"]

MAX_ANSWER_BYTES = 1 << 20
"""The longest answer that is read; a page of 100 messages is about 100 kB."""


_OWN = (
    aiohttp.ClientSession._request,  # noqa: SLF001 - see `is_watched`
    aiohttp.ClientSession.request,
    aiohttp.ClientRequest.send,
)
_THEIR_MODULES = {"aiohttp.client", "aiohttp.client_reqrep"}
_OWN_ARE_AIOHTTPS = all(
    type(function) is FunctionType and function.__globals__["__name__"] in _THEIR_MODULES
    for function in _OWN
)
"""Whether nothing had taken their place when this was imported."""


class Answer(NamedTuple):
    """A complete answer, as HTTP has it."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Connector(aiohttp.TCPConnector):
    """Never hands out a kept-alive connection on which something came unasked.

    The pool only looks whether a connection is open. An answer that arrived while it was idle
    would be taken for the answer to the next request, and shift all that follow.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> Connection:
        """Give a connection that nobody has written to since its last answer."""
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


async def exchange(
    connector: Connector,
    peer: aiohttp.ClientRequest,
    timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    head: bytes,
    body: aiohttp.Payload | None,
) -> Answer:
    """Make one exchange; it fails as `ClientSession.request` does.

    Args:
        connector: Has the connections.
        peer: Any request to the same host: only says where to connect to.
        timeout: Its `connect` is kept.
        head: Request line and headers, the empty line included.
        body: Written right after the head, or None.
    """
    try:
        connection = await connector.connect(peer, [], timeout)
    except TimeoutError as cause:
        raise aiohttp.ConnectionTimeoutError("no connection in time") from cause
    try:
        protocol = connection.protocol
        assert protocol is not None
        protocol.set_response_params(read_until_eof=True)
        writer = _HeadFirst(protocol, head)
        if body is None:
            await writer.write(b"")
        else:
            await body.write_with_length(writer, None)
        message, stream = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, stream = await protocol.read()
        content = await read(stream, message.headers)
    except BaseException:
        connection.close()
        raise
    if writer.has_left:
        connection.release()
    else:
        connection.close()
    return Answer(message.code, message.headers, content)


async def read(stream: aiohttp.StreamReader, headers: Mapping[str, str]) -> bytes:
    """Read an answer's body to its end.

    Raises:
        aiohttp.ClientPayloadError: It is longer than `MAX_ANSWER_BYTES`.
    """
    if hdrs.CONTENT_ENCODING not in headers:
        length = headers.get(hdrs.CONTENT_LENGTH, "")
        if length.isdecimal() and int(length) <= MAX_ANSWER_BYTES:
            return stream.read_nowait() if stream.is_eof() else await stream.read()
    content = bytearray()
    async for piece in stream.iter_any():
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError(f"the answer exceeds {MAX_ANSWER_BYTES:,} bytes")
    return bytes(content)


def is_watched(session: aiohttp.ClientSession) -> bool:
    """Whether requests must go through the session: a mock or a tracer has put itself there.

    Tests replace `ClientSession._request` or `request`, or `ClientRequest.send`, so that nothing
    reaches the network; tracers wrap them or bring trace configs.
    """
    kind = type(session)
    is_own = (
        kind._request is _OWN[0]  # noqa: SLF001 - it is what they replace
        and kind.request is _OWN[1]
        and aiohttp.ClientRequest.send is _OWN[2]
    )
    return not (is_own and _OWN_ARE_AIOHTTPS) or bool(session.trace_configs)


class _HeadFirst(StreamWriter):
    """Writes a ready head and a body in one go.

    It does not wait until a long body has left: that would only delay looking for an early answer.
    """

    def __init__(self, protocol: BaseProtocol, head: bytes) -> None:
        # Nothing but `transport` and `write` is ever used of it.
        self._protocol = protocol
        self._head = head

    @property
    def has_left(self) -> bool:
        """Whether all was taken by the system: an answer may come before the end of a request."""
        return self.transport is not None and not self.transport.get_write_buffer_size()

    async def write(
        self,
        chunk: "Buffer",
        *,
        drain: bool = True,  # noqa: ARG002 - see the class
        LIMIT: int = 0,  # noqa: ARG002, N803 - aiohttp's
    ) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection is closing")
        transport.write(b"".join((self._head, chunk)))
