"""The request queue, with integers for requests."""

import asyncio
import types
from collections import Counter
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualClock

from sens_async.core.rate import RateLimit
from sens_async.errors import SessionClosed
from sens_async.flow.lanes import BULK_PATIENCE, Lane
from sens_async.flow.limiter import GcraLimiter
from sens_async.flow.queue import RESERVE, RequestQueue

BULK, INTERACTIVE = Lane.BULK, Lane.INTERACTIVE


class StuckLimiter:
    """Somebody else's limiter: lets nobody through, and notes who it lost."""

    def __init__(self):
        self.cancelled = 0
        self.pauses = []

    async def acquire(self, recipients, lane):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def pause(self, seconds):
        self.pauses.append(seconds)

    def __repr__(self):
        return "<StuckLimiter>"


class BrokenLimiter(StuckLimiter):
    async def acquire(self, recipients, lane):
        await asyncio.sleep(1)
        raise OSError("redis is away")


class Work:
    """Requests that take a second each; notes the order in which they were let through."""

    def __init__(self, queue):
        self.queue = queue
        self.started = []
        self.on_the_wire = Counter()
        self.most = Counter()

    async def request(self, name, lane=BULK, owner="run", seconds=1.0):
        async with self.queue.slot(1, lane, owner):
            self.started.append(name)
            self.on_the_wire[lane] += 1
            for key, count in (*self.on_the_wire.items(), ("all", self.on_the_wire.total())):
                self.most[key] = max(self.most[key], count)
            try:
                await asyncio.sleep(seconds)
            finally:
                self.on_the_wire[lane] -= 1


def make_queue(limit=None, *, max_in_flight=2, reserve=RESERVE, limiter=None):
    limiter = limiter or GcraLimiter(limit, VirtualClock())
    return RequestQueue(limiter, max_in_flight=max_in_flight, reserve=reserve)


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def is_idle(queue):
    return queue.in_flight == 0 and queue.waiting == 0


async def fill(queue, lane=BULK, count=2):
    for _ in range(count):
        await queue.enter(1, lane, "filler")


async def test_does_not_suspend_while_a_slot_is_free():
    queue = make_queue(RateLimit(requests=100))

    async def enter():
        await queue.enter(1, BULK, "run")

    task = asyncio.create_task(enter())
    await asyncio.sleep(0)

    assert task.done()
    assert queue.in_flight == 1


async def test_runs_never_hold_more_than_their_slots():
    work = Work(make_queue(max_in_flight=3))

    await asyncio.gather(*(work.request(n, owner=n % 2) for n in range(50)))

    assert work.most[BULK] == 3
    assert is_idle(work.queue)


async def test_interactive_uses_the_reserve_beyond_a_full_run():
    work = Work(make_queue(max_in_flight=2, reserve=3))
    async with asyncio.TaskGroup() as group:
        for n in range(10):
            group.create_task(work.request(n))
        await turns()
        for n in range(10):
            group.create_task(work.request(f"i{n}", INTERACTIVE))
        await turns()

        assert work.started == [0, 1, "i0", "i1", "i2"]

    assert (work.most[BULK], work.most["all"]) == (2, 5)
    assert work.queue.capacity == 5


async def test_interactive_alone_may_use_every_slot_in_order():
    work = Work(make_queue(max_in_flight=2, reserve=3))

    await asyncio.gather(*(work.request(n, INTERACTIVE) for n in range(20)))

    assert work.started == list(range(20))
    assert work.most["all"] == 5


async def test_an_owner_is_served_in_order():
    work = Work(make_queue(max_in_flight=1))

    await asyncio.gather(*(work.request(n) for n in range(30)))

    assert work.started == list(range(30))


async def test_runs_take_turns_however_long_their_lines_are():
    work = Work(make_queue(max_in_flight=1))
    async with asyncio.TaskGroup() as group:
        for owner, count in (("a", 20), ("b", 4), ("c", 2)):
            for n in range(count):
                group.create_task(work.request(f"{owner}{n}", owner=owner))

    assert work.started[:11] == [
        "a0", "a1", "b0", "c0", "a2", "b1", "c1", "a3", "b2", "a4", "b3",
    ]  # fmt: skip
    assert work.started[11:] == [f"a{n}" for n in range(5, 20)]


