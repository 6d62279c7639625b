"""Waiting for the rate limit: first come first served in two lanes, one timer for everybody."""

import asyncio
from collections import deque
from typing import Protocol

from sens_async.clock import Clock
from sens_async.core.rate import Gcra, RateLimit
from sens_async.errors import SessionClosed
from sens_async.flow.lanes import Lane, Turns

__all__ = ["GcraLimiter", "Limiter"]

SHORTEST_SLEEP = 0.001
"""Seconds the timer sleeps at least; far inside the limit's tolerance, so no rate is lost, and
a clock that wakes a rounding error too early cannot make it spin."""

_Waiter = tuple[asyncio.Future[None], int]


class Limiter(Protocol):
    """What a session needs of a rate limiter; a user's own may be shared between sessions."""

    async def acquire(self, recipients: int, lane: Lane) -> None:
        """Wait until one more request may leave.

        Cancellation: must be possible at any time, and must not use up the permission.

        Args:
            recipients: How many the request has; 0 for a read or an upload.
            lane: Who should go first; a limiter may ignore it.
        """
        ...

    def pause(self, seconds: float) -> None:
        """Let nobody through for `seconds` from now; never shortens an earlier pause."""
        ...


class GcraLimiter:
    """Keeps a `RateLimit`, evenly spaced; see `sens_async.core.rate` for what it promises.

    Interactive requests go first, bulk gets at least every fourth turn, each lane is first come
    first served. While nobody waits there is no task. May be shared by the sessions of one event
    loop.

    Args:
        limit: The limit, or None for none; a pause holds everyone all the same.
        clock: Its `monotonic` and its `sleep` are used.
    """

    def __init__(self, limit: RateLimit | None, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._gcra = Gcra(limit)
        self._lanes: dict[Lane, deque[_Waiter]] = {lane: deque() for lane in Lane}
        self._waiting = dict.fromkeys(Lane, 0)
        self._turns = Turns()
        self._timers: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Task[None] | None = None
        self._wake_at = 0.0
        self._is_closed = False

    def __repr__(self) -> str:
        limit = self._limit
        if limit is None:
            rate = "unlimited"
        else:
            rate = f"{limit.requests:g} requests"
            if limit.recipients is not None:
                rate += f" and {limit.recipients:g} recipients"
            rate += f" per {limit.per:g} s"
        state = f"{rate}, waiting={self.waiting}"
        if pause := self._gcra.paused_for(self._clock.monotonic()):
            state += f", paused for {pause:.1f} s"
        return f"<GcraLimiter {state}{', closed' if self._is_closed else ''}>"

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return sum(self._waiting.values())

    async def acquire(self, recipients: int, lane: Lane) -> None:
        """Wait until one more request may leave; does not suspend when it may at once.

        Args:
            recipients: How many the request has; 0 for a read or an upload.
            lane: The line to wait in.

        Raises:
            SessionClosed: The limiter was closed before the turn came.
        """
        if self._is_closed:
            raise _closed()
        if self.acquire_now(recipients):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes[lane].append((turn, recipients))
        self._waiting[lane] += 1
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting[lane] -= 1
            else:
                self._gcra.take_back(recipients)
            self._serve()
            raise

    def acquire_now(self, recipients: int) -> bool:
        """Take a turn if one is due and nobody waits; False if `acquire` would wait or raise."""
        if self._is_closed or self._timer is not None:
            return False
        return not self._gcra.grant(self._clock.monotonic(), recipients)

    def pause(self, seconds: float) -> None:
        """Let nobody through for `seconds` from now; never shortens an earlier pause."""
        self._gcra.postpone(self._clock.monotonic() + seconds)

    async def aclose(self) -> None:
        """Fail whoever waits with `SessionClosed`, and end the timer."""
        self._is_closed = True
        for lane, line in self._lanes.items():
            for turn, _ in line:
                if not turn.done():
                    turn.set_exception(_closed())
                    self._waiting[lane] -= 1
            line.clear()
        self._stop_timer()
        if self._timers:
            await asyncio.wait(self._timers)

    def _serve(self) -> None:
        """Grant all that is due, and have the timer wake when the next will be."""
        wait = self._grant_due()
        if wait is None:
            self._stop_timer()
            return
        if self._timer is not None:
            if self._clock.monotonic() + wait > self._wake_at - SHORTEST_SLEEP:
                return
            self._stop_timer()
        timer = asyncio.create_task(self._wake(), name="sens-async limiter timer")
        self._timer = None if timer.done() else timer  # an eager task may have ended already
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)

    async def _wake(self) -> None:
        """Grant and sleep in turns until nobody waits."""
        while (wait := self._grant_due()) is not None:
            wait = max(wait, SHORTEST_SLEEP)
            self._wake_at = self._clock.monotonic() + wait
            await self._clock.sleep(wait)
        self._timer = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _grant_due(self) -> float | None:
        """Give everyone their turn who may have it now.

        Returns:
            The seconds until the next may, or None when nobody waits.
        """
        now = self._clock.monotonic()
        wait: float | None = 0.0
        while wait == 0.0:
            wait = self._grant_one(now)
        return wait

    def _grant_one(self, now: float) -> float | None:
        """Give one waiter its turn.

        Returns:
            0.0 when somebody got it, else the seconds until the next can, None if nobody waits.
        """
        shortest: float | None = None
        for lane in self._turns.order():
            line = self._lanes[lane]
            while line and line[0][0].done():
                line.popleft()
            if not line:
                continue
            turn, recipients = line[0]
            wait = self._gcra.grant(now, recipients)
            if not wait:
                line.popleft()
                turn.set_result(None)
                self._waiting[lane] -= 1
                self._turns.took(lane, bulk_waits=self._waiting[Lane.BULK] > 0)
                return 0.0
            shortest = wait if shortest is None else min(shortest, wait)
        return shortest


def _closed() -> SessionClosed:
    return SessionClosed("the rate limiter was closed before this request's turn came")
