"""What to do after an attempt: one pure decision.

SENS has no idempotency key, so a send is tried again only when it is *proved* not accepted:
the request was never handed over, or the service refused it. What is not proved is `UNKNOWN`
and left alone.
"""

from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

import attrs

from sens_async.errors import (
    ApiError,
    BadRequest,
    ConfigError,
    ConnectFailed,
    QuotaExceeded,
    RateLimited,
    SensError,
)

__all__ = [
    "AGAIN",
    "MAX_SIGNINGS",
    "Action",
    "Attempt",
    "History",
    "Pauses",
    "RetryBudget",
    "RetryPolicy",
    "Step",
    "decide",
]

MAX_SIGNINGS = 3
"""Times one request is signed again because a clock moved; a clock that swings must have an end."""

_MAX_PAUSES = 8
"""Pauses in a row, with nothing accepted between, after which throttling ends the run."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How patiently a send that was provably not accepted is tried again.

    Attributes:
        max_attempts: Attempts to connect for one batch, at least 1.
        backoff: Seconds that the first wait after a failed connection may last; each further
            one may last twice as long, and how much of that is waited is random.
        pause: Seconds that everybody waits after a first 429 without `Retry-After`; doubles
            with each further one in a row.
        max_wait: The longest of these waits in seconds, `Retry-After` included.
        outage_pause: Seconds that a run waits after five unknown batches in a row, before one
            more batch decides whether it goes on.
    """

    max_attempts: int = 5
    backoff: float = 0.1
    pause: float = 1.0
    max_wait: float = 20.0
    outage_pause: float = 30.0

    def __attrs_post_init__(self) -> None:
        if type(self.max_attempts) is not int or self.max_attempts < 1:
            raise ConfigError(f"max_attempts must be 1 or more, got {self.max_attempts!r}")
        for name in ("backoff", "pause", "max_wait", "outage_pause"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 <= value < float("inf"):
                raise ConfigError(f"{name} must be 0 or more seconds, got {value!r}")


class Attempt(NamedTuple):
    """What one signed exchange brought.

    Attributes:
        error: What it failed with, or None if SENS accepted.
        signed_at: Its signature time, seconds since the epoch.
        request_id: The accepted request, or None.
        requested_at: The service's time of acceptance, or None if it gave none readable.
        is_worth_signing_again: Whether the clock correction known now makes a new signature
            differ from this attempt's.
        retry_after: Seconds the answer asks to wait, or None.
    """

    error: SensError | None
    signed_at: float
    request_id: str | None = None
    requested_at: datetime | None = None
    is_worth_signing_again: bool = False
    retry_after: float | None = None


class History(NamedTuple):
    """What came before, as far as it bears on the decision.

    Attributes:
        recipients: How many the attempt carried.
        has_old_files: Whether it named pictures that may be what was refused: not those that
            were uploaded afresh after an earlier refusal.
        connect_failures: How many connections for this batch failed before.
        signings: How often this batch was signed again before.
        can_afford_retry: Whether the session's retry budget allows another connection.
        pauses: Pauses for 429 in a row before this attempt, with nothing accepted between.
    """

    recipients: int = 1
    has_old_files: bool = False
    connect_failures: int = 0
    signings: int = 0
    can_afford_retry: bool = True
    pauses: int = 0


class Step(Enum):
    """What to do next."""

    ACCEPT = auto()
    """SENS took it."""
    LEAVE_UNKNOWN = auto()
    """It may have been accepted: never again."""
    CONNECT_AGAIN = auto()
    """Wait `delay` and try again."""
    GIVE_UP = auto()
    """Not sent, and not worth another try now."""
    PAUSE = auto()
    """Hold everybody for `delay`, then try again."""
    SIGN_AGAIN = auto()
    """The clock correction is better now: try again at once."""
    REPLACE_FILES = auto()
    """Upload the pictures once more, then try again."""
    HALVE = auto()
    """Too large as a whole: send it in two requests."""
    FIND_CULPRIT = auto()
    """Somebody in it is refused: find out who, the others go."""
    REJECT = auto()
    """This one recipient is refused."""
    STOP = auto()
    """Nothing of the run can be accepted."""


AGAIN = frozenset({Step.CONNECT_AGAIN, Step.PAUSE, Step.SIGN_AGAIN, Step.REPLACE_FILES})
"""Steps after which the same batch is sent once more."""


class Action(NamedTuple):
    """A step and the seconds to wait for it."""

    step: Step
    delay: float = 0.0


def decide(attempt: Attempt, history: History, policy: RetryPolicy, roll: float) -> Action:
    """Decide what follows an attempt.

    Args:
        attempt: What it brought.
        history: What came before.
        policy: How patient to be.
        roll: A random number from 0 to 1, for jitter.
    """
    error = attempt.error
    if error is None:
        return Action(Step.ACCEPT)
    if error.may_have_been_sent:
        return Action(Step.LEAVE_UNKNOWN)
    if isinstance(error, ConnectFailed):
        return _after_connect_failure(error, history, policy, roll)
    if isinstance(error, RateLimited):
        return _after_throttling(error, attempt.retry_after, history, policy, roll)
    if isinstance(error, QuotaExceeded):
        return Action(Step.STOP)
    if isinstance(error, BadRequest):
        return _after_bad_request(error, history)
    is_new_clock = attempt.is_worth_signing_again and history.signings < MAX_SIGNINGS
    if isinstance(error, ApiError) and error.status == 401 and is_new_clock:
        return Action(Step.SIGN_AGAIN)
    return Action(Step.STOP)


def _after_connect_failure(
    error: ConnectFailed, history: History, policy: RetryPolicy, roll: float
) -> Action:
    if not error.is_retryable:  # a bad certificate stays bad
        return Action(Step.STOP)
    if history.connect_failures + 1 >= policy.max_attempts or not history.can_afford_retry:
        return Action(Step.GIVE_UP)
    longest = min(policy.max_wait, policy.backoff * 2**history.connect_failures)
    return Action(Step.CONNECT_AGAIN, roll * longest)


def _after_throttling(
    error: RateLimited,
    retry_after: float | None,
    history: History,
    policy: RetryPolicy,
    roll: float,
) -> Action:
    """Without a gateway code it may be the daily quota, which no pause helps against."""
    if history.pauses >= (_MAX_PAUSES if error.code is not None else 1):
        return Action(Step.STOP)
    longest = min(policy.max_wait, policy.pause * 2**history.pauses)
    if retry_after is not None:
        return Action(Step.PAUSE, min(policy.max_wait, max(retry_after, policy.pause / 10)))
    return Action(Step.PAUSE, longest * (1 + roll) / 2)


def _after_bad_request(error: BadRequest, history: History) -> Action:
    if history.has_old_files and error.status == 400:
        return Action(Step.REPLACE_FILES)
    if history.recipients == 1:
        return Action(Step.REJECT)
    return Action(Step.HALVE if error.status == 413 else Step.FIND_CULPRIT)


class RetryBudget:
    """Tokens that failed connections use up and successes earn, so that retries stay a minority.

    The figures are those of AWS's standard retry mode: 500 tokens, 14 for a retry, one back for
    each success.

    Attributes:
        tokens: How many are left.
    """

    CAPACITY = 500
    COST = 14

    __slots__ = ("tokens",)

    def __init__(self) -> None:
        self.tokens = self.CAPACITY

    @property
    def can_afford_retry(self) -> bool:
        """Whether there is enough for one more."""
        return self.tokens >= self.COST

    def spend(self) -> None:
        """Pay for a retry."""
        self.tokens -= self.COST

    def earn(self) -> None:
        """Take note of a success."""
        self.tokens = min(self.CAPACITY, self.tokens + 1)


class Pauses:
    """Pauses of the whole session for 429 answers; those that belong to one pause count once.

    Attributes:
        in_a_row: How many there were with nothing accepted between them.
    """

    def __init__(self) -> None:
        self.in_a_row = 0
        self._began = float("-inf")

    def before(self, attempt_began: float) -> int:
        """How many pauses in a row ended before an attempt that began at this time."""
        return self.in_a_row if attempt_began >= self._began else max(0, self.in_a_row - 1)

    def begin(self, attempt_began: float, now: float) -> None:
        """Take note of a 429 to an attempt; it is a new pause if the attempt saw the last."""
        if attempt_began >= self._began:
            self.in_a_row += 1
            self._began = now

    def end(self, attempt_began: float) -> None:
        """Take note of an acceptance of an attempt that began after the last pause."""
        if attempt_began >= self._began:
            self.in_a_row = 0
