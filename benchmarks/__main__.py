"""Run the benchmarks, and say what came of their goals.

`python -m benchmarks` measures everything in about eight minutes on two cores;
`python -m benchmarks bulk limiter` those parts, `--quick` just sees that all of it works. The
exit code is 1 when a floor is missed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import bulk, campaigns, limiter, loops, memory, paced, reading, single, start
from benchmarks.bench import Bench
from benchmarks.goals import Verdict, table
from benchmarks.machine import Machine
from benchmarks.results import Result, save
from benchmarks.scale import FULL, QUICK
from benchmarks.service import Service

LATENCIES_MS = (0, *bulk.WITH_LATENCY)

PARTS: dict[str, Callable[[Bench], Result]] = {
    "bulk": bulk.run,
    "reading": reading.run,
    "loops": loops.run,
    "limiter": limiter.run,
    "single": single.run,
    "memory": memory.run,
    "paced": paced.run,
    "start": start.run,
    "campaigns": campaigns.run,
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; all if none")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures mean little")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw it, as PNGs")
    options = parser.parse_args()
    if unknown := sorted({*options.parts} - {*PARTS}):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return options


def main() -> int:
    """Measure, keep, draw, and judge."""
    options = arguments()
    os.environ["NO_PROXY"] = "127.0.0.1"  # httpx and requests would go through one to the stub
    machine, scale = Machine.here(), QUICK if options.quick else FULL
    results: dict[str, Result] = {}
    with Service.started(LATENCIES_MS) as service:
        bench = Bench(service, scale)
        bench.say(f"{machine.processor}, {machine.cores} cores, {machine.python}")
        for part in options.parts or PARTS:
            bench.say(f"-- {part}")
            results[part] = PARTS[part](bench)
    goals = [goal for result in results.values() for goal in result.goals()]
    print("\nAt 32 requests in flight, on asyncio's event loop; ratios are taken within a round.\n")
    print(table(goals))
    with tempfile.TemporaryDirectory() as spare:
        path = options.json or Path(spare, "results.json")
        save(path, machine, scale, goals, results)
        if options.pictures:
            # matplotlib is big; a process that measures does without it.
            draw = [sys.executable, "-m", "benchmarks.pictures", str(path), str(options.pictures)]
            subprocess.run(draw, check=True)
    return int(any(goal.verdict is Verdict.FLOOR_MISSED for goal in goals))


if __name__ == "__main__":
    sys.exit(main())
