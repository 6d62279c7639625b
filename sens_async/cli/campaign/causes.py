"""Why recipients of a campaign were not accepted, read back from the ledger."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from sens_async import errors
from sens_async.cli.hints import why_refused
from sens_async.cli.reasons import Reason, Reasons
from sens_async.errors import BulkFailed, InvalidRecipient, SensError
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignOutcome, CampaignStatus

__all__ = ["Causes", "causes_of"]

_UNTRIED = 20_000
"""So many in a row who were not tried: batches are sent in order, so nobody behind them was."""

_TRIED_OR_LEFT_OUT = (OutcomeState.REJECTED, OutcomeState.SKIPPED, OutcomeState.UNKNOWN)


class Causes:
    """Collects why, outcome by outcome.

    Args:
        is_purged: Whether the numbers are gone, so that none is not an empty one.
    """

    def __init__(self, *, is_purged: bool) -> None:
        self._reasons = Reasons()
        self._is_purged = is_purged

    def add(self, outcome: "CampaignOutcome") -> None:
        """Take in an outcome; one that is accepted, or without an error, counts for nothing."""
        if outcome.error is not None and outcome.state is not OutcomeState.ACCEPTED:
            error = _error_of(outcome.error)
            if isinstance(error, InvalidRecipient) and not self._is_purged:
                hint = why_refused(outcome.to or "")
                error = error if hint is None else InvalidRecipient(hint)
            self._reasons.add(outcome.state, error, [outcome.index])

    def sorted(self) -> list[Reason]:
        """Give the reasons, the commonest first."""
        return self._reasons.sorted()


async def causes_of(campaign: "Campaign", status: "CampaignStatus") -> list[Reason]:
    """Read why recipients were not accepted.

    Args:
        campaign: Whose.
        status: Its counts.
    """
    causes = Causes(is_purged=campaign.purged_at is not None)
    if states := [state for state in _TRIED_OR_LEFT_OUT if status.counts[state]]:
        async for outcome in campaign.report(states):
            causes.add(outcome)
    if status.counts[OutcomeState.NOT_SENT]:
        await _add_tried(campaign, causes)
    return causes.sorted()


async def _add_tried(campaign: "Campaign", causes: Causes) -> None:
    rows = cast("AsyncGenerator[CampaignOutcome, None]", campaign.report([OutcomeState.NOT_SENT]))
    untried = 0
    async with aclosing(rows):
        async for outcome in rows:
            causes.add(outcome)
            untried = untried + 1 if outcome.error is None else 0
            if untried == _UNTRIED:  # the rest may be millions
                return


def _error_of(told: str) -> SensError:
    """Make an error again out of `Class: text`."""
    name, _, text = told.partition(": ")
    kind = getattr(errors, name, None)
    if not isinstance(kind, type) or not issubclass(kind, SensError) or kind is BulkFailed:
        return SensError(told)
    return kind(text)
