"""Waiting for the rate limit: rate, order, pauses, cancelling and closing."""

import asyncio
import gc
import random
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualClock

from sens_async.core.rate import TOLERANCE_SECONDS, RateLimit
from sens_async.errors import SessionClosed
from sens_async.flow.lanes import BULK_PATIENCE, Lane
from sens_async.flow.limiter import GcraLimiter

BULK, INTERACTIVE = Lane.BULK, Lane.INTERACTIVE
ROUNDING = 1e-6


class LateClock(VirtualClock):
    """Wakes its sleepers up to the tolerance late, and counts them."""

    def __init__(self):
        super().__init__()
        self.sleeps = 0
        self._random = random.Random(7)

    async def sleep(self, seconds):
        self.sleeps += 1
        await super().sleep(seconds + self._random.uniform(0, TOLERANCE_SECONDS))


class Crowd:
    """Waiters whose grants are noted as (name, seconds since the start)."""

    def __init__(self, limiter, clock):
        self.limiter = limiter
        self.grants = []
        self._clock = clock
        self._start = clock.monotonic()
        self._tasks = []

    @property
    def names(self):
        return [name for name, _ in self.grants]

    @property
    def times(self):
        return [at for _, at in self.grants]

    def add(self, name, lane=BULK, recipients=1):
        task = asyncio.create_task(self._wait(name, lane, recipients))
        self._tasks.append(task)
        return task

    async def _wait(self, name, lane, recipients):
        await self.limiter.acquire(recipients, lane)
        self.grants.append((name, self._clock.monotonic() - self._start))

    async def done(self):
        return await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
def crowd(clock):
    def make(limit):
        return Crowd(GcraLimiter(limit, clock), clock)

    return make


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def other_tasks():
    return asyncio.all_tasks() - {asyncio.current_task()}


def worst_second(times):
    return max(bisect_left(times, start + 1) - first for first, start in enumerate(times))


async def test_does_not_suspend_while_nobody_has_to_wait(clock):
    limiter = GcraLimiter(RateLimit(requests=100), clock)

    with pytest.raises(StopIteration):
        limiter.acquire(1, BULK).send(None)

    assert other_tasks() == set()


async def test_ten_thousand_waiters_leave_in_order_and_at_the_rate():
    clock = LateClock()
    crowd = Crowd(GcraLimiter(RateLimit(requests=200), clock), clock)
    for number in range(10_000):
        crowd.add(number)

    await crowd.done()

    assert crowd.names == list(range(10_000))
    assert crowd.times[-1] == pytest.approx(10_000 / 200, rel=0.01)
    assert worst_second(crowd.times) <= 200 + 200 * TOLERANCE_SECONDS + 1
    assert clock.sleeps <= 10_000


@pytest.mark.parametrize("rate", [1, 10, 100, 1000])
async def test_late_timers_cost_less_than_one_percent(rate):
    clock = LateClock()
    crowd = Crowd(GcraLimiter(RateLimit(requests=rate), clock), clock)
    for number in range(rate * 5 + 100):
        crowd.add(number)

    await crowd.done()

    assert crowd.times[-1] == pytest.approx(5 + 100 / rate, rel=0.01, abs=1.1 / rate)


async def test_a_clock_that_wakes_too_early_does_not_make_the_timer_spin():
    class HastyClock(VirtualClock):
        sleeps = 0

        async def sleep(self, seconds):
            self.sleeps += 1
            await super().sleep(seconds / 2)

    clock = HastyClock()
    crowd = Crowd(GcraLimiter(RateLimit(requests=1), clock), clock)
    crowd.add("first")
    crowd.add("second")

    await crowd.done()

    assert crowd.times[1] == pytest.approx(0.98, abs=0.001)
    assert clock.sleeps < 15


async def test_the_timer_lives_only_while_somebody_waits(crowd):
    crowd = crowd(RateLimit(requests=1))
    crowd.add("first")
    crowd.add("second")
    await turns()

    assert {task.get_name() for task in other_tasks()} >= {"sens-async limiter timer"}
    await crowd.done()
    await turns()
    assert other_tasks() == set()


