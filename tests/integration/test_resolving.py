"""Runs with faults by chance, then everybody unknown is settled, judged by the admission log.

A failure names its seed; `run(seed, clock)` tells the same story again.
"""

import asyncio
import pickle
import random
from collections import Counter, defaultdict

import pytest
from integration.invariants import LawBroken, check_report
from integration.test_random_runs import make_recipients, order_faults, send
from virtual_time import VirtualClock

from sens_async import (
    BulkReport,
    Outcome,
    OutcomeState,
    Resolution,
    SensError,
    Settings,
    Timeouts,
)
from sens_async.emulator import Emulator, EmulatorOptions

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState

RUNS = 9
GROUPS = 3
LONGEST_LAG = 120.0
LATEST = 295.0
"""Seconds after which a request may still arrive: just within a signature's validity."""

READING_FAULTS = [
    ("drop", {}),
    ("reset", {}),
    ("half", {}),
    ("garbage", {}),
    (500, {}),
    (503, {}),
    ("html", {"status": 200}),
    ("html", {"status": 404}),
    (404, {}),
    ("throttle", {"retry_after": 1}),
]


def make_options(rng: random.Random) -> EmulatorOptions:
    """A service that lists what it accepted, when and as it likes."""
    return EmulatorOptions(
        latency=rng.choice([0.0, 0.05, 1.0]),
        visibility_delay=rng.choice([(0.0, 0.0), (0.0, 20.0), (0.0, LONGEST_LAG)]),
        empty_list=rng.choice(["404", "404", "200"]),
        list_order=rng.choice(["oldest", "newest"]),
        list_end=rng.choice(["inclusive", "exclusive"]),
        list_fields=rng.choice(["current", "current", "2021"]),
        page_size=rng.choice(["100", "1000"]),
    )


def everybody(of: BulkReport | list[Outcome]) -> list[Outcome]:
    return list(of.outcomes if isinstance(of, BulkReport) else of)


def settled(given: BulkReport | list[Outcome], resolution: Resolution):
    """All outcomes with what is known now."""
    if isinstance(given, BulkReport):
        return resolution.report
    now = {outcome.index: outcome for outcome in resolution.outcomes}
    return [now.get(outcome.index, outcome) for outcome in given]


async def run(seed: int, clock: VirtualClock, **options):
    """One run, settled: recipients, outcomes before and after, and the emulator."""
    rng = random.Random(f"resolving {seed}")
    random.seed(seed)  # the session's jitter
    people = make_recipients(rng)
    async with Emulator(clock=clock, seed=seed, options=make_options(rng)) as emulator:
        order_faults(emulator, rng)
        for kind, more in rng.sample(READING_FAULTS, 3):
            emulator.fail(kind, endpoint="list", probability=rng.choice([0.01, 0.1]), **more)
        for kind in ("drop", "hang"):
            emulator.fail("late", delay=rng.uniform(130.0, LATEST), probability=0.02)
            emulator.fail(kind, accept=True, probability=0.02)
        settings = Settings(
            rate_limit=None,
            max_in_flight=rng.choice([1, 4, 32]),
            timeouts=Timeouts(connect=5.0, total=20.0),
        )
        async with emulator.session(settings=settings) as sens:
            given = await send(sens, people, rng)
        async with emulator.session(settings=Settings(rate_limit=None)) as sens:
            resolution = await sens.resolve(given, **options)
        await clock.sleep(LATEST + LONGEST_LAG)
    return people, given, resolution, emulator


