"""What a ledger must hold, as a few objects in memory."""

from collections.abc import Iterator, Sequence

import attrs

from sens_async import OutcomeState, Recipient
from sens_async.campaign import Campaign, Guarantee
from sens_async.campaign.states import BatchState

__all__ = ["Model", "Note", "Plan", "Shown"]

LEASE_SECONDS = 60.0
SETTLE_SECONDS = 600.0
MAX_BLIND_ATTEMPTS = 5

CLAIMED = BatchState.CLAIMED, BatchState.INFLIGHT
OPEN = *CLAIMED, BatchState.UNKNOWN


class Shown:
    """Shows itself to Hypothesis as it does to everybody else."""

    def _repr_pretty_(self, printer, _: bool) -> None:
        printer.text(repr(self))


@attrs.define(eq=False)
class Plan(Shown):
    """A campaign.

    Attributes:
        people: Number and text of each, as given; a text of None is the campaign's.
        has_keys: Whether each has a key: the number.
        is_blind: Whether it was ever run at least once.
        is_purged: Whether nobody's number is in the ledger any more.
        campaign: As the ledger gave it.
    """

    name: str
    text: str
    people: Sequence[tuple[str, str | None]]
    duplicates: str
    guarantee: Guarantee
    has_keys: bool
    skips_known: bool
    is_blind: bool = False
    is_purged: bool = False
    campaign: Campaign | None = None

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def id(self) -> int:
        """Of its row."""
        return self.campaign._id

    @property
    def recipients(self) -> list[Recipient]:
        """What the ledger is given."""
        return [
            Recipient(number, content=text, key=number if self.has_keys else None)
            for number, text in self.people
        ]

    def text_of(self, index: int) -> str:
        """Give what somebody is sent."""
        text = self.people[index][1]
        return self.text if text is None else text


