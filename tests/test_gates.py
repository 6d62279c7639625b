"""The two gates: few batches until one is accepted, and one probe in an outage."""

import asyncio

import pytest

from sens_async.gates import UNKNOWNS_THAT_PAUSE, UNPROVEN_IN_FLIGHT, Outage, Proving

PAUSE = 30.0


async def turns(count: int = 5) -> None:
    """Let every task go as far as it can."""
    for _ in range(count):
        await asyncio.sleep(0)


class Crowd:
    """Tasks that try to get in.

    Attributes:
        inside: What each of those who are in was told, in order.
    """

    def __init__(self, enter, size: int) -> None:
        self.inside = []
        self._enter = enter
        self.tasks = [asyncio.create_task(self._go()) for _ in range(size)]

    async def _go(self) -> None:
        self.inside.append(await self._enter())

    async def disperse(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


# -- proving


async def test_few_get_in_before_one_is_accepted():
    proving = Proving()
    crowd = Crowd(proving.enter, 20)
    await turns()

    assert crowd.inside == [True] * UNPROVEN_IN_FLIGHT

    proving.leave()
    await turns()

    assert crowd.inside == [True] * (UNPROVEN_IN_FLIGHT + 1)
    await crowd.disperse()


async def test_all_who_wait_get_in_once_one_is_accepted():
    proving = Proving()
    crowd = Crowd(proving.enter, 50)
    await turns()

    proving.prove()
    await turns(60)

    assert len(crowd.inside) == 50
    assert crowd.inside.count(True) == UNPROVEN_IN_FLIGHT
    assert proving.is_proven


async def test_nobody_waits_who_comes_after_the_proof():
    proving = Proving()
    for _ in range(UNPROVEN_IN_FLIGHT):
        await proving.enter()
    proving.prove()
    proving.prove()

    coming = proving.enter()
    with pytest.raises(StopIteration) as ended:  # it does not suspend even once
        coming.send(None)

    assert ended.value.value is False


async def test_those_who_leave_unproven_let_in_as_many_and_no_more():
    proving = Proving()
    crowd = Crowd(proving.enter, 3 * UNPROVEN_IN_FLIGHT)
    for entered in range(1, 4):
        await turns()
        assert len(crowd.inside) == entered * UNPROVEN_IN_FLIGHT
        for _ in range(UNPROVEN_IN_FLIGHT):
            proving.leave()


async def test_who_is_cancelled_while_waiting_takes_nobody_s_place():
    proving = Proving()
    crowd = Crowd(proving.enter, UNPROVEN_IN_FLIGHT + 5)
    await turns()
    for task in crowd.tasks[UNPROVEN_IN_FLIGHT : UNPROVEN_IN_FLIGHT + 4]:
        task.cancel()
    proving.leave()
    await turns()

    assert len(crowd.inside) == UNPROVEN_IN_FLIGHT + 1
    assert crowd.tasks[-1].done()


async def test_who_is_cancelled_just_as_the_proof_comes_does_not_keep_the_others_out():
    proving = Proving()
    crowd = Crowd(proving.enter, UNPROVEN_IN_FLIGHT + 10)
    await turns()

    proving.prove()
    crowd.tasks[UNPROVEN_IN_FLIGHT].cancel()
    await turns(40)

    assert len(crowd.inside) == UNPROVEN_IN_FLIGHT + 9
    assert all(task.done() for task in crowd.tasks)


# -- outages


@pytest.fixture
async def outage(clock):
    return Outage(clock, PAUSE)


def unknown(outage: Outage, count: int = UNKNOWNS_THAT_PAUSE) -> None:
    for _ in range(count):
        outage.conclude(is_unknown=True, is_probe=False)


async def test_nobody_waits_without_an_outage(outage, clock):
    unknown(outage, UNKNOWNS_THAT_PAUSE - 1)
    began = clock.monotonic()

    assert [await outage.admit() for _ in range(100)] == [False] * 100
    assert clock.monotonic() == began


async def test_unknowns_count_only_in_a_row(outage, clock):
    for _ in range(10):
        unknown(outage, UNKNOWNS_THAT_PAUSE - 1)
        outage.conclude(is_unknown=False, is_probe=False)
    began = clock.monotonic()

    assert not await outage.admit()
    assert clock.monotonic() == began


async def test_what_never_came_to_an_answer_neither_counts_nor_ends_the_row(outage, clock):
    unknown(outage, UNKNOWNS_THAT_PAUSE - 1)
    for _ in range(10):
        outage.conclude(is_unknown=None, is_probe=False)
    assert not await outage.admit()
    unknown(outage, 1)
    began = clock.monotonic()

    assert await outage.admit()
    assert clock.monotonic() - began == PAUSE


async def test_one_probe_goes_after_the_pause_while_all_others_wait(outage, clock):
    unknown(outage)
    crowd = Crowd(outage.admit, 20)

    await asyncio.sleep(PAUSE - 0.1)
    assert not crowd.inside
    await asyncio.sleep(3600)

    assert crowd.inside == [True]
    await crowd.disperse()


async def test_a_probe_that_is_answered_lets_everybody_through(outage, clock):
    unknown(outage)
    crowd = Crowd(outage.admit, 20)
    await asyncio.sleep(PAUSE + 1)

    outage.conclude(is_unknown=False, is_probe=True)
    await turns()

    assert crowd.inside == [True] + [False] * 19
    assert not await outage.admit()


async def test_a_probe_that_is_not_answered_keeps_the_others_waiting_for_another(outage, clock):
    unknown(outage)
    crowd = Crowd(outage.admit, 5)
    for probes in range(1, 4):
        await asyncio.sleep(PAUSE + 1)
        assert crowd.inside == [True] * probes
        outage.conclude(is_unknown=True, is_probe=True)

    await crowd.disperse()


async def test_answers_to_what_was_on_the_wire_before_the_pause_end_it(outage, clock):
    unknown(outage)
    crowd = Crowd(outage.admit, 3)
    await turns()

    outage.conclude(is_unknown=False, is_probe=False)

    assert not await outage.admit()
    await asyncio.sleep(PAUSE + 1)
    outage.conclude(is_unknown=False, is_probe=True)
    await turns()
    assert crowd.inside == [True, False, False]


@pytest.mark.parametrize("at", [PAUSE / 2, 0])
async def test_another_takes_over_from_a_probe_that_is_cancelled(outage, clock, at):
    unknown(outage)
    crowd = Crowd(outage.admit, 3)
    await turns()
    await asyncio.sleep(at)

    crowd.tasks[0].cancel()
    await asyncio.sleep(PAUSE + 1)

    assert crowd.inside == [True]
    assert crowd.tasks[0].cancelled()
    await crowd.disperse()


async def test_cancelling_one_who_waits_for_the_probe_changes_nothing(outage, clock):
    unknown(outage)
    crowd = Crowd(outage.admit, 4)
    await turns()

    crowd.tasks[2].cancel()
    await asyncio.sleep(PAUSE + 1)
    outage.conclude(is_unknown=False, is_probe=True)
    await turns()

    assert crowd.inside == [True, False, False]
