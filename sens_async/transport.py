"""One HTTP exchange: a request in, a complete answer or a classified failure out.

Whether a failed send may have been accepted is decided here, from two witnesses. The body is a
payload of ours that marks the moment its bytes are handed to the connection. It can be withdrawn
until then, and withdraws itself from a kept-alive connection that is closing; a withdrawn payload
is never written. A send is certainly not accepted only if that moment never came *and* the
failure is one of connecting or follows from a withdrawal; anything else leaves it open.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Protocol

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError, StreamWriter
from multidict import CIMultiDict
from yarl import URL

from sens_async.config import Timeouts
from sens_async.connections import MAX_ANSWER_BYTES, Answer, Connector, exchange, is_watched, read
from sens_async.core.requests import Request
from sens_async.core.responses import Response
from sens_async.deadlines import Deadlines
from sens_async.errors import ConnectFailed, ConnectionLost, RequestTimeout, TransportError

__all__ = ["MAX_ANSWER_BYTES", "AiohttpTransport", "Handover", "Transport"]

KEEPALIVE_SECONDS = 10.0
"""How long an idle connection is kept.

The gateway's own limit is not documented. The shorter ours, the rarer a request meets a
connection that is being closed at the other end, which cannot be told from a lost answer.
"""

CONNECTING = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.ServerFingerprintMismatch,
)
"""Failures before there is a connection to write to."""

_HEADERS = CIMultiDict({hdrs.CONTENT_TYPE: "application/json"})


class Handover:
    """How far a request got: waiting, handed to the connection, or withdrawn before that.

    Attributes:
        begun: Whether its bytes were given to the connection.
    """

    __slots__ = ("begun", "is_withdrawn")

    def __init__(self) -> None:
        self.begun = False
        self.is_withdrawn = False

    def withdraw(self) -> bool:
        """Forbid the handing over, if it has not begun.

        Returns:
            Whether the request is now certain never to be sent.
        """
        self.is_withdrawn = not self.begun
        return self.is_withdrawn


class Transport(Protocol):
    """Makes HTTP exchanges; a session closes only the one that it made itself."""

    async def exchange(
        self, request: Request, headers: Mapping[str, str], handover: Handover
    ) -> Response:
        """Make one exchange; follow no redirect, repeat nothing.

        Args:
            request: Its target goes on the wire byte for byte.
            headers: Those of the signature.
            handover: To be marked before the first byte of the body is written, and to be
                obeyed when it is withdrawn.

        Raises:
            TransportError: No complete answer was read; `may_have_been_sent` says what that
                means for a send.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


class _Body(aiohttp.Payload):
    """Bytes that mark their handover."""

    def __init__(self, data: bytes, handover: Handover) -> None:
        # The base class would build headers that are the same for every request.
        self._value = self._data = data
        self._size = len(data)
        self._headers = _HEADERS
        self._handover = handover

    async def write(self, writer: AbstractStreamWriter) -> None:
        if isinstance(writer, StreamWriter) and (
            writer.transport is None or writer.transport.is_closing()
        ):
            self._handover.withdraw()
        if self._handover.is_withdrawn:
            raise ConnectionAbortedError("withdrawn before it was sent")
        self._handover.begun = True
        await writer.write(self._value)

    async def write_with_length(
        self,
        writer: AbstractStreamWriter,
        content_length: int | None,  # noqa: ARG002 - it is always the whole body
    ) -> None:
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._data.decode(encoding, errors)

    @property
    def autoclose(self) -> bool:
        return True


