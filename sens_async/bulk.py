"""A run: source, batches, slots, attempts, outcomes.

Workers take one batch after the other; back-pressure holds them before they take one, never
after an exchange. Whatever happens, each recipient that was taken from the source is settled
exactly once: cancellation, a fault, a stop and a broken source all end in outcomes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from sens_async.core.batch import Batch, Envelope
from sens_async.core.message import Message
from sens_async.core.retry import Step
from sens_async.dispatch import Dispatcher, Flight, Journal, Verdict, unknown
from sens_async.errors import ApiError, RunStopped, SendTimeout, SensError, without_traceback
from sens_async.files import Files
from sens_async.flow.lanes import Lane
from sens_async.gates import Outage, Proving
from sens_async.hunting import hunt
from sens_async.models import OutcomeState
from sens_async.outcomes import OutcomeBatch

__all__ = ["Feed", "MakeFeed", "Run", "Spawn"]

_UNSENT = Verdict(Step.STOP, None, None)
"""Stands for a dispatch that was called back or not begun."""

_STATES = {
    Step.ACCEPT: OutcomeState.ACCEPTED,
    Step.REJECT: OutcomeState.REJECTED,
    Step.GIVE_UP: OutcomeState.NOT_SENT,
    Step.STOP: OutcomeState.NOT_SENT,
}
"""What is known of a batch after a step, where it is known; the others split it first."""

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
Sink = Callable[[OutcomeBatch], None]


class Feed(Protocol):
    """Gives one run's batches, one after the other."""

    @property
    def error(self) -> BaseException | None:
        """What the source failed with, or None."""
        ...

    @property
    def is_async(self) -> bool:
        """Whether reading the source to its end may take time of its own."""
        ...

    async def next(self, room: Callable[[], Awaitable[None]] | None = None) -> Batch | None:
        """Give the next batch, or None when there will be no more.

        Args:
            room: Waits until there is room for more outcomes; None if there always is.
        """
        ...

    def close(self) -> None:
        """Take nothing more from the source; what was taken is still given out."""
        ...

    def forget(self) -> bool:
        """Let go of everything; False if somebody may still come."""
        ...


MakeFeed = Callable[[Sink, Callable[[Batch], None]], Feed]
"""Makes a feed, given where outcomes of those who go into no batch are to go, and where batches
that come when all is over are."""


class _End:
    """Why a run ended early, if it did, and what becomes of those whose turn comes after that.

    The source's reader needs this and may outlast the run. Were it given the run itself, the two
    would keep each other, and a million outcomes with them, until the garbage is collected.

    Attributes:
        stopped_by: Why, or None.
        sink: Takes their outcomes.
    """

    __slots__ = ("sink", "stopped_by")

    def __init__(self, sink: Sink) -> None:
        self.stopped_by: SensError | None = None
        self.sink = sink

    def refuse(self, batch: Batch) -> None:
        """Settle a batch whose turn comes when the run has stopped."""
        error = RunStopped(f"not sent: {self.stopped_by or 'the run had ended'}")
        error.__cause__ = self.stopped_by
        self.sink(batch.settled(OutcomeState.NOT_SENT, error=error))


