"""The rate-limited request queue: a slot first, then the rate limit, then the request.

Slots bound what is on the wire. Runs share `max_in_flight` of them, owner by owner in turn, so
that a small run does not wait for a large one; interactive requests may also use a small reserve
and go first, so that a run which fills every slot and waits for the rate limit cannot hold up a
one-time password. The queue knows nothing of HTTP: what happens in a slot is the caller's.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from types import TracebackType
from typing import cast

from sens_async.core.rate import MOST_IN_FLIGHT, Window
from sens_async.errors import SessionClosed
from sens_async.flow.lanes import Lane, Turns
from sens_async.flow.limiter import GcraLimiter, Limiter

__all__ = ["RESERVE", "RequestQueue", "Slot"]

RESERVE = 8
"""Slots beyond `max_in_flight` that only interactive requests use."""

_Line = deque[asyncio.Future[None]]


class RequestQueue:
    """Who may make a request now.

    Needs a running event loop only while somebody waits; holds no task and no timer of its own.

    Args:
        limiter: Awaited for every request, never closed: it may be the user's.
        max_in_flight: Slots that runs use: at least 1, or as many as a window says.
        reserve: Slots beyond them for interactive requests.
    """

    def __init__(
        self, limiter: Limiter, *, max_in_flight: int | Window, reserve: int = RESERVE
    ) -> None:
        self._limiter = limiter
        # A subclass may want to see every call.
        self._own = limiter if type(limiter) is GcraLimiter else None
        self._window = max_in_flight if isinstance(max_in_flight, Window) else None
        most = MOST_IN_FLIGHT if isinstance(max_in_flight, Window) else max_in_flight
        self._max_bulk = most if self._window is None else self._window.size
        self._capacity = most + reserve
        self._held = 0
        self._held_bulk = 0
        self._interactive: _Line = deque()
        self._runs: OrderedDict[Hashable, _Line] = OrderedDict()
        self._waiting = dict.fromkeys(Lane, 0)
        self._turns = Turns()
        self._pacing: set[asyncio.Task[object]] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        state = f"in_flight={self.in_flight} of {self._capacity}, waiting={self.waiting}"
        return f"<RequestQueue {state}{', closed' if self._is_closed else ''}, {self._limiter!r}>"

    @property
    def capacity(self) -> int:
        """The most requests that can be on the wire at once, the reserve included."""
        return self._capacity

    @property
    def max_in_flight(self) -> int:
        """Slots that runs use at this moment."""
        return self._max_bulk

    @property
    def in_flight(self) -> int:
        """Requests that were let through and have not left."""
        return self._held - len(self._pacing)

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot or for the rate limit."""
        return sum(self._waiting.values()) + len(self._pacing)

    def slot(self, recipients: int, lane: Lane, owner: Hashable) -> "Slot":
        """`enter` and `leave` as an async context manager.

        ```python
        async with queue.slot(len(batch), Lane.BULK, run):
            ...  # one request
        ```
        """
        return Slot(self, recipients, lane, owner)

    def enter_now(self, recipients: int, lane: Lane) -> bool:
        """Take a slot and a turn if both are free and nobody waits for them.

        Returns:
            True if `leave` must follow; False if `enter` would wait or raise.
        """
        if self._is_closed or self._own is None or not self._has_room(lane):
            return False
        if not self._own.acquire_now(recipients):
            return False
        self._take(lane)
        return True

    async def enter(self, recipients: int, lane: Lane, owner: Hashable) -> None:
        """Wait for a slot and then for the rate limit; `leave` must follow.

        Cancellation: gives back what was already held; nothing leaks.

        Args:
            recipients: How many the request has; 0 for a read or an upload.
            lane: The line to wait in.
            owner: Whose request it is: bulk slots go round between owners. Not used for
                interactive requests.

        Raises:
            SessionClosed: The queue was closed before the turn came; nothing was sent.
        """
        await self.take(lane, owner)
        try:
            await self.pace(recipients, lane)
        except BaseException:
            self.leave(lane)
            raise

    async def take(self, lane: Lane, owner: Hashable) -> None:
        """Wait for a slot alone, after the rate limit; `leave` must follow.

        Args:
            lane: See `enter`.
            owner: See `enter`.

        Raises:
            SessionClosed: The queue was closed before there was one; nothing was sent.
        """
        if self._is_closed:
            raise _closed()
        if self._has_room(lane):
            self._take(lane)
        else:
            await self._wait_for_slot(lane, owner)

    def leave(self, lane: Lane) -> None:
        """Give back the slot of an `enter` or a `take` that returned, to whoever is next."""
        self._held -= 1
        if lane is Lane.BULK:
            self._held_bulk -= 1
        self._hand_on_all()

    async def pace(self, recipients: int, lane: Lane) -> None:
        """Wait for the rate limit alone: for a further request of one who has a slot.

        Raises:
            SessionClosed: The queue was closed before the turn came; nothing was sent.
        """
        if self._is_closed:
            raise _closed()
        if self._own is not None and self._own.acquire_now(recipients):
            return
        task = cast("asyncio.Task[object]", asyncio.current_task())
        cancelling = task.cancelling()
        self._pacing.add(task)
        try:
            await self._limiter.acquire(recipients, lane)
        except asyncio.CancelledError:
            # `close` cancels those who wait in here; any further cancellation is the caller's.
            if self._is_closed and task.uncancel() <= cancelling:
                raise _closed() from None
            raise
        finally:
            self._pacing.discard(task)

    def observe(self, seconds: float) -> None:
        """Take note of how long an answer took; a window then says how many slots runs use."""
        if self._window is not None:
            self._window.observe(seconds)
            self._max_bulk = self._window.size
            self._hand_on_all()

    def pause(self, seconds: float) -> None:
        """Let nobody through the rate limit for `seconds` from now."""
        self._limiter.pause(seconds)

    def close(self) -> None:
        """Fail all who wait, for a slot or in the limiter, and all who come later."""
        if self._is_closed:
            return
        self._is_closed = True
        for line in (self._interactive, *self._runs.values()):
            for turn in line:
                if not turn.done():
                    turn.set_exception(_closed())
        self._interactive.clear()
        self._runs.clear()
        for task in self._pacing:
            task.cancel()

    def _has_room(self, lane: Lane) -> bool:
        if self._held >= self._capacity:
            return False
        return lane is Lane.INTERACTIVE or self._held_bulk < self._max_bulk

    def _take(self, lane: Lane) -> None:
        self._held += 1
        if lane is Lane.BULK:
            self._held_bulk += 1

    async def _wait_for_slot(self, lane: Lane, owner: Hashable) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if lane is Lane.INTERACTIVE:
            self._interactive.append(turn)
        else:
            self._runs.setdefault(owner, deque()).append(turn)
        self._waiting[lane] += 1
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self.leave(lane)
            raise
        finally:
            self._waiting[lane] -= 1

    def _hand_on_all(self) -> None:
        while (self._interactive or self._runs) and self._hand_on():
            pass

    def _hand_on(self) -> bool:
        """Give a free slot to the next waiter; False when there is none of one of them."""
        for lane in self._turns.order():
            if not self._has_room(lane):
                continue
            turn = self._next_turn(lane)
            if turn is not None:
                self._take(lane)
                self._turns.took(lane, bulk_waits=bool(self._runs))
                turn.set_result(None)
                return True
        return False

    def _next_turn(self, lane: Lane) -> asyncio.Future[None] | None:
        if lane is Lane.INTERACTIVE:
            return _pop_waiting(self._interactive)
        while self._runs:
            owner, line = self._runs.popitem(last=False)
            turn = _pop_waiting(line)
            if line:
                self._runs[owner] = line
            if turn is not None:
                return turn
        return None


class Slot:
    """One slot of a `RequestQueue`, held inside `async with`."""

    __slots__ = ("_lane", "_owner", "_queue", "_recipients")

    def __init__(self, queue: RequestQueue, recipients: int, lane: Lane, owner: Hashable) -> None:
        self._queue = queue
        self._recipients = recipients
        self._lane = lane
        self._owner = owner

    async def __aenter__(self) -> None:
        await self._queue.enter(self._recipients, self._lane, self._owner)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._queue.leave(self._lane)


def _pop_waiting(line: _Line) -> asyncio.Future[None] | None:
    while line:
        turn = line.popleft()
        if not turn.done():
            return turn
    return None


def _closed() -> SessionClosed:
    return SessionClosed("the session was closed before this request's turn came")
