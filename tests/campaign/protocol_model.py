"""One batch under the campaign protocol, and everything that can happen to it.

Some workers, a slow reconciler among fast ones, a network that delivers any copy at any time or
never, and SENS, which takes a copy as long as its signature is valid and lists what it took after
a lag.

Time passes in ticks, and of every moment its age is kept, so there is no end of time. Anybody may
pause: whoever is stopped, or waits for a disk, takes no step while ticks pass. A copy that is
dropped is one that is never delivered. What a fence refuses is not kept as something to come.
"""

from collections.abc import Iterator
from enum import IntEnum, auto
from typing import NamedTuple

from campaign.breadth_first import Step

VALIDITY = 2
"""The greatest age of a signature that SENS takes."""
LAG = 1
"""The greatest age of an acceptance that the list may not show."""
SETTLE = VALIDITY + LAG + 1
"""The age of a signature from which on absence is believed: none that is shorter will do."""
MAX_ATTEMPTS = 3

_OLD = SETTLE + 1
"""Ages from here on make no difference."""


class Guarantee(IntEnum):
    AT_MOST_ONCE = auto()
    EFFECTIVELY_ONCE = auto()
    AT_LEAST_ONCE = auto()


class Ledger(IntEnum):
    """The state of a batch's row."""

    PLANNED = auto()
    CLAIMED = auto()
    INFLIGHT = auto()
    UNKNOWN = auto()
    UNPROVEN = auto()
    ACCEPTED = auto()
    REJECTED = auto()


class At(IntEnum):
    """How far a worker is."""

    IDLE = auto()
    CLAIMED = auto()
    INTENDED = auto()
    """The intent is durable; nothing is sent."""
    SENT = auto()
    """The copy is under way."""
    TOLD_ACCEPTED = auto()
    """The answer is under way, or read and not yet in the ledger."""
    TOLD_REFUSED = auto()
    """Not accepted, and worth another attempt."""
    TOLD_REJECTED = auto()


class Row(NamedTuple):
    """What the ledger knows.

    Attributes:
        state: Of the batch.
        signed: Age of the intent's timestamp while it matters, else 0.
        attempts: How many were begun.
        is_flagged: Whether it is noted that it may be accepted more than once.
    """

    state: Ledger = Ledger.PLANNED
    signed: int = 0
    attempts: int = 0
    is_flagged: bool = False


class Worker(NamedTuple):
    """One process.

    Attributes:
        at: How far it is.
        holds: Whether its fence is still the row's.
        signed: Age of the timestamp that it signs with, while it matters, else 0.
    """

    at: At = At.IDLE
    holds: bool = False
    signed: int = 0


class State(NamedTuple):
    """Everything.

    Attributes:
        row: In the ledger.
        workers: Sorted: which is which makes no difference.
        copies: Ages of the signatures of copies that nobody waits for any more.
        accepted: How many copies SENS has accepted; more than two count as two.
        listed: Age of the first acceptance.
        absence: What the slow reconciler has in mind: None, or that SENS lists nothing, and whether
            the settling time was over when it asked.
    """

    row: Row
    workers: tuple[Worker, ...]
    copies: tuple[int, ...] = ()
    accepted: int = 0
    listed: int = 0
    absence: bool | None = None

    def __str__(self) -> str:
        row, parts = self.row, []
        parts.append(f"{row.state.name}{'!' * row.is_flagged} #{row.attempts} aged {row.signed}")
        parts += [
            f"{_who(me)} {me.at.name} aged {me.signed}"
            for me in self.workers
            if me.at is not At.IDLE
        ]
        parts += [f"late copy aged {age}" for age in self.copies]
        parts += [f"{self.accepted} accepted, first aged {self.listed}"] * (self.accepted > 0)
        if self.absence is not None:
            parts.append("absence in mind")
        return " | ".join(parts)


