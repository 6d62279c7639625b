"""Two lanes of waiters, and whose turn it is.

A single send (a one-time password) overtakes a run of a million, but a steady stream of single
sends must not stop the run.
"""

from enum import StrEnum

__all__ = ["BULK_PATIENCE", "Lane", "Turns"]

BULK_PATIENCE = 3
"""Interactive requests that may overtake waiting bulk in a row; the next turn is bulk's."""


class Lane(StrEnum):
    """Which line a request waits in."""

    INTERACTIVE = "interactive"
    """Somebody waits for the answer: `send`, reads. Goes first."""
    BULK = "bulk"
    """A batch of a run. Gets at least every fourth turn while it waits."""


_INTERACTIVE_FIRST = (Lane.INTERACTIVE, Lane.BULK)
_BULK_FIRST = (Lane.BULK, Lane.INTERACTIVE)


class Turns:
    """Remembers how often bulk was overtaken."""

    __slots__ = ("_overtaken",)

    def __init__(self) -> None:
        self._overtaken = 0

    def order(self) -> tuple[Lane, Lane]:
        """Which lane to serve first, and which if that one has nobody who can go."""
        return _BULK_FIRST if self._overtaken >= BULK_PATIENCE else _INTERACTIVE_FIRST

    def took(self, lane: Lane, *, bulk_waits: bool) -> None:
        """Note that `lane` had a turn, and whether bulk was waiting meanwhile."""
        if lane is Lane.INTERACTIVE and bulk_waits:
            self._overtaken += 1
        else:
            self._overtaken = 0
