"""A server that answers 202 to anything, far faster than any client here can ask.

Run as `python -m benchmarks.stub`; prints its port. A GET answers what it has counted.
"""

import asyncio
import itertools

ANSWER = (
    b'{"requestId":"RSSA-1764031180535-0001-%08d-benchmrk",'
    b'"requestTime":"2025-11-25T09:39:40.535","statusCode":"202","statusName":"success"}'
)
HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


class Stub(asyncio.Protocol):
    """One connection of keep-alive HTTP/1.1 with `Content-Length` bodies."""

    numbers = itertools.count()
    requests = 0
    recipients = 0
    connections = 0

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        Stub.connections += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length: ")
            length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            self.answer(body)

    def answer(self, body: bytes) -> None:
        if not body:
            counts = b'{"requests":%d,"recipients":%d,"connections":%d}'
            content = counts % (Stub.requests, Stub.recipients, Stub.connections)
            self.transport.write(HEAD % (b"200 OK", len(content), content))
            return
        Stub.requests += 1
        Stub.recipients += body.count(b'"to"')
        content = ANSWER % next(Stub.numbers)
        self.transport.write(HEAD % (b"202 Accepted", len(content), content))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
