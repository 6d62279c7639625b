"""Points in time as a person writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from sens_async.cli.moments import InvalidMoment, read_moment
from sens_async.core.schedule import KST

NOW = datetime(2025, 11, 25, 0, 30, tzinfo=UTC)  # 09:30 in Korea


def read(text, **options):
    return read_moment(text, NOW, option="--since", **options)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2025-11-20", datetime(2025, 11, 20, tzinfo=KST)),
        ("2025-11-20 09:00", datetime(2025, 11, 20, 9, tzinfo=KST)),
        (" 2025-11-20T09:00:05 ", datetime(2025, 11, 20, 9, 0, 5, tzinfo=KST)),
        ("2025-11-20T09:00+01:00", datetime(2025, 11, 20, 17, tzinfo=KST)),
        ("2025-11-20T09:00Z", datetime(2025, 11, 20, 18, tzinfo=KST)),
        ("today", datetime(2025, 11, 25, tzinfo=KST)),
        ("Yesterday", datetime(2025, 11, 24, tzinfo=KST)),
        ("어제", datetime(2025, 11, 24, tzinfo=KST)),
        ("now", NOW),
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2H", NOW - timedelta(hours=2)),
        ("3 d", NOW - timedelta(days=3)),
        ("1w", NOW - timedelta(days=7)),
    ],
)
def test_what_is_meant(text, meant):
    found = read(text)

    assert found == meant
    assert found.utcoffset() is not None


def test_the_day_is_that_of_korea():
    late = datetime(2025, 11, 24, 16, tzinfo=UTC)  # the 25th in Korea

    assert read_moment("today", late, option="x") == datetime(2025, 11, 25, tzinfo=KST)


@pytest.mark.parametrize("text", ["2025-11-24", "yesterday"])
def test_a_day_as_an_end_is_its_last_second(text):
    assert read(text, is_end=True) == datetime(2025, 11, 24, 23, 59, 59, tzinfo=KST)


def test_a_minute_as_an_end_is_itself():
    assert read("2025-11-24 09:00", is_end=True) == datetime(2025, 11, 24, 9, tzinfo=KST)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "2025-11", "20251125", "2025-13-01", "2025-11-31", "-2h", "2.5h", "٣d", "2y"),
        *("99999999999d", "2025-11-25 9", "2025-11-25 25:00", "0001-01-01T00:00+14:00"),
    ],
)
def test_what_is_no_time_is_named_with_what_is_allowed(text):
    with pytest.raises(InvalidMoment, match=r"--since is 2025-11-25.*3d; not "):
        read(text)