class Protocol(NamedTuple):
    """The rules; by default those that are meant, each other value breaks one.

    Attributes:
        guarantee: What follows an unknown.
        workers: How many there are.
        settle: Age of the signature from which on absence is believed.
        validity: Greatest age of a signature that SENS takes.
        has_intent: Whether a durable note precedes the first byte.
        survives_power_loss: Whether a commit does.
        signs_when_sending: Not with the intent's timestamp, but with the time of sending.
        lead: Ticks by which the worker's clock is ahead of SENS's.
        settles_from_commit: Counts from when the intent was written by the ledger's clock, not
            from its timestamp.
        heeds_lost_claim: Whether nothing is sent when the intent's write changed no row.
        guards_outcome: Whether outcomes are written under the claimant's fence only.
        guards_absence: Whether absence is written under the fence that the reconciler saw.
        is_due_when_asking: Whether the settling time must be over when the reconciler asks, not
            only when it writes.
        early_settle: With which settling time an earlier `at_most_once` run ended some batches
            as unproven; None for no such run.
        asks_again: Whether those are asked for again before they are sent.
        keeps_doubt: Whether a batch of which an earlier attempt may have been accepted is left
            unproven when a later one is rejected.
    """

    guarantee: Guarantee = Guarantee.EFFECTIVELY_ONCE
    workers: int = 2
    settle: int = SETTLE
    validity: int = VALIDITY
    has_intent: bool = True
    survives_power_loss: bool = True
    signs_when_sending: bool = False
    lead: int = 0
    settles_from_commit: bool = False
    heeds_lost_claim: bool = True
    guards_outcome: bool = True
    guards_absence: bool = True
    is_due_when_asking: bool = True
    early_settle: int | None = None
    asks_again: bool = True
    keeps_doubt: bool = True

    def start(self) -> State:
        """Give the first state."""
        return State(Row(), (Worker(),) * self.workers)

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Give what can happen."""
        for worker in dict.fromkeys(state.workers):
            others = list(state.workers)
            others.remove(worker)
            rest = state._replace(workers=tuple(others))
            yield from self._work(rest, worker)
            yield from self._exchange(rest, worker)
            yield from self._end(rest, worker)
        yield from self._deliver_late(state)
        yield from self._recover(state)
        yield from self._reconcile(state)
        yield Step("a tick passes", self._tick(state))

    # -- a worker, up to the first byte

    def _work(self, state: State, me: Worker) -> Iterator[Step[State]]:
        row = state.row
        if me.at is At.IDLE and row.state is Ledger.PLANNED and row.attempts < MAX_ATTEMPTS:
            claimed = self._fenced(state, row._replace(state=Ledger.CLAIMED))
            yield Step("a worker claims the batch", _with(claimed, Worker(At.CLAIMED, True)))
        elif me.at is At.CLAIMED:
            yield from self._intend(state, me, row.attempts + 1)
        elif me.at is At.INTENDED:
            if me.signed > 0 and me.holds and self.has_intent:  # too old to be worth sending
                yield from self._intend(state, me, row.attempts)
            sent = Worker(At.SENT, me.holds, -self.lead if self.signs_when_sending else me.signed)
            yield Step(f"{_who(me)} sends", _with(state, sent))

    def _intend(self, state: State, me: Worker, attempts: int) -> Iterator[Step[State]]:
        row = state.row._replace(attempts=attempts)
        intended = Worker(At.INTENDED, me.holds, -self.lead)
        if not self.has_intent:
            row = row if me.holds else state.row
            yield Step(f"{_who(me)} notes nothing", _with(state, intended, row))
        elif me.holds:
            row = row._replace(state=Ledger.INFLIGHT, signed=-self.lead)
            yield Step(f"{_who(me)} commits its intent", _with(state, intended, row))
        else:
            yield Step(f"{_who(me)} overlooks that it has no intent", _with(state, intended))

    # -- SENS answers, and the worker writes that down

    def _exchange(self, state: State, me: Worker) -> Iterator[Step[State]]:
        if me.at is At.SENT:
            if me.signed <= self.validity:
                told = self._left_of(me._replace(at=At.TOLD_ACCEPTED, signed=0))
                yield Step(f"SENS accepts what {_who(me)} sent", _with(_accept(state), told))
            for at in (At.TOLD_REFUSED, At.TOLD_REJECTED):
                name = "SENS refuses" if at is At.TOLD_REFUSED else "SENS rejects"
                told = self._left_of(me._replace(at=at, signed=0))
                yield Step(f"{name} what {_who(me)} sent", _with(state, told))
        elif me.at >= At.TOLD_ACCEPTED:
            yield Step(f"{_who(me)} writes the outcome", self._write_outcome(state, me))

    def _write_outcome(self, state: State, me: Worker) -> State:
        row = state.row._replace(signed=0)
        if me.at is At.TOLD_ACCEPTED:
            return _with(state, Worker(), row._replace(state=Ledger.ACCEPTED))
        if me.at is At.TOLD_REJECTED:
            doubted = row.is_flagged and self.keeps_doubt
            after = Ledger.UNPROVEN if doubted else Ledger.REJECTED
            return _with(state, Worker(), row._replace(state=after))
        if me.holds and row.attempts < MAX_ATTEMPTS:  # keeps the claim for the next attempt
            return _with(state, Worker(At.CLAIMED, True), row._replace(state=Ledger.CLAIMED))
        return _with(self._fenced(state, row._replace(state=Ledger.PLANNED)), Worker())

    # -- a worker ends without an answer

    def _end(self, state: State, me: Worker) -> Iterator[Step[State]]:
        if me.at is At.IDLE:
            return
        # What was sent goes on without it.
        if me.at is At.SENT and me.signed <= self.validity:
            state = state._replace(copies=tuple(sorted((*state.copies, me.signed))))
        yield Step(f"crash of {_who(me)}", _with(state, Worker()))
        if not self.survives_power_loss and state.row.state is Ledger.INFLIGHT and me.holds:
            undone = state.row._replace(state=Ledger.CLAIMED, signed=0)
            yield Step("a power loss undoes the intent", _with(state, Worker(), undone))
        if me.at >= At.SENT:
            row = _doubtful(state.row) if me.holds else state.row
            yield Step(f"{_who(me)} gives up waiting for the answer", _with(state, Worker(), row))

    def _deliver_late(self, state: State) -> Iterator[Step[State]]:
        for copy in dict.fromkeys(state.copies):
            rest = list(state.copies)
            rest.remove(copy)
            yield Step("SENS accepts a late copy", _accept(state)._replace(copies=tuple(rest)))

    # -- recovery

    def _recover(self, state: State) -> Iterator[Step[State]]:
        row = state.row
        if row.state is Ledger.CLAIMED:
            planned = self._fenced(state, row._replace(state=Ledger.PLANNED))
            yield Step("the lease is over, with no intent", planned)
        elif row.state is Ledger.INFLIGHT:
            yield Step("the lease is over, after an intent", self._fenced(state, _doubtful(row)))
        elif row.state is Ledger.UNKNOWN and self._resends(row):
            planned = row._replace(state=Ledger.PLANNED, signed=0, is_flagged=True)
            yield Step("what is unknown is planned again", state._replace(row=planned))
        elif row.state is Ledger.UNPROVEN and self.early_settle is not None and not self.asks_again:
            planned = row._replace(state=Ledger.PLANNED, signed=0)
            yield Step("what is unproven is planned again", state._replace(row=planned))

    def _resends(self, row: Row) -> bool:
        return self.guarantee is Guarantee.AT_LEAST_ONCE and row.attempts < MAX_ATTEMPTS

    def _reconcile(self, state: State) -> Iterator[Step[State]]:
        row, absence = state.row, state.absence
        is_asked = row.state is Ledger.UNKNOWN and not self._resends(row)
        is_asked |= row.state is Ledger.UNPROVEN and self.asks_again
        if is_asked and state.accepted:
            found = row._replace(state=Ledger.ACCEPTED, signed=0)
            yield Step("a reconciler finds it", state._replace(row=found))
        if is_asked and not (state.accepted and state.listed > LAG):
            yield from self._miss(state)
        if absence is not None:
            forgot = state._replace(absence=None)
            is_due = absence if self.is_due_when_asking else self._is_due(row)
            if is_asked and is_due:
                yield Step("the slow reconciler writes that it is absent", self._absent(forgot))
            else:
                yield Step("the slow reconciler writes nothing", forgot)

    def _miss(self, state: State) -> Iterator[Step[State]]:
        row, is_due = state.row, self._is_due(state.row)
        if is_due:
            yield Step("a reconciler writes that it is absent", self._absent(state))
        if state.absence is None and (is_due or not self.is_due_when_asking):
            asked = state._replace(absence=is_due)
            yield Step("the slow reconciler does not find it", asked)
        if self.early_settle is not None and row.signed >= self.early_settle:
            unproven = state._replace(row=row._replace(state=Ledger.UNPROVEN))
            yield Step("the earlier run leaves it unproven", unproven)

    def _is_due(self, row: Row) -> bool:
        return row.signed + self.lead * self.settles_from_commit >= self.settle

    def _absent(self, state: State) -> State:
        row = state.row
        if self.guarantee is Guarantee.EFFECTIVELY_ONCE:
            return state._replace(row=row._replace(state=Ledger.PLANNED, signed=0))
        return state._replace(row=row._replace(state=Ledger.UNPROVEN))

    # -- the fence

    def _fenced(self, state: State, row: Row) -> State:
        """Write a row with the next fence: whoever held the last holds nothing now."""
        workers = sorted(self._left_of(me._replace(holds=False)) for me in state.workers)
        absence = None if self.guards_absence else state.absence
        return state._replace(row=row, workers=tuple(workers), absence=absence)

    def _left_of(self, me: Worker) -> Worker:
        """Give a worker, idle if all that it could do is a write that its fence refuses."""
        if me.holds:
            return me
        writes_intent = me.at is At.CLAIMED and self.heeds_lost_claim and self.has_intent
        writes_outcome = me.at >= At.TOLD_ACCEPTED and self.guards_outcome
        return Worker() if writes_intent or writes_outcome else me

    # -- time

    def _tick(self, state: State) -> State:
        row = state.row
        if row.state in {Ledger.INFLIGHT, Ledger.UNKNOWN, Ledger.UNPROVEN}:
            row = row._replace(signed=min(row.signed + 1, _OLD))
        oldest = min(self.validity + 1, _OLD)
        ages = (min(copy + 1, oldest) for copy in state.copies)
        return State(
            row,
            tuple(
                me._replace(signed=min(me.signed + 1, oldest))
                if me.at is At.INTENDED or me.at is At.SENT
                else me
                for me in state.workers
            ),
            tuple(age for age in ages if age <= self.validity),
            state.accepted,
            min(state.listed + 1, LAG + 1) if state.accepted else 0,
            state.absence,
        )


# -- what is wrong


def is_sent_twice(state: State) -> bool:
    return state.accepted > 1


def is_sent_twice_unflagged(state: State) -> bool:
    return state.accepted > 1 and not state.row.is_flagged


def is_accepted_and_planned(state: State) -> bool:
    return state.accepted > 0 and state.row.state is Ledger.PLANNED


def is_dishonest(state: State) -> bool:
    """Whether the ledger claims what is not so.

    Since it must hold in every state, what is claimed to be unsent is not accepted later, either.
    """
    row = state.row
    if row.state is Ledger.ACCEPTED:
        return not state.accepted
    if row.is_flagged and row.state is not Ledger.REJECTED:
        return False  # what is flagged and planned is told to be unknown
    claims_unsent = row.state in {Ledger.PLANNED, Ledger.CLAIMED, Ledger.REJECTED}
    return claims_unsent and state.accepted > 0


def is_over(state: State) -> bool:
    """Whether every recipient has an outcome, and nobody will do any more."""
    row = state.row
    if row.state is Ledger.PLANNED:
        return row.attempts == MAX_ATTEMPTS
    return row.state in {Ledger.UNPROVEN, Ledger.ACCEPTED, Ledger.REJECTED}


# -- parts of steps


def _who(worker: Worker) -> str:
    return "the claimant" if worker.holds else "a zombie"


def _with(state: State, worker: Worker, row: Row | None = None) -> State:
    """Put a worker back among the others."""
    workers = tuple(sorted((*state.workers, worker)))
    row = state.row if row is None else row
    return State(row, workers, *state[2:])


def _doubtful(row: Row) -> Row:
    # Without intents nobody knows that anything was sent.
    after = Ledger.UNKNOWN if row.state is Ledger.INFLIGHT else Ledger.PLANNED
    return row._replace(state=after)


def _accept(state: State) -> State:
    return state._replace(accepted=min(state.accepted + 1, 2))
