"""When to ask again about a request: soon while its messages move, seldom while they do not."""

from typing import NamedTuple

from sens_async.errors import (
    ConnectFailed,
    QuotaExceeded,
    RateLimited,
    SensError,
    ServiceUnavailable,
    TransportError,
    UnreadableResponse,
)

__all__ = ["AT_ONCE", "LONGEST_PAUSE", "SHORTEST_PAUSE", "Pace", "passes", "spread"]

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two questions about the same request."""

_GROWTH = 1.5
_LIVELY, _QUIET = 1 / 4, 1 / 20
"""Shares of the awaited messages: if more have news, ask faster; if fewer, slower. Every question
costs the same, however few of a hundred messages have moved."""
_SLACK = 1 / 4
"""Part of its pause by which a question may come early, to go with others, or late, by chance."""

_PASSING = (
    TransportError,
    UnreadableResponse,
    ServiceUnavailable,
    RateLimited,
    QuotaExceeded,
)


class Pace(NamedTuple):
    """How long to wait between questions, and when the next is due.

    Attributes:
        due: Seconds on the clock that all times here are of.
        pause: Seconds waited before it.
    """

    due: float
    pause: float

    @property
    def early(self) -> float:
        """From when on it may be asked if others are asked anyway."""
        return self.due - _SLACK * self.pause

    def after(self, now: float, *, news: int, awaited: int) -> "Pace":
        """Give the pace after a question was answered, or failed.

        Args:
            now: When that was.
            news: How many messages it brought something new of.
            awaited: How many were awaited before; at least 1.
        """
        if news >= _LIVELY * awaited:
            pause = self.pause / 2
        elif news >= _QUIET * awaited:
            pause = self.pause
        else:
            pause = self.pause * _GROWTH
        pause = min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE)
        return Pace(now + pause, pause)


AT_ONCE = Pace(float("-inf"), 0.0)
"""Before the first question."""


def spread(seconds: float, roll: float) -> float:
    """Make a wait longer by chance, so that those who began together do not ask together.

    Args:
        seconds: To wait at least.
        roll: A random number from 0 to 1.
    """
    return seconds + _SLACK * min(seconds, LONGEST_PAUSE) * roll


def passes(error: SensError) -> bool:
    """Whether a question that failed so is worth asking again later."""
    if isinstance(error, ConnectFailed):
        return error.is_retryable  # a bad certificate stays bad
    return isinstance(error, _PASSING)
