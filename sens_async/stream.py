"""The outcomes of a run as they come."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from sens_async.bulk import Run
from sens_async.errors import RunStopped, SensError
from sens_async.models import OutcomeState
from sens_async.outcomes import Outcome, OutcomeBatch

__all__ = ["OutcomeStream", "finish"]


async def finish(run: Run, driving: asyncio.Task[None]) -> None:
    """Wait for a run's end, whatever happens to the waiter.

    Cancellation: the first stops the run (what is on the wire finishes), a second abandons it
    (what is on the wire becomes unknown). Either is raised when everybody has an outcome.
    """
    cancellation: asyncio.CancelledError | None = None
    while not driving.done():
        try:
            await asyncio.wait({driving})
        except asyncio.CancelledError as error:
            if cancellation is None:
                run.stop(RunStopped("the run was cancelled"), keep_taking=False)
            else:
                run.abandon()
            cancellation = error
    if cancellation is not None:
        raise cancellation


class OutcomeStream:
    """An async iterator over outcomes, in the order in which they become known.

    Made by `SensSession.send_stream`. As an async context manager it sees to it that the run has
    ended at the block's end, also after a `break` or an exception. A consumer that is slow slows
    the run; unread outcomes are bounded.

    Attributes:
        counts: Recipients by `OutcomeState`, whether read yet or not.
    """

    def __init__(self, max_unread: int) -> None:
        self.counts: Counter[OutcomeState] = Counter()
        self._max_unread = max_unread
        self._unread: deque[OutcomeBatch] = deque()
        self._current: deque[Outcome] = deque()
        self._has_news = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._run: Run | None = None
        self._start: Callable[[], Awaitable[asyncio.Task[None]]] | None = None
        self._driving: asyncio.Task[None] | None = None
        self._is_closed = False

    def follow(self, run: Run, start: Callable[[], Awaitable[asyncio.Task[None]]]) -> None:
        """Take the outcomes of a run, and start it when somebody wants them; the session does this.

        Args:
            run: Whose sink is `add`, and whose room is `room`.
            start: Gives the task that drives it.
        """
        self._run = run
        self._start = start

    @property
    def stopped_by(self) -> SensError | None:
        """The error that ended the run early, or None."""
        return self._run.stopped_by if self._run is not None else None

    def stop(self) -> None:
        """Take no more recipients and send nothing more; what is on the wire finishes.

        The iteration goes on with the outcomes that are left, and then ends.
        """
        has_ended = self._driving is not None and self._driving.done()
        if self._run is not None and not has_ended:
            self._run.stop(RunStopped("the stream was stopped"), keep_taking=False)
        self._has_room.set()

    async def aclose(self) -> None:
        """Stop, wait for what is on the wire, and let go of unread outcomes.

        Cancellation: what is on the wire becomes unknown at once.
        """
        self._is_closed = True
        self.stop()
        if self._run is not None and self._driving is not None:
            await finish(self._run, self._driving)
        self._unread.clear()
        self._current.clear()
        self._has_news.set()

    async def batches(self) -> AsyncIterator[OutcomeBatch]:
        """Iterate over the same outcomes, a batch of those that met the same end at a time."""
        while (batch := await self._next_batch()) is not None:
            yield batch

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        while not self._current:
            batch = await self._next_batch()
            if batch is None:
                raise StopAsyncIteration
            self._current.extend(batch)
        return self._current.popleft()

    def add(self, batch: OutcomeBatch) -> None:
        """Take in the outcomes of a batch; the run does this."""
        self.counts[batch.state] += len(batch)
        if self._is_closed:
            return
        self._unread.append(batch)
        self._has_news.set()
        if len(self._unread) >= self._max_unread:
            self._has_room.clear()

    async def room(self) -> None:
        """Wait until the consumer has read enough; the run does this."""
        if not self._is_closed and len(self._unread) >= self._max_unread:
            await self._has_room.wait()

    async def _begin(self) -> asyncio.Task[None]:
        if self._driving is None:
            if self._start is None:
                raise RuntimeError("a stream is made by SensSession.send_stream")
            self._driving = await self._start()
            self._driving.add_done_callback(lambda _: self._has_news.set())
        return self._driving

    async def _next_batch(self) -> OutcomeBatch | None:
        driving = self._driving or await self._begin()
        while not self._unread:
            if self._is_closed:
                return None
            if driving.done():
                if self._run is not None and self._run.failure is not None:
                    failure, self._run.failure = self._run.failure, None
                    raise failure
                return None
            self._has_news.clear()
            await self._has_news.wait()
        batch = self._unread.popleft()
        if len(self._unread) < self._max_unread:
            self._has_room.set()
        return batch

    def __repr__(self) -> str:
        counts = ", ".join(f"{state} {count:,}" for state, count in self.counts.items())
        return f"<OutcomeStream: {counts or 'nothing yet'}>"
