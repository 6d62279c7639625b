"""What became of recipients: one outcome each, kept a batch at a time.

A run of a million recipients must not make a million objects. Recipients that met the same end
share an `OutcomeBatch`; an `Outcome` is a two-slot view into it, made when somebody looks.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import accumulate, chain
from operator import lt
from typing import overload

import attrs

from sens_async.core.phone import mask
from sens_async.core.schedule import from_epoch
from sens_async.errors import BulkFailed, RunStopped, SensError
from sens_async.models import MessageType, OutcomeState, Recipient

__all__ = ["BulkReport", "Outcome", "OutcomeBatch"]


@attrs.define(eq=False, repr=False)
class OutcomeBatch(Sequence["Outcome"]):
    """Recipients of one run that met the same end: a sequence of their outcomes.

    Attributes:
        state: Their common state.
        indexes: Their places in the input, counted from 0.
        recipients: What the caller gave for each.
        numbers: Their phone numbers, digits only; None where none could be read.
        type: What they were, or would have been, sent as; None if it never came to that.
        request_id: The request that SENS accepted, or None.
        error: Why they were not accepted, or None.
        attempts: How many requests carried them.
        attempted_at: Signature time of the last of those, seconds since the epoch, or None.
        requested_at: The service's time of acceptance, or None.
    """

    state: OutcomeState
    indexes: Sequence[int]
    recipients: Sequence[object]
    numbers: Sequence[str | None]
    type: MessageType | None = None
    request_id: str | None = None
    error: SensError | None = None
    attempts: int = 0
    attempted_at: float | None = None
    requested_at: datetime | None = None

    def __len__(self) -> int:
        return len(self.indexes)

    @overload
    def __getitem__(self, position: int) -> "Outcome": ...
    @overload
    def __getitem__(self, position: slice) -> "list[Outcome]": ...
    def __getitem__(self, position: int | slice) -> "Outcome | list[Outcome]":
        if isinstance(position, slice):
            return [Outcome(self, i) for i in range(*position.indices(len(self.indexes)))]
        size = len(self.indexes)
        if not -size <= position < size:
            raise IndexError(position)
        return Outcome(self, position % size)

    def __iter__(self) -> "Iterator[Outcome]":
        return _views(self)

    def __repr__(self) -> str:
        return f"<OutcomeBatch of {len(self)}: {self.state}>"


class Outcome:
    """What became of one recipient."""

    __slots__ = ("_batch", "_position")

    def __init__(self, batch: OutcomeBatch, position: int) -> None:
        self._batch = batch
        self._position = position

    @property
    def index(self) -> int:
        """The recipient's place in the input, counted from 0."""
        return self._batch.indexes[self._position]

    @property
    def recipient(self) -> object:
        """What the caller gave: a string, a `Recipient`, or something that is neither."""
        return self._batch.recipients[self._position]

    @property
    def key(self) -> str | None:
        """The caller's own id, or None."""
        recipient = self.recipient
        return recipient.key if isinstance(recipient, Recipient) else None

    @property
    def number(self) -> str | None:
        """The phone number, digits only, or None if none could be read."""
        return self._batch.numbers[self._position]

    @property
    def state(self) -> OutcomeState:
        """What is known."""
        return self._batch.state

    @property
    def type(self) -> MessageType | None:
        """What it was, or would have been, sent as; None if it never came to that."""
        return self._batch.type

    @property
    def request_id(self) -> str | None:
        """The accepted request's id, or None."""
        return self._batch.request_id

    @property
    def error(self) -> SensError | None:
        """Why it was not accepted, or None."""
        return self._batch.error

    @property
    def attempts(self) -> int:
        """How many requests carried it."""
        return self._batch.attempts

    @property
    def attempted_at(self) -> datetime | None:
        """Signature time of the last attempt (KST), or None if there was none."""
        at = self._batch.attempted_at
        return None if at is None else from_epoch(at)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outcome):
            return NotImplemented
        return self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((self.index, self.number, self.state, self.request_id))

    def __repr__(self) -> str:
        tail = self.request_id or (self.error and f"{type(self.error).__name__}: {self.error}")
        number = "?" if self.number is None else mask(self.number)
        return f"<Outcome {self.index} {number} {self.state}{f' {tail}' if tail else ''}>"

    def __reduce__(self) -> tuple[Callable[..., "Outcome"], tuple[object, ...]]:
        """Pickle this recipient alone, not the batch it is a view of."""
        return _restore, self._facts()

    def _facts(self) -> tuple[object, ...]:
        batch = self._batch
        return (
            batch.state,
            self.index,
            self.recipient,
            self.number,
            batch.type,
            batch.request_id,
            batch.error,
            batch.attempts,
            batch.attempted_at,
            batch.requested_at,
        )


def _restore(
    state: OutcomeState, index: int, recipient: object, number: str | None, *shared: object
) -> Outcome:
    batch = OutcomeBatch(state, [index], [recipient], [number], *shared)  # type: ignore[arg-type]
    return Outcome(batch, 0)


def _views(batch: OutcomeBatch) -> Iterator[Outcome]:
    """Give the outcomes of a batch, without the call that a constructor costs each."""
    new = object.__new__
    for position in range(len(batch.indexes)):
        outcome = new(Outcome)
        outcome._batch = batch  # noqa: SLF001 - it is being made
        outcome._position = position  # noqa: SLF001
        yield outcome


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
        return chain.from_iterable(map(_views, self._batches))

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
