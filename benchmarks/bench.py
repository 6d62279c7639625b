"""What every part of the benchmarks is handed."""

import time

import attrs

from benchmarks.scale import Scale
from benchmarks.service import Service

__all__ = ["Bench"]


@attrs.frozen
class Bench:
    """A running stub, the sizes to measure, and somewhere to tell what is going on.

    Attributes:
        service: What is sent to.
        scale: How much.
    """

    service: Service
    scale: Scale
    _began: float = attrs.field(factory=time.monotonic, init=False)

    def say(self, text: str = "") -> None:
        """Print a line with the seconds since the beginning, so that a reader sees it live."""
        print(f"[{time.monotonic() - self._began:4.0f} s] {text}", flush=True)
