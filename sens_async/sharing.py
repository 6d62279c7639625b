"""Several `send`s in one request: whoever asks within a moment goes together.

A request costs the same for one recipient as for a hundred, and so does its turn at the rate
limit. Each sender waits for its own outcome. Whoever is cancelled or out of time may leave while
nothing is on the wire; after that it is finished in the background. A request that is refused for
one of them is split as a run's is, so that the others go.
"""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from weakref import WeakMethod

import attrs

from sens_async.bulk import Run
from sens_async.core.batch import Batch
from sens_async.core.message import Message
from sens_async.core.requests import MESSAGES_PER_REQUEST
from sens_async.dispatch import Dispatcher, new_token, unknown
from sens_async.errors import (
    ConnectionLost,
    RequestTimeout,
    RunStopped,
    SendTimeout,
    SensError,
    SessionClosed,
    copy_of,
)
from sens_async.files import Files
from sens_async.flow.tasks import Tasks
from sens_async.models import OutcomeState, Receipt
from sens_async.outcomes import OutcomeBatch
from sens_async.single import log_unattended, receipt_of, with_outcome

__all__ = ["SharedRequest", "SharedSend", "Sharing"]


class SharedSend:
    """One `send` that shares its request.

    Args:
        request: Whose part it is.
        batch: To whom: one recipient.
        message: What is sent.

    Attributes:
        batch: As given.
        message: As given.
    """

    def __init__(self, request: "SharedRequest", batch: Batch, message: Message) -> None:
        self.batch = batch
        self.message = message
        self._request: SharedRequest | None = request
        self._outcomes: asyncio.Future[OutcomeBatch] = asyncio.get_running_loop().create_future()

    async def receipt(self, timeout: float | None) -> Receipt:  # noqa: ASYNC109 - see `send`
        """Wait for the end; see `SensSession.send`."""
        try:
            await asyncio.wait({self._outcomes}, timeout=timeout)
        except asyncio.CancelledError:
            if self._outcomes.done():  # and nobody will read it
                self._log(self._outcomes)
            self._leave()
            raise
        if self._outcomes.done():
            return self._read(self._outcomes.result())
        if self._leave():
            text = f"certainly not sent: its turn did not come within {timeout:g} s"
            raise self._error(SendTimeout(text), OutcomeState.NOT_SENT)
        assert self._request is not None
        text = f"no answer within {timeout:g} s; the request is finished in the background"
        error = RequestTimeout(text, may_have_been_sent=True)
        raise with_outcome(error, self._own(self._request.unknown(error)))

    def settle(self, outcomes: OutcomeBatch) -> None:
        """Take the outcome; the request does this."""
        self._request = None
        if not self._outcomes.done():
            self._outcomes.set_result(self._own(outcomes))

    def _own(self, outcomes: OutcomeBatch) -> OutcomeBatch:
        """Give this recipient's part of what became of all."""
        return attrs.evolve(
            outcomes,
            indexes=self.batch.indexes,
            recipients=self.batch.recipients,
            numbers=self.batch.numbers,
        )

    def _leave(self) -> bool:
        """Leave the request, or leave it to be finished and logged; True if it is over."""
        if self._request is None or self._request.drop(self):
            return True
        self._outcomes.add_done_callback(self._log)
        return False

    def _log(self, settled: "asyncio.Future[OutcomeBatch]") -> None:
        outcomes = settled.result()
        log_unattended(self.batch.numbers[0], outcomes.error, outcomes.request_id)

    def _read(self, outcomes: OutcomeBatch) -> Receipt:
        error = outcomes.error
        if error is not None:
            if isinstance(error, RunStopped):
                error = _of_a_send(error)
            # A copy for each: they raise it, and it tells each its own outcome.
            raise with_outcome(copy_of(error), outcomes)
        return receipt_of(outcomes, self.message)

    def _error(self, error: SensError, state: OutcomeState) -> SensError:
        return with_outcome(error, self.batch.settled(state, error=error))


def _of_a_send(stopped: RunStopped) -> SensError:
    """Say to a sender, who knows of no run, why one was stopped."""
    if stopped.may_have_been_sent:
        text = "the request was given up before the answer came"
        return ConnectionLost(text, may_have_been_sent=True)
    cause = stopped.__cause__
    if isinstance(cause, SensError) and not cause.may_have_been_sent:
        return cause
    return stopped  # what stopped it befell somebody else


