"""Why recipients of a campaign were not accepted, read back from the ledger."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sens_async import errors
from sens_async.cli.hints import why_refused
from sens_async.cli.reasons import Reason, Reasons
from sens_async.errors import BulkFailed, InvalidRecipient, SensError
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignOutcome

__all__ = ["Causes", "causes_of"]

_WITH_CAUSES = (OutcomeState.REJECTED, OutcomeState.SKIPPED, OutcomeState.UNKNOWN)
"""States that have a cause; most of those not sent to have not been tried."""


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


async def causes_of(
    campaign: "Campaign", states: Collection[OutcomeState] = _WITH_CAUSES
) -> list[Reason]:
    """Read why the recipients in some states are in them."""
    causes = Causes(is_purged=campaign.purged_at is not None)
    async for outcome in campaign.report(states):
        causes.add(outcome)
    return causes.sorted()


def _error_of(told: str) -> SensError:
    """Make an error again out of `Class: text`."""
    name, _, text = told.partition(": ")
    kind = getattr(errors, name, None)
    if not isinstance(kind, type) or not issubclass(kind, SensError) or kind is BulkFailed:
        return SensError(told)
    return kind(text)
