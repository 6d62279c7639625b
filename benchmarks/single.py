"""What does one `send` add to a bare signed POST, and how long does it wait beside a run?

And what is saved when many sends at once share requests, where the library lets them.
"""

import asyncio
import gc
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import chain
from statistics import median, quantiles

import aiohttp
import attrs

from benchmarks.bench import Bench
from benchmarks.goals import Goal, at_most
from benchmarks.library import TARGET, open_session
from benchmarks.messages import SHARED, bodies, numbers
from benchmarks.meter import Reading, measure, middle
from benchmarks.rivals import signed
from benchmarks.service import Claim
from sens_async import BulkReport, ConfigError, OutcomeState, RateLimit, SensSession

__all__ = ["Lingering", "SingleResult", "run"]

NUMBER = "01012345678"
HELD_TO = RateLimit(requests=100)
SLOT_MS = 10.0
"""Milliseconds between two requests of that rate: what a send waits for its turn at most."""
PAUSES = (0.015, 0.035)
"""Seconds between two sends, drawn evenly: always more than a slot, and out of step with it."""
LINGER = 0.01
LINGER_LATENCY_MS = 20

Action = Callable[[], Awaitable[object]]


@attrs.frozen
class Lingering:
    """Many sends at once, with and without `linger`; medians.

    Attributes:
        sends: At once.
        requests: Made of them without `linger`.
        seconds: That took.
        shared_requests: Made of them with it.
        shared_seconds: That took.
    """

    sends: int
    requests: float
    seconds: float
    shared_requests: float
    shared_seconds: float


@attrs.frozen
class SingleResult:
    """Latencies in milliseconds.

    Attributes:
        bare_p50: A bare signed POST.
        bare_p99: The same.
        send_p50: `send`, in turn with it.
        send_p99: The same.
        added_p50_us: Microseconds that `send` adds to the median; the median over rounds.
        idle_p99: `send` now and then, nothing else going on.
        busy_p50: The same while a run holds the queue.
        busy_p99: The same.
        lingering: None where the library does not linger.
    """

    bare_p50: float
    bare_p99: float
    send_p50: float
    send_p99: float
    added_p50_us: float
    idle_p99: float
    busy_p50: float
    busy_p99: float
    lingering: Lingering | None

    def goals(self) -> list[Goal]:
        """Compare with what is wanted."""
        return [
            at_most("send, p50 over a bare signed POST", self.added_p50_us, 60, 100, "us"),
            at_most(
                "send, p99 beside a run at 100 per second",
                self.busy_p99,
                3 * self.idle_p99 + SLOT_MS,
                5 * self.idle_p99 + SLOT_MS,
                "ms",
            ),
        ]


def run(bench: Bench) -> SingleResult:
    """Measure all three."""
    return asyncio.run(_single(bench))


async def _single(bench: Bench) -> SingleResult:
    sends, posts = await _in_turn(bench)
    added = median(median(ours) - median(theirs) for ours, theirs in zip(sends, posts, strict=True))
    send, post = list(chain(*sends)), list(chain(*posts))
    bench.say(
        f"send {median(send):.3f} ms, p99 {_p99(send):.3f}; "
        f"bare signed POST {median(post):.3f} ms, p99 {_p99(post):.3f}; {1e3 * added:+.0f} us"
    )
    idle, busy = await _beside_a_run(bench)
    bench.say(
        f"send now and then: p99 {_p99(idle):.3f} ms; "
        f"beside a run {median(busy):.3f} ms, p99 {_p99(busy):.3f}"
    )
    lingering = await _lingering(bench)
    if lingering is None:
        bench.say("this version does not linger: no gain to measure")
    else:
        bench.say(
            f"{lingering.sends:,} sends at once: {lingering.requests:,.0f} requests in "
            f"{lingering.seconds:.3f} s; with linger {lingering.shared_requests:,.0f} in "
            f"{lingering.shared_seconds:.3f} s"
        )
    return SingleResult(
        bare_p50=median(post),
        bare_p99=_p99(post),
        send_p50=median(send),
        send_p99=_p99(send),
        added_p50_us=1e3 * added,
        idle_p99=_p99(idle),
        busy_p50=median(busy),
        busy_p99=_p99(busy),
        lingering=lingering,
    )


