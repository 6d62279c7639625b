"""An event loop whose clock jumps instead of waiting, and the `Clock` that reads it.

Timers fire in their order and at their times, but the time between them takes no time:
`await asyncio.sleep(3600)` ends within a millisecond. Real sockets work as long as both ends
are in the same loop: before each jump the selector is asked, with a short real wait, whether
loopback has delivered something. Work in threads (`asyncio.to_thread`, executors, name lookups)
holds the clock at real speed until it is done.

What the loop cannot see, another process or a thread that nobody handed to an executor, needs
`loop.real_time = True` while it is used, or the marker `real_time` for the whole test; databases
that are used through SQLAlchemy need `hold_for_databases`.
"""

import asyncio
import selectors
import time
from collections.abc import Callable

import pytest

EPOCH = 1764031180.0
"""What a new `VirtualClock` shows: 2025-11-25 09:39:40 in Korea, a Tuesday."""

DELIVERY_SECONDS = 0.001
"""How long loopback may take to deliver, asked before each jump while sockets are open."""

PATIENCE_SECONDS = 30.0
"""How long a loop without timers waits really before it calls that a deadlock."""


class _Selector(selectors.DefaultSelector):
    """A selector whose long waits are somebody else's to decide."""

    def __init__(self, wait: Callable[[float | None], list]) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> list:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        return self._wait(timeout)

    def select_really(self, timeout: float | None) -> list:
        return super().select(timeout)

    def has_sockets(self) -> bool:
        """Whether anything but the loop's own wake-up pipe is watched."""
        return len(self.get_map()) > 1


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop on virtual time; see the module.

    Attributes:
        real_time: While True the clock runs at real speed: for peers outside this loop.
    """

    def __init__(self) -> None:
        self.real_time = False
        self._now = 1000.0
        self._jobs = 0
        self._sockets = _Selector(self._wait)
        super().__init__(self._sockets)

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once; timers that are due by then fire late, in their order."""
        self._now += seconds

    def run_in_executor(self, executor, func, *args):
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_done)
        return future

    async def shutdown_default_executor(self, *args, **kwargs) -> None:
        # It joins its threads from a thread of its own, with a time limit since Python 3.12.
        self._jobs += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self._jobs -= 1

    def _job_done(self, _: object) -> None:
        self._jobs -= 1

    def _wait(self, timeout: float | None) -> list:
        """Stand in for `select` while nothing is ready; `timeout` None means no timers."""
        if self.real_time or self._jobs:
            started = time.monotonic()
            events = self._sockets.select_really(timeout)
            self._now += time.monotonic() - started
            return events
        if timeout is None:
            events = self._sockets.select_really(PATIENCE_SECONDS)
            if not events:
                raise RuntimeError("deadlock: no timer, no job and no socket will wake this loop")
            return events
        events = self._sockets.select_really(DELIVERY_SECONDS if self._sockets.has_sockets() else 0)
        if not events:
            self._now += timeout
        return events


class VirtualClock:
    """A `sens_async.clock.Clock` on an event loop's time, normally a `VirtualLoop`'s.

    Attributes:
        offset: Seconds by which the wall clock is wrong; may be set at any time. It does not
            touch `monotonic`.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None = None, *, epoch: float = EPOCH
    ) -> None:
        self.offset = 0.0
        self._loop = loop or asyncio.get_running_loop()
        self._zero = self._loop.time() - epoch

    def time(self) -> float:
        return self._loop.time() - self._zero + self.offset

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def hold_for_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep virtual clocks at real speed while SQLAlchemy waits for a database."""
    from sqlalchemy.ext.asyncio import engine
    from sqlalchemy.util import greenlet_spawn

    async def spawn(function, *args, **kwargs):
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            return await greenlet_spawn(function, *args, **kwargs)
        loop._jobs += 1
        try:
            return await greenlet_spawn(function, *args, **kwargs)
        finally:
            loop._jobs -= 1

    monkeypatch.setattr(engine, "greenlet_spawn", spawn)