async def test_a_run_that_waits_for_the_rate_does_not_hold_up_a_single_send(clock):
    queue = make_queue(RateLimit(requests=1), max_in_flight=4)
    run = [asyncio.create_task(Work(queue).request(n)) for n in range(50)]
    await asyncio.sleep(2.5)
    start = clock.monotonic()

    await queue.enter(1, INTERACTIVE, None)

    assert clock.monotonic() - start < 1
    queue.leave(INTERACTIVE)
    for task in run:
        task.cancel()
    await asyncio.wait(run)
    assert is_idle(queue)


async def test_a_flood_of_single_sends_does_not_stop_a_run():
    work = Work(make_queue(max_in_flight=1, reserve=0))
    async with asyncio.TaskGroup() as group:
        for n in range(41):
            group.create_task(work.request(f"i{n}", INTERACTIVE))
        for n in range(10):
            group.create_task(work.request(f"b{n}"))

    lanes = "".join(name[0] for name in work.started[1:])
    assert lanes == ("i" * BULK_PATIENCE + "b") * 10 + "i" * 10


async def test_waiting_counts_those_before_a_slot_and_those_before_the_rate():
    queue = make_queue(limiter=StuckLimiter(), max_in_flight=2)
    tasks = [asyncio.create_task(queue.enter(1, BULK, "run")) for _ in range(5)]
    await turns()

    assert (queue.waiting, queue.in_flight) == (5, 0)
    assert repr(queue) == "<RequestQueue in_flight=0 of 10, waiting=5, <StuckLimiter>>"
    queue.close()
    await asyncio.wait(tasks)
    assert [type(task.exception()) for task in tasks] == [SessionClosed] * 5
    assert repr(queue) == "<RequestQueue in_flight=0 of 10, waiting=0, closed, <StuckLimiter>>"


async def test_a_limiter_that_fails_gives_the_slot_back():
    queue = make_queue(limiter=BrokenLimiter(), max_in_flight=1)

    for _ in range(3):
        with pytest.raises(OSError, match="redis is away"):
            await queue.enter(1, BULK, "run")

    assert is_idle(queue)


async def test_work_that_fails_gives_the_slot_back():
    queue = make_queue(max_in_flight=1)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with queue.slot(1, BULK, "run"):
                raise ZeroDivisionError

    assert is_idle(queue)


async def test_one_who_has_a_slot_can_wait_for_the_rate_again(clock):
    queue = make_queue(RateLimit(requests=1))
    start = clock.monotonic()

    async with queue.slot(1, BULK, "run"):
        await queue.pace(1, BULK)
        await queue.pace(1, BULK)

    assert clock.monotonic() - start == pytest.approx(1.98)


async def test_pause_is_the_limiters():
    limiter = StuckLimiter()

    make_queue(limiter=limiter).pause(2.5)

    assert limiter.pauses == [2.5]


async def test_a_deadline_while_waiting_gives_everything_back(clock):
    queue = make_queue(max_in_flight=1)
    await fill(queue, count=1)
    start = clock.monotonic()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await queue.enter(1, BULK, "run")

    assert clock.monotonic() - start == pytest.approx(5)
    assert (queue.in_flight, queue.waiting) == (1, 0)
    queue.leave(BULK)
    assert is_idle(queue)


