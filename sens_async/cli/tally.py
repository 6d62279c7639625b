"""What became of a run so far, counted: what a progress line, a summary and `--json` show."""

from collections import Counter

from sens_async.cli.reasons import Reason, Reasons
from sens_async.models import MessageType, OutcomeState
from sens_async.outcomes import OutcomeBatch

__all__ = ["Tally"]


class Tally:
    """Counts of a run.

    Attributes:
        counts: Recipients by state.
        types: Accepted recipients by message type.
        requests: Requests that SENS accepted.
    """

    def __init__(self) -> None:
        self.counts: Counter[OutcomeState] = Counter()
        self.types: Counter[MessageType] = Counter()
        self.requests = 0
        self._reasons = Reasons()

    def add(self, batch: OutcomeBatch) -> None:
        """Count a batch of outcomes."""
        if not batch:
            return
        self.counts[batch.state] += len(batch)
        if batch.state is OutcomeState.ACCEPTED:
            self.requests += 1
            if batch.type is not None:
                self.types[batch.type] += len(batch)
        elif batch.error is not None:
            self._reasons.add(batch.state, batch.error, batch.indexes)

    @property
    def total(self) -> int:
        """Recipients that have an outcome."""
        return self.counts.total()

    @property
    def causes(self) -> list[Reason]:
        """Why recipients were not accepted, the commonest reason first."""
        return self._reasons.sorted()

    @property
    def is_success(self) -> bool:
        """Whether everybody was accepted, or skipped on purpose."""
        done = self.counts[OutcomeState.ACCEPTED] + self.counts[OutcomeState.SKIPPED]
        return done == self.total