class Run:
    """One `send_many` or `send_stream` on its way, or a request that several `send`s share.

    Args:
        dispatcher: The session's.
        message: What is sent.
        files: Its pictures.
        make_feed: Makes what gives its batches.
        lane: Where its batches wait.
        takes_all: Whether the source is read to its end even after the run has stopped.
        sink: Takes each outcome batch, once.
        room: Waits until the sink has room for more; None if it always has.
        spawn: Begins the run's tasks.
        is_proven: Whether a refusal is taken to be about recipients without trying three first.
        journal: Told of every attempt before it is made; None for a run that need not survive.

    Attributes:
        files: As given.
        failure: An exception that is not ours to turn into outcomes: the source's, or a bug.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        message: Message,
        files: Files,
        make_feed: MakeFeed,
        *,
        lane: Lane,
        takes_all: bool,
        sink: Sink,
        room: Callable[[], Awaitable[None]] | None,
        spawn: Spawn,
        is_proven: bool = False,
        journal: Journal | None = None,
    ) -> None:
        self.failure: BaseException | None = None
        self._end = _End(sink)
        self._dispatcher = dispatcher
        self._message = message
        self.files = files
        self._lane = lane
        self._is_proven = is_proven
        self._takes_all = takes_all
        self._sink = sink
        self._room = room
        self._spawn = spawn
        self._journal = journal
        self._feed = make_feed(sink, self._end.refuse)
        self._workers: set[asyncio.Task[None]] = set()
        self._flights: dict[asyncio.Task[None], Flight] = {}
        self._proving: dict[Envelope, Proving] = {}
        self._hunts: dict[tuple[Envelope, int, str | None], asyncio.Lock] = {}
        self._outage = Outage(dispatcher.gateway.clock, dispatcher.policy.outage_pause)

    @property
    def stopped_by(self) -> SensError | None:
        """Why the run ended early, or None."""
        return self._end.stopped_by

    @property
    def has_async_source(self) -> bool:
        """Whether reading the source to its end may take time of its own."""
        return self._feed.is_async

    def holds(self, batch: Batch) -> bool:
        """Whether a batch waits for its next attempt: nothing of it is out, and it is whole."""
        flights = self._flights.values()
        return any(flight.batch is batch and not flight.is_out for flight in flights)

    async def drive(self, deadline: float | None) -> None:
        """Carry the run to its end: every recipient taken has an outcome then.

        Args:
            deadline: Seconds after which the run stops, or None.
        """
        timer = None
        if deadline is not None:
            timer = self._spawn(self._expire(deadline), "deadline of a run")
        self._hire()
        while self._workers:
            try:
                await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:  # the event loop is being shut down
                self.abandon()
        if timer is not None:
            timer.cancel()
        self.failure = self.failure or self._feed.error
        if self._feed.forget():
            self._sink = self._end.sink = _drop
            self._room = None

    def stop(self, error: SensError, *, keep_taking: bool = True) -> None:
        """End the run: what is on the wire finishes, the rest is not sent.

        Args:
            error: Why.
            keep_taking: Whether a run that takes all goes on reading its source.
        """
        if self.stopped_by is None:
            self._end.stopped_by = error
        if not (keep_taking and self._takes_all):
            self._feed.close()
        for task, flight in self._flights.items():
            if flight.withdraw():
                task.cancel()

    def abandon(self, *, keep_taking: bool = False) -> None:
        """End the run at once: what is on the wire becomes unknown.

        Args:
            keep_taking: See `stop`.
        """
        self.stop(RunStopped("the run was abandoned"), keep_taking=keep_taking)
        for worker in self._workers:
            worker.cancel()

    # -- workers

    @property
    def _most_workers(self) -> int:
        """One for each slot; twice as many where half of them wait for a disk, with no slot."""
        slots = self._dispatcher.queue.max_in_flight
        return slots if self._journal is None else 2 * slots

    def _hire(self) -> None:
        worker = self._spawn(self._work(), "worker of a run")
        self._workers.add(worker)
        worker.add_done_callback(self._left)

    def _left(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (bug := worker.exception()) is not None:
            self.failure = self.failure or bug
            self.stop(_unexpected(bug))

    async def _work(self) -> None:
        await self._yield()  # an eager task would hire and read before it is known
        worker = _this_worker()
        while (batch := await self._next(worker)) is not None:
            if self.stopped_by is not None:
                self._end.refuse(batch)
                await self._yield()
                continue
            if len(self._workers) < self._most_workers:
                self._hire()
            await self._carry(batch, worker)

    async def _next(self, worker: asyncio.Task[None]) -> Batch | None:
        while True:
            try:
                batch = await self._take(worker)
            except asyncio.CancelledError:
                self._called_back()
                continue
            if self._feed.error is not None and self.stopped_by is None:
                stopped = RunStopped("the source of recipients failed")
                stopped.__cause__ = self._feed.error
                self.stop(stopped)
            return batch

    async def _take(self, worker: asyncio.Task[None]) -> Batch | None:
        """Wait for room and for a batch where a stop finds this worker, as it finds the others."""
        if self.stopped_by is not None:
            return await self._feed.next()
        self._flights[worker] = Flight()
        try:
            if self._room is not None:
                await self._room()
            return await self._feed.next(self._room)
        finally:
            del self._flights[worker]

    async def _yield(self) -> None:
        """Let others run: a long list has many left when its run has stopped."""
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self._called_back()

    def _called_back(self) -> None:
        """Take note that this worker was cancelled: it goes on, to settle what is left."""
        _this_worker().uncancel()
        if self.stopped_by is None:
            self.stop(RunStopped("the run was cancelled"), keep_taking=False)

    async def _expire(self, deadline: float) -> None:
        await self._dispatcher.gateway.clock.sleep(deadline)
        text = f"the run did not end within {deadline:g} s"
        self.stop(SendTimeout(text), keep_taking=not self.has_async_source)

    # -- one batch

    async def _carry(self, batch: Batch, worker: asyncio.Task[None]) -> None:
        """Settle everybody in a batch."""
        proving = self._proving.get(batch.envelope)
        if proving is None:
            proving = self._proving[batch.envelope] = Proving()
            if self._is_proven:
                proving.prove()
        try:
            must_leave = not proving.is_proven and await proving.enter()
        except asyncio.CancelledError:
            self._called_back()
            self._end.refuse(batch)
            return
        try:
            verdict = await self._attempt(batch, worker)
            if verdict.must_split:
                await self._hunt(batch, verdict)
        finally:
            if must_leave:
                proving.leave()

    async def _attempt(
        self, batch: Batch, worker: asyncio.Task[None], *, keeps_rejection: bool = False
    ) -> Verdict:
        """Dispatch a batch and settle it, unless it must be split.

        Args:
            batch: Whom to send what.
            worker: The task that this is called in.
            keeps_rejection: Whether a `REJECT` is left to the caller to settle, too.
        """
        flight = self._flights[worker] = Flight(batch)
        is_probe = False
        try:
            verdict = _UNSENT
            if self.stopped_by is None:
                is_probe = await self._outage.admit()
            if self.stopped_by is None:
                verdict = await self._dispatcher.dispatch(
                    batch,
                    self._message,
                    flight,
                    files=self.files,
                    lane=self._lane,
                    owner=self,
                    journal=self._journal,
                )
            if verdict.step is Step.ACCEPT:
                self._proving[batch.envelope].prove()
        except asyncio.CancelledError:
            self._called_back()
            verdict = _UNSENT
        except Exception as bug:  # noqa: BLE001 - kept, and raised when all are settled
            self.failure = self.failure or bug
            verdict = Verdict(Step.STOP, None, _unexpected(bug))
        finally:
            del self._flights[worker]
        self._note(batch, flight, verdict, is_probe=is_probe)
        if verdict is _UNSENT or (verdict.attempt is None and not flight.withdraw()):
            self._settle_interrupted(batch, flight)
        elif not (keeps_rejection and verdict.step is Step.REJECT):
            self._conclude(batch, verdict)
        return verdict

    def _note(self, batch: Batch, flight: Flight, verdict: Verdict, *, is_probe: bool) -> None:
        """Count the attempts and the unknowns; a probe that is not answered ends the run."""
        batch.attempts += flight.attempts
        if flight.signed_at is not None:
            batch.attempted_at = flight.signed_at
        is_unknown: bool | None = verdict.step is Step.LEAVE_UNKNOWN
        if verdict.attempt is None or verdict.step is Step.GIVE_UP:
            is_unknown = None
        self._outage.conclude(is_unknown=is_unknown, is_probe=is_probe)
        if is_probe and is_unknown is not False and verdict.error is not None:
            self.stop(verdict.error)

    def _conclude(self, batch: Batch, verdict: Verdict) -> None:
        if verdict.step is Step.STOP and verdict.error is not None:
            self.stop(verdict.error)
        if verdict.step is Step.LEAVE_UNKNOWN:
            assert verdict.error is not None
            self._sink(unknown(batch, verdict.error))
        elif not verdict.must_split:
            state, attempt = _STATES[verdict.step], verdict.attempt
            request_id, at = (attempt.request_id, attempt.requested_at) if attempt else (None, None)
            self._sink(
                batch.settled(state, error=verdict.error, request_id=request_id, requested_at=at)
            )

    def _settle_interrupted(self, batch: Batch, flight: Flight) -> None:
        """Settle a batch whose dispatch was cut short or never begun."""
        if flight.withdraw():
            self._end.refuse(batch)
            return
        error = RunStopped("the run was abandoned before the answer came", may_have_been_sent=True)
        error.__cause__ = self.stopped_by
        self._sink(unknown(batch, error))

    # -- refusals

    async def _hunt(self, batch: Batch, refusal: Verdict) -> None:
        """Send a refused batch in parts, so that most go; one batch of a kind at a time."""
        error = refusal.error
        code = error.code if isinstance(error, ApiError) else None
        status = error.status if isinstance(error, ApiError) else 0
        lock = self._hunts.setdefault((batch.envelope, status, code), asyncio.Lock())
        try:
            await lock.acquire()
        except asyncio.CancelledError:
            self._called_back()
            self._end.refuse(batch)
            return
        try:
            await hunt(self, batch, refusal, is_proven=self._proving[batch.envelope].is_proven)
        finally:
            lock.release()

    async def divide(
        self, batch: Batch, positions: Sequence[range | Sequence[int]]
    ) -> Sequence[Batch] | None:
        """Give parts of a refused batch, once that is noted; None if they must not be sent."""
        parts = [batch.part(places) for places in positions]
        if self._journal is None:
            return parts
        noting = asyncio.ensure_future(self._journal.divide(batch, parts))
        while not noting.done():
            try:
                await asyncio.wait({noting})
            except asyncio.CancelledError:
                self._called_back()
        error = noting.exception()
        if error is None and noting.result():
            return parts
        if isinstance(error, SensError):
            self.stop(without_traceback(error))
        elif error is not None:
            raise error
        self._end.refuse(batch)
        return None

    async def attempt(self, batch: Batch, *, keeps_rejection: bool = False) -> Verdict:
        """Send a part of a refused batch and settle it, unless it must be split, too.

        Args:
            batch: The part.
            keeps_rejection: Whether a `REJECT` is left to the caller to settle, too.
        """
        return await self._attempt(batch, _this_worker(), keeps_rejection=keeps_rejection)

    def settle(self, outcomes: OutcomeBatch) -> None:
        """Pass outcomes on."""
        self._sink(outcomes)


def _drop(_: OutcomeBatch) -> None:
    """Stand in for the sink of a run that is over: whoever owns it may hold the run."""


def _this_worker() -> asyncio.Task[None]:
    task: asyncio.Task[None] | None = asyncio.current_task()
    assert task is not None
    return task


def _unexpected(bug: BaseException) -> RunStopped:
    stopped = RunStopped(f"an unexpected failure: {type(bug).__name__}")
    stopped.__cause__ = bug
    return stopped
