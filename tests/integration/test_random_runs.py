"""Runs with faults by chance, reproducible by seed, judged by the emulator's admission log.

A failure names its seed; `run(seed, clock)` tells the same story again.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping

import pytest
from integration.invariants import LawBroken, check_report
from virtual_time import VirtualClock

from sens_async import BulkReport, Outcome, OutcomeState, Recipient, SensSession, Settings, Timeouts
from sens_async.core.requests import Request
from sens_async.core.responses import Response
from sens_async.emulator import Emulator, EmulatorOptions
from sens_async.errors import TransportError
from sens_async.transport import AiohttpTransport, Handover

RUNS = 300
GROUPS = 10
RECIPIENTS = 2_000
LONGEST_DELAY = 120.0

FAULTS = [
    *(
        (kind, {"accept": accept, **options})
        for accept in (False, True)
        for kind, options in [
            ("drop", {}),
            ("reset", {}),
            ("hang", {}),
            ("half", {}),
            ("half_head", {}),
            ("garbage", {}),
            (500, {}),
            (502, {}),
            (503, {"retry_after": 2}),
            (504, {}),
            ("html", {"status": 400}),
            ("html", {"status": 200}),
            ("no_id", {}),
            ("fail_status", {}),
        ]
    ),
    ("late", {"delay": 5.0}),
    ("late", {"delay": 45.0}),
    ("late", {"delay": LONGEST_DELAY}),
    ("throttle", {}),
    ("throttle", {"retry_after": 3}),
    ("rate", {"retry_after": "Tue, 25 Nov 2025 00:39:50 GMT"}),
    ("too_many", {"retry_after": 10**9}),
    ("bad_request", {}),
    ("too_large", {}),
]
"""Faults that a run outlives."""

DOOMS = ["quota", "unauthorized", "forbidden", "redirect", 404]


def order_faults(emulator: Emulator, rng: random.Random) -> None:
    """Between hardly any and most requests meet a fault; in some runs one that ends it."""
    share = rng.choice([0.02, 0.1, 0.3, 0.6])
    for kind, options in rng.sample(FAULTS, rng.randint(1, len(FAULTS))):
        emulator.fail(kind, probability=share / 8, **options)
    if rng.random() < 0.2:
        emulator.fail(rng.choice(DOOMS), requests=rng.randint(1, 40))
    if rng.random() < 0.2:
        first = rng.randint(1, 15)
        emulator.fail(503, requests=f"{first}-{first + 40}", accept=rng.random() < 0.5)


def make_recipients(rng: random.Random) -> list[object]:
    """Numbers in several spellings, repetitions, long texts, bad numbers and bad items."""
    people: list[object] = []
    is_mixed = rng.random() < 0.5
    for i in range(RECIPIENTS):
        number = f"010{rng.randrange(100) if i % 50 == 0 else 10_000 + i:08d}"
        luck = rng.random() if is_mixed else 1.0
        if luck < 0.01:
            people.append(rng.choice(["", "비밀", "119", None, 17]))
        elif luck < 0.05:
            people.append(Recipient(number, content="가" * rng.choice([20, 60, 1_500])))
        elif luck < 0.10:
            people.append(f"+82 {number[1:3]}-{number[3:7]}-{number[7:]}")
        else:
            people.append(number)
    return people


async def slowly(people: Iterable[object], rng: random.Random) -> AsyncIterator[object]:
    for person in people:
        if rng.random() < 0.001:
            await asyncio.sleep(rng.random() * 2)
        yield person


async def send(
    sens: SensSession, people: list[object], rng: random.Random
) -> BulkReport | list[Outcome]:
    """Send as a user may: in one call or as a stream, to the end or not."""
    source = slowly(people, rng) if rng.random() < 0.3 else people
    timeout = rng.choice([None, None, None, 0.1, 2.0, 40.0])
    if rng.random() < 0.3:
        outcomes = []
        async with sens.send_stream(source, "안녕하세요", timeout=timeout) as stream:
            stop_at = rng.choice([None, None, rng.randrange(RECIPIENTS)])
            async for outcome in stream:
                outcomes.append(outcome)
                if len(outcomes) == stop_at:
                    stream.stop()
        return outcomes
    report = BulkReport()
    running = asyncio.create_task(
        sens.send_many(source, "안녕하세요", timeout=timeout, report=report)
    )
    end = rng.choice(["cancel", "cancel twice", "close", "close soon"])
    if rng.random() < 0.3:
        await asyncio.sleep(rng.choice([0.0, 0.01, 0.1, 1.0, 10.0]) * rng.random())
        if end.startswith("close"):
            await sens.aclose(timeout=0.5 if end == "close soon" else None)
        else:
            running.cancel()
        if end == "cancel twice":
            await asyncio.sleep(rng.random())
            running.cancel()
    else:
        await running
        assert timeout is not None or len(report) == len(people)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return report


async def run(
    seed: int, clock: VirtualClock
) -> tuple[list[object], BulkReport | list[Outcome], Emulator]:
    """One run: recipients, their outcomes, and the emulator that knows better."""
    rng = random.Random(f"run {seed}")
    random.seed(seed)  # the session's jitter
    options = EmulatorOptions(latency=rng.choice([0.0, 0.05, 1.0]))
    people = make_recipients(rng)
    async with Emulator(clock=clock, seed=seed, options=options) as emulator:
        order_faults(emulator, rng)
        numbers = [f"010{10_000 + rng.randrange(RECIPIENTS):08d}" for _ in range(3)]
        emulator.refuse_numbers = set(numbers[: rng.choice([0, 0, 1, 3])])
        settings = Settings(rate_limit=None, max_in_flight=rng.choice([1, 4, 32]))
        async with emulator.session(settings=settings) as sens:
            outcomes = await send(sens, people, rng)
        await clock.sleep(LONGEST_DELAY + 1.0)
    return people, outcomes, emulator


@pytest.mark.parametrize("group", range(GROUPS))
async def test_both_laws_hold_whatever_goes_wrong(clock, group):
    seen: Counter = Counter()
    for seed in range(group * RUNS // GROUPS, (group + 1) * RUNS // GROUPS):
        try:
            people, outcomes, emulator = await run(seed, clock)
            # Those whom a run that ended early has not taken from its source have no outcome.
            seen += check_report(outcomes, people[: len(outcomes)], emulator.admissions)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    assert all(seen[state] > 0 for state in OutcomeState), "the faults miss an outcome"
    assert seen["unknown, in fact accepted"] > 0
    assert seen[OutcomeState.UNKNOWN] > seen["unknown, in fact accepted"]


@pytest.mark.parametrize("seed", range(5))
async def test_the_same_seed_tells_the_same_story(clock, seed):
    stories = []
    for _ in range(2):
        _, outcomes, emulator = await run(seed, clock)
        everybody = outcomes.outcomes if isinstance(outcomes, BulkReport) else outcomes
        stories.append(
            (
                [(outcome.index, outcome.state) for outcome in everybody],
                [(entry.fault, entry.status, entry.recipients) for entry in emulator.requests],
            )
        )

    assert stories[0] == stories[1]


class BlindRetry:
    """A transport that does what most clients do: after any failure it tries again."""

    def __init__(self, url: str) -> None:
        self._inner = AiohttpTransport(url, timeouts=Timeouts(), connections=40)

    async def exchange(
        self, request: Request, headers: Mapping[str, str], handover: Handover
    ) -> Response:
        for _ in range(3):
            try:
                response = await self._inner.exchange(request, headers, handover)
            except TransportError:
                continue
            if response.status < 500:
                break
        else:
            response = await self._inner.exchange(request, headers, handover)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.parametrize("kind", ["drop", "reset", "hang", "half", 503, "garbage"])
async def test_the_control_with_blind_retry_finds_doubles(start, kind):
    """Without this the laws might hold only because nothing here could break them."""
    emulator = await start(seed=1)
    emulator.fail(kind, probability=0.2, accept=True)
    people = [f"010{i:08d}" for i in range(RECIPIENTS)]
    transport = BlindRetry(emulator.url)
    settings = Settings(rate_limit=None)
    async with emulator.session(settings=settings, transport=transport) as sens:
        report = await sens.send_many(people, "안녕하세요")
    await transport.aclose()

    with pytest.raises(LawBroken, match="accepted twice"):
        check_report(report, people, emulator.admissions)
