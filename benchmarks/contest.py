"""One cell: clients that take turns at one latency, with as many requests in flight."""

from collections.abc import Sequence

import attrs

from benchmarks.bench import Bench
from benchmarks.lineup import BARE_OF, Entrant, Load, lineup
from benchmarks.meter import (
    Quantity,
    Reading,
    middle,
    per_cpu_second,
    per_second,
    ratio,
    take_turns,
)

__all__ = ["Contest", "Standing", "contest"]


@attrs.frozen
class Standing:
    """Where a client ended: medians over the rounds.

    Attributes:
        entrant: The client.
        per_cpu_second: Recipients per second of CPU.
        per_second: Recipients per second.
        cpu_ratio: The former over that of bare aiohttp with the same text.
        wall_ratio: The latter, likewise.
    """

    entrant: Entrant
    per_cpu_second: float
    per_second: float
    cpu_ratio: float
    wall_ratio: float


@attrs.frozen
class Contest:
    """The results of one cell.

    Attributes:
        latency_ms: Of the service.
        in_flight: Requests at a time.
        standings: In the order of the entrants.
        readings: All of them, by entrant, in the order of the rounds.
        stub_busy: The largest share of a core that the stub took in any reading; well below 1,
            or the stub was what was measured.
    """

    latency_ms: int
    in_flight: int
    standings: list[Standing]
    readings: dict[Entrant, list[Reading]]
    stub_busy: float

    def ratio(self, ours: Entrant, theirs: Entrant, of: Quantity) -> float:
        """Compare two clients round by round."""
        return ratio(self.readings[ours], self.readings[theirs], of)

    def standing(self, entrant: Entrant) -> Standing:
        """Where one client ended."""
        return next(standing for standing in self.standings if standing.entrant is entrant)


async def contest(
    bench: Bench,
    latency_ms: int,
    in_flight: int,
    entrants: Sequence[Entrant],
    load: Load,
    *,
    seconds: float = 0.0,
) -> Contest:
    """Let clients take turns, and say where they ended.

    Args:
        bench: Where to.
        latency_ms: Of the service.
        in_flight: Requests at a time.
        entrants: Who takes part; bare aiohttp with the same text must.
        load: What each sends in one go.
        seconds: How long each repeats that in its turn; 0 for once.
    """
    bench.say(f"{latency_ms} ms latency, {in_flight} in flight, {len(entrants)} clients:")
    async with lineup(bench.service.url(latency_ms), in_flight, load, entrants) as clients:
        readings = await take_turns(
            bench.service, clients, rounds=bench.scale.rounds, seconds=seconds
        )
    standings = [_standing(entrant, readings) for entrant in entrants]
    stub_busy = max(one.stub_cpu / one.wall for rows in readings.values() for one in rows)
    bench.say(f"  {'':28} {'per CPU s':>12} {'/ bare':>8} {'per s':>12} {'/ bare':>8}")
    for row in standings:
        bench.say(
            f"  {row.entrant:28} {row.per_cpu_second:12,.0f} {row.cpu_ratio:8.4f} "
            f"{row.per_second:12,.0f} {row.wall_ratio:8.4f}"
        )
    bench.say(f"  the stub was busy {stub_busy:.0%} of the time, at most")
    return Contest(latency_ms, in_flight, standings, readings, stub_busy)


def _standing(entrant: Entrant, readings: dict[Entrant, list[Reading]]) -> Standing:
    ours, theirs = readings[entrant], readings[BARE_OF[entrant]]
    return Standing(
        entrant,
        middle(ours, per_cpu_second),
        middle(ours, per_second),
        ratio(ours, theirs, per_cpu_second),
        ratio(ours, theirs, per_second),
    )
