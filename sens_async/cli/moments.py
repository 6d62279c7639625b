"""Points in time as a person writes them: dates, times of day, and how long ago."""

import re
from datetime import datetime, timedelta

from sens_async.core.schedule import KST, parse_time

__all__ = ["InvalidMoment", "read_age", "read_moment"]

_ALLOWED = "2025-11-25, '2025-11-25 09:00' (KST), today, yesterday, or how long ago: 30m, 2h, 3d"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS_AGO = {"today": 0, "오늘": 0, "yesterday": 1, "어제": 1}
_DAY = timedelta(days=1)
_LAST_SECOND = timedelta(seconds=-1)

_ago = re.compile(r"(\d+) ?([smhdw])", re.ASCII).fullmatch
_is_date = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_begins_with_minute = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", re.ASCII).match


class InvalidMoment(ValueError):
    """A text that names no point in time."""


def read_moment(text: str, now: datetime, *, option: str, is_end: bool = False) -> datetime:
    """Read a point in time.

    Args:
        text: A date, a date and a time of day (Korean unless it brings its offset), `today`,
            `yesterday`, `now`, or how long ago such as `2h`.
        now: The present; aware.
        option: Whose value it is, for the error.
        is_end: Whether a day means its last second, not its first.

    Returns:
        An aware datetime.

    Raises:
        InvalidMoment: It is none of these.
    """
    text = text.strip()
    word = text.lower()
    try:
        if word == "now":
            return now
        if _ago(word):
            return now - _age(word)
        if word in _DAYS_AGO:
            midnight = now.astimezone(KST).replace(hour=0, minute=0, second=0, microsecond=0)
            return _day(midnight - _DAYS_AGO[word] * _DAY, is_end=is_end)
        if _is_date(word):
            return _day(parse_time(word), is_end=is_end)
        if _begins_with_minute(text):
            return parse_time(text)
    except (ValueError, OverflowError):
        pass
    raise InvalidMoment(f"{option} is {_ALLOWED}; not {text!r}")


def read_age(text: str, *, option: str) -> timedelta:
    """Read how long something is ago.

    Args:
        text: Such as `90d`.
        option: Whose value it is, for the error.

    Raises:
        InvalidMoment: It is none.
    """
    word = text.strip().lower()
    try:
        if _ago(word):
            return _age(word)
    except OverflowError:
        pass
    raise InvalidMoment(f"{option} is how long ago, such as 12h, 90d or 12w; not {text!r}")


def _age(word: str) -> timedelta:
    match = _ago(word)
    assert match is not None
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _day(midnight: datetime, *, is_end: bool) -> datetime:
    return midnight + _DAY + _LAST_SECOND if is_end else midnight
