"""Ctrl-C, and the polite kill that is as good as one."""

import asyncio
import signal
from contextlib import suppress

__all__ = ["INTERRUPTED", "cancelled_by_kill"]

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
