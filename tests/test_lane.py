"""The interactive lane: a `send` overtakes runs, runs go on all the same, and faults stay apart."""

import asyncio
from collections import Counter

import pytest
from scripted import Scripted, accepted, refused, session_over
from session_helpers import numbers

from sens_async import (
    BadRequest,
    OutcomeState,
    RateLimit,
    Receipt,
    RequestTimeout,
    SendTimeout,
    Settings,
    Timeouts,
)
from sens_async.emulator import Emulator
from sens_async.flow.queue import RESERVE

RATE = 100
PACED = Settings(rate_limit=RateLimit(requests=RATE))
SLOT = 1 / RATE
"""Seconds between two turns at the rate limit."""


@pytest.fixture
def run(clock):
    """Begin a run on a session, and let it fill the queue."""

    async def run(sens, recipients: int = 100_000) -> asyncio.Task:
        task = asyncio.create_task(sens.send_many(numbers(recipients), "점검이 있습니다"))
        await clock.sleep(1.0)
        assert sens.queue.waiting > 0
        return task

    return run


async def test_a_send_waits_for_one_turn_however_long_the_run(clock, run):
    async with session_over(Scripted(seconds=0.02), settings=PACED, clock=clock) as sens:
        running = await run(sens)
        waits = []
        for number in numbers(50, start=90_000_000):
            began = clock.monotonic()
            await sens.send(number, "인증번호 123456")
            waits.append(clock.monotonic() - began - 0.02)
            await clock.sleep(0.037)
        running.cancel()
        await asyncio.wait([running])

    assert max(waits) <= 1.05 * SLOT


async def test_sends_that_never_end_leave_a_run_its_quarter(clock, run):
    transport = Scripted(seconds=0.02)
    async with session_over(transport, settings=PACED, clock=clock) as sens:
        running = await run(sens)
        before = len(transport.requests)
        sends = [
            asyncio.create_task(sens.send(number, "인증번호 123456"))
            for number in numbers(600, start=90_000_000)
        ]
        await asyncio.gather(*sends)
        sizes = Counter(map(len, transport.requests[before:]))
        running.cancel()
        await asyncio.wait([running])

    assert sizes[1] == 600
    assert sizes[100] >= 600 / 3 - RESERVE


async def test_runs_share_whatever_their_size(clock):
    transport = Scripted(seconds=0.02)
    async with session_over(transport, settings=PACED, clock=clock) as sens:
        large = asyncio.create_task(sens.send_many(numbers(100_000), "점검이 있습니다"))
        await clock.sleep(1.0)
        began = clock.monotonic()
        small = await sens.send_many(numbers(5_000, start=90_000_000), "주문이 왔습니다")
        elapsed = clock.monotonic() - began
        large.cancel()
        await asyncio.wait([large])

    assert small.counts == {OutcomeState.ACCEPTED: 5_000}
    # 50 requests at half of the rate, behind what already stood in line.
    assert elapsed < 2 * 50 * SLOT + 64 * SLOT + 0.1


async def test_a_hanging_run_leaves_the_reserve_to_sends(clock):
    def answer(given):
        return accepted() if len(given) == 1 else asyncio.get_running_loop().create_future()

    settings = Settings(rate_limit=None, max_in_flight=4)
    async with session_over(Scripted(answer), settings=settings, clock=clock) as sens:
        running = asyncio.create_task(sens.send_many(numbers(5_000), "점검이 있습니다"))
        await clock.sleep(1.0)
        for number in numbers(20, start=90_000_000):
            assert isinstance(await sens.send(number, "인증번호 123456"), Receipt)
        running.cancel()
        await clock.sleep(0.0)
        running.cancel()
        await asyncio.wait([running])


async def test_a_send_that_is_refused_does_not_stop_a_run(clock, run):
    transport = Scripted(lambda given: refused(400) if len(given) == 1 else accepted())
    async with session_over(transport, settings=PACED, clock=clock) as sens:
        running = await run(sens, 20_000)
        with pytest.raises(BadRequest):
            await sens.send("01099999999", "인증번호 123456")
        report = await running

    assert report.counts == {OutcomeState.ACCEPTED: 20_000}


