"""The emulator's time: a clock it was given, and how far a test has moved it."""

from collections.abc import Callable

from sens_async.clock import Clock

__all__ = ["MovableClock"]

LAST = 250_000_000_000.0
"""Seconds since the epoch, in the year 9892: later dates cannot be written."""


class MovableClock:
    """A `Clock` that can be put forward, and whose date can be set.

    What sleeps on it when it is moved is not woken: it sleeps as long as it would have.

    Attributes:
        given: The clock beneath.
        on_move: Called whenever it was moved.
    """

    def __init__(self, given: Clock) -> None:
        self.given = given
        self.on_move: set[Callable[[], None]] = set()
        self._offset = 0.0
        self._leapt = 0.0

    def time(self) -> float:
        """Seconds since the epoch, UTC."""
        return self.given.time() + self._offset

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; being put forward counts."""
        return self.given.monotonic() + self._leapt

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of the clock beneath."""
        await self.given.sleep(seconds)

    @property
    def offset(self) -> float:
        """Seconds by which `time` differs from the clock beneath."""
        return self._offset

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once.

        Raises:
            ValueError: It is less than 0, or leads beyond the dates that can be written.
        """
        if not seconds >= 0:
            raise ValueError(f"advance is {seconds!r}, it has to be 0 or more seconds")
        self._move(seconds)

    def set(self, time: float) -> None:
        """Make it this moment, in seconds since the epoch; it may be in the past.

        Raises:
            ValueError: It is before the epoch, or beyond the dates that can be written.
        """
        self._move(time - self.time())

    def restore(self) -> None:
        """Tell the time of the clock beneath again."""
        self._move(-self._offset)

    def _move(self, seconds: float) -> None:
        if not 0 <= self.time() + seconds <= LAST:
            raise ValueError("the clock can be set to 1970 to 9892 only")
        self._offset += seconds
        self._leapt += max(0.0, seconds)
        for tell in tuple(self.on_move):
            tell()
