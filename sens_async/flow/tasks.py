"""Tasks with an owner: named, referenced, and awaited before the owner ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Tasks"]

T = TypeVar("T")


class Tasks:
    """The background tasks of one owner."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Begin `work` in a task that is kept until it ends."""
        task = asyncio.create_task(work, name=f"sens-async {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - asyncio.wait's
        besides: asyncio.Task[Any] | None = None,
    ) -> bool:
        """Wait for all of them.

        Args:
            timeout: Seconds, or None for as long as it takes.
            besides: One that is not waited for.

        Returns:
            Whether all have ended.
        """
        awaited = self._tasks - {besides}
        if not awaited:
            return True
        _, running = await asyncio.wait(awaited, timeout=timeout)
        return not running

    def cancel(self, besides: asyncio.Task[Any] | None = None) -> None:
        """Cancel all that still run, but for one."""
        for task in self._tasks - {besides}:
            task.cancel()
