"""What became of everybody in a run, in the order of the input."""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate, chain
from operator import lt
from typing import overload

from sens_async.errors import BulkFailed, RunStopped, SensError
from sens_async.models import MessageType, OutcomeState
from sens_async.outcomes import Outcome, OutcomeBatch, views

__all__ = ["BulkReport"]


class _Joined(Sequence[Outcome]):
    """Outcomes of whole batches, one batch after the other."""

    __slots__ = ("_batches", "_ends")

    def __init__(self, batches: Sequence[OutcomeBatch]) -> None:
        self._batches = batches
        self._ends = array("Q", accumulate(map(len, batches)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, position: int) -> Outcome: ...
    @overload
    def __getitem__(self, position: slice) -> list[Outcome]: ...
    def __getitem__(self, position: int | slice) -> Outcome | list[Outcome]:
        size = len(self)
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(size))]
        if not -size <= position < size:
            raise IndexError(position)
        position %= size
        owner = bisect_right(self._ends, position)
        batch = self._batches[owner]
        return Outcome(batch, position - self._ends[owner] + len(batch))

    def __iter__(self) -> Iterator[Outcome]:
        return chain.from_iterable(map(views, self._batches))

    def __repr__(self) -> str:
        return f"<{len(self)} outcomes>"

    def of_state(self, state: OutcomeState) -> "_Joined":
        """The outcomes of one state, in the same order."""
        return _Joined([batch for batch in self._batches if batch.state is state])


class _Scattered(Sequence[Outcome]):
    """Outcomes of batches that overlap in the input: eight bytes each say where they are."""

    __slots__ = ("_batches", "_owners", "_positions")

    def __init__(
        self, batches: Sequence[OutcomeBatch], owners: "array[int]", positions: "array[int]"
    ) -> None:
        self._batches = batches
        self._owners = owners
        self._positions = positions

    def __len__(self) -> int:
        return len(self._owners)

    @overload
    def __getitem__(self, position: int) -> Outcome: ...
    @overload
    def __getitem__(self, position: slice) -> list[Outcome]: ...
    def __getitem__(self, position: int | slice) -> Outcome | list[Outcome]:
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self._owners)))]
        return Outcome(self._batches[self._owners[position]], self._positions[position])

    def __iter__(self) -> Iterator[Outcome]:
        return map(Outcome, map(self._batches.__getitem__, self._owners), self._positions)

    def __repr__(self) -> str:
        return f"<{len(self)} outcomes>"

    def of_state(self, state: OutcomeState) -> "_Scattered":
        """The outcomes of one state, in the same order."""
        wanted = [batch.state is state for batch in self._batches]
        owners, positions = array("I"), array("I")
        for owner, position in zip(self._owners, self._positions, strict=True):
            if wanted[owner]:
                owners.append(owner)
                positions.append(position)
        return _Scattered(self._batches, owners, positions)


def _in_input_order(batches: Sequence[OutcomeBatch]) -> _Joined | _Scattered:
    in_order = sorted((batch for batch in batches if len(batch)), key=_first_index)
    if all(map(_ascends, in_order)) and all(map(_is_ahead_of, in_order, in_order[1:])):
        return _Joined(in_order)
    size = max(max(batch.indexes) for batch in in_order) + 1
    nobody = len(in_order)
    owners = array("I", [nobody]) * size
    positions = array("I", [0]) * size
    for owner, batch in enumerate(in_order):
        for position, index in enumerate(batch.indexes):
            owners[index] = owner
            positions[index] = position
    if nobody in owners:  # a run still going on: some of those taken have no outcome yet
        kept = [index for index, owner in enumerate(owners) if owner != nobody]
        owners = array("I", (owners[index] for index in kept))
        positions = array("I", (positions[index] for index in kept))
    return _Scattered(in_order, owners, positions)


def _first_index(batch: OutcomeBatch) -> int:
    return batch.indexes[0]


def _ascends(batch: OutcomeBatch) -> bool:
    indexes = batch.indexes
    return isinstance(indexes, range) or all(map(lt, indexes, indexes[1:]))


def _is_ahead_of(batch: OutcomeBatch, other: OutcomeBatch) -> bool:
    """Whether a batch ends before another begins, if the indexes of each ascend."""
    return batch.indexes[-1] < other.indexes[0]


