"""Moments at which a worker process can be killed or stopped, and how that is done.

Marked are every commit of the ledger and every handing over of bytes to SENS, before and after,
the moment between an intent and the signing of its request, and every answer before it is read.
The worker marks them by patching SQLAlchemy, asyncio, aiohttp and the library in its own process.
"""

import asyncio
import os
import random
from asyncio.selector_events import _SelectorSocketTransport
from pathlib import Path
from signal import SIGKILL, Signals

import attrs
from aiohttp.client_proto import ResponseHandler
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

from sens_async.attempt import Attempt, Gateway

COMMITS = ("before commit", "after commit")
RUN_COMMITS = tuple(
    f"{moment} of {what}" for what in ("intents", "outcomes", "the rest") for moment in COMMITS
)
"""A run's commits, by what they are for."""

SENDING = ("between intent and send", "before send", "mid send", "after send")
ASKING = ("before question", "mid question", "after question")


@attrs.frozen(kw_only=True)
class Fate:
    """Where a process ends.

    Attributes:
        point: The marked point, its phase before it, as in `"run: after send"`.
        chance: How likely it ends there each time it comes by.
        elsewhere: How likely it ends at any other moment of sending. (Of asking it is not: what
            many answers say is written down at once, and nobody would live to see it.)
        seed: Of both.
        signal: `SIGKILL`, or `SIGSTOP` to be woken by somebody else.
        last_words: A file to which the point's name is written first.
    """

    point: str
    chance: float
    elsewhere: float = 0.0
    seed: int
    last_words: Path
    signal: Signals = SIGKILL


class Marks:
    """The marked points of this process.

    Attributes:
        phase: What the process is doing, the first half of a point's name.
    """

    def __init__(self, fate: Fate | None) -> None:
        self._fate = fate
        self._luck = random.Random(None if fate is None else fate.seed)
        self.phase = "open"
        self._written = "the rest"

    def is_due(self, point: str) -> bool:
        """Whether the process ends here, this time."""
        fate = self._fate
        if fate is None:
            return False
        chance = fate.chance if fate.point == f"{self.phase}: {point}" else 0.0
        if self.phase == "run" and point in SENDING:
            chance = chance or fate.elsewhere
        return self._luck.random() < chance

    def end(self, point: str) -> None:
        """Say where, and be killed or stopped; what was stopped lives on without a fate."""
        fate, self._fate = self._fate, None
        assert fate is not None
        words = os.open(fate.last_words, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(words, f"{self.phase}: {point}\n".encode())
        os.close(words)
        os.kill(os.getpid(), fate.signal)

    def passed(self, point: str) -> None:
        """Come by a point."""
        if self.is_due(point):
            self.end(point)

    def install(self) -> None:
        """Mark this process's moments, for as long as it lives."""
        commit = DefaultDialect.do_commit
        send = Gateway.send
        write = _SelectorSocketTransport.write
        read = ResponseHandler.data_received

        def do_commit(dialect: DefaultDialect, connection: object) -> None:
            written, self._written = self._written, "the rest"
            what = f" of {written}" if self.phase == "run" else ""
            self.passed(f"before commit{what}")
            commit(dialect, connection)
            self.passed(f"after commit{what}")

        def execute(connection: Connection, _d: object, statement: str, values: object, *_) -> None:
            if statement.startswith("UPDATE sens_batch") and '"fence":' in str(values):
                is_intent = '"state":"INFLIGHT"' in str(values)
                self._written = "intents" if is_intent else "outcomes"
                if not connection.dialect.is_async:  # it is a transaction of its own
                    self.passed(f"before commit of {self._written}")

        def executed(connection: Connection, *_) -> None:
            if not connection.dialect.is_async and self._written != "the rest":
                written, self._written = self._written, "the rest"
                self.passed(f"after commit of {written}")

        async def send_late(gateway: Gateway, *args: object, **options: object) -> Attempt:
            self.passed("between intent and send")
            return await send(gateway, *args, **options)

        def write_bytes(transport: asyncio.Transport, data: bytes) -> None:
            kind = {b"POST": "send", b"GET ": "question"}.get(bytes(data[:4]))
            if kind is None:  # it is for a database
                write(transport, data)
                return
            self.passed(f"before {kind}")
            if self.is_due(f"mid {kind}"):
                transport._sock.send(data[: len(data) // 2])  # and nothing more, ever
                self.end(f"mid {kind}")
            write(transport, data)
            self.passed(f"after {kind}")

        def data_received(protocol: ResponseHandler, data: bytes) -> None:
            self.passed("before answer")
            read(protocol, data)

        event.listen(Engine, "before_cursor_execute", execute)
        event.listen(Engine, "after_cursor_execute", executed)
        DefaultDialect.do_commit = do_commit
        Gateway.send = send_late
        _SelectorSocketTransport.write = write_bytes
        ResponseHandler.data_received = data_received
