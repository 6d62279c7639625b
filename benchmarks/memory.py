"""What does a run hold in memory: streamed, and collected in a report?

Measured is what Python objects hold, to the byte, by `tracemalloc`, and not the size of the
process. That moves by whole arenas and by what the C allocator keeps back, a megabyte either way,
while a leak of a single byte a recipient shows in the former. Not seen is what C code takes past
Python's allocators: buffers of sockets, which do not grow with recipients. Each run has a process
of its own.
"""

import attrs

from benchmarks.bench import Bench
from benchmarks.footprint import Footprint
from benchmarks.goals import Goal, at_most
from benchmarks.programs import ask

__all__ = ["MemoryResult", "run"]

MEGABYTE = 1e6


@attrs.frozen
class MemoryResult:
    """Footprints of runs of growing size.

    Attributes:
        streamed: `send_stream` with `duplicates="send"`, from a generator.
        collected: `send_many`, of a list.
    """

    streamed: list[Footprint]
    collected: list[Footprint]

    def goals(self) -> list[Goal]:
        """Compare the largest runs with what is wanted."""
        streamed, collected = self.streamed[-1], self.collected[-1]
        first, last = streamed.samples[0].recipients, streamed.recipients
        return [
            at_most(
                f"streamed: growth from recipient {first:,} to {last:,}",
                streamed.growth / MEGABYTE,
                1,
                2,
                "MB",
            ),
            at_most(
                "collected: report, per recipient",
                collected.kept / collected.recipients,
                20,
                40,
                "bytes",
            ),
        ]


def run(bench: Bench) -> MemoryResult:
    """Measure runs of every size, both ways."""
    return MemoryResult(_of_every_size(bench, "streamed"), _of_every_size(bench, "collected"))


def _of_every_size(bench: Bench, way: str) -> list[Footprint]:
    footprints = []
    for recipients in bench.scale.memory_sizes:
        footprint = ask(Footprint, "footprint", way, bench.service.url(), recipients)
        bench.say(
            f"{recipients:9,} recipients {way}: {footprint.growth / MEGABYTE:+.3f} MB since the "
            f"first twentieth, {footprint.kept / recipients:.1f} bytes each kept at the end"
        )
        footprints.append(footprint)
    return footprints
