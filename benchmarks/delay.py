"""Calls that are made a fixed time later, to a tenth of a millisecond.

The timers of event loops count whole milliseconds. uvloop's come up to one early or late,
depending on when within a millisecond they were set: clients whose requests arrive in another
rhythm would be given another latency, and at 20 ms that is a twentieth of what is compared. A
thread that sleeps is as exact as the kernel, and never early.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["Delay"]


class Delay:
    """Makes calls in an event loop, each the same time after it was asked for.

    All wait equally long, so they come due in the order in which they were asked for, and one
    thread is enough.

    Args:
        loop: Where the calls are made.
        seconds: How much later.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._waiting: SimpleQueue[tuple[float, Callable[[], None]]] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def __call__(self, action: Callable[[], None]) -> None:
        """Ask for a call."""
        self._waiting.put((time.monotonic() + self._seconds, action))

    def _work(self) -> None:
        while True:
            due, action = self._waiting.get()
            if (seconds := due - time.monotonic()) > 0:
                time.sleep(seconds)
            self._loop.call_soon_threadsafe(action)