@types.coroutine
def cancelled_at(coroutine, point, moment):
    """Await `coroutine`; cancel the task at its `point`-th suspension.

    `moment` is "waiting", or "woken": what it waited for has just come, and it has not run yet.
    """
    task = asyncio.current_task()
    suspensions = 0
    step = partial(coroutine.send, None)
    while True:
        try:
            future = step()
        except StopIteration as end:
            return end.value
        if suspensions == point and moment == "waiting":
            asyncio.get_running_loop().call_soon(task.cancel)
        elif suspensions == point:
            future.add_done_callback(lambda _: task.cancel())
        suspensions += 1
        try:
            yield future
            step = partial(coroutine.send, None)
        except asyncio.CancelledError as error:
            step = partial(coroutine.throw, error)


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("moment", ["waiting", "woken"])
@pytest.mark.parametrize("point", [0, 1, 2])
async def test_cancelling_at_any_point_loses_neither_slot_nor_turn(point, moment, lane, clock):
    """The victim waits first for a slot, then for the rate; there is no third wait."""
    queue = make_queue(RateLimit(requests=1), max_in_flight=1, reserve=0)
    await fill(queue, count=1)
    start = clock.monotonic()

    async def enter():
        await cancelled_at(queue.enter(1, lane, "victim"), point, moment)

    victim = asyncio.create_task(enter())
    other = asyncio.create_task(queue.enter(1, BULK, "other"))
    await asyncio.sleep(0.1)
    queue.leave(BULK)
    await asyncio.wait([victim])
    assert victim.cancelled() is (point < 2)
    if not victim.cancelled():
        queue.leave(lane)
    await other

    turn = 0.98 if victim.cancelled() else 1.98
    assert clock.monotonic() - start == pytest.approx(turn, abs=0.003)
    queue.leave(BULK)
    assert is_idle(queue)
    await fill(queue, count=1)
    assert clock.monotonic() - start == pytest.approx(turn + 1, abs=0.003)


@given(
    requests=st.lists(
        st.tuples(
            st.floats(0, 5),
            st.sampled_from(Lane),
            st.sampled_from("abc"),
            st.none() | st.floats(0, 3),
        ),
        max_size=40,
    ),
    limit=st.none() | st.builds(RateLimit, requests=st.sampled_from([3, 30])),
    closes_after=st.none() | st.floats(0, 6),
)
@settings(deadline=None, max_examples=80)
async def test_whatever_is_cancelled_or_closed_all_slots_come_back(requests, limit, closes_after):
    work = Work(make_queue(limit, max_in_flight=2, reserve=1))
    queue = work.queue

    async def arrive(number, after, lane, owner, patience):
        await asyncio.sleep(after)
        try:
            async with asyncio.timeout(patience):
                await work.request(number, lane, owner)
        except TimeoutError:
            pass
        except SessionClosed:
            assert closes_after is not None
        assert asyncio.current_task().cancelling() == 0

    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            group.create_task(arrive(number, *request))
        if closes_after is not None:
            asyncio.get_running_loop().call_later(closes_after, queue.close)

    assert is_idle(queue)
    assert work.most[BULK] <= 2
    assert work.most["all"] <= 3
    if closes_after is None:
        await fill(queue)
        await fill(queue, INTERACTIVE, 1)
        assert queue.in_flight == 3


async def test_closing_fails_those_before_a_slot_those_before_the_rate_and_those_who_come():
    queue = make_queue(RateLimit(requests=0.01), max_in_flight=2, reserve=0)
    await fill(queue, count=1)
    at_the_rate = asyncio.create_task(queue.enter(1, BULK, "run"))
    at_the_slots = [asyncio.create_task(queue.enter(1, lane, "run")) for lane in Lane]
    await turns()

    queue.close()
    queue.close()

    await asyncio.wait([at_the_rate, *at_the_slots])
    for task in (at_the_rate, *at_the_slots):
        with pytest.raises(SessionClosed, match="before this request's turn came") as caught:
            task.result()
        assert not caught.value.may_have_been_sent
        assert task.cancelling() == 0
    with pytest.raises(SessionClosed):
        await queue.enter(1, INTERACTIVE, "late")
    assert (queue.in_flight, queue.waiting) == (1, 0)
    queue.leave(BULK)
    assert is_idle(queue)


async def test_closing_in_the_moment_of_a_turn_still_means_not_sent():
    queue = make_queue(max_in_flight=1)
    await fill(queue, count=1)
    waiter = asyncio.create_task(queue.enter(1, BULK, "run"))
    await turns()

    queue.leave(BULK)
    queue.close()

    with pytest.raises(SessionClosed):
        await waiter
    assert is_idle(queue)


