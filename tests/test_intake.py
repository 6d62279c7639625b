"""The intake: lazily, once, with back-pressure, and nobody lost on the way."""

import asyncio
import logging
from itertools import count

import pytest
from session_helpers import Taken, numbers

from sens_async import OutcomeState, Recipient
from sens_async.core.chunking import HOLD, Chunker
from sens_async.core.message import Message, Rules
from sens_async.flow.tasks import Tasks
from sens_async.intake import Intake, check_source


class SourceBroke(Exception):
    pass


class Stop(BaseException):
    """No `Exception`, as an interrupt is none."""


class Bed:
    """An intake, what it gave, and what it settled or refused on its own.

    Attributes:
        settled: Outcomes of those who go into no batch.
        refused: Batches that came when all was over.
    """

    def __init__(self, source, clock) -> None:
        self.settled = []
        self.refused = []
        self.tasks = Tasks()
        message = Message.compile("안녕", sender="0212345678", rules=Rules())
        self.intake = Intake(
            source,
            Chunker(Rules()).open(message),
            settle=self.settled.append,
            refuse=self.refused.append,
            clock=clock,
            spawn=self.tasks.spawn,
        )

    async def rest(self) -> list[str]:
        """The numbers of all batches that are left."""
        left = []
        while (batch := await self.intake.next()) is not None:
            left.extend(batch.numbers)
        return left

    async def aclose(self) -> None:
        self.tasks.cancel()
        await self.tasks.wait()


@pytest.fixture
async def open_bed(clock):
    beds = []

    def open_one(source) -> Bed:
        beds.append(Bed(source, clock))
        return beds[-1]

    yield open_one
    for bed in beds:
        await bed.aclose()


def of(items, *, is_async: bool):
    source = Taken(items)
    return source, source.slowly() if is_async else source


def test_anything_that_can_be_iterated_is_a_source():
    async def people():
        yield "01012345678"

    for source in ([], (), set(), iter([]), people(), range(3), {}.keys()):
        check_source(source)


@pytest.mark.parametrize("source", ["010", b"010", bytearray(), {}, Recipient("010"), None, 3])
def test_what_was_meant_to_be_one_of_a_list_is_no_source(source):
    with pytest.raises(TypeError, match=rf"got {type(source).__name__}"):
        check_source(source)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 1050])
async def test_everyone_comes_once_and_in_order(open_bed, is_async, size):
    _, source = of(numbers(size), is_async=is_async)
    bed = open_bed(source)

    assert await bed.rest() == numbers(size)
    assert await bed.intake.next() is None
    assert not bed.settled
    assert not bed.refused
    await bed.tasks.wait(timeout=1)
    assert not len(bed.tasks)


async def test_a_list_is_pulled_a_hundred_at_a_time(open_bed):
    source = Taken(f"010{i:08d}" for i in count())
    bed = open_bed(source)

    for batches in range(1, 5):
        await bed.intake.next()
        assert len(source.taken) == batches * 100


async def test_an_async_source_is_read_a_little_ahead_and_no_further(open_bed):
    source = Taken(f"010{i:08d}" for i in count())
    bed = open_bed(source.slowly())

    for batches in range(1, 5):
        await bed.intake.next()
        await asyncio.sleep(10)
        assert batches * 100 <= len(source.taken) <= (batches + 2) * 100

    bed.intake.close()


async def test_nothing_is_read_before_the_first_batch_is_wanted(open_bed):
    source = Taken(numbers(10))
    bed = open_bed(source.slowly())
    await asyncio.sleep(10)

    assert not source.taken
    assert not len(bed.tasks)


@pytest.mark.parametrize("is_async", [False, True])
async def test_many_may_ask_at_a_time(open_bed, is_async):
    _, source = of(numbers(1050), is_async=is_async)
    bed = open_bed(source)

    parts = await asyncio.gather(*(bed.rest() for _ in range(20)))

    assert sorted(number for part in parts for number in part) == numbers(1050)


async def test_an_async_source_is_read_by_one_task_only(open_bed):
    readers = set()

    async def people():
        for number in numbers(500):
            readers.add(asyncio.current_task())
            yield number
            await asyncio.sleep(0)

    bed = open_bed(people())

    await asyncio.gather(*(bed.rest() for _ in range(10)))

    assert len(readers) == 1


@pytest.mark.parametrize("is_async", [False, True])
async def test_who_goes_into_no_batch_is_settled(open_bed, is_async):
    items = ["bad", "01000000000", 7, "010-0000-0000", "01000000001"]
    _, source = of(items, is_async=is_async)
    bed = open_bed(source)

    assert await bed.rest() == numbers(2)

    states = {o.index: o.state for outcomes in bed.settled for o in outcomes}
    assert states == {
        0: OutcomeState.REJECTED,
        2: OutcomeState.REJECTED,
        3: OutcomeState.SKIPPED,
    }


async def test_a_list_of_nothing_but_bad_numbers_lets_others_run(open_bed):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    assert await open_bed(["bad"] * 10_000).rest() == []
    ticking.cancel()

    assert ticks >= 90


@pytest.mark.parametrize("kind", [SourceBroke, Stop, asyncio.CancelledError])
@pytest.mark.parametrize("size", [0, 1, 150, 450])
@pytest.mark.parametrize("is_async", [False, True])
async def test_those_before_an_exception_are_not_lost(open_bed, is_async, size, kind):
    def broken():
        yield from numbers(size)
        raise kind

    _, source = of(broken(), is_async=is_async)
    bed = open_bed(source)

    assert await bed.rest() == numbers(size)
    assert type(bed.intake.error) is kind


