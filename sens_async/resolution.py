"""What became of the unknown, after SENS was asked."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs

from sens_async.errors import SensError
from sens_async.models import OutcomeState
from sens_async.outcomes import Outcome
from sens_async.report import BulkReport

__all__ = ["Resolution", "Unsettled"]

Unsettled = BulkReport | SensError | Outcome | Iterable[Outcome | SensError]
"""What can be given to be settled."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Resolution:
    """What is known now of outcomes that were unknown.

    Attributes:
        outcomes: One for each unknown outcome that was given, in that order: `ACCEPTED` with its
            request id, `NOT_SENT` with `NotFoundAfterSettling`, or `UNKNOWN` as before. Index,
            recipient and key are kept.
        counts: Recipients by `OutcomeState`.
        settles_at: When the last of those still unknown can be settled by asking again (KST), or
            None if nothing is left that time would settle. Past, if they were asked for then and
            could not be.
        reasons: Why recipients are still unknown: how many by each reason.
        reason_of: The same by the token of a request; see `sens_async.core.evidence.Evidence`.
        suspected_duplicates: Ids of equal requests of which only one was asked for, the one that
            is taken for it first: those messages were perhaps sent more than once.
        report: The report that was given, with what is known now in it; None if none was given.
    """

    outcomes: Sequence[Outcome]
    counts: Counter[OutcomeState]
    settles_at: datetime | None = None
    reasons: Counter[str] = attrs.field(factory=Counter)
    reason_of: Mapping[str, str] = attrs.field(factory=dict)
    suspected_duplicates: Sequence[tuple[str, ...]] = ()
    report: BulkReport | None = None

    def __repr__(self) -> str:
        parts = [f"{state} {n:,}" for state, n in self.counts.items() if n]
        text = f"<Resolution: {', '.join(parts) or 'nothing was unknown'}"
        if self.settles_at is not None:
            text += f"; settles at {self.settles_at:%Y-%m-%d %H:%M:%S %Z}"
        if self.suspected_duplicates:
            text += f"; {len(self.suspected_duplicates)} suspected duplicates"
        return text + ">"