async def test_closing_withdraws_from_a_limiter_that_is_not_ours_and_leaves_it_open():
    limiter = StuckLimiter()
    queue = make_queue(limiter=limiter)
    waiter = asyncio.create_task(queue.enter(1, BULK, "run"))
    await turns()

    queue.close()

    with pytest.raises(SessionClosed):
        await waiter
    assert limiter.cancelled == 1


async def test_a_limiter_shared_by_two_queues_outlives_one_of_them(clock):
    limiter = GcraLimiter(RateLimit(requests=1), clock)
    ours, theirs = make_queue(limiter=limiter), make_queue(limiter=limiter)
    await fill(ours, count=1)
    waiters = [asyncio.create_task(queue.enter(1, BULK, "run")) for queue in (ours, theirs)]
    await turns()

    ours.close()
    await asyncio.wait(waiters)

    assert isinstance(waiters[0].exception(), SessionClosed)
    assert waiters[1].exception() is None


@pytest.mark.parametrize("close_first", [True, False])
async def test_a_cancellation_is_not_swallowed_by_closing(close_first):
    queue = make_queue(limiter=StuckLimiter())
    waiter = asyncio.create_task(queue.enter(1, BULK, "run"))
    await turns()

    for act in (queue.close, waiter.cancel) if close_first else (waiter.cancel, queue.close):
        act()
    await asyncio.wait([waiter])

    assert waiter.cancelled()
    assert is_idle(queue)


@pytest.mark.parametrize("cancel_first", [True, False])
@pytest.mark.parametrize("lane", Lane)
async def test_a_slot_waiter_cancelled_together_with_closing_is_cancelled(lane, cancel_first):
    queue = make_queue(max_in_flight=1, reserve=0)
    await fill(queue, count=1)
    waiter = asyncio.create_task(queue.enter(1, lane, "run"))
    await turns()

    for act in (waiter.cancel, queue.close) if cancel_first else (queue.close, waiter.cancel):
        act()
    await asyncio.wait([waiter])

    assert waiter.cancelled()
    assert (queue.in_flight, queue.waiting) == (1, 0)


async def test_a_free_turn_is_taken_without_waiting(clock):
    queue = RequestQueue(GcraLimiter(RateLimit(requests=10), clock), max_in_flight=1)

    assert queue.enter_now(1, Lane.BULK)
    assert queue.in_flight == 1
    assert not queue.enter_now(1, Lane.BULK), "the only slot is taken"
    assert not queue.enter_now(1, Lane.INTERACTIVE), "the rate limit is not due"
    queue.leave(Lane.BULK)
    await clock.sleep(0.1)
    assert queue.enter_now(1, Lane.INTERACTIVE)
    queue.leave(Lane.INTERACTIVE)
    queue.close()
    assert not queue.enter_now(1, Lane.BULK)


async def test_nobody_is_overtaken_by_a_free_turn(clock):
    limiter = GcraLimiter(RateLimit(requests=10), clock)
    queue = RequestQueue(limiter, max_in_flight=8)
    for _ in range(2):
        queue.enter_now(1, Lane.BULK)
    waiter = asyncio.create_task(queue.enter(1, Lane.BULK, "run"))
    await asyncio.sleep(0)

    assert not queue.enter_now(1, Lane.INTERACTIVE)
    await waiter
    await limiter.aclose()


async def test_a_users_own_limiter_is_always_asked(clock):
    asked = []

    class Own:
        async def acquire(self, recipients, lane) -> None:
            asked.append(recipients)

        def pause(self, seconds) -> None: ...

    queue = RequestQueue(Own(), max_in_flight=8)
    assert not queue.enter_now(7, Lane.BULK)
    await queue.enter(7, Lane.BULK, "run")

    assert asked == [7]


async def test_a_subclass_of_our_limiter_is_always_asked(clock):
    class Counted(GcraLimiter):
        asked = 0

        async def acquire(self, recipients, lane) -> None:
            self.asked += 1
            await super().acquire(recipients, lane)

    limiter = Counted(None, clock)
    queue = RequestQueue(limiter, max_in_flight=8)
    assert not queue.enter_now(7, Lane.BULK)
    await queue.enter(7, Lane.BULK, "run")
    await queue.pace(7, Lane.BULK)

    assert limiter.asked == 2
