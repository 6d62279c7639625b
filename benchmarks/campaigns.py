"""What does a ledger cost: planning, running beside `send_stream`, going on, and disk?

Everything is on: intents on the disk before their requests (SQLite, synchronous=FULL), claims,
leases, outcomes. `send_stream` sends the same recipients in the same process, in turns.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import attrs

from benchmarks.bench import Bench
from benchmarks.goals import Goal, at_least, at_most
from benchmarks.library import PER_REQUEST, open_session, streamed
from benchmarks.messages import SHARED, TEMPLATE, numbers, people
from benchmarks.meter import Reading, measure, per_cpu_second, per_second, ratio
from benchmarks.service import Claim
from sens_async import OutcomeState, Recipient, SensSession
from sens_async.campaign import CampaignStatus, Ledger

__all__ = ["CampaignResult", "run"]

LATENCIES_MS = (0, 20)
MEGABYTE = 1e6


@attrs.frozen
class Planned:
    """One plan.

    Attributes:
        recipients: In it.
        seconds: It took.
        cpu: Seconds of CPU it took.
        size: Bytes of the ledger's file then.
    """

    recipients: int
    seconds: float
    cpu: float
    size: int

    @property
    def per_second(self) -> float:
        """Recipients planned in a second."""
        return self.recipients / self.seconds

    @property
    def per_million(self) -> float:
        """Bytes of the file for a million recipients."""
        return self.size / self.recipients * 1e6


@attrs.frozen
class CampaignResult:
    """What was measured.

    Attributes:
        plans: With shared text, one for each run.
        personal: With personalised text and three fields.
        runs: Of campaigns, by latency in milliseconds.
        streams: `send_stream` of as many, each beside the run at its place.
        resumed: Seconds from opening the ledger of a half-done campaign to its next acceptance.
    """

    plans: list[Planned]
    personal: Planned
    runs: dict[int, list[Reading]]
    streams: dict[int, list[Reading]]
    resumed: list[float]

    def goals(self) -> list[Goal]:
        """Compare with what is wanted."""
        far, near = (
            ratio(self.runs[latency], self.streams[latency], per_second) for latency in (20, 0)
        )
        plans = sorted(self.plans, key=lambda plan: plan.per_second)
        plan = plans[len(plans) // 2]
        resumed = sorted(self.resumed)[len(self.resumed) // 2]
        megabytes = plan.per_million / MEGABYTE
        return [
            at_least("campaign, per second / send_stream at 20 ms", far, 0.9, 0.85, "x"),
            at_least("campaign, per second / send_stream without latency", near, 0.6, 0.5, "x"),
            at_least("campaign: planned a second, shared text", plan.per_second, 400e3, 300e3),
            at_most("campaign: ledger for a million, shared text", megabytes, 30, 40, "MB"),
            at_most("campaign: half done, opened to next acceptance", resumed, 1, 3, "s"),
        ]


def run(bench: Bench) -> CampaignResult:
    """Plan and run campaigns of growing haste, and go on with one that is half done."""
    return asyncio.run(_run(bench))


async def _run(bench: Bench) -> CampaignResult:
    everybody = numbers(bench.scale.campaign_recipients)
    plans: list[Planned] = []
    runs: dict[int, list[Reading]] = {}
    streams: dict[int, list[Reading]] = {}
    for latency in LATENCIES_MS:
        runs[latency], streams[latency] = [], []
        async with open_session(bench.service.url(latency)) as sens:
            for _ in range(bench.scale.campaign_rounds):
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder, "campaigns.db")
                    plans.append(await _plan(sens, path, everybody))
                    streaming = partial(streamed, sens, everybody, SHARED)
                    streams[latency].append(await measure(bench.service, streaming))
                    running = partial(_carry_out, sens, path)
                    runs[latency].append(await measure(bench.service, running))
        wall = ratio(runs[latency], streams[latency], per_second)
        cpu = ratio(runs[latency], streams[latency], per_cpu_second)
        bench.say(
            f"{len(everybody):,} at {latency} ms: {wall:.2f} of send_stream's pace, "
            f"{cpu:.2f} of its recipients per CPU second; planned at {plans[-1].per_second:,.0f}/s"
        )
    with tempfile.TemporaryDirectory() as folder:
        async with open_session(bench.service.url()) as sens:
            few = people(len(everybody) // 5)
            personal = await _plan(sens, Path(folder, "campaigns.db"), few, TEMPLATE)
    bench.say(
        f"personalised: planned at {personal.per_second:,.0f}/s, "
        f"{personal.per_million / MEGABYTE:.0f} MB a million"
    )
    resumed = [await _resume(bench, everybody) for _ in range(bench.scale.campaign_rounds)]
    bench.say(f"half done, next acceptance after {', '.join(f'{one:.2f}' for one in resumed)} s")
    return CampaignResult(plans, personal, runs, streams, resumed)


async def _plan(
    sens: SensSession, path: Path, recipients: Sequence[str | Recipient], content: str = SHARED
) -> Planned:
    async with Ledger.open(path) as ledger:
        began, cpu = time.perf_counter(), time.process_time()
        await ledger.plan(sens, "campaign", recipients, content)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Planned(len(recipients), seconds, cpu, _size(path))


def _size(path: Path) -> int:
    return path.stat().st_size


async def _carry_out(sens: SensSession, path: Path) -> Claim:
    async with Ledger.open(path) as ledger:
        campaign = await ledger.campaign("campaign")
        status = await campaign.run(sens)
    accepted = status.counts[OutcomeState.ACCEPTED]
    return Claim(-(-accepted // PER_REQUEST), accepted)


async def _resume(bench: Bench, everybody: list[str]) -> float:
    """Stop a campaign half-way, and measure how soon another process would go on."""
    url, half = bench.service.url(), len(everybody) // 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "campaigns.db")
        async with open_session(url) as sens:
            await _plan(sens, path, everybody)
            await _run_until(sens, path, half)
        async with open_session(url) as sens:
            seconds = await _run_until(sens, path, half + PER_REQUEST)
    bench.service.take()
    return seconds


async def _run_until(sens: SensSession, path: Path, accepted: int) -> float:
    """Run until so many are accepted; give the seconds from opening until then."""
    began = time.perf_counter()
    reached = asyncio.Event()
    seconds = 0.0

    def watch(status: CampaignStatus) -> None:
        nonlocal seconds
        if status.counts[OutcomeState.ACCEPTED] >= accepted and not reached.is_set():
            seconds = time.perf_counter() - began
            reached.set()

    async with Ledger.open(path) as ledger:
        running = asyncio.create_task((await ledger.campaign("campaign")).run(sens, watch=watch))
        await reached.wait()
        running.cancel()
        await asyncio.wait({running})
    return seconds
