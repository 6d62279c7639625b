"""Waits between questions that end when there will be no more questions."""

import asyncio

from sens_async.clock import Clock

__all__ = ["Sleepers"]


class Sleepers:
    """Those who sleep until they ask again.

    Args:
        clock: Whose seconds are slept.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sleeping: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Wake all who sleep now."""
        for sleep in tuple(self._sleeping):
            sleep.cancel()

    async def sleep(self, seconds: float) -> None:
        """Sleep, unless woken; whoever may be woken has to see why.

        Raises:
            Exception: Whatever a clock of the caller's own raises.
        """
        sleep = asyncio.create_task(self._clock.sleep(seconds), name="sens-async pause")
        self._sleeping.add(sleep)
        try:
            await asyncio.wait({sleep})
        finally:
            sleep.cancel()
            self._sleeping.discard(sleep)
        if not sleep.cancelled():
            await sleep