async def test_interactive_goes_before_bulk_that_came_earlier(crowd):
    crowd = crowd(RateLimit(requests=1))
    for name in ("b1", "b2", "b3"):
        crowd.add(name)
    await asyncio.sleep(0.5)
    crowd.add("i1", INTERACTIVE)
    crowd.add("i2", INTERACTIVE)

    await crowd.done()

    assert crowd.names == ["b1", "i1", "i2", "b2", "b3"]


async def test_bulk_is_overtaken_at_most_three_times_in_a_row(crowd):
    crowd = crowd(RateLimit(requests=10))
    crowd.add("burst")
    for number in range(5):
        crowd.add(f"b{number}")
    for number in range(40):
        crowd.add(f"i{number}", INTERACTIVE)

    await crowd.done()

    lanes = "".join(name[0] for name in crowd.names[1:])
    assert lanes.startswith(("i" * BULK_PATIENCE + "b") * 5)
    assert lanes.count("i") == 40


async def test_a_batch_of_many_recipients_takes_its_seconds(crowd):
    crowd = crowd(RateLimit(requests=100, recipients=50))
    for number in range(4):
        crowd.add(number, recipients=100)

    await crowd.done()

    assert crowd.times == pytest.approx([0, 1.98, 3.98, 5.98])


async def test_reads_pass_a_batch_that_waits_for_recipients(crowd):
    crowd = crowd(RateLimit(requests=100, recipients=1))
    crowd.add("b1", recipients=100)
    crowd.add("b2", recipients=100)
    await asyncio.sleep(1)
    for number in range(10):
        crowd.add(f"read{number}", INTERACTIVE, recipients=0)

    await crowd.done()

    assert crowd.names == ["b1", *(f"read{number}" for number in range(10)), "b2"]
    assert crowd.times[-2] == pytest.approx(1.07)
    assert crowd.times[-1] == pytest.approx(100, abs=0.03)


async def test_a_cancelled_waiter_uses_nothing_and_holds_nobody_up(crowd):
    crowd = crowd(RateLimit(requests=1))
    tasks = [crowd.add(number) for number in range(6)]
    await turns()

    for number in (1, 2, 4):
        tasks[number].cancel()
    await crowd.done()

    assert crowd.names == [0, 3, 5]
    assert crowd.times == pytest.approx([0, 0.98, 1.98])
    assert crowd.limiter.waiting == 0


async def test_a_turn_that_comes_together_with_the_cancellation_goes_to_the_next():
    class CancellingClock(VirtualClock):
        """Lets the first waiter's cancellation arrive after its grant, before it has run."""

        async def sleep(self, seconds):
            await super().sleep(seconds)
            asyncio.get_running_loop().call_soon(first.cancel)

    clock = CancellingClock()
    limiter = GcraLimiter(RateLimit(requests=1), clock)
    await limiter.acquire(1, BULK)
    start = clock.monotonic()
    first = asyncio.create_task(limiter.acquire(1, BULK))
    second = asyncio.create_task(limiter.acquire(1, BULK))

    await asyncio.wait([first, second])

    assert first.cancelled()
    assert clock.monotonic() - start == pytest.approx(0.98)
    await limiter.aclose()


@given(
    waiters=st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from(Lane), st.none() | st.floats(0, 3)), max_size=40
    ),
    rate=st.sampled_from([2, 10, 50]),
)
@settings(deadline=None, max_examples=60)
async def test_whatever_comes_and_goes_order_and_rate_hold(waiters, rate):
    clock = VirtualClock()
    crowd = Crowd(GcraLimiter(RateLimit(requests=rate), clock), clock)
    arrived = []

    async def arrive(number, after, lane, patience):
        await asyncio.sleep(after)
        arrived.append((lane, number))
        try:
            async with asyncio.timeout(patience):
                await crowd._wait((lane, number), lane, 1)
        except TimeoutError:
            arrived.remove((lane, number))

    async with asyncio.TaskGroup() as group:
        for number, waiter in enumerate(waiters):
            group.create_task(arrive(number, *waiter))
    await turns()

    assert other_tasks() == set()
    assert crowd.limiter.waiting == 0
    for lane in Lane:
        assert [name for name in crowd.names if name[0] is lane] == [
            name for name in arrived if name[0] is lane
        ]
    times = crowd.times
    for first in range(len(times)):
        for last in range(first, len(times)):
            share = rate * (times[last] - times[first] + TOLERANCE_SECONDS)
            assert last - first <= share + ROUNDING


