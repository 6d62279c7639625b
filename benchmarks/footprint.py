"""Measure the memory that one run holds; see `memory`.

Run as `python -m benchmarks.footprint streamed|collected URL RECIPIENTS`; prints a `Footprint`.
"""

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import Iterable, Iterator

import attrs

from benchmarks.library import open_session, streamed
from benchmarks.messages import SHARED, numbers
from benchmarks.programs import answer
from benchmarks.service import Claim, Service
from sens_async import BulkReport, OutcomeState

__all__ = ["Footprint", "Sample"]

SAMPLES = 20


@attrs.frozen
class Sample:
    """What was held at one moment of a run.

    Attributes:
        recipients: Taken from the source by then.
        bytes: Held by Python objects made since the run began.
    """

    recipients: int
    bytes: int


@attrs.frozen
class Footprint:
    """What one run held.

    Attributes:
        recipients: Of the run.
        samples: Each twentieth of them.
        kept: Bytes still held when the run has ended and its session is closed: by its report,
            if it has one. The recipients of a list are the caller's and do not count.
    """

    recipients: int
    samples: list[Sample]
    kept: int

    @property
    def growth(self) -> int:
        """The most bytes that were held after the first sample, beyond what was held there."""
        first, *later = self.samples
        return max(sample.bytes for sample in later) - first.bytes


def held() -> int:
    """Give the bytes that live Python objects made since `tracemalloc.start` hold."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def watched(source: Iterable[str], step: int, samples: list[Sample]) -> Iterator[str]:
    """Pass recipients on, and take a sample after each `step` of them."""
    for count, number in enumerate(source, start=1):
        yield number
        if count % step == 0:
            samples.append(Sample(count, held()))


async def stream(url: str, recipients: int, samples: list[Sample]) -> tuple[None, Claim]:
    """Stream to numbers that are made as they are asked for, and keep nothing."""
    source = (f"010{n:08}" for n in range(recipients))
    step = recipients // SAMPLES
    async with open_session(url) as sens:
        tracemalloc.start()
        claim = await streamed(sens, watched(source, step, samples), SHARED, duplicates="send")
    return None, claim


async def collect(url: str, recipients: int, samples: list[Sample]) -> tuple[BulkReport, Claim]:
    """Send to a list that is there already, and keep the report."""
    source = numbers(recipients)
    async with open_session(url) as sens:
        tracemalloc.start()
        report = await sens.send_many(watched(source, recipients // SAMPLES, samples), SHARED)
    return report, Claim(len(report.request_ids), report.counts[OutcomeState.ACCEPTED])


async def footprint(way: str, url: str, recipients: int) -> Footprint:
    """Run once, and give what was held meanwhile and afterwards."""
    service = Service({0: url})
    samples: list[Sample] = []
    async with open_session(url) as sens:
        await sens.send_many(numbers(100), SHARED)  # what is made once and for all is made now
    service.take()
    report, claim = await (stream if way == "streamed" else collect)(url, recipients, samples)
    kept = held()
    del report  # it was to be alive until now
    tracemalloc.stop()
    service.confirm(claim)
    return Footprint(recipients, samples, kept)


def main(way: str, url: str, recipients: str) -> None:
    """Measure one run."""
    answer(asyncio.run(footprint(way, url, int(recipients))))


if __name__ == "__main__":
    main(*sys.argv[1:])
