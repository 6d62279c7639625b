"""What follows an attempt: the whole decision table, and the budget."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.core.retry import (
    Action,
    Attempt,
    History,
    Pauses,
    RetryBudget,
    RetryPolicy,
    Step,
    decide,
)
from sens_async.errors import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    InvalidAttachment,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTimeout,
    SensError,
    ServiceUnavailable,
    SessionClosed,
    UnreadableResponse,
)

POLICY = RetryPolicy(max_attempts=5, backoff=0.1, pause=1.0, max_wait=20.0)
REFUSED = {"may_have_been_sent": False}
SENT = {"may_have_been_sent": True}


def after(error=None, *, again=False, retry_after=None, roll=1.0, policy=POLICY, **history):
    attempt = Attempt(
        error=error, signed_at=0.0, is_worth_signing_again=again, retry_after=retry_after
    )
    return decide(attempt, History(**history), policy, roll)


def test_success_is_success():
    assert after() == Action(Step.ACCEPT)


@pytest.mark.parametrize(
    "error",
    [
        RequestTimeout("", **SENT),
        ConnectionLost("", **SENT),
        UnreadableResponse("", status=202, **SENT),
        UnreadableResponse("", status=403, **SENT),
        ServiceUnavailable("", status=503, **SENT),
        ApiError("", status=500, **SENT),
        BadRequest("", status=400, **SENT),
        RateLimited("", status=429, **SENT),
        ConnectFailed("", **SENT),
        AuthenticationFailed("", status=401, **SENT),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("history", [{}, {"recipients": 100, "has_old_files": True}])
def test_what_may_have_been_sent_is_never_sent_again(error, history):
    assert after(error, again=True, retry_after=1.0, **history) == Action(Step.LEAVE_UNKNOWN)


@pytest.mark.parametrize(
    ("error", "history", "step"),
    [
        (QuotaExceeded("", status=429), {}, Step.STOP),
        (AuthenticationFailed("", status=401), {}, Step.STOP),
        (PermissionDenied("", status=401, code="210"), {}, Step.STOP),
        (PermissionDenied("", status=403), {}, Step.STOP),
        (NotFound("", status=404), {}, Step.STOP),
        (ApiError("", status=302), {}, Step.STOP),
        (SessionClosed(""), {}, Step.STOP),
        (InvalidAttachment(""), {}, Step.STOP),
        (ConnectFailed("", is_retryable=False), {}, Step.STOP),
        (BadRequest("", status=400), {"recipients": 1}, Step.REJECT),
        (BadRequest("", status=400), {"recipients": 2}, Step.FIND_CULPRIT),
        (BadRequest("", status=400), {"recipients": 100}, Step.FIND_CULPRIT),
        (BadRequest("", status=415), {"recipients": 100}, Step.FIND_CULPRIT),
        (BadRequest("", status=422), {"recipients": 100}, Step.FIND_CULPRIT),
        (BadRequest("", status=413), {"recipients": 100}, Step.HALVE),
        (BadRequest("", status=413), {"recipients": 1}, Step.REJECT),
        (
            BadRequest("", status=400),
            {"recipients": 1, "has_old_files": True},
            Step.REPLACE_FILES,
        ),
        (
            BadRequest("", status=400),
            {"recipients": 100, "has_old_files": True},
            Step.REPLACE_FILES,
        ),
        (BadRequest("", status=413), {"recipients": 100, "has_old_files": True}, Step.HALVE),
        (BadRequest("", status=413), {"recipients": 1, "has_old_files": True}, Step.REJECT),
    ],
)
def test_refusals(error, history, step):
    assert after(error, **history) == Action(step)


@pytest.mark.parametrize(
    ("error", "again", "step"),
    [
        (AuthenticationFailed("", status=401), True, Step.SIGN_AGAIN),
        (AuthenticationFailed("", status=401), False, Step.STOP),
        (PermissionDenied("", status=401, code="210"), True, Step.SIGN_AGAIN),
        (PermissionDenied("", status=403), True, Step.STOP),
        (NotFound("", status=404), True, Step.STOP),
        (BadRequest("", status=400), True, Step.REJECT),
    ],
)
def test_only_a_401_is_signed_again_and_only_if_the_clock_is_known_better(error, again, step):
    assert after(error, again=again) == Action(step)


@pytest.mark.parametrize(("failed", "longest"), [(0, 0.1), (1, 0.2), (2, 0.4), (3, 0.8)])
@pytest.mark.parametrize("roll", [0.0, 0.25, 1.0])
def test_connecting_again_waits_a_random_part_of_twice_as_long(failed, longest, roll):
    action = after(ConnectFailed(""), connect_failures=failed, roll=roll)
    assert action.step is Step.CONNECT_AGAIN
    assert action.delay == pytest.approx(roll * longest)


def test_no_wait_for_a_connection_is_longer_than_the_longest():
    policy = RetryPolicy(max_attempts=100, backoff=1.0, max_wait=3.0)
    assert after(ConnectFailed(""), connect_failures=60, policy=policy).delay == 3.0


@pytest.mark.parametrize(("failed", "step"), [(3, Step.CONNECT_AGAIN), (4, Step.GIVE_UP)])
def test_attempts_to_connect_are_counted(failed, step):
    assert after(ConnectFailed(""), connect_failures=failed).step is step


def test_one_attempt_is_one_attempt():
    assert after(ConnectFailed(""), policy=RetryPolicy(max_attempts=1)) == Action(Step.GIVE_UP)


def test_an_empty_budget_gives_up():
    assert after(ConnectFailed(""), can_afford_retry=False) == Action(Step.GIVE_UP)


def test_throttling_does_not_ask_the_budget():
    assert after(RateLimited("", code="410"), can_afford_retry=False).step is Step.PAUSE


@pytest.mark.parametrize("code", ["410", "420", "new"])
@pytest.mark.parametrize(
    ("pauses", "roll", "delay"),
    [(0, 0.0, 0.5), (0, 1.0, 1.0), (1, 1.0, 2.0), (3, 0.5, 6.0), (5, 1.0, 20.0), (7, 0.0, 10.0)],
)
def test_throttling_pauses_longer_each_time(code, pauses, roll, delay):
    action = after(RateLimited("", code=code), pauses=pauses, roll=roll)
    assert action == Action(Step.PAUSE, delay)


@pytest.mark.parametrize(
    ("code", "pauses", "step"),
    [
        ("410", 7, Step.PAUSE),
        ("410", 8, Step.STOP),
        (None, 0, Step.PAUSE),
        (None, 1, Step.STOP),
    ],
)
def test_throttling_that_does_not_end_stops_and_sooner_if_it_may_be_the_quota(code, pauses, step):
    assert after(RateLimited("", code=code), pauses=pauses).step is step


@pytest.mark.parametrize(
    ("asked", "delay"), [(0.0, 0.1), (0.05, 0.1), (7.0, 7.0), (20.0, 20.0), (1e9, 20.0)]
)
@pytest.mark.parametrize("pauses", [0, 5])
def test_what_the_answer_asks_for_is_waited_within_bounds(asked, delay, pauses):
    action = after(RateLimited("", code="410"), retry_after=asked, pauses=pauses)
    assert action == Action(Step.PAUSE, delay)


kinds = st.sampled_from(
    [
        ConnectFailed,
        RateLimited,
        QuotaExceeded,
        BadRequest,
        AuthenticationFailed,
        PermissionDenied,
        NotFound,
        ServiceUnavailable,
        UnreadableResponse,
        RequestTimeout,
        SensError,
    ]
)


def failure(kind, sent, status):
    error = kind("", may_have_been_sent=sent)
    error.status = status
    return error


@given(
    error=st.builds(failure, kinds, st.booleans(), st.sampled_from([0, 400, 401, 413, 429, 503])),
    history=st.builds(
        History,
        recipients=st.integers(1, 100),
        has_old_files=st.booleans(),
        connect_failures=st.integers(0, 1000),
        can_afford_retry=st.booleans(),
        pauses=st.integers(0, 1000),
    ),
    retry_after=st.none() | st.floats(0, 1e12),
    again=st.booleans(),
    roll=st.floats(0, 1),
)
def test_laws_of_every_decision(error, history, retry_after, again, roll):
    attempt = Attempt(
        error=error, signed_at=0.0, is_worth_signing_again=again, retry_after=retry_after
    )
    action = decide(attempt, history, POLICY, roll)
    assert (action.step is Step.LEAVE_UNKNOWN) == error.may_have_been_sent
    assert action.step is not Step.ACCEPT
    assert 0.0 <= action.delay <= POLICY.max_wait
    if action.step not in {Step.CONNECT_AGAIN, Step.PAUSE}:
        assert action.delay == 0.0


@pytest.mark.parametrize("value", [0, -1, 1.0, "5", None, True])
def test_attempts_must_be_a_whole_number(value):
    with pytest.raises(ConfigError, match="max_attempts must be 1 or more, got"):
        RetryPolicy(max_attempts=value)


@pytest.mark.parametrize("name", ["backoff", "pause", "max_wait", "outage_pause"])
@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan, "1", None, True])
def test_waits_must_be_seconds(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be 0 or more seconds, got"):
        RetryPolicy(**{name: value})


def test_defaults():
    assert RetryPolicy() == RetryPolicy(
        max_attempts=5, backoff=0.1, pause=1.0, max_wait=20.0, outage_pause=30.0
    )
    assert History() == History(
        recipients=1, has_old_files=False, connect_failures=0, can_afford_retry=True, pauses=0
    )


def test_no_waiting_at_all_is_allowed():
    policy = RetryPolicy(backoff=0, pause=0, max_wait=0, outage_pause=0)
    assert after(ConnectFailed(""), policy=policy) == Action(Step.CONNECT_AGAIN, 0)


def test_budget_pays_for_35_retries_and_no_more():
    budget = RetryBudget()
    retries = 0
    while budget.can_afford_retry:
        budget.spend()
        retries += 1
    assert retries == RetryBudget.CAPACITY // RetryBudget.COST == 35
    assert budget.tokens >= 0


def test_budget_earns_a_retry_back_with_fourteen_successes():
    budget = RetryBudget()
    while budget.can_afford_retry:
        budget.spend()
    before = budget.tokens
    for _ in range(RetryBudget.COST - before):
        assert not budget.can_afford_retry
        budget.earn()
    assert budget.can_afford_retry


def test_budget_saves_no_more_than_it_began_with():
    budget = RetryBudget()
    budget.earn()
    assert budget.tokens == RetryBudget.CAPACITY


def test_429s_to_attempts_that_began_before_a_pause_belong_to_it():
    pauses = Pauses()
    for began in (0.0, 0.1, 0.2):
        assert pauses.before(began) == 0
        pauses.begin(began, 1.0)

    assert pauses.in_a_row == 1
    assert pauses.before(1.5) == 1


def test_a_429_to_an_attempt_after_a_pause_is_another():
    pauses = Pauses()
    pauses.begin(0.0, 1.0)
    pauses.begin(2.0, 3.0)

    assert pauses.in_a_row == 2
    assert pauses.before(2.5) == 1
    assert pauses.before(4.0) == 2


def test_only_what_was_begun_after_a_pause_and_accepted_ends_the_row():
    pauses = Pauses()
    pauses.begin(0.0, 1.0)
    pauses.end(0.5)
    assert pauses.in_a_row == 1

    pauses.end(1.5)
    assert pauses.in_a_row == 0
