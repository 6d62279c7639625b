"""One timer for many waits that may all take equally long.

A timer for each request costs a request's worth of a heap and of garbage. Waits of one length end
in the order in which they began, so the oldest is all that needs watching.
"""

import asyncio
import math
from types import TracebackType

__all__ = ["Deadline", "Deadlines"]

_COARSE_FROM = 5.0
"""Seconds from which on a wait may take up to a second more, so that many end in one turn."""


class Deadlines:
    """Gives tasks deadlines, all the same number of seconds away.

    Belongs to the event loop in which it is first used.

    Args:
        seconds: How long each wait may take; from 5 on, up to a second longer.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._running: dict[Deadline, None] = {}

    def start(self) -> "Deadline":
        """Give the current task a deadline; use it as a context manager, at once."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline needs a task")
        at = loop.time() + self._seconds
        if self._seconds >= _COARSE_FROM:
            at = math.ceil(at)
        deadline = Deadline(self, task, at)
        self._running[deadline] = None
        if self._timer is None:
            self._timer = loop.call_at(at, self._expire)
        return deadline

    def met(self, deadline: "Deadline") -> None:
        """Forget a wait that has ended in time."""
        del self._running[deadline]
        if not self._running and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        """End what is over, and wake again when the next one will be."""
        assert self._loop is not None
        self._timer = None
        now = self._loop.time()
        for deadline in tuple(self._running):
            if deadline.at > now:
                self._timer = self._loop.call_at(deadline.at, self._expire)
                return
            del self._running[deadline]
            deadline.pass_by()


class Deadline:
    """One wait: cancels its task when it is over, and turns that into a `TimeoutError`.

    A cancellation by somebody else stays one, also when both come at once.

    Attributes:
        at: The end, on the event loop's clock.
    """

    __slots__ = ("_cancelling", "_has_passed", "_owner", "_task", "at")

    def __init__(self, owner: Deadlines, task: "asyncio.Task[object]", at: float) -> None:
        self._owner = owner
        self._task = task
        self._cancelling = task.cancelling()
        self._has_passed = False
        self.at = at

    def pass_by(self) -> None:
        """Cut the wait off."""
        self._has_passed = True
        self._task.cancel()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._has_passed:
            self._owner.met(self)
        elif self._task.uncancel() <= self._cancelling and isinstance(
            error, asyncio.CancelledError
        ):
            raise TimeoutError from error
