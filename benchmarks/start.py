"""How long does it take until the library, and its command, can be used?

Importing the library imports what it stands on, so it is compared with importing that alone.
Each is timed in fresh processes, in turn, by the CPU time of the import statement. All of it is
compiled before, as pip compiles what it installs.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from statistics import median

import attrs

from benchmarks.bench import Bench
from benchmarks.goals import Goal, at_most

__all__ = ["StartResult", "run"]

STANDS_ON = "aiohttp, attrs, cattrs, orjson"
OURS = "sens_async"
IMPORT = """
import time
began = time.process_time()
import {names}
print(time.process_time() - began)
"""


@attrs.frozen
class StartResult:
    """Medians, in milliseconds.

    Attributes:
        base_ms: Importing what the library stands on.
        ours_ms: Importing the library, that included.
        help_ms: Wall time of `sens --help`, the interpreter included.
    """

    base_ms: float
    ours_ms: float
    help_ms: float

    def goals(self) -> list[Goal]:
        """Compare with what is wanted."""
        added = 100 * (self.ours_ms / self.base_ms - 1)
        return [at_most(f"import sens_async over {STANDS_ON}", added, 15, 30, "%")]


def run(bench: Bench) -> StartResult:
    """Start everything in turn."""
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _start_each(environment)  # compiles, and reads from the disk
        turns = [_start_each(environment) for _ in range(bench.scale.starts)]
    result = StartResult(*(median(figures) for figures in zip(*turns, strict=True)))
    bench.say(
        f"import {STANDS_ON}: {result.base_ms:.0f} ms; sens_async: {result.ours_ms:.0f} ms; "
        f"sens --help: {result.help_ms:.0f} ms"
    )
    return result


def _start_each(environment: Mapping[str, str]) -> tuple[float, float, float]:
    return _import_ms(STANDS_ON, environment), _import_ms(OURS, environment), _help_ms(environment)


def _import_ms(names: str, environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", IMPORT.format(names=names)]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
    return 1e3 * float(done.stdout)


def _help_ms(environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "sens_async", "--help"]
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
    return 1e3 * (time.perf_counter() - began)