class BulkReport:
    """What became of everybody in one run.

    Hand an empty one to `send_many(report=...)` to watch it fill, and to keep it whatever
    exception leaves the call.

    Attributes:
        counts: Recipients by `OutcomeState`; a state nobody is in counts 0.
        counts_by_type: Accepted recipients by `MessageType`.
        stopped_by: The error that ended the run early, or None.
    """

    def __init__(self) -> None:
        self.counts: Counter[OutcomeState] = Counter()
        self.counts_by_type: Counter[MessageType] = Counter()
        self.stopped_by: SensError | None = None
        self._elapsed: Callable[[], float] = float
        self._is_taken = False
        self._batches: list[OutcomeBatch] = []
        self._view: tuple[int, _Joined | _Scattered] | None = None

    def add(self, batch: OutcomeBatch) -> None:
        """Take in the outcomes of a batch; the run does this."""
        self._batches.append(batch)
        self.counts[batch.state] += len(batch)
        if batch.state is OutcomeState.ACCEPTED and batch.type is not None:
            self.counts_by_type[batch.type] += len(batch)

    @property
    def elapsed(self) -> float:
        """Seconds the run took, or has taken so far."""
        return self._elapsed()

    @contextmanager
    def timed(self, elapsed: Callable[[], float]) -> Iterator[None]:
        """Measure the one run it is for; the run does this.

        Args:
            elapsed: Gives the seconds so far.

        Raises:
            ValueError: It was given to another run before: places in the input would collide.
        """
        if self._is_taken:
            raise ValueError("report was given to a run before; give an empty BulkReport()")
        self._is_taken = True
        self._elapsed = elapsed
        try:
            yield
        finally:
            seconds = elapsed()
            self._elapsed = partial(float, seconds)

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """Everybody's outcome, in input order."""
        return self._outcomes()

    @property
    def accepted(self) -> Sequence[Outcome]:
        """Outcomes of those whose message SENS took, in input order."""
        return self._outcomes().of_state(OutcomeState.ACCEPTED)

    @property
    def rejected(self) -> Sequence[Outcome]:
        """Outcomes of those refused for a cause of their own, in input order."""
        return self._outcomes().of_state(OutcomeState.REJECTED)

    @property
    def skipped(self) -> Sequence[Outcome]:
        """Outcomes of those left out on purpose, in input order."""
        return self._outcomes().of_state(OutcomeState.SKIPPED)

    @property
    def not_sent(self) -> Sequence[Outcome]:
        """Outcomes of those provably not accepted, in input order; safe to give again."""
        return self._outcomes().of_state(OutcomeState.NOT_SENT)

    @property
    def unknown(self) -> Sequence[Outcome]:
        """Outcomes of those who may have been sent to, in input order."""
        return self._outcomes().of_state(OutcomeState.UNKNOWN)

    @property
    def request_ids(self) -> list[str]:
        """Ids of the accepted requests, by their first recipient's place in the input."""
        accepted = (batch for batch in self._batches if batch.request_id is not None)
        in_order = sorted(accepted, key=lambda batch: batch.indexes[0])
        return list(dict.fromkeys(str(batch.request_id) for batch in in_order))

    def batches(self, state: OutcomeState) -> Sequence[OutcomeBatch]:
        """Outcomes of one state, a batch of those that met the same end at a time.

        Batches are in the order of their first recipients' places in the input.
        """
        found = [batch for batch in self._batches if batch.state is state and len(batch)]
        return sorted(found, key=_first_index)

    def recipients(self, *states: OutcomeState | str) -> list[object]:
        """What the caller gave for those in the given states, to give straight back.

        Args:
            states: One or more of `OutcomeState`.

        Raises:
            ValueError: A name that is no state.
        """
        wanted = {OutcomeState(state) for state in states}
        return [outcome.recipient for outcome in self.outcomes if outcome.state in wanted]

    def raise_for_failures(self) -> None:
        """Do nothing if everybody was accepted or skipped on purpose.

        Raises:
            BulkFailed: Somebody was rejected, not sent to, or is unknown; one error per distinct
                cause, each with the number of recipients it stands for.
        """
        causes: dict[tuple[type[SensError], str], SensError] = {}
        counts: Counter[tuple[type[SensError], str]] = Counter()
        for batch in self._batches:
            if batch.state in {OutcomeState.ACCEPTED, OutcomeState.SKIPPED}:
                continue
            error = batch.error or RunStopped("not sent")
            cause = (type(error), str(error))
            causes.setdefault(cause, error)
            counts[cause] += len(batch)
        if causes:
            failed, taken = counts.total(), self.counts.total()
            raise BulkFailed(
                f"{failed:,} of {taken:,} recipients were not accepted",
                list(causes.values()),
                counts=[counts[cause] for cause in causes],
            )

    def __len__(self) -> int:
        """How many recipients have an outcome."""
        return self.counts.total()

    def __repr__(self) -> str:
        counts = ", ".join(f"{state} {n:,}" for state, n in self.counts.items() if n)
        stopped = f"; stopped by {type(self.stopped_by).__name__}" if self.stopped_by else ""
        return f"<BulkReport: {counts or 'empty'}{stopped}>"

    def _outcomes(self) -> _Joined | _Scattered:
        if self._view is None or self._view[0] != len(self._batches):
            batches = tuple(self._batches)
            self._view = len(batches), _in_input_order(batches)
        return self._view[1]
