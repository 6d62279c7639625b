"""What became of a run so far, counted: what a progress line, a summary and `--json` show."""

from collections import Counter

import attrs

from sens_async.errors import SensError
from sens_async.models import MessageType, OutcomeState
from sens_async.outcomes import OutcomeBatch

__all__ = ["Cause", "Tally"]


@attrs.define
class Cause:
    """Recipients who were not accepted for one kind of reason.

    Attributes:
        state: What they are.
        error: The first such error; the others differ in the number or value they name.
        count: How many they are.
        first: The smallest place in the input, from 0.
    """

    state: OutcomeState
    error: SensError
    count: int = 0
    first: int = 0

    @property
    def name(self) -> str:
        """The error's class, with the HTTP status where there is one."""
        status = getattr(self.error, "status", 0)
        return type(self.error).__name__ + (f" {status}" if status else "")


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
        self._causes: dict[tuple[OutcomeState, str], Cause] = {}

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
            self._blame(batch, batch.error)

    @property
    def total(self) -> int:
        """Recipients that have an outcome."""
        return self.counts.total()

    @property
    def causes(self) -> list[Cause]:
        """Why recipients were not accepted, the commonest reason first."""
        return sorted(self._causes.values(), key=lambda cause: (-cause.count, cause.first))

    @property
    def is_success(self) -> bool:
        """Whether everybody was accepted, or skipped on purpose."""
        done = self.counts[OutcomeState.ACCEPTED] + self.counts[OutcomeState.SKIPPED]
        return done == self.total

    def _blame(self, batch: OutcomeBatch, error: SensError) -> None:
        new = Cause(batch.state, error, first=min(batch.indexes))
        cause = self._causes.setdefault((batch.state, new.name), new)
        cause.count += len(batch)
        if new.first < cause.first:
            cause.first, cause.error = new.first, error
