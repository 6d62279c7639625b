"""Ctrl-C, and the polite kill that is as good as one."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["INTERRUPTED", "Stopping", "cancelled_by_kill"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def cancelled_by_kill() -> None:
    """Let SIGTERM cancel the running task, as Ctrl-C does, while its loop runs.

    Ctrl-C itself comes out of `asyncio.run` as KeyboardInterrupt, this as CancelledError.
    """
    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError, RuntimeError):  # Windows, and other threads than the first
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


class Stopping:
    """Ctrl-C, or a polite kill, ends what goes on in good order; a second one abandons it.

    Attributes:
        interrupts: How often that has happened.
        is_begun: Whether what goes on was told to end, for this or another reason.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        """Prepare.

        Args:
            tell: Called once, at the first interruption; may raise OSError.
        """
        self.interrupts = 0
        self.is_begun = False
        self._tell = tell
        self._task: asyncio.Task[object] | None = None

    def stop(self) -> None:
        """Cancel what goes on, once; it finishes what is on the wire and no more."""
        if self._task is not None and not self.is_begun:
            self.is_begun = True
            self._task.cancel()

    @contextmanager
    def of(self, task: asyncio.Task[object]) -> Iterator[None]:
        """Let signals end a task while this lasts.

        Args:
            task: Takes a first cancellation as a wish to end, and a second as an order.
        """
        loop = asyncio.get_running_loop()
        self._task = task

        def interrupt() -> None:
            self.interrupts += 1
            if self.interrupts > 1:
                task.cancel()
                return
            self.stop()
            with suppress(OSError):
                self._tell()

        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            with suppress(NotImplementedError, RuntimeError):  # as above; Ctrl-C cancels anyway
                loop.add_signal_handler(number, interrupt)
        try:
            yield
        finally:
            for number in signals:
                with suppress(NotImplementedError, RuntimeError):
                    loop.remove_signal_handler(number)
