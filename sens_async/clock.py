"""Time, as an argument.

Everything in the library that reads a clock or waits does so through a `Clock`, so that a test
can hand in one that jumps.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the library needs of time."""

    def time(self) -> float:
        """Seconds since the epoch, UTC: for signatures and for the times users see."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back: for pacing, deadlines and durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock; cancelling the waiter ends the wait."""
        ...


class SystemClock:
    """The machine's clock and the event loop's timers."""

    def time(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds on the machine's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` on the running event loop."""
        await asyncio.sleep(seconds)