async def _in_turn(bench: Bench) -> tuple[list[list[float]], list[list[float]]]:
    """Give the milliseconds of sends and of bare posts of the same bytes, a list each round."""
    service, scale = bench.service, bench.scale
    url = service.url()
    (body,) = await bodies([NUMBER], SHARED)
    sends: list[list[float]] = []
    posts: list[list[float]] = []
    async with aiohttp.ClientSession() as session, open_session(url) as sens:
        pairs: list[tuple[Action, list[list[float]]]] = [
            (partial(sens.send, NUMBER, SHARED), sends),
            (partial(signed, session, url + TARGET, body), posts),
        ]
        service.take()
        for _ in range(scale.rounds):
            random.shuffle(pairs)
            for action, times in pairs:
                gc.collect()
                times.append([await _milliseconds(action) for _ in range(scale.sends)])
    made = 2 * scale.rounds * scale.sends
    service.confirm(Claim(made, made))
    return sends, posts


async def _beside_a_run(bench: Bench) -> tuple[list[float], list[float]]:
    """Give the milliseconds of sends now and then, alone and while a run holds the queue."""
    service, scale = bench.service, bench.scale
    report = BulkReport()
    service.take()
    async with open_session(service.url(), rate_limit=HELD_TO) as sens:
        idle = await _now_and_then(sens, scale.idle_sends)
        recipients = numbers(scale.busy_recipients)
        bulk = asyncio.create_task(sens.send_many(recipients, SHARED, report=report))
        await asyncio.sleep(0.5)  # every slot is taken, and all wait for the rate limit
        busy = await _now_and_then(sens, scale.busy_sends)
        assert not bulk.done(), "the run ended before the sends did"
        bulk.cancel()
        await asyncio.wait({bulk})
    alone = scale.idle_sends + scale.busy_sends
    accepted = report.counts[OutcomeState.ACCEPTED]
    service.confirm(Claim(alone + len(report.request_ids), alone + accepted))
    return idle, busy


async def _now_and_then(sens: SensSession, count: int) -> list[float]:
    times = []
    for _ in range(count):
        await asyncio.sleep(random.uniform(*PAUSES))
        times.append(await _milliseconds(partial(sens.send, NUMBER, SHARED)))
    return times


async def _lingering(bench: Bench) -> Lingering | None:
    sends = numbers(bench.scale.lingering_sends)
    url = bench.service.url(LINGER_LATENCY_MS)
    try:
        sessions = [open_session(url), open_session(url, linger=LINGER)]
    except ConfigError:
        return None
    readings: list[list[Reading]] = [[], []]
    async with sessions[0], sessions[1]:
        for _ in range(bench.scale.rounds):
            for sens, rows in zip(sessions, readings, strict=True):
                rows.append(await measure(bench.service, partial(_all_at_once, sens, sends)))
    (requests, seconds), (shared_requests, shared_seconds) = (
        (middle(rows, lambda row: row.requests), middle(rows, lambda row: row.wall))
        for rows in readings
    )
    return Lingering(len(sends), requests, seconds, shared_requests, shared_seconds)


async def _all_at_once(sens: SensSession, recipients: list[str]) -> Claim:
    """Send the same text to each with a call of its own; those who share an id share a request."""
    receipts = await asyncio.gather(*(sens.send(number, SHARED) for number in recipients))
    return Claim(len({receipt.request_id for receipt in receipts}), len(receipts))


async def _milliseconds(action: Action) -> float:
    began = time.perf_counter()
    await action()
    return 1e3 * (time.perf_counter() - began)


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]
