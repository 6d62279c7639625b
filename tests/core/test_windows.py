"""Long intervals in pieces: every second once, no piece too long, nothing lost at a seam."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.core.schedule import KST
from sens_async.core.windows import BY_COMPLETION, BY_REQUEST, Window, as_window, windows
from sens_async.errors import InvalidQuery

SECOND = timedelta(seconds=1)
NAMES = ("since", "until")
BASE = datetime(2025, 11, 25, 9, 39, 40, tzinfo=KST)

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.builds(
    lambda zone, gone: BASE.astimezone(zone) + gone,
    zones,
    st.timedeltas(timedelta(days=-9000), timedelta(days=9000)),
)


def seconds_of(window: Window) -> range:
    return range(int(window.start.timestamp()), int(window.end.timestamp()))


@given(since=times, length=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_every_second_is_covered_once_by_touching_pieces(since, length):
    until = since + length
    whole = as_window(since, until, names=NAMES)
    for longest in (BY_REQUEST, BY_COMPLETION):
        pieces = list(windows(whole, longest))
        assert pieces[0].start == whole.start
        assert pieces[-1].end == whole.end
        assert all(one.end == next_.start for one, next_ in itertools.pairwise(pieces))
        assert all(timedelta(0) < piece.end - piece.start <= longest for piece in pieces)
        assert sum(len(seconds_of(piece)) for piece in pieces) == len(seconds_of(whole))
    assert seconds_of(whole)[0] == int(since.timestamp() // 1)
    assert seconds_of(whole)[-1] == int(until.timestamp() // 1)


@given(since=times, seconds=st.integers(0, 60), limit=st.integers(1, 20))
def test_short_intervals_second_by_second(since, seconds, limit):
    whole = as_window(since, since + timedelta(seconds=seconds), names=NAMES)
    pieces = windows(whole, timedelta(seconds=limit))
    covered = [second for piece in pieces for second in seconds_of(piece)]
    first = int(since.timestamp() // 1)
    assert covered == list(range(first, first + seconds + 1))


@pytest.mark.parametrize(("has_start", "has_end"), [(True, True), (True, False), (False, True)])
@given(seconds=st.integers(1, 50), limit=st.integers(1, 9))
def test_whichever_bound_counts_nothing_is_lost_at_a_seam(has_start, has_end, seconds, limit):
    whole = as_window(BASE, BASE + timedelta(seconds=seconds), names=NAMES)
    pieces = list(windows(whole, timedelta(seconds=limit)))
    found = []
    for first, *rest in map(seconds_of, pieces):
        end = first + len(rest) + 1
        found += [first] * has_start + rest + [end] * has_end
    wanted = seconds_of(whole)
    assert set(found) >= set(wanted if has_start else wanted[1:])
    seams = len(pieces) - 1
    assert len(found) - len(set(found)) == (seams if has_start and has_end else 0)


def test_pieces_are_in_korean_time_without_fractions():
    since = datetime(2025, 11, 25, 0, 39, 40, 999_999, tzinfo=UTC)
    assert as_window(since, since, names=NAMES) == Window(BASE, BASE + SECOND)
    assert as_window(since, since, names=NAMES).start.tzinfo is KST


@pytest.mark.parametrize("wrong", [None, "2025-11-25", 1764031180.0, BASE.date()])
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises(InvalidQuery, match="until must be a datetime"):
        as_window(BASE, wrong, names=NAMES)


def test_a_time_without_zone_is_refused():
    with pytest.raises(InvalidQuery, match="since 2025-11-25 09:39:40 has no time zone"):
        as_window(BASE.replace(tzinfo=None), BASE, names=NAMES)


def test_an_interval_that_ends_before_it_begins_is_refused():
    with pytest.raises(InvalidQuery, match="is before since"):
        as_window(BASE, BASE - SECOND, names=NAMES)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=12))), BASE),
        (BASE, datetime.max.replace(tzinfo=KST)),
        (BASE, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_an_interval_beyond_the_calendar_is_refused(since, until):
    with pytest.raises(InvalidQuery, match="beyond the calendar"):
        as_window(since, until, names=NAMES)


def test_a_window_at_the_end_of_the_calendar_is_cut():
    end = datetime.max.replace(tzinfo=KST) - timedelta(seconds=1)
    pieces = list(windows(as_window(end - timedelta(days=45), end, names=NAMES), BY_REQUEST))
    assert len(pieces) == 2