@pytest.mark.parametrize("group", range(GROUPS))
async def test_every_unknown_ends_as_the_admission_log_says(clock, group):
    seen: Counter = Counter()
    for seed in range(group * RUNS // GROUPS, (group + 1) * RUNS // GROUPS):
        try:
            people, given, resolution, emulator = await run(seed, clock)
            after = settled(given, resolution)
            check_report(after, people[: len(everybody(given))], emulator.admissions)
            assert resolution.counts[UNKNOWN] == 0, resolution.reasons
            assert not resolution.suspected_duplicates
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        seen += resolution.counts
    assert seen[ACCEPTED] > 0
    assert seen[NOT_SENT] > 0


async def test_without_settling_time_it_goes_wrong(clock):
    """Without this the laws might hold only because nothing here could break them."""
    wrong = 0
    for seed in range(3):
        people, given, resolution, emulator = await run(seed, clock, settle=0.0)
        try:
            check_report(
                settled(given, resolution), people[: len(everybody(given))], emulator.admissions
            )
        except LawBroken:
            wrong += any(
                outcome.state is NOT_SENT and outcome.number in emulator.admissions
                for outcome in resolution.outcomes
            )
    assert wrong > 0


@pytest.mark.parametrize("seed", range(3))
async def test_identical_requests_end_in_the_right_number(clock, seed):
    """Each person is sent the same up to five times; only how often it was accepted is known."""
    rng = random.Random(f"twins {seed}")
    random.seed(seed)
    people = [f"010{i:08d}" for i in range(150)]
    async with Emulator(clock=clock, seed=seed, options=make_options(rng)) as emulator:
        for kind, more in (("drop", {}), ("half", {}), (503, {}), ("late", {"delay": 200.0})):
            accept = {"accept": rng.random() < 0.5} if kind != "late" else {}
            emulator.fail(kind, probability=0.2, **accept, **more)
        emulator.fail(503, endpoint="list", probability=0.05)
        settings = Settings(rate_limit=None, timeouts=Timeouts(connect=5.0, total=20.0))
        async with emulator.session(settings=settings) as sens:
            report = await sens.send_many(people * 5, "안녕하세요", duplicates="send")
            assert report.counts[UNKNOWN]
            after = (await sens.resolve(report)).report
    assert after.counts[UNKNOWN] == 0
    said: defaultdict = defaultdict(set)
    for outcome in after.accepted:
        assert outcome.request_id not in said[outcome.number]
        said[outcome.number].add(outcome.request_id)
    for number in people:
        log = emulator.admissions.get(number, [])
        assert said[number] == {one.request_id for one in log}


@pytest.mark.parametrize("seed", range(3))
async def test_shared_requests_end_as_the_admission_log_says(clock, seed):
    """Senders leave and run out of time while their requests meet faults."""
    rng = random.Random(f"shared {seed}")
    random.seed(seed)
    people = [f"010{i:08d}" for i in range(150)]
    async with Emulator(clock=clock, seed=seed, options=make_options(rng)) as emulator:
        for kind in ("drop", "hang", "half", 503):
            emulator.fail(kind, probability=0.08, accept=rng.random() < 0.5)
        emulator.fail("throttle", probability=0.1)
        emulator.fail("late", delay=250.0, probability=0.05)
        settings = Settings(rate_limit=None, linger=0.02, timeouts=Timeouts(connect=2.0, total=8.0))
        async with emulator.session(settings=settings) as sens:
            sends = []
            for number in people:
                timeout = rng.choice([None, None, 0.03, 0.5, 5.0])
                sends.append(asyncio.create_task(sens.send(number, "안녕", timeout=timeout)))
                if rng.random() < 0.2:
                    await clock.sleep(rng.random() * 0.1)
            ends = await asyncio.gather(*sends, return_exceptions=True)
            errors = [one for one in ends if isinstance(one, SensError)]
            errors = pickle.loads(pickle.dumps(errors)) if seed % 2 else errors
            resolution = await sens.resolve(errors)
    assert resolution.outcomes
    assert resolution.counts[UNKNOWN] == 0, resolution.reasons
    for outcome in resolution.outcomes:
        log = emulator.admissions.get(outcome.number, [])
        assert [outcome.request_id] == [one.request_id for one in log] or (
            outcome.state is NOT_SENT and not log
        )