class AiohttpTransport:
    """Exchanges over one pool of kept-alive connections.

    Args:
        base_url: Scheme, host and port.
        timeouts: For each exchange.
        connections: The most that are open at a time.
        ssl_context: For a certificate authority of one's own; None for the system's.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeouts: Timeouts,
        connections: int,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeouts = timeouts
        self._deadlines = Deadlines(timeouts.total)
        # The whole is bounded by `_deadlines`, at a tenth of what aiohttp's timers cost.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=timeouts.connect)
        self._connections = connections
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None
        self._starts: dict[tuple[str, str], str] = {}

    async def exchange(
        self, request: Request, headers: Mapping[str, str], handover: Handover
    ) -> Response:
        """Make one exchange; see `Transport`."""
        body = _Body(request.body, handover) if request.body else None
        if body is None:
            handover.begun = True
        answered = await self._answer(request, body, headers, handover)
        if isinstance(answered, TransportError):
            # Raised here, without its cause: that holds the request, its keys, numbers and texts.
            raise answered
        if not handover.begun:
            handover.begun = True
            raise RuntimeError(
                "an answer came to a request that was never marked as sent: with this version of "
                "aiohttp it cannot be proved what was not sent; please report it"
            )
        return answered

    async def _answer(
        self,
        request: Request,
        body: _Body | None,
        headers: Mapping[str, str],
        handover: Handover,
    ) -> Response | TransportError:
        session = self._session or self._open()
        try:
            with self._deadlines.start():
                if is_watched(session):
                    answer = await self._ask(session, request, headers, body)
                else:
                    connector, peer = self._pool
                    head = self._head(request, headers)
                    answer = await exchange(connector, peer, self._timeout, head, body)
        except (aiohttp.ClientError, HttpProcessingError, OSError) as cause:
            return self._failure(cause, handover)
        status, fields, content = answer
        if status < 300 and body is not None:  # many, and nobody looks at their headers
            return Response(status, content)
        return Response(
            status,
            content,
            fields.get(hdrs.DATE),
            fields.get(hdrs.RETRY_AFTER),
            fields.get(hdrs.LOCATION),
        )

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        headers: Mapping[str, str],
        body: _Body | None,
    ) -> Answer:
        """Go the session's own way, where mocks and tracers stand."""
        url = URL(self._base_url + _checked(request.target), encoded=True)
        async with session.request(
            request.method, url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            content = await read(answer.content, answer.headers)
            return Answer(answer.status, answer.headers, content)

    async def aclose(self) -> None:
        """Close all connections; a later exchange would open new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def __repr__(self) -> str:
        return f"<AiohttpTransport {self._base_url}, {'open' if self._session else 'idle'}>"

    def _open(self) -> aiohttp.ClientSession:
        connector = Connector(
            limit=self._connections, keepalive_timeout=KEEPALIVE_SECONDS, ssl=self._ssl or True
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            headers={hdrs.ACCEPT_ENCODING: "identity", hdrs.USER_AGENT: "sens-async"},
            trust_env=False,
        )
        loop = asyncio.get_running_loop()
        url = URL(self._base_url)
        self._pool = connector, aiohttp.ClientRequest("POST", url, loop=loop, session=self._session)
        return self._session

    def _head(self, request: Request, headers: Mapping[str, str]) -> bytes:
        """Write the request line and the headers."""
        method, target, body = request
        start = self._starts.get((method, target))
        if start is None:
            host = URL(self._base_url).host_port_subcomponent
            start = (
                f"{method} {_checked(target)} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n"
                "Accept-Encoding: identity\r\nUser-Agent: sens-async\r\n"
            )
            if body:  # what is posted to are few targets; what is read are many
                self._starts[method, target] = start
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if not lines.count("\r") == lines.count("\n") == len(headers):
            raise ValueError("a header holds a line break")
        if body:
            lines += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{start}{lines}\r\n".encode("ascii")

    def _failure(self, cause: Exception, handover: Handover) -> TransportError:
        """Say what a failed exchange means for a send."""
        if (isinstance(cause, CONNECTING) or handover.is_withdrawn) and not handover.begun:
            hopeless = aiohttp.ClientConnectorCertificateError, aiohttp.InvalidURL
            return ConnectFailed(
                f"could not connect to {self._base_url}: {_reason(cause)}",
                is_retryable=not isinstance(cause, hopeless),
            )
        if isinstance(cause, TimeoutError):
            return RequestTimeout(
                f"no complete answer within {self._timeouts.total:g} s", may_have_been_sent=True
            )
        return ConnectionLost(
            f"the connection ended before a complete answer: {_reason(cause)}",
            may_have_been_sent=True,
        )


def _checked(target: str) -> str:
    """Give a target that goes on the wire byte for byte."""
    is_visible = target.isascii() and target.isprintable() and " " not in target
    if not is_visible or URL(f"https://host{target}", encoded=True).raw_path_qs != target:
        raise ValueError(f"not a request target: {target!r}")
    return target


def _reason(cause: Exception) -> str:
    """Give the cause's kind and errno, not its text: that may quote a URL or an answer."""
    number = getattr(cause, "errno", None)
    inner = getattr(cause, "os_error", None) or cause.__cause__
    detail = f" ({type(inner).__name__}: {inner})" if isinstance(inner, OSError) else ""
    return f"{type(cause).__name__}{f' [errno {number}]' if number else ''}{detail}"
