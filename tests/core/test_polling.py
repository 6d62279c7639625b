"""The pace of asking: never faster than once a second, never slower than once a minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.core.polling import (
    AT_ONCE,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    passes,
    spread,
)
from sens_async.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectFailed,
    ConnectionLost,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTimeout,
    ServiceUnavailable,
    SessionClosed,
    UnreadableResponse,
)

news = st.integers(0, 100)


@given(st.lists(news))
def test_pauses_stay_in_their_range(answers):
    pace, now = AT_ONCE, 0.0
    for count in answers:
        pace = pace.after(now, news=count, awaited=100)
        assert SHORTEST_PAUSE <= pace.pause <= LONGEST_PAUSE
        assert pace.due == now + pace.pause
        assert now < pace.early <= pace.due
        now = pace.due


def paces(*answers):
    pace, pauses = AT_ONCE, []
    for count in answers:
        pace = pace.after(0.0, news=count, awaited=100)
        pauses.append(pace.pause)
    return pauses


def test_where_nothing_moves_pauses_grow_to_a_minute():
    assert paces(0, 0, 0, 0) == [1.0, 1.5, 2.25, 3.375]
    assert sum(paces(*[0] * 12)) > 200
    assert paces(*[0] * 12)[-1] == LONGEST_PAUSE


def test_where_much_moves_they_shrink_and_a_few_do_not_matter():
    slow = [0] * 12
    assert paces(*slow, 100, 50, 25)[-3:] == [30.0, 15.0, 7.5]
    assert paces(*slow[:4], 10)[-1] == 3.375
    assert paces(*slow[:4], 1)[-1] > 5


@given(st.floats(0, 1e7), st.floats(0, 1))
def test_chance_only_makes_a_wait_longer(seconds, roll):
    assert seconds <= spread(seconds, roll) <= seconds + LONGEST_PAUSE / 4


@pytest.mark.parametrize(
    "error",
    [
        ConnectFailed(), ConnectionLost(), RequestTimeout(), UnreadableResponse(),
        RateLimited(), QuotaExceeded(), ServiceUnavailable(),
    ],
    ids=repr,
)  # fmt: skip
def test_what_may_pass_is_asked_again(error):
    assert passes(error)


@pytest.mark.parametrize(
    "error",
    [
        ConnectFailed("a bad certificate", is_retryable=False), AuthenticationFailed(),
        PermissionDenied(), NotFound(), BadRequest(), SessionClosed(),
    ],
    ids=repr,
)  # fmt: skip
def test_a_doom_is_not(error):
    assert not passes(error)
