"""SENS on loopback as a campaign meets it at its worst, and what it sees of each request."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import orjson
from aiohttp import web
from campaign.kill_worker import SIGNATURE_LIFETIME, number, place_of
from campaign.ledger_probe import Probe

from sens_async.emulator import Emulator, EmulatorOptions

FAULTS = (
    ("drop", {"accept": True}, 0.05),
    ("drop", {}, 0.05),
    ("reset", {"accept": True}, 0.03),
    ("reset", {}, 0.03),
    (500, {"accept": True}, 0.03),
    (500, {}, 0.03),
    (503, {"accept": True}, 0.02),
    (503, {}, 0.02),
    ("half", {"accept": True}, 0.02),
    ("half_head", {}, 0.02),
    ("throttle", {}, 0.03),
    ("too_many", {}, 0.02),
    ("late", {"delay": 1.0}, 0.04),
    ("late", {"delay": 1.3}, 0.04),
    ("late", {"delay": 2.0}, 0.02),
    (503, {"endpoint": "list"}, 0.03),
    ("drop", {"endpoint": "list"}, 0.03),
    ("half", {"endpoint": "list"}, 0.02),
)
"""Kind, options and probability. Of the late ones two are accepted after the client has left, the
last comes when its signature has become invalid."""

REFUSED_EACH = 50
"""One recipient in so many is refused, and with it every request that holds it."""


class Arrivals:
    """Looks, when a request to send arrives, for the intent that must have come before it.

    Attributes:
        total: How many came.
        too_late: How many of them came with a signature that is not valid any more; their intent
            may have given way to another's.
        unannounced: Signature times of the others without an intent.
    """

    def __init__(self, emulator: Emulator, probe: Probe) -> None:
        self.total = self.too_late = 0
        self.unannounced: list[int] = []
        serve = emulator._site.serve

        async def look_first(request: web.Request) -> web.StreamResponse:
            if request.method == "POST" and request.path.endswith("/messages"):
                try:
                    body = await request.read()
                except (ConnectionError, web.RequestPayloadError):
                    return await serve(request)  # its sender died in the middle of it
                self.total += 1
                timestamp_ms = int(request.headers["x-ncp-apigw-timestamp"])
                first = place_of(orjson.loads(body)["messages"][0]["to"])
                is_announced = await probe.has_intent(timestamp_ms, first)
                is_late = emulator.clock.time() - timestamp_ms / 1000 >= SIGNATURE_LIFETIME
                self.too_late += is_late
                if not (is_announced or is_late):
                    self.unannounced.append(timestamp_ms)
            return await serve(request)

        emulator._site.serve = look_first


@asynccontextmanager
async def faulty_service(
    probe: Probe, people: int, seed: int, faults: Sequence[tuple[str | int, dict, float]]
) -> AsyncIterator[tuple[Emulator, Arrivals]]:
    """Open it, on the worker's scale of time."""
    options = EmulatorOptions(
        signature_window=SIGNATURE_LIFETIME, visibility_delay=(0.0, 0.5), latency=0.005
    )
    emulator = Emulator(seed=seed, options=options)
    emulator.refuse_numbers = {number(i) for i in range(REFUSED_EACH // 2, people, REFUSED_EACH)}
    arrivals = Arrivals(emulator, probe)
    async with emulator:
        for kind, fault, probability in faults:
            emulator.fail(kind, probability=probability, **fault)
        yield emulator, arrivals
