"""Runs with faults by chance, then everybody unknown is settled, judged by the admission log.

A failure names its seed; `run(seed, clock)` tells the same story again.
"""

import random
from collections import Counter

import pytest
from integration.invariants import check_report
from integration.test_random_runs import make_recipients, order_faults, send
from virtual_time import VirtualClock

from sens_async import BulkReport, Outcome, OutcomeState, Resolution, Settings, Timeouts
from sens_async.emulator import Emulator, EmulatorOptions

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState

RUNS = 30
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
