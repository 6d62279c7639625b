"""Measure `send_many` on one event loop; see `loops`.

Run as `python -m benchmarks.loop_run asyncio|uvloop URL RECIPIENTS SECONDS`; prints a `Reading`.
"""

import asyncio
import sys
from functools import partial

from benchmarks.library import many, open_session
from benchmarks.messages import SHARED, numbers
from benchmarks.meter import Reading, measure
from benchmarks.programs import answer
from benchmarks.service import Service


async def reading(url: str, recipients: int, seconds: float) -> Reading:
    """Measure once, after one run that opens the connections."""
    async with open_session(url) as sens:
        client = partial(many, sens, numbers(recipients), SHARED)
        await client()
        return await measure(Service({0: url}), client, seconds=seconds)


def main(loop: str, url: str, recipients: str, seconds: str) -> None:
    """Measure on the loop of that name."""
    factory = None
    if loop == "uvloop":
        import uvloop  # noqa: PLC0415 - it may not be installed

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        answer(runner.run(reading(url, int(recipients), float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
