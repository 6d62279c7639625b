"""One measurement, and rounds of them: CPU time beside wall time, confirmed by the stub.

CPU time is that of the whole client process, user and system, all threads. It hardly moves when
somebody else takes the core, wall time does; so what a client costs is judged by CPU time, and
how long it takes by wall time.
"""

import gc
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

import attrs

from benchmarks.service import Claim, Service

__all__ = [
    "Client",
    "Quantity",
    "Reading",
    "measure",
    "middle",
    "per_cpu_second",
    "per_second",
    "ratio",
    "take_turns",
]

N = TypeVar("N", bound=str)

Client = Callable[[], Awaitable[Claim]]
"""Sends a fixed amount, and says what it sent."""


@attrs.frozen(kw_only=True)
class Reading:
    """One measurement of a client.

    Attributes:
        requests: Sent.
        recipients: Sent to.
        cpu: Seconds of the client process.
        wall: Seconds.
        connections: Opened meanwhile.
        most_in_flight: Requests that were unanswered at a time.
        stub_cpu: Seconds of the stub; near `wall` it would be the stub that was measured.
    """

    requests: int
    recipients: int
    cpu: float
    wall: float
    connections: int
    most_in_flight: int
    stub_cpu: float


Quantity = Callable[[Reading], float]
"""What a reading is judged by."""


def per_cpu_second(reading: Reading) -> float:
    """Recipients per second of client CPU."""
    return reading.recipients / reading.cpu


def per_second(reading: Reading) -> float:
    """Recipients per second of wall time."""
    return reading.recipients / reading.wall


async def measure(service: Service, client: Client, *, seconds: float = 0.0) -> Reading:
    """Measure a client once.

    Args:
        service: Counts what comes.
        client: Is called at least once.
        seconds: It is called again until that much time has passed.

    Raises:
        Mismatch: The stub saw something else than the client says it sent.
    """
    gc.collect()
    service.take()
    claim = Claim(0, 0)
    cpu, wall = time.process_time(), time.perf_counter()
    while True:
        claim += await client()
        if time.perf_counter() - wall >= seconds:
            break
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    counts = service.confirm(claim)
    return Reading(
        requests=counts.requests,
        recipients=counts.recipients,
        cpu=cpu,
        wall=wall,
        connections=counts.connections,
        most_in_flight=counts.most_in_flight,
        stub_cpu=counts.cpu,
    )


async def take_turns(
    service: Service, clients: Mapping[N, Client], *, rounds: int, seconds: float
) -> dict[N, list[Reading]]:
    """Measure clients in turn, each once a round, in another order every round.

    There is no round to warm up: the first is one of many, and medians do not heed it.

    Args:
        service: See `measure`.
        clients: By name.
        rounds: How many readings each client gets.
        seconds: See `measure`.
    """
    readings: dict[N, list[Reading]] = {name: [] for name in clients}
    order = list(clients)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            readings[name].append(await measure(service, clients[name], seconds=seconds))
    return readings


def middle(readings: Sequence[Reading], of: Quantity) -> float:
    """Give the median of a quantity."""
    return median(map(of, readings))


def ratio(ours: Sequence[Reading], theirs: Sequence[Reading], of: Quantity) -> float:
    """Give the median, over the rounds, of the ratio within a round."""
    return median(of(our) / of(their) for our, their in zip(ours, theirs, strict=True))
