"""The rate limiters that are compared, each as something to await before a request."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import aiolimiter
import pyrate_limiter

from benchmarks.library import PER_REQUEST
from sens_async import RateLimit
from sens_async.clock import SystemClock
from sens_async.flow.lanes import Lane
from sens_async.flow.limiter import GcraLimiter

__all__ = ["OURS", "PACERS", "Acquire", "Pacer"]

Acquire = Callable[[], Awaitable[object]]
"""Returns when one more request may leave."""
Pacer = Callable[[int], AbstractContextManager[Acquire]]
"""Makes a limiter of so many requests per second."""


@contextmanager
def _ours(rate: int) -> Iterator[Acquire]:
    limiter = GcraLimiter(RateLimit(requests=rate), SystemClock())
    yield partial(limiter.acquire, PER_REQUEST, Lane.BULK)


@contextmanager
def _aiolimiter(rate: int) -> Iterator[Acquire]:
    yield aiolimiter.AsyncLimiter(rate, 1.0).acquire


@contextmanager
def _pyrate_limiter(rate: int) -> Iterator[Acquire]:
    with pyrate_limiter.Limiter(
        pyrate_limiter.Rate(rate, pyrate_limiter.Duration.SECOND)
    ) as limiter:
        yield limiter.try_acquire_async


OURS = "sens-async"
PACERS: dict[str, Pacer] = {
    OURS: _ours,
    "aiolimiter": _aiolimiter,
    "pyrate-limiter": _pyrate_limiter,
}
"""By name."""