@attrs.define(eq=False)
class Note(Shown):
    """What a batch's row must hold, and whose it is.

    Attributes:
        indexes: Places in the list of those who are in it.
        holder: Who may change it: somebody's claim; None for nobody's.
        owner: The name of the run that claimed it last.
    """

    plan: Plan
    id: int
    indexes: tuple[int, ...]
    state: BatchState
    attempts: int = 0
    intent_ms: int | None = None
    request_id: str | None = None
    is_doubtful: bool = False
    holder: object = None
    owner: str | None = None
    lease_until: float | None = None

    def __repr__(self) -> str:
        return f"<{self.plan.name} {self.indexes} {self.state}{'!' * self.is_doubtful}>"

    @property
    def facts(self) -> tuple[object, ...]:
        """What the ledger must show of it."""
        told = self.state, self.attempts, self.intent_ms, self.request_id, self.is_doubtful
        return self.id, self.indexes, *told

    @property
    def people(self) -> tuple[tuple[str, int], ...]:
        """Who is in it."""
        return tuple((self.plan.name, index) for index in self.indexes)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Theirs."""
        return tuple(self.plan.people[index][0] for index in self.indexes)

    @property
    def texts(self) -> tuple[str, ...]:
        """Theirs."""
        return tuple(map(self.plan.text_of, self.indexes))

    @property
    def likeness(self) -> tuple[tuple[str, str], ...]:
        """What is equal for batches that SENS could not tell apart."""
        return tuple(sorted(zip(self.numbers, map(str.strip, self.texts), strict=True)))

    @property
    def outcome(self) -> OutcomeState:
        """What must be reported."""
        match self.state:
            case BatchState.PLANNED | BatchState.CLAIMED:
                return OutcomeState.UNKNOWN if self.is_doubtful else OutcomeState.NOT_SENT
            case BatchState.ACCEPTED | BatchState.REJECTED | BatchState.SKIPPED:
                return OutcomeState(self.state)
        return OutcomeState.UNKNOWN


class Model:
    """All notes, and the steps that concern more than one.

    Attributes:
        plans: In the order in which they were planned.
        notes: By id.
    """

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.notes: dict[int, Note] = {}

    def of(self, plan: Plan) -> list[Note]:
        """Give a campaign's notes, in order."""
        notes = (note for note in self.notes.values() if note.plan is plan)
        return sorted(notes, key=lambda note: note.id)

    def where(self, *states: BatchState) -> list[Note]:
        """Give the notes in some states."""
        return [note for note in self.notes.values() if note.state in states]

    def known_keys(self) -> set[str]:
        """Give the keys under which something was sent, or may be."""
        free = BatchState.REJECTED, BatchState.SKIPPED
        notes = [note for note in self.notes.values() if note.plan.has_keys]
        return {number for note in notes if note.state not in free for number in note.numbers}

    def claimable(self, plan: Plan, now: float) -> list[Note]:
        """Give the batches that may be claimed, in order."""
        return [
            note
            for note in self.of(plan)
            if note.state is BatchState.PLANNED
            and not self.is_held_up(note, now)
            and not any(
                other.state is BatchState.PLANNED and other.plan is plan and other.id < note.id
                for other in self._equals(note)
            )
        ]

    def is_held_up(self, note: Note, now: float) -> bool:
        """Whether a request for an equal batch may yet turn up."""
        return any(
            other.state in OPEN
            or (
                (other.state is BatchState.UNPROVEN or other.is_doubtful)
                and other.intent_ms is not None
                and other.intent_ms > (now - SETTLE_SECONDS) * 1000
            )
            for other in self._equals(note)
        )

    def claim(self, note: Note, holder: object, owner: str, now: float) -> None:
        """Have a batch be somebody's."""
        note.state, note.holder, note.owner = BatchState.CLAIMED, holder, owner
        note.lease_until = now + LEASE_SECONDS

    def renew(self, owner: str, now: float) -> None:
        """Have what somebody has be theirs for longer."""
        for note in self.where(*CLAIMED):
            if note.owner == owner:
                note.lease_until = now + LEASE_SECONDS

    def release(self, owner: str) -> None:
        """Have what somebody claimed be nobody's."""
        for note in self.where(BatchState.CLAIMED):
            if note.owner == owner:
                note.state, note.holder = BatchState.PLANNED, None

    def sweep(self, living: set[str], now: float | None) -> None:
        """Have what the dead had be nobody's.

        Args:
            living: Who is not dead.
            now: Of others, whoever's lease is over by then is dead; None if all others are.
        """
        for note in self.where(*CLAIMED):
            if note.owner not in living and (now is None or note.lease_until < now):
                is_out = note.state is BatchState.INFLIGHT
                note.state = BatchState.UNKNOWN if is_out else BatchState.PLANNED
                note.holder = None

    def settle(
        self, note: Note, state: BatchState, request_id: str | None, *, is_blind: bool
    ) -> None:
        """Have the holder's outcome."""
        if state is BatchState.REJECTED and note.is_doubtful:
            state = BatchState.UNPROVEN
        if state is BatchState.UNKNOWN and is_blind and note.attempts < MAX_BLIND_ATTEMPTS:
            state, note.is_doubtful, note.plan.is_blind = BatchState.PLANNED, True, True
        note.state, note.request_id, note.holder = state, request_id, None

    def divide(self, note: Note, parts: Sequence[Note], now: float) -> None:
        """Have parts in the place of a batch; those that are held up are nobody's."""
        del self.notes[note.id]
        for part in parts:
            if self.is_held_up(part, now):
                part.state, part.holder = BatchState.PLANNED, None
        self.notes.update((part.id, part) for part in parts)

    def reopen(self, plan: Plan, guarantee: Guarantee) -> None:
        """Have a run with a guarantee take up what a weaker one had left alone."""
        if guarantee is Guarantee.AT_MOST_ONCE:
            return
        taken_up = [
            note
            for note in self.of(plan)
            if note.state is BatchState.UNPROVEN
            and not any(
                other.state in OPEN
                or (
                    other.state is BatchState.UNPROVEN and other.plan is plan and other.id < note.id
                )
                for other in self._equals(note)
            )
        ]
        for note in taken_up:
            note.state = BatchState.UNKNOWN
        if guarantee is Guarantee.AT_LEAST_ONCE:
            for note in self.of(plan):
                if note.state is BatchState.UNKNOWN and note.attempts < MAX_BLIND_ATTEMPTS:
                    note.state, note.is_doubtful, plan.is_blind = BatchState.PLANNED, True, True

    def _equals(self, note: Note) -> Iterator[Note]:
        for other in self.notes.values():
            if other.id != note.id and other.likeness == note.likeness:
                yield other
