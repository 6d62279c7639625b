"""How close does a run come to bare aiohttp, and how far from what people write without it?

Bare aiohttp posts the very bytes that the library makes, already made, with as many requests in
flight: nothing on aiohttp can be faster. Without latency the CPU decides, with latency the
requests in flight do.
"""

import asyncio

import attrs

from benchmarks.bench import Bench
from benchmarks.contest import Contest, contest
from benchmarks.goals import Goal, at_least
from benchmarks.library import IN_FLIGHT, PER_REQUEST
from benchmarks.lineup import Entrant, Load
from benchmarks.messages import Stock
from benchmarks.meter import per_cpu_second, per_second

__all__ = ["BulkResult", "run"]

TEXTS = (Entrant.BARE, Entrant.MANY, Entrant.BARE_PERSONAL, Entrant.MANY_PERSONAL)
STREAMS = (Entrant.STREAM, Entrant.STREAM_PERSONAL)
RIVALS = (Entrant.HTTPX, Entrant.THREADS, Entrant.GATHER, Entrant.SERIAL)
PAIR = (Entrant.BARE, Entrant.MANY)

WITHOUT_LATENCY = {1: TEXTS, 8: TEXTS, IN_FLIGHT: (*TEXTS, *STREAMS, *RIVALS), 64: TEXTS}
"""Who takes part, by requests in flight."""

WITH_LATENCY: dict[int, dict[int, tuple[Entrant, ...]]] = {
    20: {1: PAIR, 8: PAIR, IN_FLIGHT: (*PAIR, Entrant.STREAM, *RIVALS), 64: PAIR, 128: PAIR},
    50: {1: PAIR, 8: PAIR, IN_FLIGHT: PAIR, 64: PAIR},
}
"""The same, by latency in milliseconds."""

SHORTER = {(20, 1), (50, 1), (50, 8), (50, 64)}
"""Cells of the curve that no goal is about; a third of the round trips will do."""


@attrs.frozen
class BulkResult:
    """All cells.

    Attributes:
        contests: A cell each.
    """

    contests: list[Contest]

    def at(self, latency_ms: int, in_flight: int) -> Contest:
        """Give one cell."""
        return next(
            cell
            for cell in self.contests
            if (cell.latency_ms, cell.in_flight) == (latency_ms, in_flight)
        )

    def goals(self) -> list[Goal]:
        """Compare with what is wanted; at 32 in flight where nothing else is said."""
        busy, near, far = self.at(0, IN_FLIGHT), self.at(20, IN_FLIGHT), self.at(50, IN_FLIGHT)
        wide = self.at(20, 128)
        goals = [
            at_least(
                f"{ours}, per CPU second / bare aiohttp",
                busy.ratio(ours, theirs, per_cpu_second),
                *wanted,
            )
            for ours, theirs, wanted in (
                (Entrant.MANY, Entrant.BARE, (0.75, 0.60)),
                (Entrant.MANY_PERSONAL, Entrant.BARE_PERSONAL, (0.55, 0.38)),
                (Entrant.STREAM, Entrant.BARE, (0.75, 0.60)),
                (Entrant.STREAM_PERSONAL, Entrant.BARE_PERSONAL, (0.55, 0.38)),
            )
        ]
        goals += [
            at_least(
                f"send_many, per second / {theirs}{where}",
                cell.ratio(Entrant.MANY, theirs, per_second),
                *wanted,
                "x",
                bare=cell.ratio(Entrant.BARE, theirs, per_second),
            )
            for cell, theirs, where, wanted in (
                (busy, Entrant.GATHER, "", (100, 80)),
                (busy, Entrant.SERIAL, "", (700, 500)),
                (near, Entrant.SERIAL, ", 20 ms", (3_000, 2_800)),
            )
        ]
        goals += [
            at_least(
                f"send_many, per second / bare aiohttp, {cell.latency_ms} ms x {cell.in_flight}",
                cell.ratio(Entrant.MANY, Entrant.BARE, per_second),
                *wanted,
            )
            for cell, wanted in ((far, (0.97, 0.95)), (near, (0.92, 0.88)), (wide, (0.80, 0.70)))
        ]
        return goals


def run(bench: Bench) -> BulkResult:
    """Measure every cell."""
    return BulkResult(asyncio.run(_contests(bench)))


async def _contests(bench: Bench) -> list[Contest]:
    scale = bench.scale
    widest = max(in_flight for cells in WITH_LATENCY.values() for in_flight in cells)
    stock = await Stock.made(
        shared=max(scale.recipients, widest * scale.trips * PER_REQUEST),
        personal=scale.recipients,
    )
    load = Load(stock.first(scale.recipients))
    contests = [
        await contest(bench, 0, in_flight, entrants, load, seconds=scale.cell_seconds)
        for in_flight, entrants in WITHOUT_LATENCY.items()
    ]
    for latency_ms, cells in WITH_LATENCY.items():
        for in_flight, entrants in cells.items():
            trips = scale.trips
            if (latency_ms, in_flight) in SHORTER:
                trips = max(1, trips // 3)
            load = Load(
                stock.first(trips * in_flight * PER_REQUEST),
                gathered=trips * in_flight,
                serial=max(2, trips // 3),
            )
            contests.append(await contest(bench, latency_ms, in_flight, entrants, load))
    return contests
