"""Two identical batches of two campaigns, and for which of them a found request is taken.

SENS knows no key of the caller's: what tells the requests of two equal batches apart is when they
were signed, and which ids the ledger knows already. The one batch is told from the other here
only by its place.

A process that is stopped between its intent and its first byte is a copy that the network holds,
since it signs with the intent's timestamp.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from campaign.breadth_first import Step
from campaign.protocol_model import LAG, SETTLE, VALIDITY, Guarantee, Ledger

MAX_ATTEMPTS = 2
MARGIN = 1
"""Ticks by which an acceptance may lie outside a signature's life and yet be taken for that
signature's: clocks differ, and SENS dates in whole seconds."""


class Rule(Enum):
    """What keeps a batch from being claimed while an equal one is about."""

    NONE = auto()
    OPEN = auto()
    """That one is claimed, in flight or unknown."""
    UNSETTLED = auto()
    """That one is claimed or in flight, or has an attempt of which it is not known whether it was
    accepted and which was signed less than the settling time ago, whatever its state is."""
    EITHER = auto()
    """What holds up by one of these two."""


class Request(NamedTuple):
    """A request that SENS has accepted and whose id is in no row.

    Attributes:
        owner: Place of the batch that it belongs to.
        age: Of the acceptance.
        is_told: Whether the owner's claimant is about to be told its id.
        suits: For each batch, whether it may be taken for its last attempt, by the dates.
    """

    owner: int
    age: int
    is_told: bool
    suits: tuple[bool, bool]


class Batch(NamedTuple):
    """A batch: its row, and its copies.

    Attributes:
        state: Of the row.
        signed: Age of the last timestamp while it matters, else that of one long ago.
        attempts: How many were begun.
        is_flagged: Whether one was begun although the one before may have been accepted.
        is_out: Whether the claimant's copy is still under way.
        copies: Ages of the signatures of copies that nobody waits for any more.
        accepted: How many requests SENS has accepted.
    """

    state: Ledger = Ledger.PLANNED
    signed: int = SETTLE
    attempts: int = 0
    is_flagged: bool = False
    is_out: bool = False
    copies: tuple[int, ...] = ()
    accepted: int = 0


class State(NamedTuple):
    """Everything.

    Attributes:
        batches: One of each campaign.
        requests: What may be found.
        is_mixed_up: Whether a request of one batch was written into the row of the other.
    """

    batches: tuple[Batch, Batch] = (Batch(), Batch())
    requests: tuple[Request, ...] = ()
    is_mixed_up: bool = False

    def __str__(self) -> str:
        parts = [
            f"{one.state.name}{'!' * one.is_flagged} #{one.attempts}"
            + f" aged {one.signed}" * (one.signed < SETTLE)
            + " out" * one.is_out
            + "".join(f", late copy aged {age}" for age in one.copies)
            for one in self.batches
        ]
        parts += [f"request of {one.owner + 1} aged {one.age}" for one in self.requests]
        return " | ".join(parts)


