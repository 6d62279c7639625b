"""Results as a file: what was measured, where, and how it stands to its goals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import cattrs
import orjson

from benchmarks.goals import Goal
from benchmarks.machine import Machine
from benchmarks.scale import Scale

__all__ = ["Result", "load", "save"]

T = TypeVar("T")


class Result(Protocol):
    """What a part has measured; an attrs class of plain values."""

    def goals(self) -> list[Goal]:
        """Compare with what is wanted."""
        ...


def save(
    path: Path,
    machine: Machine,
    scale: Scale,
    goals: Sequence[Goal],
    results: Mapping[str, Result],
) -> None:
    """Write everything as JSON.

    Args:
        path: A file, written over.
        machine: Where it was measured.
        scale: How much of it.
        goals: Of all parts.
        results: By part.
    """
    everything = {"machine": machine, "scale": scale, "goals": list(goals), **results}
    enums_as_keys = orjson.OPT_NON_STR_KEYS
    text = orjson.dumps(cattrs.unstructure(everything), option=orjson.OPT_INDENT_2 | enums_as_keys)
    path.write_bytes(text)


def load(path: Path, part: str, kind: type[T]) -> T | None:
    """Read the result of one part; None if it was not measured.

    Args:
        path: Of a file that `save` wrote.
        part: Its name.
        kind: Of the result.
    """
    found = orjson.loads(path.read_bytes()).get(part)
    return None if found is None else cattrs.structure(found, kind)
