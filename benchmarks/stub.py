"""A server that answers 202 to any POST, far faster than any client here can ask.

Run as `python -m benchmarks.stub 0 20 50`: it prints a port for each latency in milliseconds, in
that order, and ends when its standard input does, so that it never outlives whoever started it.
A GET to any port answers what came to all of them since the last GET, as JSON.
"""

import asyncio
import itertools
import json
import signal
import sys
import time
from functools import partial
from typing import cast

from benchmarks.delay import Delay

ANSWER = (
    b'{"requestId":"RSSA-1764031180535-0001-%08d-benchmrk",'
    b'"requestTime":"2025-11-25T09:39:40.535","statusCode":"202","statusName":"success"}'
)
HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
SWITCH_INTERVAL = 0.0001
"""Seconds after which a thread gives way: one whose answer is due must not wait for requests."""
BACKLOG = 1024
"""Connections that may wait to be taken; a client that opens hundreds at once must not stall."""


class Tally:
    """What came since somebody last asked.

    Attributes:
        requests: POSTs that came in full.
        recipients: Named in them.
        connections: Those whose first POST came; connections that only asked do not count.
        most_in_flight: The most requests that waited for their answer at a time.
        in_flight: Requests that wait now.
    """

    __slots__ = ("connections", "cpu", "in_flight", "most_in_flight", "recipients", "requests")

    def __init__(self) -> None:
        self.in_flight = 0
        self._begin()

    def take(self) -> dict[str, float]:
        """Give the counts, and the seconds of CPU that they took, and begin again."""
        counts = {
            "requests": self.requests,
            "recipients": self.recipients,
            "connections": self.connections,
            "most_in_flight": self.most_in_flight,
            "cpu": time.process_time() - self.cpu,
        }
        self._begin()
        return counts

    def _begin(self) -> None:
        self.requests = self.recipients = self.connections = 0
        self.most_in_flight = self.in_flight
        self.cpu = time.process_time()


class Connection(asyncio.Protocol):
    """One connection of keep-alive HTTP/1.1 with `Content-Length` bodies.

    Args:
        tally: Counts for all connections.
        ids: Numbers that no two answers share.
        delay: Makes an answer come later; None to answer at once.
    """

    def __init__(self, tally: Tally, ids: "itertools.count[int]", delay: Delay | None) -> None:
        self._tally = tally
        self._ids = ids
        self._delay = delay
        self._unread = b""
        self._is_counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's only looks like one

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            start = end + 4
            stop = start + _content_length(self._unread[:start].lower())
            if len(self._unread) < stop:
                return
            if self._unread.startswith(b"GET "):
                self._write(b"200 OK", json.dumps(self._tally.take()).encode())
            else:
                self._take(self._unread[start:stop])
            self._unread = self._unread[stop:]

    def _take(self, body: bytes) -> None:
        """Count a request, and answer it when it is time."""
        tally = self._tally
        if not self._is_counted:
            self._is_counted = True
            tally.connections += 1
        tally.requests += 1
        tally.recipients += body.count(b'"to"')
        tally.in_flight += 1
        tally.most_in_flight = max(tally.most_in_flight, tally.in_flight)
        if self._delay is None:
            self._answer()
        else:
            self._delay(self._answer)

    def _answer(self) -> None:
        self._tally.in_flight -= 1
        self._write(b"202 Accepted", ANSWER % next(self._ids))

    def _write(self, status: bytes, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(HEAD % (status, len(body), body))


def _content_length(head: bytes) -> int:
    at = head.find(b"content-length:")
    return int(head[at + 15 : head.index(b"\r\n", at)]) if at >= 0 else 0


async def serve(latencies: list[float]) -> None:
    """Open a port for each latency in seconds, and serve until standard input ends."""
    loop = asyncio.get_running_loop()
    tally, ids = Tally(), itertools.count()
    ports = []
    for latency in latencies:
        delay = Delay(loop, latency) if latency else None
        connection = partial(Connection, tally, ids, delay)
        server = await loop.create_server(connection, "127.0.0.1", 0, backlog=BACKLOG)
        ports.append(server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def fast_loop() -> asyncio.AbstractEventLoop:
    """Give uvloop's event loop where it is installed, else asyncio's."""
    try:
        import uvloop  # noqa: PLC0415 - it may not be
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for whoever started it
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(serve([int(milliseconds) / 1000 for milliseconds in sys.argv[1:]]))
