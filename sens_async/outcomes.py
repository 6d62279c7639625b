"""What became of recipients: one outcome each, kept a batch at a time.

A run of a million recipients must not make a million objects. Recipients that met the same end
share an `OutcomeBatch`; an `Outcome` is a two-slot view into it, made when somebody looks.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import overload

import attrs

from sens_async.core.evidence import Evidence
from sens_async.core.phone import mask
from sens_async.core.schedule import from_epoch
from sens_async.errors import SensError
from sens_async.models import MessageType, OutcomeState, Recipient

__all__ = ["Outcome", "OutcomeBatch", "views"]


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
        evidence: What a search for their request needs, if they are unknown; else None.
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
    evidence: Evidence | None = None

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
        return views(self)

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

    @property
    def evidence(self) -> Evidence | None:
        """What a search for the request needs, if it is unknown; else None."""
        return self._batch.evidence

    def settled(self, settle: Callable[[OutcomeBatch], OutcomeBatch]) -> "Outcome":
        """Give the same recipient's outcome as it is known now.

        Args:
            settle: Given the batch it is a view of, gives one of the same recipients.
        """
        return Outcome(settle(self._batch), self._position)

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
            batch.evidence,
        )


def _restore(
    state: OutcomeState, index: int, recipient: object, number: str | None, *shared: object
) -> Outcome:
    batch = OutcomeBatch(state, [index], [recipient], [number], *shared)  # type: ignore[arg-type]
    return Outcome(batch, 0)


def views(batch: OutcomeBatch) -> Iterator[Outcome]:
    """Give the outcomes of a batch, without the call that a constructor costs each."""
    new = object.__new__
    for position in range(len(batch.indexes)):
        outcome = new(Outcome)
        outcome._batch = batch  # noqa: SLF001 - it is being made
        outcome._position = position  # noqa: SLF001
        yield outcome
