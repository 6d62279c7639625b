"""Long intervals cut into windows that the service takes.

The service compares whole seconds of Korean time, and does not say whether a window's bounds
belong to it. Neighbouring windows therefore touch: the end of one is the beginning of the next.
If bounds belong to a window, what lies on the seam comes twice and the reader drops it by its id;
if only one of them does, nothing comes twice and nothing is lost.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sens_async.core.schedule import KST
from sens_async.errors import InvalidQuery

__all__ = ["BY_COMPLETION", "BY_REQUEST", "Window", "as_window", "checked_time", "windows"]

BY_REQUEST = timedelta(days=30)
"""The longest window by request time (SENS API: List messages)."""
BY_COMPLETION = timedelta(hours=24)
"""The longest window by completion time (same page)."""

_SECOND = timedelta(seconds=1)


class Window(NamedTuple):
    """From a second up to another, which is not part of it.

    Attributes:
        start: Aware (KST), without fractions.
        end: Aware (KST), without fractions; later than `start`.
    """

    start: datetime
    end: datetime


def as_window(since: datetime, until: datetime, *, names: tuple[str, str]) -> Window:
    """Give every second that an interval touches, its last one included.

    Args:
        since: The interval's beginning, aware.
        until: Its end, aware; not earlier.
        names: What the two are called, for errors.

    Raises:
        InvalidQuery: One has no time zone or is no time, they are out of order, or at the
            calendar's end.
    """
    try:
        start, end = _second(since, names[0]), _second(until, names[1]) + _SECOND
    except OverflowError:
        raise InvalidQuery(f"{names[0]} or {names[1]} lies beyond the calendar") from None
    if end <= start:
        raise InvalidQuery(f"{names[1]} ({until}) is before {names[0]} ({since})")
    return Window(start, end)


def windows(whole: Window, longest: timedelta) -> Iterator[Window]:
    """Cut a window into those that are no longer than the service allows, earliest first.

    Args:
        whole: To be cut.
        longest: Of each piece; whole seconds.
    """
    start = whole.start
    while start < whole.end:
        # Compared by what is left: adding could go beyond the calendar.
        end = start + longest if whole.end - start > longest else whole.end
        yield Window(start, end)
        start = end


def checked_time(time: object, name: str) -> datetime:
    """Give a time that says in which zone it is.

    Raises:
        InvalidQuery: It does not, or is no time; naming it.
    """
    if not isinstance(time, datetime):
        raise InvalidQuery(f"{name} must be a datetime, got {type(time).__name__}")
    if time.tzinfo is None or time.utcoffset() is None:
        raise InvalidQuery(
            f"{name} {time:%Y-%m-%d %H:%M:%S} has no time zone; "
            'give one, for example tzinfo=ZoneInfo("Asia/Seoul")'
        )
    return time


def _second(time: object, name: str) -> datetime:
    return checked_time(time, name).astimezone(KST).replace(microsecond=0)
