"""What holds batches back so that a fault costs few of them.

A run that nobody has answered yet sends little at a time, since a wrong key or an unregistered
sender is refused whoever the recipient is. A run that gets no usable answers any more pauses,
since an outage must not turn 300,000 people into unknowns.
"""

import asyncio

from sens_async.clock import Clock

__all__ = ["UNKNOWNS_THAT_PAUSE", "UNPROVEN_IN_FLIGHT", "Outage", "Proving"]

UNPROVEN_IN_FLIGHT = 4
"""Batches of an envelope on the wire until SENS has accepted one of them."""

UNKNOWNS_THAT_PAUSE = 5
"""Unknown batches in a row that pause a run."""


class Proving:
    """Lets few batches of an envelope through until one was accepted.

    Attributes:
        is_proven: Whether one was.
    """

    def __init__(self) -> None:
        self.is_proven = False
        self._few = asyncio.Semaphore(UNPROVEN_IN_FLIGHT)

    async def enter(self) -> bool:
        """Wait, unless it is proven, until few enough are on the wire.

        Returns:
            Whether `leave` must follow.
        """
        if self.is_proven:
            return False
        await self._few.acquire()
        if self.is_proven:
            self._few.release()
            return False
        return True

    def leave(self) -> None:
        """Let the next one in: a batch is settled, or whoever was refused in it is found."""
        self._few.release()

    def prove(self) -> None:
        """Take note that one was accepted, and let in all who wait."""
        if not self.is_proven:
            self.is_proven = True
            self._few.release()  # the first one in lets the next in, and so on


class Outage:
    """Counts unknown batches in a row, pauses, and lets one batch find out whether to go on."""

    def __init__(self, clock: Clock, pause: float) -> None:
        self._clock = clock
        self._pause = pause
        self._unknowns = 0
        self._is_probing = False
        self._probed = asyncio.Event()

    async def admit(self) -> bool:
        """Wait while there is an outage.

        Returns:
            Whether this batch is the one that finds out.
        """
        while self._unknowns >= UNKNOWNS_THAT_PAUSE:
            if self._is_probing:
                await self._probed.wait()
                continue
            self._is_probing = True
            self._probed.clear()
            try:
                await self._clock.sleep(self._pause)
            except asyncio.CancelledError:
                self.conclude(is_unknown=None, is_probe=True)
                raise
            return True
        return False

    def conclude(self, *, is_unknown: bool | None, is_probe: bool) -> None:
        """Take note of what became of an admitted batch.

        Args:
            is_unknown: Whether it is unknown; None if it never came to an answer.
            is_probe: What `admit` returned for it.
        """
        if is_unknown:
            self._unknowns += 1
        elif is_unknown is not None:
            self._unknowns = 0
        if is_probe:
            self._is_probing = False
            self._probed.set()