async def test_all_waiters_cancelled_ends_the_timer(crowd):
    crowd = crowd(RateLimit(requests=0.001))
    tasks = [crowd.add(number) for number in range(1000)]
    await turns()
    for task in tasks[1:]:
        task.cancel()

    await crowd.done()
    await turns()

    assert other_tasks() == set()
    assert crowd.limiter.waiting == 0


@pytest.mark.parametrize("limit", [None, RateLimit(requests=100)])
async def test_a_pause_holds_everyone_new_and_waiting(crowd, limit):
    crowd = crowd(limit)
    crowd.limiter.pause(30)
    crowd.add("early")
    await asyncio.sleep(10)
    crowd.add("late", INTERACTIVE)

    await crowd.done()

    assert crowd.names == ["late", "early"]
    assert crowd.times == pytest.approx([30, 30])


async def test_a_pause_reaches_those_who_already_wait(crowd):
    crowd = crowd(RateLimit(requests=1))
    crowd.add("first")
    crowd.add("second")
    await asyncio.sleep(0.5)

    crowd.limiter.pause(60)
    await crowd.done()

    assert crowd.times == pytest.approx([0, 60.5])


async def test_overlapping_pauses_end_with_the_last(crowd):
    crowd = crowd(None)
    crowd.limiter.pause(60)
    crowd.limiter.pause(10)
    crowd.add("one")
    await asyncio.sleep(20)
    crowd.limiter.pause(70)
    crowd.limiter.pause(-5)

    await crowd.done()

    assert crowd.times == pytest.approx([90])


async def test_without_a_limit_nobody_waits(crowd):
    crowd = crowd(None)
    for number in range(1000):
        crowd.add(number, recipients=100)

    await crowd.done()

    assert crowd.times == [0] * 1000


async def test_closing_fails_all_who_wait_and_all_who_come(clock):
    limiter = GcraLimiter(RateLimit(requests=1), clock)
    await limiter.acquire(1, BULK)
    waiters = [asyncio.create_task(limiter.acquire(1, lane)) for lane in (*Lane, *Lane)]
    await turns()
    waiters[0].cancel()

    await limiter.aclose()

    assert other_tasks() <= set(waiters)
    await asyncio.wait(waiters)
    assert waiters[0].cancelled()
    errors = [waiter.exception() for waiter in waiters[1:]]
    assert [type(error) for error in errors] == [SessionClosed] * 3
    assert len(set(map(id, errors))) == 3
    assert limiter.waiting == 0
    with pytest.raises(SessionClosed, match="limiter was closed"):
        await limiter.acquire(1, BULK)


async def test_a_waiter_cancelled_just_after_closing_leaves_no_complaint(clock):
    limiter = GcraLimiter(RateLimit(requests=1), clock)
    await limiter.acquire(1, BULK)
    waiter = asyncio.create_task(limiter.acquire(1, BULK))
    await turns()
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, info: complaints.append(info))
    loop.call_soon(waiter.cancel)

    await limiter.aclose()
    await asyncio.wait([waiter])
    gc.collect()

    assert waiter.cancelled()
    assert complaints == []
    assert limiter.waiting == 0


async def test_closing_an_idle_limiter_is_nothing(clock):
    limiter = GcraLimiter(None, clock)

    await limiter.aclose()
    await limiter.aclose()

    assert repr(limiter) == "<GcraLimiter unlimited, waiting=0, closed>"


async def test_repr_shows_rate_and_waiters(clock):
    limiter = GcraLimiter(RateLimit(), clock)

    assert repr(limiter) == "<GcraLimiter 100 requests per 1 s, waiting=0>"


async def test_repr_shows_the_limit_on_recipients_and_a_pause(clock):
    limiter = GcraLimiter(RateLimit(requests=5, recipients=500, per=2), clock)
    limiter.pause(2.5)

    assert repr(limiter) == (
        "<GcraLimiter 5 requests and 500 recipients per 2 s, waiting=0, paused for 2.5 s>"
    )
