"""What does a run cost at the pace of a real account, and how many connections does it open?

In production the rate limit decides how long a run takes; what is left to the library is to need
little of the machine meanwhile. A loop that wakes for one request has cold caches, so a request
costs several times what it does in a hurry; what bare aiohttp takes at the same pace is the
measure of that.
"""

import asyncio
from functools import partial
from statistics import median

import aiohttp
import attrs

from benchmarks.bench import Bench
from benchmarks.goals import Goal, at_most
from benchmarks.library import IN_FLIGHT, PER_REQUEST, TARGET, many, open_session
from benchmarks.messages import SHARED, bodies, numbers
from benchmarks.meter import Reading, measure, middle, per_second
from benchmarks.rivals import paced
from sens_async import RateLimit
from sens_async.flow.queue import RESERVE

__all__ = ["PacedResult", "run"]

LATENCY_MS = 20
RATE = 100
"""Requests per second, of 100 recipients each."""


@attrs.frozen
class PacedResult:
    """A run at 100 requests per second, and one that nothing holds back.

    Attributes:
        readings: Of the former.
        cpu: The share of a core it takes; the median.
        bare_cpu: The same of bare aiohttp at that pace.
        unpaced: A reading of the latter in a new session.
    """

    readings: list[Reading]
    cpu: float
    bare_cpu: float
    unpaced: Reading

    def goals(self) -> list[Goal]:
        """Compare with what is wanted."""
        return [
            at_most(
                f"share of a core at {RATE * PER_REQUEST:,} recipients per second",
                100 * self.cpu,
                4,
                6,
                "%",
                bare=100 * self.bare_cpu,
            ),
            at_most(
                f"connections opened in a run of {self.unpaced.requests:,} requests",
                self.unpaced.connections,
                IN_FLIGHT,
                IN_FLIGHT + RESERVE,
            ),
        ]


def run(bench: Bench) -> PacedResult:
    """Measure both."""
    return asyncio.run(_paced(bench))


async def _paced(bench: Bench) -> PacedResult:
    scale, service = bench.scale, bench.service
    url = service.url(LATENCY_MS)
    everybody = numbers(scale.trips * IN_FLIGHT * PER_REQUEST)
    async with open_session(url) as sens:
        unpaced = await measure(service, partial(many, sens, everybody, SHARED))
    bench.say(
        f"{unpaced.requests:,} requests, at most {unpaced.most_in_flight} at a time, "
        f"on {unpaced.connections} connections"
    )
    some = numbers(int(scale.paced_seconds * RATE) * PER_REQUEST)
    async with open_session(url, rate_limit=RateLimit(requests=RATE)) as sens:
        client = partial(many, sens, some, SHARED)
        ready = await bodies(some, SHARED)
        async with aiohttp.ClientSession() as session:
            rival = partial(paced, session, url + TARGET, ready, RATE)
            turns = [
                (await measure(service, client), await measure(service, rival))
                for _ in range(scale.paced_rounds)
            ]
    readings = [ours for ours, _ in turns]
    cpu, bare_cpu = (median(one.cpu / one.wall for one in row) for row in zip(*turns, strict=True))
    bench.say(
        f"{middle(readings, per_second):,.0f} recipients per second take {cpu:.1%} of a core; "
        f"bare aiohttp at that pace {bare_cpu:.1%}"
    )
    return PacedResult(readings, cpu, bare_cpu, unpaced)
