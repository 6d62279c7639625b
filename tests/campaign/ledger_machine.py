"""A ledger in the hands of workers that stumble, beside a model of what it must hold.

Workers are runs taken apart: every claim, intent, answer and outcome is a step of its own, made
with the parts that a real run is made of, so that anything may happen between any two of them.
Whole runs, questions to SENS and what else a user may call come between.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import attrs
from campaign.ledger_model import CLAIMED, OPEN, SETTLE_SECONDS, Model, Note, Plan, Shown
from campaign.truthful_service import FATES, Copy, Person, Request, Service, Wire
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from scripted import session_over
from sqlalchemy import literal, select
from virtual_time import VirtualClock, VirtualLoop

from sens_async import (
    BadRequest,
    ConnectionLost,
    OutcomeState,
    RunStopped,
    SensError,
    SensSession,
    Settings,
)
from sens_async.campaign import CampaignConflict, Guarantee, Ledger
from sens_async.campaign.claimed import ClaimedBatch
from sens_async.campaign.ids import PLACE_BITS, batch_id
from sens_async.campaign.leases import Leases
from sens_async.campaign.packing import unpack
from sens_async.campaign.reconciling import reconcile
from sens_async.campaign.running import Order, Runner
from sens_async.campaign.schema import AnyRow, batches, people
from sens_async.campaign.sending import Pass
from sens_async.campaign.states import BatchState

__all__ = ["LedgerMachine"]

MOST_PLANS, MOST_WORKERS = 4, 3
TEXT, BAD_NUMBER = "안녕하세요", "119"

PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["01000000001", "01000000002", "01000000003"] * 3 + [BAD_NUMBER]),
        st.sampled_from([None, None, None, TEXT, f"{TEXT} ", "다른 글"]),
    ),
    min_size=2,
    max_size=8,
)
GUARANTEES = st.sampled_from(Guarantee)
LAG = st.sampled_from([0.0, 1.0, 90.0, 299.0])
SECONDS = st.sampled_from([1, 20, 31, 59, 61, 241, 299, 301, 361, 540, 599, 601, 3600])


@attrs.define(eq=False)
class Hold(Shown):
    """A batch in a worker's hands, perhaps no more by right.

    Attributes:
        stage: "claimed", "intended", "sent", and what it was told then: a `Request`, "refused" or
            "unknown".
        copy: The last request for it.
    """

    worker: "Worker"
    batch: ClaimedBatch
    note: Note
    stage: str | Request = "claimed"
    copy: Copy | None = None

    def __repr__(self) -> str:
        return f"<{self.note}, {self.stage}{'' if self.is_rightful else ', of a zombie'}>"

    @property
    def is_rightful(self) -> bool:
        """Whether the batch is its own."""
        return self.note.holder is self

    @property
    def is_told(self) -> bool:
        """Whether it knows what became of its request."""
        return self.stage not in {"claimed", "intended", "sent"}


@attrs.define(eq=False)
class Worker(Shown):
    """A run, taken apart.

    Attributes:
        living: The names of the runs of its process.
        after: Only batches whose id is above this are claimed.
    """

    runner: Runner
    parts: Pass
    plan: Plan
    guarantee: Guarantee
    living: set[str]
    holds: list[Hold] = attrs.field(factory=list)
    after: int = -1

    def __repr__(self) -> str:
        return f"<run of {self.plan.name}, {self.guarantee}>"

    @property
    def owner(self) -> str:
        """Its name in claims."""
        return self.runner._owner

    def drop(self, hold: Hold) -> None:
        """Have no more to do with a batch."""
        self.holds.remove(hold)
        if hold.is_rightful:
            hold.note.holder = None


class StillLoop(VirtualLoop):
    """No time passes while a database works, so that a story is told the same way twice."""

    def _wait(self, timeout: float | None) -> list:
        if self._jobs:
            return self._sockets.select_really(None)
        return super()._wait(timeout)


class Action(NamedTuple):
    """Something that may happen.

    Attributes:
        weight: How often, compared with others.
        when: Whether it may happen now.
        carry_out: Does it, given what to draw from.
    """

    weight: int
    when: Callable[["LedgerMachine"], object]
    carry_out: Callable[["LedgerMachine", st.DataObject], Awaitable[None]]


ACTIONS: dict[str, Action] = {}


def action(weight: int, when: Callable[["LedgerMachine"], object] = lambda _: True) -> Callable:
    """Enter a method into `ACTIONS`."""

    def enter(method: Callable) -> Callable:
        ACTIONS[method.__name__] = Action(weight, when, method)
        return method

    return enter


class LedgerMachine(RuleBasedStateMachine):
    """Actions and invariants.

    There is one rule, which chooses an action: of a machine's rules Hypothesis leaves out each
    with a chance of its own, and no story gets far without most of these.

    Args:
        url: Where the ledger is to be.
        is_shared: Whether two processes use it, so that who is dead is told by leases alone.
        seen: Counts what has happened.
    """

    def __init__(self, url: str, *, is_shared: bool, seen: Counter[str]) -> None:
        super().__init__()
        self.seen = seen
        self.loop = StillLoop()
        self.clock = VirtualClock(self.loop)
        self.service = Service(self.clock)
        self.url, self.is_shared = url, is_shared
        self.model = Model()
        self.workers: list[Worker] = []
        self.slow: tuple[asyncio.Task[object], dict[Plan, Guarantee]] | None = None
        self.living_elsewhere: set[str] = set()
        self.avoided: frozenset[str] = frozenset()
        self.reported: dict[Plan, object] = {}
        self.is_sound = True
        self.loop.run_until_complete(self._open())

    @property
    def now(self) -> float:
        return self.clock.time()

    # -- opening and closing

    async def _open(self) -> None:
        self.opened = Ledger.open(self.url, clock=self.clock)
        self.ledger = await self.opened.__aenter__()
        self.storage = self.ledger.storage
        self.storage.engine.writes_alone = not self.is_shared
        self.storage.engine.now = lambda: literal(self.now)  # for the database's own clock
        self.wire, self.session = self._make_session()
        self.slow_wire, self.slow_session = self._make_session()
        for plan in self.model.plans:
            plan.campaign = await self.ledger.campaign(plan.name)

    def _make_session(self) -> tuple[Wire, SensSession]:
        wire = Wire(self.service, self._whose)
        settings = Settings(rate_limit=None, max_in_flight=1)
        return wire, session_over(wire, settings=settings, clock=self.clock)

    async def _close(self) -> None:
        if self.slow is not None:
            self.slow[0].cancel()
            await asyncio.wait({self.slow[0]})
            self.slow = None
        for session in (self.session, self.slow_session):
            await session.aclose()
        await self.opened.__aexit__(None, None, None)

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self.loop.run_until_complete(self._bring_to_an_end())
        finally:
            self.loop.run_until_complete(self._close())
            self.loop.close()

    # -- planning

    @action(6, lambda self: len(self.model.plans) < MOST_PLANS)
    async def plan(self, data: st.DataObject) -> None:
        if self.model.plans and data.draw(st.sampled_from([False] * 5 + [True]), "is old"):
            await self._plan_again(data)
            return
        lists = [st.just(plan.people) for plan in self.model.plans]
        plan = Plan(
            name=f"c{len(self.model.plans)}",
            text=TEXT,
            people=data.draw(st.one_of(*lists, PEOPLE), "people"),
            duplicates=data.draw(st.sampled_from(["send", "send", "skip"]), "duplicates"),
            guarantee=data.draw(GUARANTEES, "guarantee"),
            has_keys=data.draw(st.booleans(), "has keys"),
            skips_known=data.draw(st.sampled_from([False, False, True]), "skips known keys"),
        )
        known = self.model.known_keys() if plan.has_keys and plan.skips_known else set()
        await self._plan(plan)
        self.model.plans.append(plan)
        await self._take_in(plan)
        expected: list[BatchState] = []
        seen: set[tuple[str, str]] = set()
        for index, (number, _) in enumerate(plan.people):
            same = number, plan.text_of(index)
            is_left_out = number in known or (plan.duplicates == "skip" and same in seen)
            if number == BAD_NUMBER:
                expected.append(BatchState.REJECTED)
            else:
                expected.append(BatchState.SKIPPED if is_left_out else BatchState.PLANNED)
            if number not in known:
                seen.add(same)
        got = {index: note.state for note in self.model.of(plan) for index in note.indexes}
        assert [got[index] for index in sorted(got)] == expected

    async def _plan_again(self, data: st.DataObject) -> None:
        plan = data.draw(st.sampled_from(self.model.plans), "plan")
        text = data.draw(st.sampled_from([TEXT, "어"]), "text")
        try:
            await self._plan(attrs.evolve(plan, text=text))
        except CampaignConflict:
            assert plan.is_purged or text != plan.text
        else:
            assert text == plan.text

    async def _plan(self, plan: Plan) -> None:
        plan.campaign = await self.ledger.plan(
            self.session,
            plan.name,
            plan.recipients,
            plan.text,
            duplicates=plan.duplicates,
            guarantee=plan.guarantee,
            skip_known_keys=plan.skips_known,
        )

    # -- a run, taken apart

    @action(8, lambda self: self._unfinished() and len(self.workers) < MOST_WORKERS)
    async def begin_a_run(self, data: st.DataObject) -> None:
        plan = data.draw(st.sampled_from(self._unfinished()), "plan")
        guarantee = data.draw(st.none() | GUARANTEES, "guarantee") or plan.guarantee
        living = self._living(data)
        order = Order(
            name=plan.name,
            campaign_id=plan.id,
            letter=plan.campaign.letter,
            images=(),
            guarantee=guarantee,
            settle=SETTLE_SECONDS,
            waits=False,
        )
        runner = Runner(self.storage, living, self.session, order, None)
        parts = Pass(
            self.storage,
            runner._leases,
            self.session,
            owner=runner._owner,
            campaign_id=plan.id,
            letter=order.letter,
            images=(),
            guarantee=guarantee,
            given_up=set(),
            status=runner.status,
            changed=lambda: None,
        )
        self.workers.append(Worker(runner, parts, plan, guarantee, living))
        living.add(runner._owner)
        await runner._leases.sweep()
        self._sweep(living)
        await self.storage.write(runner._reopen)
        self.model.reopen(plan, guarantee)

    @action(16, lambda self: self._hungry())
    async def claim(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self._hungry()), "worker")
        limit = data.draw(st.integers(1, 4), "limit")
        if not worker.holds:
            worker.after = -1  # its next pass
        claimable = self.model.claimable(worker.plan, self.now)
        wanted = [note for note in claimable if note.id > worker.after][:limit]
        rows = await worker.runner._leases.claim(
            worker.owner, worker.plan.id, after=worker.after, limit=limit
        )
        assert [row.id for row in rows] == [note.id for note in wanted]
        for row, note in zip(rows, wanted, strict=True):
            hold = Hold(worker, worker.parts._claims._batch(row), note)
            assert tuple(hold.batch.numbers) == note.numbers
            worker.holds.append(hold)
            worker.after = note.id
            self.model.claim(note, hold, worker.owner, self.now)
            self.seen["claimed again"] += note.attempts > 0

    @action(16, lambda self: self._holds("claimed"))
    async def attempt(self, data: st.DataObject) -> None:
        """A whole attempt at one go, so that stories need not be long to get far."""
        hold = data.draw(st.sampled_from(self._holds("claimed")), "hold")
        await self._intend(hold)
        if hold.stage == "intended":
            hold.stage = "sent"
            self._answer(hold, data)
            await self._settle(hold, data)

    @action(8, lambda self: self._holds("claimed", "intended"))
    async def intend(self, data: st.DataObject) -> None:
        await self._intend(data.draw(st.sampled_from(self._holds("claimed", "intended")), "hold"))

    @action(10, lambda self: self._holds("intended"))
    async def send(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self._holds("intended")), "hold").stage = "sent"

    @action(12, lambda self: self._holds("sent"))
    async def answer(self, data: st.DataObject) -> None:
        self._answer(data.draw(st.sampled_from(self._holds("sent")), "hold"), data)

    @action(14, lambda self: self._told())
    async def settle(self, data: st.DataObject) -> None:
        await self._settle(data.draw(st.sampled_from(self._told()), "hold"), data)

    @action(1, lambda self: self._holds("claimed", "intended"))
    async def call_back(self, data: st.DataObject) -> None:
        """A run is stopped, and nothing of the batch was handed to a connection."""
        hold = data.draw(st.sampled_from(self._holds("claimed", "intended")), "hold")
        await self._write(hold, OutcomeState.NOT_SENT, RunStopped("stopped"))

    @action(1, lambda self: self.workers)
    async def renew(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.workers), "worker")
        await worker.runner._leases.renew(worker.owner)
        self.model.renew(worker.owner, self.now)

    @action(1, lambda self: self._idle())
    async def end_a_run(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self._idle()), "worker")
        await worker.runner._leases.release(worker.owner)
        self.model.release(worker.owner)
        self._end(worker)

    async def _intend(self, hold: Hold) -> None:
        note, at = hold.note, self.session.signer.timestamp(self.now)
        is_its_own = await hold.worker.parts._journal.intend(hold.batch, at)
        assert is_its_own == hold.is_rightful
        if not is_its_own:
            self.seen["intent of a zombie"] += 1
            await self._write(hold, OutcomeState.NOT_SENT, RunStopped("taken over"))
            return
        note.state, note.intent_ms, note.attempts = BatchState.INFLIGHT, at, note.attempts + 1
        hold.stage, hold.copy = "intended", Copy(note.people, note.numbers, note.texts, at)

    def _answer(self, hold: Hold, data: st.DataObject) -> None:
        fates = ["accepted", "accepted", "refused", "lost", "dropped", "late"]
        fate = data.draw(st.sampled_from(fates), "fate")
        hold.stage = "refused" if fate == "refused" else "unknown"
        if fate == "late":
            self.service.late.append(hold.copy)
        elif fate in {"accepted", "lost"}:
            request = self.service.accept(hold.copy, data.draw(st.tuples(LAG, LAG), "lags"))
            if fate == "accepted":
                hold.stage = request or "refused"  # its signature may have been too old

    async def _settle(self, hold: Hold, data: st.DataObject) -> None:
        journal, commits = hold.worker.parts._journal, hold.worker.parts._commits
        self.seen["outcome of a zombie"] += not hold.is_rightful
        if isinstance(hold.stage, Request):
            await self._write(hold, OutcomeState.ACCEPTED, None)
        elif hold.stage == "unknown":
            await self._write(hold, OutcomeState.UNKNOWN, ConnectionLost("no answer"))
        else:
            refusal = BadRequest("refused", status=400)
            journal.refused(hold.batch, refusal)
            then = data.draw(st.sampled_from(["reject", "again", "give up", "divide"]), "then")
            if then == "reject":
                await self._write(hold, OutcomeState.REJECTED, refusal)
            elif then == "give up":
                await self._write(hold, OutcomeState.NOT_SENT, refusal)
            elif then == "divide" and len(hold.batch) > 1:
                await self._divide(hold, data)
            else:
                await commits.flush()
                hold.stage = "claimed"
                if hold.is_rightful:
                    hold.note.state = BatchState.CLAIMED

    async def _write(self, hold: Hold, outcome: OutcomeState, error: SensError | None) -> None:
        """Have an outcome written."""
        request_id = hold.stage.request_id if isinstance(hold.stage, Request) else None
        told = hold.batch.settled(outcome, error=error, request_id=request_id)
        hold.worker.parts._journal.settle(told)
        await hold.worker.parts._commits.flush()
        if hold.is_rightful:
            is_planned = outcome is OutcomeState.NOT_SENT
            state = BatchState.PLANNED if is_planned else BatchState(outcome)
            is_blind = hold.worker.guarantee is Guarantee.AT_LEAST_ONCE
            self.model.settle(hold.note, state, request_id, is_blind=is_blind)
        hold.worker.drop(hold)

    async def _divide(self, hold: Hold, data: st.DataObject) -> None:
        note, worker, size = hold.note, hold.worker, len(hold.batch)
        cuts = data.draw(st.sets(st.integers(1, size - 1), min_size=1), "cuts")
        bounds = [range(*pair) for pair in pairwise([0, *sorted(cuts), size])]
        parts = [hold.batch.part(places) for places in bounds]
        is_its_own = await worker.parts._journal.divide(hold.batch, parts)
        assert is_its_own == hold.is_rightful
        if not is_its_own:
            await self._write(hold, OutcomeState.NOT_SENT, RunStopped("taken over"))
            return
        worker.drop(hold)
        notes = []
        for places, part in zip(bounds, parts, strict=True):
            indexes = tuple(note.indexes[place] for place in places)
            one = attrs.evolve(note, id=batch_id(note.plan.id, indexes[0]), indexes=indexes)
            held = Hold(worker, part, one)
            worker.holds.append(held)
            self.model.claim(one, held, worker.owner, self.now)
            notes.append(one)
        self.model.divide(note, notes, self.now)
        self.seen["divided"] += 1
        self.seen["part held up"] += any(one.holder is None for one in notes)

    # -- what happens to runs and requests

    @action(7, lambda self: self.model.where(*OPEN) or self.service.late)
    async def let_time_pass(self, data: st.DataObject) -> None:
        self.loop.advance(data.draw(SECONDS, "seconds"))

    @action(6, lambda self: self.service.late)
    async def deliver_late(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.service.late) - 1), "place")
        copy = self.service.late.pop(place)
        if data.draw(st.sampled_from([True, True, False]), "arrives"):
            request = self.service.accept(copy, data.draw(st.tuples(LAG, LAG), "lags"))
            self.seen["accepted late"] += request is not None

    @action(3, lambda self: self.workers)
    async def lose_a_worker(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.workers), "worker")
        if data.draw(st.booleans(), "comes back"):
            worker.living.discard(worker.owner)
        else:
            self._end(worker)

    @action(1, lambda self: self.workers or self.slow)
    async def lose_everybody(self, _: st.DataObject) -> None:
        for worker in [*self.workers]:
            self._end(worker)
        await self._close()
        await self._open()

    @action(5, lambda self: self.model.where(*CLAIMED))
    async def sweep(self, data: st.DataObject) -> None:
        living = self._living(data)
        await Leases(self.storage, living, lambda: self.now).sweep()
        self._sweep(living)

    def _sweep(self, living: set[str]) -> None:
        self.model.sweep(living, self.now if self.is_shared else None)

    def _end(self, worker: Worker) -> None:
        """Have a worker be no more; what it has sent goes on alone."""
        worker.living.discard(worker.owner)
        for hold in [*worker.holds]:
            if hold.stage == "sent":
                self.service.late.append(hold.copy)
            worker.drop(hold)
        self.workers.remove(worker)

    # -- questions

    @action(6, lambda self: self.model.where(BatchState.UNKNOWN))
    async def ask(self, data: st.DataObject) -> None:
        plan = data.draw(st.sampled_from(self.model.plans), "plan")
        guarantee = data.draw(GUARANTEES, "guarantee")
        unknown = self.model.where(BatchState.UNKNOWN)
        listed = list(filter(self._is_listed_alone, unknown))
        lost = list(filter(self._is_absent_alone, unknown))
        await reconcile(
            self.storage, self.session, guarantees={plan.id: guarantee}, settle=SETTLE_SECONDS
        )
        await self._take_in_answers({plan: guarantee})
        assert all(note.state is BatchState.ACCEPTED for note in listed)
        assert all(note.state is not BatchState.UNKNOWN for note in lost)

    @action(4, lambda self: not self.slow and self.model.where(BatchState.UNKNOWN))
    async def ask_slowly(self, data: st.DataObject) -> None:
        plan = data.draw(st.sampled_from(self.model.plans), "plan")
        guarantee = data.draw(GUARANTEES, "guarantee")
        self.slow_wire.hold()
        asking = reconcile(
            self.storage, self.slow_session, guarantees={plan.id: guarantee}, settle=SETTLE_SECONDS
        )
        task = self.loop.create_task(asking)
        self.slow = task, {plan: guarantee}
        asked = self.loop.create_task(self.slow_wire.asked.wait())
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()

    @action(4, lambda self: self.slow)
    async def hear_at_last(self, _: st.DataObject) -> None:
        (task, guarantees), self.slow = self.slow, None
        self.slow_wire.let_go()
        await task
        await self._take_in_answers(guarantees)

    async def _take_in_answers(self, guarantees: dict[Plan, Guarantee]) -> None:
        """Note what questions have settled, if it may be so."""
        rows = {row.id: row for row in await self._rows()}
        for note in self.model.where(BatchState.UNKNOWN):
            row, state = rows[note.id], BatchState(rows[note.id].state)
            self.seen[f"asked: {state}"] += 1
            if state is BatchState.UNKNOWN:
                continue
            guarantee = guarantees.get(note.plan, note.plan.guarantee)
            is_left = guarantee is Guarantee.AT_MOST_ONCE
            absent = BatchState.UNPROVEN if is_left else BatchState.PLANNED
            assert state in {BatchState.ACCEPTED, absent}
            if state is absent:
                assert self.now >= note.intent_ms / 1000 + SETTLE_SECONDS
            assert row.is_doubtful or not note.is_doubtful
            _copy(row, note)

    def _is_listed_alone(self, note: Note) -> bool:
        """Whether SENS lists the last request for a batch, and nothing else like it."""
        near = self._requests_near(note)
        return (
            len(near) == 1
            and self._is_sought_alone(note)
            and near[0].copy.people == note.people
            and near[0].copy.signed_ms == note.intent_ms
            and near[0].is_listed(self.now)
        )

    def _is_absent_alone(self, note: Note) -> bool:
        """Whether it is time to see that there is no request for a batch, or anything like it."""
        is_due = self.now >= note.intent_ms / 1000 + SETTLE_SECONDS
        return is_due and not self._requests_near(note)

    def _requests_near(self, note: Note) -> list[Request]:
        numbers = set(note.numbers)
        requests = self.service.requests.values()
        return [one for one in requests if not numbers.isdisjoint(one.copy.numbers)]

    def _is_sought_alone(self, note: Note) -> bool:
        """Whether nothing else is looked for that is for somebody in a batch."""
        numbers = set(note.numbers)
        others = [one for one in self.model.where(BatchState.UNKNOWN) if one is not note]
        return all(numbers.isdisjoint(one.numbers) for one in others)

    # -- what a user may call

    @action(2, lambda self: self._unfinished())
    async def run(self, data: st.DataObject) -> None:
        plan = data.draw(st.sampled_from(self._unfinished()), "plan")
        guarantee = data.draw(st.none() | GUARANTEES, "guarantee") or plan.guarantee
        self.wire.fates = data.draw(st.lists(st.sampled_from(FATES), max_size=6), "fates")
        await self._run(plan, guarantee, waits=False)

    @action(1, lambda self: self.model.plans)
    async def purge(self, data: st.DataObject) -> None:
        plan = data.draw(st.sampled_from(self.model.plans), "plan")
        states = {note.state for note in self.model.of(plan)}
        is_open = not states.isdisjoint({BatchState.PLANNED, *OPEN})
        try:
            await plan.campaign.purge()
        except CampaignConflict:
            assert is_open
        else:
            assert not is_open
            plan.is_purged = True

    async def _run(self, plan: Plan, guarantee: Guarantee, *, waits: bool) -> None:
        """Have a whole run, and note what it did to what is nobody's."""
        self._sweep(self.ledger.living)
        plan.is_blind |= guarantee is Guarantee.AT_LEAST_ONCE
        status = await plan.campaign.run(
            self.session, guarantee=guarantee, settle=SETTLE_SECONDS, wait=waits
        )
        self.wire.fates = []
        for note in self.model.of(plan):
            if note.state not in CLAIMED:
                del self.model.notes[note.id]
        await self._take_in(plan)
        await self._take_in_answers({})
        assert +status.counts == self._counts(plan)
        self.seen["runs"] += 1

    async def _bring_to_an_end(self) -> None:
        """When everybody has died and SENS answers, everybody gets an outcome some time."""
        if self.slow is not None:
            await self.hear_at_last(None)
        for worker in [*self.workers]:
            self._end(worker)
        for place, copy in enumerate(self.service.late):
            if place % 2:
                self.service.accept(copy)
        self.service.late.clear()
        self.loop.advance(LEASE_AND_SETTLE)
        for plan in self.model.plans * 2:
            if any(note.plan is plan for note in self.model.where(BatchState.PLANNED, *OPEN)):
                await self._run(plan, plan.guarantee, waits=True)
        await self._check()
        self._check_truth()
        known = {note.request_id for note in self.model.notes.values()}
        strays = [one for name, one in self.service.requests.items() if name not in known]
        left = self.model.where(BatchState.PLANNED, *OPEN)
        stuck = [note for note in left if self._may_be_of(note, strays)]
        self.seen["never told apart"] += bool(stuck)
        likenesses = {note.likeness for note in stuck}
        assert likenesses.issuperset(note.likeness for note in left), f"{left} never ended"

    def _may_be_of(self, note: Note, requests: Sequence[Request]) -> bool:
        """Whether some requests that were sent in vain are for somebody in a batch.

        Nobody can tell then whether one of them is the batch's.
        """
        numbers = {*note.numbers}
        return any(not numbers.isdisjoint(request.copy.numbers) for request in requests)

    # -- the one rule, and the invariants

    @initialize(avoided=st.frozensets(st.sampled_from(sorted({*ACTIONS} - {"plan"})), max_size=4))
    def avoid(self, avoided: frozenset[str]) -> None:
        """What is left happens the more often."""
        self.avoided = avoided

    @rule(data=st.data())
    def happens(self, data: st.DataObject) -> None:
        names = [
            name
            for name, one in ACTIONS.items()
            if name not in self.avoided and one.when(self)
            for _ in range(one.weight)
        ]
        name = data.draw(st.sampled_from(names or ["plan"]), "what")
        self.seen[name] += 1
        self.is_sound = False
        self.loop.run_until_complete(ACTIONS[name].carry_out(self, data))
        if name not in UNSEEN:
            self.loop.run_until_complete(self._check())
        self._check_truth()
        self.is_sound = True

    async def _check(self) -> None:
        """The ledger and its reports are as the model has it."""
        rows = {row.id: row for row in await self._rows()}
        assert rows.keys() == self.model.notes.keys()
        for number, note in self.model.notes.items():
            indexes = tuple(unpack(rows[number].payload, rows[number].size).indexes)
            seen = Note(note.plan, number, indexes, BatchState.PLANNED)
            _copy(rows[number], seen)
            assert seen.facts == note.facts
        for plan in self.model.plans:
            facts = plan.is_purged, [note.facts for note in self.model.of(plan)]
            if self.reported.get(plan) != facts:
                await self._check_report(plan)
                self.reported[plan] = facts
        taken = Counter(note.likeness for note in self.model.where(*OPEN))
        assert max(taken.values(), default=0) <= 1, "two equal batches are open at once"

    async def _check_report(self, plan: Plan) -> None:
        whose = {index: note for note in self.model.of(plan) for index in note.indexes}
        told = [one async for one in plan.campaign.report()]
        assert [one.index for one in told] == [*range(len(plan.people))] == sorted(whose)
        for one in told:
            note, (number, _) = whose[one.index], plan.people[one.index]
            assert one.state is note.outcome
            assert one.request_id == note.request_id
            assert one.possible_duplicate == note.is_doubtful
            assert one.to == (None if plan.is_purged else number)
            key = number if plan.has_keys and not plan.is_purged else None
            assert one.key == key
        assert +(await plan.campaign.status()).counts == self._counts(plan)

    def _check_truth(self) -> None:
        """What the ledger says is so, and will be."""
        may_come = [*self.service.late]
        zombies = [one for one in self._holds("intended", "sent") if not one.is_rightful]
        may_come += [hold.copy for hold in zombies]
        awaited = {
            person for copy in may_come if self.service.may_accept(copy) for person in copy.people
        }
        for note in self.model.notes.values():
            most = max(self.service.sent[person] for person in note.people)
            assert most <= 1 or note.is_doubtful, f"{note} was accepted {most} times"
            assert note.plan.is_blind or not note.is_doubtful
            if note.state is BatchState.ACCEPTED:
                assert self.service.requests[note.request_id].copy.people == note.people
            elif not note.is_doubtful and note.state not in UNPROVED:
                assert not most, f"{note} was accepted"
                assert awaited.isdisjoint(note.people), f"{note} may be accepted yet"

    async def _whose(
        self, numbers: tuple[str, ...], texts: tuple[str, ...], signed_ms: int
    ) -> tuple[Person, ...]:
        """Tell whom a request of a whole run is for: by its intent, which must be there by now."""
        plans = {plan.id: plan for plan in self.model.plans}
        found = []
        for row in await self._rows():
            held = self.model.notes.get(row.id)
            if row.intent_ms == signed_ms and (held is None or held.holder is None):
                indexes = tuple(unpack(row.payload, row.size).indexes)
                note = Note(plans[_campaign_of(row)], row.id, indexes, BatchState(row.state))
                if note.state is BatchState.INFLIGHT and note.numbers == numbers:
                    assert note.texts == texts
                    found.append(note.people)
        (people,) = found
        return people

    # -- parts

    def _living(self, data: st.DataObject) -> set[str]:
        """Give the names of the runs of one of the processes there are."""
        is_elsewhere = self.is_shared and data.draw(st.booleans(), "is elsewhere")
        return self.living_elsewhere if is_elsewhere else self.ledger.living

    def _holds(self, *stages: str) -> list[Hold]:
        return [hold for one in self.workers for hold in one.holds if hold.stage in stages]

    def _told(self) -> list[Hold]:
        return [hold for one in self.workers for hold in one.holds if hold.is_told]

    def _unfinished(self) -> list[Plan]:
        notes = self.model.where(BatchState.PLANNED, BatchState.UNPROVEN, *OPEN)
        return [plan for plan in self.model.plans if any(note.plan is plan for note in notes)]

    def _hungry(self) -> list[Worker]:
        plans = {note.plan for note in self.model.where(BatchState.PLANNED)}
        return [one for one in self.workers if one.plan in plans]

    def _idle(self) -> list[Worker]:
        busy = {hold.worker.owner for hold in [*self._holds("intended", "sent"), *self._told()]}
        return [one for one in self.workers if one.owner not in busy]

    def _counts(self, plan: Plan) -> Counter[OutcomeState]:
        return Counter(note.outcome for note in self.model.of(plan) for _ in note.indexes)

    async def _rows(self) -> Sequence[AnyRow]:
        every = select(batches, people.c.payload).join(people, people.c.batch_id == batches.c.id)
        async with self.storage.reading() as connection:
            return (await connection.execute(every)).all()

    async def _take_in(self, plan: Plan) -> None:
        """Note the rows of a campaign of which there is no note."""
        for row in await self._rows():
            if row.id not in self.model.notes and _campaign_of(row) == plan.id:
                indexes = tuple(unpack(row.payload, row.size).indexes)
                note = self.model.notes[row.id] = Note(plan, row.id, indexes, BatchState.PLANNED)
                _copy(row, note)


UNSEEN = {"let_time_pass", "send", "answer", "deliver_late"}
"""Actions of which the ledger learns nothing."""

UNPROVED = {BatchState.UNKNOWN, BatchState.INFLIGHT}
"""States in which a request may have been accepted, or may be yet."""

LEASE_AND_SETTLE = 2 * SETTLE_SECONDS


def _campaign_of(row: AnyRow) -> int:
    return row.id >> PLACE_BITS


def _copy(row: AnyRow, note: Note) -> None:
    """Take over what a row says."""
    note.state = BatchState(row.state)
    note.attempts, note.intent_ms = row.attempts, row.intent_ms
    note.request_id, note.is_doubtful = row.request_id, bool(row.is_doubtful)
    note.owner, note.lease_until = row.owner, row.lease_until