async def test_a_run_that_is_doomed_does_not_fail_a_send(clock):
    transport = Scripted(lambda given: accepted() if len(given) == 1 else refused(403, "300"))
    async with session_over(transport, settings=PACED, clock=clock) as sens:
        report, receipt = await asyncio.gather(
            sens.send_many(numbers(5_000), "점검이 있습니다"),
            sens.send("01099999999", "인증번호 123456"),
        )

    assert report.counts[OutcomeState.NOT_SENT] == 5_000
    assert isinstance(receipt, Receipt)


async def test_after_a_pause_a_send_goes_first(clock, run):
    transport = Scripted(seconds=0.02)
    async with session_over(transport, settings=PACED, clock=clock) as sens:
        running = await run(sens)
        sens.queue.pause(5.0)
        await clock.sleep(1.0)
        before = len(transport.requests)
        await sens.send("01099999999", "인증번호 123456")
        first = transport.requests[before : before + 4]
        running.cancel()
        await asyncio.wait([running])

    assert ["01099999999"] in first


async def test_a_send_that_leaves_the_line_gives_its_turn_back(clock, run):
    transport = Scripted(seconds=0.02)
    async with session_over(transport, settings=PACED, clock=clock) as sens:
        running = await run(sens, 40_000)
        sens.queue.pause(2.0)
        sends = [
            asyncio.create_task(sens.send(number, "인증번호 123456", timeout=timeout))
            for number, timeout in zip(
                numbers(30, start=90_000_000), [None, 0.5, 0.001] * 10, strict=True
            )
        ]
        await clock.sleep(1.0)
        for send in sends[::3]:
            send.cancel()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        report = await running

    assert all(isinstance(outcome, asyncio.CancelledError | SendTimeout) for outcome in outcomes)
    assert report.counts == {OutcomeState.ACCEPTED: 40_000}
    assert not any(number.startswith("0109") for number in transport.admissions)
    assert report.elapsed == pytest.approx(400 * SLOT + 2.0, abs=0.2)


@pytest.mark.parametrize("fault", ["drop", "hang", 503])
async def test_faults_of_a_run_and_of_sends_stay_apart(clock, fault):
    """Each meets its own; nobody is sent to twice, and both laws hold for both."""
    async with Emulator(clock=clock, seed=7) as emulator:
        emulator.fail(fault, probability=0.3, accept=True)
        settings = Settings(
            rate_limit=RateLimit(requests=200), timeouts=Timeouts(total=4.0, connect=1.0)
        )
        people, singles = numbers(3_000), numbers(60, start=90_000_000)
        async with emulator.session(settings=settings) as sens:
            running = asyncio.create_task(sens.send_many(people, "점검이 있습니다"))
            outcomes = await asyncio.gather(
                *(sens.send(number, "인증번호 123456") for number in singles),
                return_exceptions=True,
            )
            report = await running
        admitted = {number: len(found) for number, found in emulator.admissions.items()}

    assert set(admitted.values()) == {1}
    assert {type(outcome) for outcome in outcomes} > {Receipt}
    for number, outcome in zip(singles, outcomes, strict=True):
        if isinstance(outcome, Receipt):
            assert number in admitted
        else:
            assert outcome.outcome.state is OutcomeState.UNKNOWN
            assert isinstance(outcome, RequestTimeout) or fault != "hang"
    for outcome in report.outcomes:
        assert outcome.state in {OutcomeState.ACCEPTED, OutcomeState.UNKNOWN, OutcomeState.NOT_SENT}
        assert (outcome.number in admitted) >= (outcome.state is OutcomeState.ACCEPTED)
        if outcome.state is OutcomeState.NOT_SENT:
            assert outcome.number not in admitted
