"""Does the limiter reach its rate, does it keep to it in every second, and what does waiting cost?

Workers take permissions as fast as they are given, and the times are looked at afterwards. What
counts for a service is any second, not those of a clock: so the worst sliding one is found.
"""

import asyncio
import gc
import time
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import attrs

from benchmarks.bench import Bench
from benchmarks.goals import Goal, at_least, at_most
from benchmarks.pacers import OURS, PACERS, Acquire

__all__ = ["LimiterResult", "Pace", "Patience", "run"]

WORKERS = 64
PATIENT_RATE = 200
"""Requests per second while very many wait."""
HELD_TO = 1_000
"""The highest rate that goals are about; above it is shown what happens."""


@attrs.frozen
class Pace:
    """A limiter at one rate; medians where it was measured more than once.

    Attributes:
        limiter: Its name.
        rate: Requests per second that it was to keep.
        achieved: What it let through of that, without the first second.
        worst_second: The most requests in any second, the first included.
        cpu: The share of a core that it took, its workers included.
    """

    limiter: str
    rate: int
    achieved: float
    worst_second: float
    cpu: float


@attrs.frozen
class Patience:
    """A limiter on which very many wait.

    Attributes:
        limiter: Its name.
        waiters: How many.
        out_of_order: Those let through directly after one who had come later.
        cpu: The share of a core while they waited.
    """

    limiter: str
    waiters: int
    out_of_order: int
    cpu: float


@attrs.frozen
class LimiterResult:
    """All limiters at all rates.

    Attributes:
        paces: Each at each rate.
        patiences: Each once.
    """

    paces: list[Pace]
    patiences: list[Patience]

    def goals(self) -> list[Goal]:
        """Compare ours with what is wanted."""
        paces = [pace for pace in self.paces if pace.limiter == OURS and pace.rate <= HELD_TO]
        goals = [
            at_least(f"achieved / allowed at {pace.rate:,} per second", pace.achieved, 0.995, 0.99)
            for pace in paces
        ]
        goals += [
            at_most(
                f"worst sliding second at {pace.rate:,} per second",
                pace.worst_second,
                1.02 * pace.rate + 1,
                1.03 * pace.rate + 1,
                "requests",
            )
            for pace in paces
        ]
        for patience in self.patiences:
            if patience.limiter == OURS:
                who = f"{patience.waiters:,} waiters"
                goals += [
                    at_most(f"{who}: let through out of order", patience.out_of_order, 0, 0),
                    at_most(f"{who}: share of a core", 100 * patience.cpu, 3, 4, "%"),
                ]
        return goals


def run(bench: Bench) -> LimiterResult:
    """Measure each limiter at each rate, and with very many waiting."""
    scale = bench.scale
    paces = []
    for rate in scale.rates:
        for name in PACERS:
            rounds = scale.limiter_rounds if name == OURS and rate <= HELD_TO else 1
            pace = _middle(
                [asyncio.run(_pace(name, rate, scale.limiter_seconds)) for _ in range(rounds)]
            )
            bench.say(
                f"{name:14} at {rate:5,}/s: {pace.achieved:.3f} achieved, "
                f"{pace.worst_second / rate:.3f} in the worst second, {pace.cpu:.1%} of a core"
            )
            paces.append(pace)
    patiences = []
    for name in PACERS:
        patience = asyncio.run(_patience(name, scale.waiters, scale.wait_seconds))
        bench.say(
            f"{name:14} with {patience.waiters:,} waiters: {patience.out_of_order} out of order, "
            f"{patience.cpu:.1%} of a core"
        )
        patiences.append(patience)
    return LimiterResult(paces, patiences)


async def _pace(name: str, rate: int, seconds: float) -> Pace:
    stamps: list[float] = []

    async def work(acquire: Acquire) -> None:
        while True:
            await acquire()
            stamps.append(time.monotonic())

    with PACERS[name](rate) as acquire:
        workers = [asyncio.create_task(work(acquire)) for _ in range(WORKERS)]
        cpu = await _share_of_core(1.0 + seconds)
        await _cancel(workers)
    return Pace(
        name,
        rate,
        _per_second([stamp - stamps[0] - 1.0 for stamp in stamps], seconds) / rate,
        _worst_second(stamps),
        cpu,
    )


async def _patience(name: str, count: int, seconds: float) -> Patience:
    order: list[int] = []

    async def wait(acquire: Acquire, place: int) -> None:
        await acquire()
        order.append(place)

    with PACERS[name](PATIENT_RATE) as acquire:
        waiters = [asyncio.create_task(wait(acquire, place)) for place in range(count)]
        await asyncio.sleep(0.1)  # all have begun to wait
        cpu = await _share_of_core(seconds)
        await _cancel(waiters)
    out_of_order = sum(earlier > later for earlier, later in pairwise(order))
    return Patience(name, count, out_of_order, cpu)


async def _share_of_core(seconds: float) -> float:
    """Let everything else go on for a while; give the CPU that it took."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _per_second(stamps: Sequence[float], seconds: float) -> float:
    """Give the mean rate over all windows that are a second shorter than `seconds`.

    One window would count a request more or less with the luck of where it begins: a tenth of a
    rate of ten. Over all beginnings within a second a request at the edge counts in part, and
    limiters that let a second's requests through at once are not wronged either.

    Args:
        stamps: Times of requests; those outside 0 to `seconds` do not count.
        seconds: More than 1.
    """
    window = seconds - 1.0
    weights = (max(0.0, min(1.0, stamp) - max(0.0, stamp - window)) for stamp in stamps)
    return sum(weights) / window


def _worst_second(stamps: Sequence[float]) -> int:
    """Give the most stamps in any second."""
    worst = first = 0
    for last, stamp in enumerate(stamps):
        while stamp - stamps[first] >= 1.0:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def _middle(paces: Sequence[Pace]) -> Pace:
    """Give the medians of several measurements of one limiter at one rate."""
    return Pace(
        paces[0].limiter,
        paces[0].rate,
        median(pace.achieved for pace in paces),
        median(pace.worst_second for pace in paces),
        median(pace.cpu for pace in paces),
    )