@pytest.mark.parametrize("is_async", [False, True])
async def test_after_closing_what_was_taken_is_given_out_and_nothing_more_is_taken(
    open_bed, is_async
):
    source, given = of((f"010{i:08d}" for i in count()), is_async=is_async)
    bed = open_bed(given)
    first = await bed.intake.next()
    await asyncio.sleep(0.1)

    bed.intake.close()
    bed.intake.close()
    left = await bed.rest()
    await asyncio.sleep(10)

    refused = [number for batch in bed.refused for number in batch.numbers]
    assert [*first.numbers, *left, *refused] == source.taken
    assert len(source.taken) <= 401
    assert not len(bed.tasks)


async def test_closing_wakes_those_who_wait_for_a_source_that_thinks(open_bed):
    source = Taken(numbers(5))
    bed = open_bed(source.slowly(100.0))
    waiting = [asyncio.create_task(bed.intake.next()) for _ in range(3)]
    await asyncio.sleep(0.1)

    bed.intake.close()
    batches = await asyncio.gather(*waiting)

    assert [list(batch.numbers) for batch in batches if batch] == [numbers(1)]
    assert not source.interrupted


async def test_who_comes_late_is_refused_once(open_bed):
    source = Taken(numbers(5))
    bed = open_bed(source.slowly(100.0))
    await bed.intake.next()
    bed.intake.close()

    await asyncio.sleep(1000)

    assert [list(batch.numbers) for batch in bed.refused] == [["01000000001"]]
    assert source.taken == numbers(2)
    assert not source.interrupted
    assert not len(bed.tasks)


async def test_who_comes_late_and_is_no_number_is_settled(open_bed):
    bed = open_bed(Taken(["01000000000", "bad"]).slowly(100.0))
    await bed.intake.next()
    bed.intake.close()

    await asyncio.sleep(1000)

    assert [outcomes.state for outcomes in bed.settled] == [OutcomeState.REJECTED]
    assert not bed.refused


async def test_a_source_that_breaks_after_the_end_is_logged_and_harms_nobody(open_bed, caplog):
    async def people():
        yield "01000000000"
        await asyncio.sleep(100)
        raise SourceBroke

    caplog.set_level(logging.DEBUG, "sens_async")
    bed = open_bed(people())
    await bed.intake.next()
    bed.intake.close()
    await asyncio.sleep(1000)

    assert bed.intake.error is None
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG


async def test_who_is_cancelled_while_asking_passes_its_batch_on(open_bed, clock):
    source, began = Taken(numbers(100)), clock.monotonic()
    bed = open_bed(source.slowly(3600.0, every=100))
    waiting = [asyncio.create_task(bed.intake.next()) for _ in range(2)]
    while len(source.taken) < 100:  # noqa: ASYNC110
        await asyncio.sleep(0)

    waiting[0].cancel()  # in the turn in which the batch is ready for it
    batch = await waiting[1]

    assert waiting[0].cancelled()
    assert list(batch.numbers) == numbers(100)
    assert clock.monotonic() == began


async def test_cancelling_those_who_ask_at_any_turn_loses_nobody(open_bed):
    for turn in range(40):
        source = Taken(numbers(350))
        bed = open_bed(source.slowly(0.0, every=30))
        got = []

        async def ask(bed=bed, got=got):
            while (batch := await bed.intake.next()) is not None:
                got.extend(batch.numbers)
                await asyncio.sleep(0)

        asking = [asyncio.create_task(ask()) for _ in range(3)]
        for _ in range(turn):
            await asyncio.sleep(0)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)

        assert sorted(got + await bed.rest()) == numbers(350)


async def test_a_full_batch_does_not_wait(open_bed, clock):
    bed = open_bed(Taken(numbers(150)).slowly(100.0, every=100))
    began = clock.monotonic()

    assert len(await bed.intake.next()) == 100
    assert clock.monotonic() == began


async def test_a_partial_batch_waits_for_about_a_second(open_bed, clock):
    bed = open_bed(Taken(numbers(6)).slowly(100.0, every=3))
    began = clock.monotonic()
    for came in (0.0, 100.0):
        assert len(await bed.intake.next()) == 3
        assert HOLD - 0.01 <= clock.monotonic() - began - came <= 1.5 * HOLD + 0.01


async def test_a_trickle_does_not_starve_the_first_of_it(open_bed, clock):
    bed = open_bed(Taken(numbers(40)).slowly(0.1))
    sizes = []
    began = clock.monotonic()
    while (batch := await bed.intake.next()) is not None:
        sizes.append(len(batch))

    assert sum(sizes) == 40
    assert max(sizes) <= 16
    assert clock.monotonic() - began == pytest.approx(4.0, abs=0.2)


async def test_no_timer_runs_while_nothing_is_held(open_bed, clock):
    sleeps = []
    sleep = clock.sleep

    async def counted(seconds):
        sleeps.append(seconds)
        await sleep(seconds)

    clock.sleep = counted
    bed = open_bed(Taken(numbers(2)).slowly(3600.0))
    assert len(await bed.rest()) == 2

    assert len(sleeps) <= 10
