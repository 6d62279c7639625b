"""What does uvloop do for a run? It is told, not wanted: the library neither needs nor installs it.

Each loop runs in processes of its own, in turn.
"""

from importlib.util import find_spec

import attrs

from benchmarks.bench import Bench
from benchmarks.goals import Goal
from benchmarks.meter import Reading, middle, per_cpu_second, ratio
from benchmarks.programs import ask

__all__ = ["LoopsResult", "run"]


@attrs.frozen
class LoopsResult:
    """Recipients per CPU second of `send_many` on each event loop.

    Attributes:
        default: On asyncio's.
        uvloop: On uvloop, or None where it is not installed.
        ratio: The latter over the former, or None.
    """

    default: float
    uvloop: float | None = None
    ratio: float | None = None

    def goals(self) -> list[Goal]:
        """Want nothing."""
        return []


def run(bench: Bench) -> LoopsResult:
    """Measure both in turn."""
    names = ["asyncio"] if find_spec("uvloop") is None else ["asyncio", "uvloop"]
    scale = bench.scale
    readings: dict[str, list[Reading]] = {name: [] for name in names}
    for _ in range(scale.rounds):
        for name in names:
            arguments = (name, bench.service.url(), scale.recipients, scale.cell_seconds)
            readings[name].append(ask(Reading, "loop_run", *arguments))
    default = middle(readings["asyncio"], per_cpu_second)
    if "uvloop" not in readings:
        bench.say("uvloop is not installed")
        return LoopsResult(default)
    ours = readings["uvloop"]
    result = LoopsResult(
        default,
        middle(ours, per_cpu_second),
        ratio(ours, readings["asyncio"], per_cpu_second),
    )
    bench.say(
        f"send_many on uvloop: {result.uvloop:,.0f} recipients per CPU second, "
        f"{result.ratio:.2f} of the {default:,.0f} on asyncio's loop"
    )
    return result
