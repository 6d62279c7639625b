"""The limiter's arithmetic: its laws, on times that are plain numbers."""

import math
from itertools import accumulate, cycle

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sens_async.core.rate import MOST_IN_FLIGHT, TOLERANCE_SECONDS, Gcra, RateLimit, Window
from sens_async.errors import ConfigError

ROUNDING = 1e-6
rates = st.floats(0.5, 5000)


def grants_at_once(gcra, now):
    count = 0
    while not gcra.grant(now):
        count += 1
    return count


def test_default_is_a_hundred_requests_a_second():
    assert RateLimit() == RateLimit(requests=100, recipients=None, per=1)


@pytest.mark.parametrize("name", ["requests", "recipients", "per"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, "100", True])
def test_a_limit_that_is_no_positive_number_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"limit's {name} must be a finite number above 0, not"):
        RateLimit(**{name: value})


@pytest.mark.parametrize("name", ["requests", "per"])
def test_none_stands_only_for_no_limit_on_recipients(name):
    with pytest.raises(ConfigError, match=name):
        RateLimit(**{name: None})


def test_a_limit_does_not_change():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RateLimit().requests = 5


@pytest.mark.parametrize(("requests", "burst"), [(1, 1), (10, 1), (100, 3), (1000, 21)])
def test_after_a_rest_twenty_milliseconds_worth_and_one_go_at_once(requests, burst):
    gcra = Gcra(RateLimit(requests=requests))

    assert grants_at_once(gcra, 50.0) == burst
    assert grants_at_once(gcra, 500.0) == burst


@given(
    rate=rates,
    recipients=st.none() | rates,
    per=st.floats(0.1, 60),
    tries=st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 100)), min_size=1, max_size=60),
)
def test_no_window_holds_more_than_its_share_and_the_burst(rate, recipients, per, tries):
    gcra = Gcra(RateLimit(requests=rate, recipients=recipients, per=per))
    times = accumulate(gap for gap, _ in tries)
    granted = [(now, n) for now, (_, n) in zip(times, tries, strict=True) if not gcra.grant(now, n)]

    for first, (start, _) in enumerate(granted):
        for last in range(first, len(granted)):
            share = (granted[last][0] - start + TOLERANCE_SECONDS) / per
            assert last - first <= rate * share + ROUNDING
            if recipients is not None and granted[last][1]:
                # The last may be of any size: it is paid for by those after it.
                assert sum(n for _, n in granted[first:last]) <= recipients * share + ROUNDING


@given(rate=rates, lateness=st.lists(st.floats(0, TOLERANCE_SECONDS), min_size=1))
@settings(max_examples=30)
def test_timers_late_by_up_to_the_tolerance_cost_less_than_one_percent(rate, lateness):
    gcra = Gcra(RateLimit(requests=rate))
    now, count = 0.0, 0
    seconds = max(10.0, 200 / rate)
    late_by = cycle(lateness)
    while now < seconds:
        wait = gcra.grant(now)
        if wait:
            now += wait + next(late_by)
        else:
            count += 1

    assert count == pytest.approx(rate * seconds, rel=0.01, abs=1)


@given(rate=rates, now=st.floats(0, 1e6), costs=st.lists(st.integers(0, 100), max_size=20))
def test_the_wait_it_names_is_long_enough(rate, now, costs):
    gcra = Gcra(RateLimit(requests=rate, recipients=rate))
    for cost in costs:
        if wait := gcra.grant(now, cost):
            now += wait + ROUNDING
            assert not gcra.grant(now, cost)


def test_a_request_of_more_recipients_than_the_burst_goes_and_is_paid_for_afterwards():
    gcra = Gcra(RateLimit(requests=100, recipients=50))

    assert gcra.grant(0.0, 100) == 0
    assert gcra.grant(0.0, 100) == pytest.approx(2 - TOLERANCE_SECONDS)
    assert gcra.grant(1.98, 100) == 0
    assert gcra.grant(1.98, 1) == pytest.approx(2)


def test_reads_are_not_held_by_the_limit_on_recipients():
    gcra = Gcra(RateLimit(requests=100, recipients=50))
    gcra.grant(0.0, 100)

    assert gcra.grant(0.0, 0) == 0


def test_nothing_is_granted_before_a_pause_ends():
    gcra = Gcra(RateLimit(requests=100))

    gcra.postpone(60.0)

    assert gcra.grant(0.0) == 60
    assert gcra.grant(59.0) == 1
    assert gcra.paused_for(59.0) == 1
    assert gcra.grant(60.0) == 0
    assert gcra.paused_for(61.0) == 0


def test_a_shorter_pause_does_not_end_a_longer_one():
    gcra = Gcra(RateLimit(requests=100))

    gcra.postpone(60.0)
    gcra.postpone(30.0)

    assert gcra.grant(40.0) == 20


def test_a_pause_does_not_save_up_a_larger_burst():
    gcra = Gcra(RateLimit(requests=100))
    gcra.postpone(60.0)

    assert grants_at_once(gcra, 60.0) == 3


def test_without_a_limit_only_a_pause_holds():
    gcra = Gcra(None)

    assert not any(gcra.grant(0.0, 100) for _ in range(1000))
    gcra.postpone(5.0)
    assert gcra.grant(0.0, 100) == 5


def test_what_is_taken_back_may_be_granted_again():
    gcra = Gcra(RateLimit(requests=10, recipients=10))
    gcra.grant(0.0, 5)
    assert gcra.grant(0.0, 5)

    gcra.take_back(5)

    assert gcra.grant(0.0, 5) == 0
    assert gcra.grant(0.0, 5) == pytest.approx(0.5 - TOLERANCE_SECONDS)


def test_taking_back_a_read_leaves_the_recipients_alone():
    gcra = Gcra(RateLimit(requests=10, recipients=10))
    gcra.grant(0.0, 5)
    gcra.grant(0.1, 0)

    gcra.take_back(0)

    assert gcra.grant(0.1, 0) == 0
    assert gcra.grant(0.1, 5) == pytest.approx(0.4 - TOLERANCE_SECONDS)


# -- in flight


def window(rate: float, *latencies: float, per: float = 1.0) -> int:
    window = Window(RateLimit(requests=rate, per=per))
    for latency in latencies:
        window.observe(latency)
    return window.size


def test_a_window_begins_at_what_suits_most():
    assert window(100) == 32


@pytest.mark.parametrize(
    ("rate", "per", "latency", "size"),
    [
        (100, 1.0, 0.05, 7),
        (1000, 1.0, 0.05, 67),
        (1000, 1.0, 0.1, 134),
        (60, 60.0, 0.5, 4),
        (5, 1.0, 0.01, 4),
        (5000, 1.0, 1.0, MOST_IN_FLIGHT),
    ],
)
def test_a_window_holds_what_begins_while_one_is_answered(rate, per, latency, size):
    assert window(rate, latency, latency, per=per) == size


def test_one_late_answer_moves_a_window_little():
    steady = [0.05] * 100
    assert window(1000, *steady, 0.5) < 1.7 * window(1000, *steady)


@given(
    st.floats(0.1, 1e5),
    st.lists(st.floats(0, 100), min_size=1, max_size=50),
)
def test_a_window_stays_within_its_bounds(rate, latencies):
    assert 4 <= window(rate, *latencies) <= MOST_IN_FLIGHT
