"""Where a batch of a campaign is, what it may become, and what is promised of it.

    PLANNED ─claim─> CLAIMED ─intent─> INFLIGHT ─┬─202──────────────> ACCEPTED
       ^                │ ^                │     ├─refused, final───> REJECTED
       │                │ └─refused, again─┘     ├─provably unsent──> PLANNED
       └────────────────┘                        └─anything else────> UNKNOWN
    UNKNOWN ─found─> ACCEPTED
    UNKNOWN ─absent after settling─> UNPROVEN (at most once) or PLANNED (effectively once)
    UNKNOWN ─> PLANNED, flagged (at least once)
    PLANNED ─cancelled─> SKIPPED, or UNPROVEN if flagged

Whoever has claimed a batch may change it as long as its fence is theirs. Whoever takes it over,
since its worker is dead or was held up, raises the fence: CLAIMED becomes PLANNED, since no intent
means no byte; INFLIGHT becomes UNKNOWN.
"""

from enum import StrEnum
from typing import Literal

from sens_async.models import OutcomeState

__all__ = [
    "CLAIMED",
    "MAX_BLIND_ATTEMPTS",
    "OPEN",
    "BatchState",
    "Guarantee",
    "GuaranteeName",
    "outcome_of",
]

MAX_BLIND_ATTEMPTS = 3
"""Requests for one batch, under `at_least_once`, after which an unknown one is left unknown."""


class BatchState(StrEnum):
    """Where a batch is."""

    PLANNED = "PLANNED"
    """Nothing of it is out that will not be sent again anyway: it waits to be sent."""
    CLAIMED = "CLAIMED"
    """A worker has it, and no request that could be accepted is out."""
    INFLIGHT = "INFLIGHT"
    """A request for it was about to be made; whether it was is known to its worker alone."""
    UNKNOWN = "UNKNOWN"
    """Its request may have been accepted."""
    UNPROVEN = "UNPROVEN"
    """The same, but SENS did not list it after settling; it is not sent again."""
    ACCEPTED = "ACCEPTED"
    """SENS has accepted it."""
    REJECTED = "REJECTED"
    """It was refused for a cause of its own."""
    SKIPPED = "SKIPPED"
    """It was left out on purpose: when the campaign was planned, or since it was cancelled."""


GuaranteeName = Literal["at_most_once", "effectively_once", "at_least_once"]


class Guarantee(StrEnum):
    """What is done about a batch that may have been accepted."""

    AT_MOST_ONCE = "at_most_once"
    """It is looked up, and never sent again."""
    EFFECTIVELY_ONCE = "effectively_once"
    """It is looked up, and sent again when SENS did not list it after settling."""
    AT_LEAST_ONCE = "at_least_once"
    """It is looked up once and else sent again at once, flagged: somebody may get it twice."""


_OUTCOMES = {
    BatchState.PLANNED: OutcomeState.NOT_SENT,
    BatchState.CLAIMED: OutcomeState.NOT_SENT,
    BatchState.INFLIGHT: OutcomeState.UNKNOWN,
    BatchState.UNKNOWN: OutcomeState.UNKNOWN,
    BatchState.UNPROVEN: OutcomeState.UNKNOWN,
    BatchState.ACCEPTED: OutcomeState.ACCEPTED,
    BatchState.REJECTED: OutcomeState.REJECTED,
    BatchState.SKIPPED: OutcomeState.SKIPPED,
}


def outcome_of(state: BatchState, *, is_doubtful: bool) -> OutcomeState:
    """Give what is known of a recipient whose batch is in a state.

    Args:
        state: The batch's.
        is_doubtful: Whether an earlier request for it may have been accepted.
    """
    outcome = _OUTCOMES[state]
    if is_doubtful and outcome is OutcomeState.NOT_SENT:
        return OutcomeState.UNKNOWN
    return outcome


CLAIMED = (BatchState.CLAIMED, BatchState.INFLIGHT)
"""States in which a batch is a worker's."""

OPEN = (BatchState.CLAIMED, BatchState.INFLIGHT, BatchState.UNKNOWN)
"""States of which no two equal batches may be in one at a time: SENS could not tell them apart."""
