"""A ledger in the hands of processes that run, stop, are held up and die, beside a SENS that errs.

Runs are real ones. What happens to them is up to the machine: which request is answered how and
when, which process goes on, how much time passes. Beside it stands what really happened at SENS,
and after each step the ledger may say nothing that is not so.
"""

import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import attrs
from campaign.ledger_process import Moment, Process, let_pass
from campaign.truthful_service import ANSWERS, Copy, Exchange, Person, Service, Wire, likeness_of
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sens_async import OutcomeState, Recipient
from sens_async.campaign import CampaignOutcome, CampaignStatus, Guarantee
from sens_async.campaign.ids import PLACE_BITS
from sens_async.campaign.leases import SETTLE_SECONDS
from sens_async.campaign.packing import unpack
from sens_async.campaign.states import MAX_BLIND_ATTEMPTS, BatchState

__all__ = ["LedgerMachine"]

TEXT, BAD_NUMBER = "안녕하세요", "119"
MOST_PLANS, MOST_RUNS = 3, 2

PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["01000000001", "01000000002", "01000000003"] * 3 + [BAD_NUMBER]),
        st.sampled_from([None, None, None, f"{TEXT} "]),
    ),
    min_size=1,
    max_size=6,
)
"""Numbers, and texts of their own; few, so that many batches are equal."""

GUARANTEES = st.sampled_from(Guarantee)
LAGS = st.sampled_from([0.0, 1.0, 90.0, 299.0])
"""Seconds until all of a request is listed.

Not one recipient after the other: see `test_strays`.
"""

SECONDS = st.sampled_from([20.0, 31.0, 61.0, 301.0, 601.0])
SOON = 60.0
"""Seconds to settle for whoever sends nothing again: others must not rely on what is known then."""

NOT_ACCEPTED = {OutcomeState.NOT_SENT, OutcomeState.REJECTED, OutcomeState.SKIPPED}
ENDED = {BatchState.ACCEPTED, BatchState.REJECTED, BatchState.SKIPPED, BatchState.UNPROVEN}
FRESH_SECONDS, DAY = 30.0, 86_400.0


@attrs.define(eq=False)
class Plan:
    """A campaign.

    Attributes:
        people: Number and text of each, as given; a text of None is the campaign's.
        guarantee: What it was planned with.
        id: Of its row.
        guarantees: All that it was planned or run with.
    """

    name: str
    people: list[tuple[str, str | None]]
    guarantee: Guarantee
    id: int
    guarantees: set[Guarantee] = attrs.field(factory=set)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Batch(NamedTuple):
    """A batch's row, as it is in the database."""

    id: int
    state: BatchState
    fence: int
    intent_ms: int | None
    request_id: str | None
    is_doubtful: bool
    people: tuple[Person, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]


class Action(NamedTuple):
    """Something that may happen.

    Attributes:
        weight: How often, compared with others.
        when: Whether it may happen now.
        carry_out: Does it, given what to draw from.
    """

    weight: int
    when: Callable[["LedgerMachine"], object]
    carry_out: Callable[["LedgerMachine", st.DataObject], None]


ACTIONS: dict[str, Action] = {}


def action(weight: int, when: Callable[["LedgerMachine"], object]) -> Callable:
    """Enter a method into `ACTIONS`."""

    def enter(method: Callable) -> Callable:
        ACTIONS[method.__name__] = Action(weight, when, method)
        return method

    return enter