class Campaigns(NamedTuple):
    """The rules.

    Attributes:
        guarantees: Of the two campaigns.
        rule: About equal batches.
        settles: For each campaign, the settling time that its runs are given.
        needs_id: Whether an acceptance that is told without an id leaves the batch unknown.
    """

    guarantees: tuple[Guarantee, Guarantee]
    rule: Rule = Rule.UNSETTLED
    settles: tuple[int, int] = (SETTLE, SETTLE)
    needs_id: bool = True

    def start(self) -> State:
        """Give the first state."""
        return State()

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Give what can happen."""
        if state.is_mixed_up:
            return
        for place in (0, 1):
            for name, after in self._campaign(state, place):
                yield Step(f"campaign {place + 1}: {name}", _tidy(after))
            for name, after in self._surroundings(state, place):
                yield Step(f"of campaign {place + 1}, {name}", _tidy(after))
        yield Step("a tick passes", _tidy(_tick(state)))

    def _campaign(self, state: State, place: int) -> Iterator[Step[State]]:
        """Give what the campaign's own processes do."""
        me = state.batches[place]
        if me.state is Ledger.PLANNED and me.attempts < MAX_ATTEMPTS:
            if not self._is_held_up(state.batches[1 - place]):
                yield Step("claims", _with(state, place, me._replace(state=Ledger.CLAIMED)))
        elif me.state is Ledger.CLAIMED:
            out = me._replace(state=Ledger.INFLIGHT, attempts=me.attempts + 1, is_out=True)
            signed = _sign(_with(state, place, out), place)
            yield Step("commits its intent and sends", signed)
        elif me.state is Ledger.INFLIGHT:
            if not me.is_out:
                yield from self._hear(state, place)
            yield Step("gives up waiting", _give_up(state, place))
        elif me.state is Ledger.UNKNOWN and self._resends(place, me):
            planned = me._replace(state=Ledger.PLANNED, is_flagged=True)
            yield Step("plans again what is unknown", _with(state, place, planned))

    def _is_held_up(self, other: Batch) -> bool:
        if self.rule is Rule.NONE:
            return False
        if other.state in {Ledger.CLAIMED, Ledger.INFLIGHT}:
            return True
        if self.rule is not Rule.UNSETTLED and other.state is Ledger.UNKNOWN:
            return True
        if self.rule is Rule.OPEN:
            return False
        is_doubtful = other.is_flagged or other.state in {Ledger.UNKNOWN, Ledger.UNPROVEN}
        return is_doubtful and other.signed < SETTLE

    def _hear(self, state: State, place: int) -> Iterator[Step[State]]:
        accepted = state.batches[place]._replace(state=Ledger.ACCEPTED)
        others = [one for one in state.requests if not (one.is_told and one.owner == place)]
        yield Step("is told its id", _with(state, place, accepted, others))
        if not self.needs_id:
            yield Step("is told no id", _with(state, place, accepted, _untold(state, place)))

    def _resends(self, place: int, batch: Batch) -> bool:
        at_least = self.guarantees[place] is Guarantee.AT_LEAST_ONCE
        return at_least and batch.attempts < MAX_ATTEMPTS

    def _ask(self, state: State, place: int) -> Iterator[Step[State]]:
        me = state.batches[place]
        likely = [one for one in state.requests if one.suits[place]]
        for one in likely:
            rest = [another for another in state.requests if another is not one]
            found = _with(state, place, me._replace(state=Ledger.ACCEPTED), rest)
            if one.owner == place:
                yield Step("a reconciler finds its request", found)
            else:
                mixed_up = found._replace(is_mixed_up=True)
                yield Step("a reconciler finds the other's request", mixed_up)
        is_listed = any(one.age > LAG for one in likely)
        if me.signed >= self.settles[place] and not is_listed:
            planned = self.guarantees[place] is Guarantee.EFFECTIVELY_ONCE
            after = Ledger.PLANNED if planned else Ledger.UNPROVEN
            yield Step("a reconciler finds nothing", _with(state, place, me._replace(state=after)))

    def _surroundings(self, state: State, place: int) -> Iterator[Step[State]]:
        """Give what others do: SENS, and whoever looks after leases and unknowns of all campaigns."""
        me = state.batches[place]
        if me.is_out:
            if me.signed <= VALIDITY:
                arrived = _with(state, place, me._replace(is_out=False))
                yield Step("SENS accepts the copy", _accept(arrived, place, is_told=True))
            again = Ledger.CLAIMED if me.attempts < MAX_ATTEMPTS else Ledger.PLANNED
            for after in (again, Ledger.REJECTED):
                refused = me._replace(state=after, is_out=False)
                yield Step("SENS refuses the copy", _with(state, place, refused))
        for copy in dict.fromkeys(me.copies):
            rest = list(me.copies)
            rest.remove(copy)
            late = _with(state, place, me._replace(copies=tuple(rest)))
            yield Step("SENS accepts a late copy", _accept(late, place, is_told=False))
        if me.state is Ledger.CLAIMED:
            planned = me._replace(state=Ledger.PLANNED)
            yield Step("the lease is over", _with(state, place, planned))
        elif me.state is Ledger.INFLIGHT:
            yield Step("the lease is over", _give_up(state, place))
        elif me.state is Ledger.UNPROVEN or (
            me.state is Ledger.UNKNOWN and not self._resends(place, me)
        ):
            yield from self._ask(state, place)


