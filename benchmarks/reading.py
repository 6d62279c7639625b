"""What does it cost to look at one outcome of a report?

A report keeps batches and makes an outcome when somebody looks, so looking has a price; it
includes what the first look at a report sorts once.
"""

import asyncio
import time
from statistics import median

import attrs

from benchmarks.bench import Bench
from benchmarks.goals import Goal, at_most
from benchmarks.library import open_session
from benchmarks.messages import SHARED, numbers
from sens_async import BulkReport

__all__ = ["ReadingResult", "run"]


@attrs.frozen
class ReadingResult:
    """Microseconds of CPU for one outcome's `state` and `request_id`.

    Attributes:
        outcome_us: The median over reports.
    """

    outcome_us: float

    def goals(self) -> list[Goal]:
        """Compare with what is wanted."""
        return [
            at_most("reading one outcome: state and request_id", self.outcome_us, 0.25, 0.35, "us")
        ]


def run(bench: Bench) -> ReadingResult:
    """Read as many reports as there are rounds."""
    result = ReadingResult(asyncio.run(_outcome_us(bench)))
    bench.say(f"reading one outcome: {result.outcome_us:.3f} us")
    return result


async def _outcome_us(bench: Bench) -> float:
    recipients = numbers(bench.scale.recipients)
    figures = []
    async with open_session(bench.service.url()) as sens:
        for _ in range(bench.scale.rounds):
            report = await sens.send_many(recipients, SHARED)
            figures.append(_read(report) / len(recipients) * 1e6)
    return median(figures)


def _read(report: BulkReport) -> float:
    """Read all of a report; give the seconds of CPU."""
    began = time.process_time()
    for outcome in report.outcomes:
        _ = outcome.state
        _ = outcome.request_id
    return time.process_time() - began
