"""Programs of this package that are measured in a process of their own.

A program prints one value as JSON; whoever runs it gets the value.
"""

import subprocess
import sys
from typing import TypeVar

import cattrs
import orjson

__all__ = ["answer", "ask"]

T = TypeVar("T")


def ask(kind: type[T], program: str, *arguments: object) -> T:
    """Run a program and give what it answers.

    Args:
        kind: Of the answer.
        program: A module of this package.
        arguments: For its command line.

    Raises:
        subprocess.CalledProcessError: It failed; why is on standard error.
    """
    command = [sys.executable, "-m", f"benchmarks.{program}", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return cattrs.structure(orjson.loads(done.stdout), kind)


def answer(value: object) -> None:
    """Print a program's answer."""
    print(orjson.dumps(cattrs.unstructure(value)).decode())