class LedgerMachine(RuleBasedStateMachine):
    """What may happen, and what must hold.

    There is one rule, which chooses an action: of a machine's rules Hypothesis leaves out each
    with a chance of its own, and no story gets far without most of these.

    Args:
        path: Where the ledger is to be.
        processes: How many use it. Of two, leases alone tell whether the other is dead.
    """

    def __init__(self, path: str, processes: int) -> None:
        super().__init__()
        self.path = path
        self.is_shared = processes > 1
        self.moment = Moment()
        self.service = Service(lambda: self.moment.now)
        self.processes = [self._start() for _ in range(processes)]
        self.reader = self._start()
        self.plans: list[Plan] = []
        self.batches: dict[int, Batch] = {}
        self.told: dict[Plan, list[CampaignOutcome]] = {}
        self.reopened: set[Plan] = set()
        self.held_up_with: set[Copy] = set()
        self.faults: list[str] = []

    def _start(self) -> Process:
        wire = Wire(self.service, self._depart)
        return Process(self.path, self.moment, wire, is_shared=self.is_shared)

    @rule(data=st.data())
    def happens(self, data: st.DataObject) -> None:
        names = [name for name, one in ACTIONS.items() if one.when(self) for _ in range(one.weight)]
        name = data.draw(st.sampled_from(names), "what")
        ACTIONS[name].carry_out(self, data)

    # -- what users do

    @action(3, lambda self: len(self.plans) < MOST_PLANS and self._awake())
    def plan(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self._awake()), "process")
        name, old = f"c{len(self.plans)}", [st.just(plan.people) for plan in self.plans]
        people = data.draw(st.one_of(*old, PEOPLE), "people")
        guarantee = data.draw(GUARANTEES, "guarantee")
        campaign = process.do(
            process.ledger.plan(
                process.session,
                name,
                [Recipient(number, content=text) for number, text in people],
                TEXT,
                duplicates=data.draw(st.sampled_from(["send", "send", "skip"]), "duplicates"),
                guarantee=guarantee,
            )
        )
        self.plans.append(Plan(name, people, guarantee, campaign._id, {guarantee}))

    @action(8, lambda self: self._unfinished() and self._idle())
    def run(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self._idle()), "process")
        plan = data.draw(st.sampled_from(self._unfinished()), "plan")
        guarantee = data.draw(st.none() | GUARANTEES, "guarantee")
        self._run(
            process,
            plan,
            guarantee,
            waits=data.draw(st.booleans(), "waits"),
            sends=data.draw(st.sampled_from([True, True, True, False]), "sends"),
        )

    @action(1, lambda self: self._running())
    def stop_a_run(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self._running()), "process")
        data.draw(st.sampled_from(process.runs), "run").cancel()
        process.loop.run_until_idle()

    def _run(
        self,
        process: Process,
        plan: Plan,
        other: Guarantee | None = None,
        *,
        waits: bool = True,
        sends: bool = True,
    ) -> None:
        guarantee, settle = other or plan.guarantee, SOON
        plan.guarantees.add(guarantee)
        if guarantee is not Guarantee.AT_MOST_ONCE:
            settle = SETTLE_SECONDS  # with less it may send twice, as is said
            self.reopened.add(plan)
        process.begin(
            plan.name,
            lambda campaign: (campaign.run if sends else campaign.reconcile)(
                process.session, guarantee=other, settle=settle, wait=waits
            ),
        )

    # -- what becomes of requests

    @action(12, lambda self: self._answerable())
    def answer(self, data: st.DataObject) -> None:
        process, exchange = data.draw(st.sampled_from(self._answerable()), "request")
        is_there = exchange.copy.fate == "accepted"
        what = data.draw(st.sampled_from(["accepted", "lost"] if is_there else ANSWERS), "what")
        process.wire.answer(exchange, what, data.draw(LAGS, "lag"))
        process.loop.run_until_idle()

    @action(5, lambda self: self._on_their_way())
    def arrive(self, data: st.DataObject) -> None:
        """SENS takes a request whose answer comes later, or to nobody."""
        copy = data.draw(st.sampled_from(self._on_their_way()), "copy")
        self.service.arrive(copy, data.draw(LAGS, "lag"))

    @action(2, lambda self: self._running())
    def let_questions_wait(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self._running()), "process").wire.is_slow = True

    @action(5, lambda self: any(one.wire.questions for one in self._awake()))
    def hear(self, _: st.DataObject) -> None:
        for process in self._awake():
            process.wire.is_slow = False
            process.wire.hear()
            process.loop.run_until_idle()

    # -- what becomes of processes

    @action(8, lambda _: True)
    def let_time_pass(self, data: st.DataObject) -> None:
        let_pass(data.draw(SECONDS, "seconds"), self.moment, self.processes)

    @action(6, lambda self: self.is_shared and self._running())
    def hold_up(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self._running()), "process")
        process.is_held_up = True
        self.held_up_with.update(exchange.copy for exchange in process.wire.exchanges)
        let_pass(data.draw(SECONDS, "seconds"), self.moment, self.processes)

    @action(3, lambda self: len(self._awake()) < len(self.processes))
    def go_on(self, _: st.DataObject) -> None:
        for process in self.processes:
            process.is_held_up = False
            process.loop.run_until_idle()

    @action(2, lambda self: any(one.runs for one in self.processes))
    def lose(self, data: st.DataObject) -> None:
        """A process dies, and another comes in its place."""
        place = data.draw(st.integers(0, len(self.processes) - 1), "process")
        self.processes[place].kill()
        self.processes[place] = self._start()

    # -- what must hold

    def _depart(
        self, numbers: tuple[str, ...], texts: tuple[str, ...], signed_ms: int
    ) -> tuple[Person, ...]:
        """A request leaves: by its intent, which must be there, the machine knows whom it is for.

        Nothing that was sent to the same people before may be accepted, and nothing equal may turn
        up in the list; but for what its users were told of.
        """
        noted = [
            batch
            for batch in self._read().values()
            if batch.state is BatchState.INFLIGHT
            and (batch.intent_ms, batch.numbers, batch.texts) == (signed_ms, numbers, texts)
        ]
        self._demand(len(noted) == 1, f"a request leaves with {len(noted)} intents")
        batch = noted[0]
        is_fresh = self.moment.now - signed_ms / 1000 <= FRESH_SECONDS
        self._demand(is_fresh, f"{batch} leaves with an old intent")
        others = [copy for copy in self.service.copies if copy.fate != "refused"]
        again = [copy for copy in others if not set(copy.people).isdisjoint(batch.people)]
        is_once = self._plan_of(batch).guarantees == {Guarantee.AT_MOST_ONCE}
        self._demand(not (again and is_once), f"{batch} is sent again at most once")
        unknown = [copy for copy in again if not self._is_over(copy)]
        is_told = batch.is_doubtful and len(unknown) < MAX_BLIND_ATTEMPTS
        self._demand(is_told or not unknown, f"{batch} is sent again too soon")
        likeness = likeness_of(numbers, texts)
        for copy in others:
            if copy not in again and likeness_of(copy.numbers, copy.texts) == likeness:
                is_known = self._is_known(copy) or self._is_settled(copy)
                self._demand(is_known, f"{batch} is like what may turn up")
        return batch.people

    def _is_settled(self, copy: Copy) -> bool:
        """Whether a copy would be listed by now, if it ever will be."""
        return self.moment.now >= copy.signed_ms / 1000 + SETTLE_SECONDS

    def _is_over(self, copy: Copy) -> bool:
        """Whether it can be known that a copy was not accepted and never will be."""
        is_absent = copy.fate != "accepted" and self._is_settled(copy)
        return copy.fate == "refused" or is_absent

    def _is_known(self, copy: Copy) -> bool:
        """Whether the ledger knows that a copy was accepted."""
        if copy.fate != "accepted":
            return False
        request_id = self.service.request_of(copy).request_id
        return any(batch.request_id == request_id for batch in self._read().values())

    def _demand(self, is_so: bool, otherwise: str) -> None:
        if not is_so:  # kept, since a run would take an error for its transport's
            self.faults.append(otherwise)

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        self._runs_do_not_fail()
        self._what_has_ended_stays()
        self._everybody_is_told_of_once()
        self._what_is_told_is_so()
        self._the_living_keep_what_they_have()

    def _runs_do_not_fail(self) -> None:
        assert not self.faults, self.faults
        for process in self.processes:
            for run in [run for run in process.runs if run.done()]:
                process.runs.remove(run)
                assert run.cancelled() or run.result() is not None

    def _what_has_ended_stays(self) -> None:
        before, self.batches = self.batches, self._read()
        for number, old in before.items():
            may_reopen = old.state is BatchState.UNPROVEN and self._plan_of(old) in self.reopened
            if old.state in ENDED and not may_reopen:
                assert self.batches[number] == old
        self.reopened.clear()
        changed = {one for one in self.batches.values() if before.get(one.id) != one}
        for plan in {self._plan_of(batch) for batch in changed}:
            self.told[plan] = self.reader.do(self._report(plan))

    def _everybody_is_told_of_once(self) -> None:
        for plan in self.plans:
            told = [(one.index, one.to) for one in self.told[plan]]
            assert told == [(place, number) for place, (number, _) in enumerate(plan.people)]

    def _what_is_told_is_so(self) -> None:
        may_have_got_it = {
            person
            for copy in self.service.copies
            if not self._is_over(copy)
            for person in copy.people
        }
        for plan, outcomes in self.told.items():
            for one in outcomes:
                person = plan.name, one.index
                times = self.service.sent[person]
                assert times <= 1 or one.possible_duplicate, f"{person} was sent to {times} times"
                is_blind = Guarantee.AT_LEAST_ONCE in plan.guarantees
                assert is_blind or not one.possible_duplicate, f"{person} is flagged in vain"
                if one.state in NOT_ACCEPTED:
                    assert person not in may_have_got_it, f"{person} is told to be {one.state}"
                if one.state is OutcomeState.ACCEPTED:
                    theirs = self.service.requests[one.request_id].copy.people
                    assert person in theirs, f"{person} is not in {one.request_id}"

    def _the_living_keep_what_they_have(self) -> None:
        for process in self.processes:
            for exchange in process.wire.exchanges:
                copy = exchange.copy
                if copy not in self.held_up_with:
                    noted = [b for b in self.batches.values() if b.people == copy.people]
                    assert [b.state for b in noted] == [BatchState.INFLIGHT], f"{exchange} is lost"

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self._bring_to_an_end()
        finally:
            for process in [*self.processes, self.reader]:
                process.kill()

    def _bring_to_an_end(self) -> None:
        """When everybody has died and SENS answers, everybody gets an outcome some time."""
        for process in self.processes:
            process.kill()
        self.processes = [self._start()]
        self.processes[0].wire.is_kind = True
        for copy in self._on_their_way()[::2]:
            self.service.arrive(copy)
        self._carry_on()
        known = {batch.request_id for batch in self._read().values()}
        if not self.service.requests.keys() <= known:
            self.moment.seconds += 90 * DAY  # what may be another's is unknown while it is listed
            self._carry_on()
        left = [one for one in self._read().values() if one.state not in ENDED]
        assert not left, f"{left} never ended"

    def _carry_on(self) -> None:
        let_pass(2 * SETTLE_SECONDS, self.moment, self.processes)
        for plan in self.plans * 2:
            if plan in self._unfinished():
                self._run(self.processes[0], plan)
                let_pass(4 * SETTLE_SECONDS, self.moment, self.processes)
                self.all_is_as_it_must_be()
                assert not self.processes[0].runs, "a run never ended"

    # -- parts

    def _unfinished(self) -> list[Plan]:
        """Give the campaigns that a run may carry on, whatever its guarantee."""
        free = {BatchState.ACCEPTED, BatchState.REJECTED, BatchState.SKIPPED}
        left = {self._plan_of(batch) for batch in self.batches.values() if batch.state not in free}
        return [plan for plan in self.plans if plan in left]

    def _awake(self) -> list[Process]:
        return [one for one in self.processes if not one.is_held_up]

    def _idle(self) -> list[Process]:
        return [one for one in self._awake() if len(one.runs) < MOST_RUNS]

    def _running(self) -> list[Process]:
        return [one for one in self._awake() if one.runs]

    def _answerable(self) -> list[tuple[Process, Exchange]]:
        return [(one, exchange) for one in self._awake() for exchange in one.wire.exchanges]

    def _on_their_way(self) -> list[Copy]:
        return [copy for copy in self.service.copies if copy.fate in {"out", "adrift"}]

    def _plan_of(self, batch: Batch) -> Plan:
        return next(plan for plan in self.plans if plan.id == batch.id >> PLACE_BITS)

    def _read(self) -> dict[int, Batch]:
        """Read all batches, past the library."""
        with closing(sqlite3.connect(self.path)) as ledger:
            rows = ledger.execute(
                "SELECT id, state, fence, intent_ms, request_id, is_doubtful, size, payload "
                "FROM sens_batch JOIN sens_people ON batch_id = id ORDER BY id"
            ).fetchall()
        names = {plan.id: plan.name for plan in self.plans}
        found = {}
        for number, state, *facts, is_doubtful, size, payload in rows:
            told = unpack(payload, size)
            people = tuple((names[number >> PLACE_BITS], place) for place in told.indexes)
            texts = told.texts or [TEXT] * size
            found[number] = Batch(
                number,
                BatchState(state),
                *facts,
                bool(is_doubtful),
                people,
                tuple(told.numbers),
                tuple(texts),
            )
        return found

    async def _report(self, plan: Plan) -> list[CampaignOutcome]:
        campaign = await self.reader.ledger.campaign(plan.name)
        told = [one async for one in campaign.report()]
        status: CampaignStatus = await campaign.status()
        assert +status.counts == Counter(one.state for one in told)
        return told
