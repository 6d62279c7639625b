"""A server that a test scripts down to the bytes, for what no HTTP server would do."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Self

import orjson

LINGER_OFF = struct.pack("ii", 1, 0)
"""Closing a socket with this sends RST."""


class RawRequest(NamedTuple):
    """One complete request, as it was on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def numbers(self) -> list[str]:
        return [message["to"] for message in orjson.loads(self.body)["messages"]]


class Connection:
    """The server's end of one connection.

    Attributes:
        requests: Where each complete request is noted.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        requests: list[RawRequest],
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.requests = requests

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def some_body(self, size: int) -> bytes:
        """The head and then `size` bytes of the body; the rest is left unread."""
        return await self.head() + await self.reader.readexactly(size)

    async def request(self) -> RawRequest | None:
        """The next whole request, or None when the client has closed."""
        try:
            head = (await self.head()).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = first.split(" ")
        request = RawRequest(method, target, headers, body)
        self.requests.append(request)
        return request

    async def answer(self, status: int, body: bytes | dict = b"", **headers: str) -> None:
        """A complete answer; the connection stays open."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(data)}", *lines]
        await self.write("\r\n".join([*lines, "", ""]).encode() + data)

    async def accept(self) -> None:
        """The answer of SENS to a send that it takes."""
        number = len(self.requests)
        await self.answer(
            202,
            {
                "requestId": f"RSSA-1764031180535-0001-{number:08d}-aBcDeFgH",
                "requestTime": "2025-11-25T09:39:40.535",
                "statusCode": "202",
                "statusName": "success",
            },
        )

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_OFF)
        self.writer.transport.abort()

    async def silence(self) -> None:
        """Say nothing until the client leaves."""
        while await self.reader.read(65536):
            pass


class RawServer:
    """A TCP server on loopback: an async context manager.

    Args:
        behave: What it does with each connection, which is closed at its end.
        tls: For a server that speaks TLS.

    Attributes:
        requests: Every complete request.
        connections: How many connections were made (with TLS: whose handshake succeeded).
    """

    def __init__(
        self,
        behave: Callable[[Connection], Awaitable[None]],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[RawRequest] = []
        self.connections = 0
        self._behave = behave
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._behave(Connection(reader, writer, self.requests))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left in the middle
        finally:
            writer.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self._tls, backlog=256
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(5):  # closed transports say so in a later turn of the loop
            await asyncio.sleep(0)


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