class SharedRequest:
    """A request while it gathers its recipients, and while it is under way.

    Attributes:
        timer: Ends the gathering.
    """

    def __init__(self, key: Hashable, files: Files, now: Callable[[], float]) -> None:
        self.key = key
        self.files = files
        self.timer: asyncio.Task[None] | None = None
        self._now = now
        self._sends: list[SharedSend] = []
        self._leaving: list[SharedSend] = []
        self._batch: _SharedBatch | None = None
        self._run: Run | None = None

    def __len__(self) -> int:
        return len(self._sends)

    def unknown(self, error: SensError) -> OutcomeBatch:
        """Give everybody's outcome as it is known while the request is on the wire.

        Args:
            error: What is known.
        """
        batch = self._batch
        assert batch is not None
        outcomes = unknown(batch, error, is_final=not batch.is_refused)
        return attrs.evolve(outcomes, attempts=1)

    def has(self, number: str) -> bool:
        """Whether somebody with this number is in it."""
        return any(send.batch.numbers[0] == number for send in self._sends)

    def add(self, send: SharedSend) -> None:
        """Take somebody in, while it gathers."""
        self._sends.append(send)

    def drop(self, send: SharedSend) -> bool:
        """Let somebody leave; False if it is too late."""
        if self._batch is None:
            self._sends.remove(send)
            return True
        assert self._run is not None
        if self._batch.is_signed and not self._run.holds(self._batch):
            self._leaving.append(send)
            return False
        self._remove(send)
        return True

    def let_go(self) -> None:
        """Let those leave who could not while it was on the wire, and was then refused.

        They were told that it may have been accepted. They must not be in a later attempt, which
        nobody would look for.
        """
        leaving, self._leaving = self._leaving, []
        for send in leaving:
            error = RunStopped("the request was refused, and its sender had left")
            send.settle(send.batch.settled(OutcomeState.NOT_SENT, error=error))
            self._remove(send)

    def _remove(self, send: SharedSend) -> None:
        assert self._batch is not None
        assert self._run is not None
        self._batch.remove(self._sends.index(send))
        if not self._batch.indexes:
            self._run.stop(RunStopped("nobody waits for this request any more"))

    def go(self, begin: "Begin") -> None:
        """Gather no more, and be sent."""
        batches = [send.batch for send in self._sends]
        self._batch = _SharedBatch.joined(batches, self._now, WeakMethod(self.let_go))
        self._run = begin(self._sends[0].message, self.files, self._batch, self._settle)

    def close(self, error: SensError) -> None:
        """Be sent no more."""
        for send in tuple(self._sends):
            send.settle(send.batch.settled(OutcomeState.NOT_SENT, error=error))

    def _settle(self, outcomes: OutcomeBatch) -> None:
        for index in outcomes.indexes:
            self._sends[index].settle(outcomes)


Begin = Callable[[Message, Files, Batch, Callable[[OutcomeBatch], None]], Run]
"""Begins to send a batch whose outcomes go to the last argument."""


class Sharing:
    """Brings the `send`s of one session together.

    Args:
        seconds: How long the first one waits for others.
        dispatcher: The session's.
        tasks: Own the timers.
        begin: Sends what has come together.
    """

    def __init__(self, seconds: float, dispatcher: Dispatcher, tasks: Tasks, begin: Begin) -> None:
        self._seconds = seconds
        self._clock = dispatcher.gateway.clock
        self._now = dispatcher.gateway.now
        self._tasks = tasks
        self._begin = begin
        self._gathering: dict[Hashable, SharedRequest] = {}

    def join(self, batch: Batch, message: Message, files: Files, pictures: Hashable) -> SharedSend:
        """Take part in the request that gathers now, or begin one.

        Args:
            batch: To whom: one recipient.
            message: What is sent.
            files: The message's pictures.
            pictures: What tells them from others.
        """
        key = batch.envelope, pictures
        request = self._gathering.get(key)
        if request is not None and request.has(batch.numbers[0]):
            self._go(request)  # a number stands in a request but once
            request = None
        if request is None:
            request = self._gathering[key] = SharedRequest(key, files, self._now)
        send = SharedSend(request, batch, message)
        request.add(send)
        if len(request) == MESSAGES_PER_REQUEST:
            self._go(request)
        elif request.timer is None:  # last: an eager task may end before it is known
            request.timer = self._tasks.spawn(self._wait(request), "linger")
        return send

    def close(self, error: SessionClosed) -> None:
        """Send nothing that still gathers."""
        for request in self._gathering.values():
            self._end_timer(request)
            request.close(error)
        self._gathering.clear()

    async def _wait(self, request: SharedRequest) -> None:
        await self._clock.sleep(self._seconds)
        self._go(request)

    def _go(self, request: SharedRequest) -> None:
        if request.timer is not asyncio.current_task():
            self._end_timer(request)
        del self._gathering[request.key]
        if len(request):
            request.go(self._begin)

    def _end_timer(self, request: SharedRequest) -> None:
        if request.timer is not None:
            request.timer.cancel()


@attrs.define(eq=False, repr=False)
class _SharedBatch(Batch):
    """Recipients who may still leave.

    Attributes:
        is_signed: Whether it was signed: then it is too late, unless that attempt was refused.
        let_go: Tells those who wait to leave that its attempt was refused.
        is_refused: Whether its last attempt was refused: another one will follow, perhaps of
            parts, which are batches of their own.
    """

    now: Callable[[], float] = attrs.field(kw_only=True)
    let_go: WeakMethod[Callable[[], None]] = attrs.field(kw_only=True)
    is_signed: bool = False
    is_refused: bool = False

    @classmethod
    def joined(
        cls,
        batches: Sequence[Batch],
        now: Callable[[], float],
        let_go: WeakMethod[Callable[[], None]],
    ) -> "_SharedBatch":
        """Put batches of one recipient each together."""
        envelope = batches[0].envelope
        return cls(
            envelope,
            list(range(len(batches))),
            [batch.recipients[0] for batch in batches],
            [batch.numbers[0] for batch in batches],
            [batch.final_texts[0] for batch in batches],
            [batch.final_titles[0] for batch in batches] if envelope.has_subject else None,
            None,
            None,
            now=now,
            let_go=let_go,
        )

    def remove(self, index: int) -> None:
        """Leave out the one with this index."""
        position = self.indexes.index(index)
        for column in (self.indexes, self.recipients, self.numbers, self.texts, self.titles):
            if isinstance(column, list):
                del column[position]

    def body(self, file_ids: Sequence[str] = ()) -> bytes:
        self.is_signed, self.is_refused = True, False
        self.attempted_at = self.now()
        self.token = new_token()
        return Batch.body(self, file_ids)

    def release(self) -> None:
        self.is_refused, self.token = True, new_token()
        let_go = self.let_go()
        if let_go is not None:
            let_go()