# -- what is wrong


def is_mixed_up(state: State) -> bool:
    return state.is_mixed_up


def is_wrong(state: State) -> bool:
    """Whether a row says what is not so of its own batch."""
    return state.is_mixed_up or any(
        (one.state is Ledger.ACCEPTED and not one.accepted)
        or (one.accepted > 1 and not one.is_flagged)
        or (one.accepted and not one.is_flagged and one.state in _UNSENT)
        for one in state.batches
    )


_UNSENT = frozenset({Ledger.PLANNED, Ledger.CLAIMED, Ledger.REJECTED})


def is_over(state: State, place: int) -> bool:
    """Whether a batch has its outcome."""
    one = state.batches[place]
    if one.state is Ledger.PLANNED:
        return one.attempts == MAX_ATTEMPTS
    return one.state in {Ledger.UNPROVEN, Ledger.ACCEPTED, Ledger.REJECTED}


# -- parts of steps


def _with(
    state: State, place: int, batch: Batch, requests: Iterable[Request] | None = None
) -> State:
    first, second = state.batches
    return State(
        (first, batch) if place else (batch, second),
        state.requests if requests is None else tuple(sorted(requests)),
    )


def _untold(state: State, place: int) -> list[Request]:
    return [one._replace(is_told=one.is_told and one.owner != place) for one in state.requests]


def _give_up(state: State, place: int) -> State:
    """Leave a batch unknown; its copy goes on alone."""
    me = state.batches[place]
    copies = me.copies
    if me.is_out and me.signed <= VALIDITY:
        copies = tuple(sorted((*copies, me.signed)))
    unknown = me._replace(state=Ledger.UNKNOWN, is_out=False, copies=copies)
    return _with(state, place, unknown, _untold(state, place))


def _accept(state: State, place: int, *, is_told: bool) -> State:
    """Take a copy; by its date it may be of every batch that was signed not long ago."""
    me = state.batches[place]
    first, second = (one.signed <= VALIDITY + MARGIN for one in state.batches)
    request = Request(place, 0, is_told, (first, second))
    after = me._replace(accepted=min(me.accepted + 1, 2))
    return _with(state, place, after, (*state.requests, request))


def _sign(state: State, place: int) -> State:
    """Note a new timestamp: what is older is not this attempt, what is just older may be."""
    requests = []
    for one in state.requests:
        is_near = one.age <= MARGIN
        suits = (one.suits[0], is_near) if place else (is_near, one.suits[1])
        requests.append(one._replace(suits=suits))
    return _with(state, place, state.batches[place]._replace(signed=0), requests)


def _tick(state: State) -> State:
    first, second = (
        one._replace(
            signed=min(one.signed + 1, SETTLE),
            copies=tuple(age + 1 for age in one.copies if age < VALIDITY),
        )
        for one in state.batches
    )
    oldest = max(LAG, MARGIN) + 1
    requests = (one._replace(age=min(one.age + 1, oldest)) for one in state.requests)
    return State((first, second), tuple(sorted(requests)))


_SOUGHT = frozenset({Ledger.INFLIGHT, Ledger.UNKNOWN, Ledger.UNPROVEN})


def _tidy(state: State) -> State:
    """Forget what makes no difference any more, so that fewer states differ."""
    first, second = state.batches
    seeks = first.state in _SOUGHT, second.state in _SOUGHT
    requests = []
    for one in state.requests:
        suits = (one.suits[0] and seeks[0], one.suits[1] and seeks[1])
        if any(suits) or one.is_told or one.age <= MARGIN:
            requests.append(Request(one.owner, one.age, one.is_told, suits))
    if not (seeks[0] or first.is_flagged):
        first = first._replace(signed=SETTLE)
    if not (seeks[1] or second.is_flagged):
        second = second._replace(signed=SETTLE)
    return State((first, second), tuple(sorted(requests)), state.is_mixed_up)
