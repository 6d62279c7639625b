"""One message to one person: waited for, called back, or finished in the background."""

import asyncio
import logging

from sens_async.core.batch import Batch
from sens_async.core.message import Message
from sens_async.core.phone import mask
from sens_async.core.retry import Step
from sens_async.dispatch import Dispatcher, Flight, Verdict, new_token, unknown
from sens_async.errors import (
    ConnectionLost,
    RequestTimeout,
    SendTimeout,
    SensError,
    SessionClosed,
    TransportError,
)
from sens_async.files import Files
from sens_async.flow.lanes import Lane
from sens_async.flow.tasks import Tasks
from sens_async.models import OutcomeState, Receipt
from sens_async.outcomes import OutcomeBatch

__all__ = ["Single", "log_unattended", "receipt_of", "with_outcome"]

logger = logging.getLogger("sens_async")


class Single:
    """One `send` on its way, in a task of the session's.

    The task outlives a caller who is cancelled, since a request on the wire cannot be called
    back; what only waits can.

    Args:
        dispatcher: The session's.
        message: What is sent.
        batch: To whom: one recipient.
        files: The message's pictures.
        tasks: Owns the task.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        message: Message,
        batch: Batch,
        *,
        files: Files,
        tasks: Tasks,
    ) -> None:
        self._dispatcher = dispatcher
        self._message = message
        self._batch = batch
        self._files = files
        self._flight = Flight()
        self._is_closing = False
        self.task = tasks.spawn(self._work(), "send")

    async def receipt(self, timeout: float | None) -> Receipt:  # noqa: ASYNC109 - see `send`
        """Wait for the end; see `SensSession.send`."""
        try:
            await asyncio.wait({self.task}, timeout=timeout)
        except asyncio.CancelledError:
            if self.task.done() and not self.task.cancelled():  # and nobody will read it
                self._log(self.task)
            await self._call_back()
            raise
        if not self.task.done() and not await self._call_back():
            text = f"no answer within {timeout:g} s; the request is finished in the background"
            raise self._error(RequestTimeout(text, may_have_been_sent=True), OutcomeState.UNKNOWN)
        if self.task.cancelled():
            raise self._interrupted(timeout)
        if self._flight.attempts and (bug := self.task.exception()) is not None:
            text = f"an unexpected failure: {type(bug).__name__}"
            raise self._error(
                TransportError(text, may_have_been_sent=True), OutcomeState.UNKNOWN
            ) from bug
        return self._read(self.task.result())

    def close(self) -> None:
        """The session closes: withdraw this, unless it is on the wire."""
        self._is_closing = True
        if self._flight.withdraw():
            self.task.cancel()

    def abandon(self) -> None:
        """Give this up wherever it is."""
        self._is_closing = True
        self.task.cancel()

    async def _work(self) -> Verdict:
        return await self._dispatcher.dispatch(
            self._batch,
            self._message,
            self._flight,
            files=self._files,
            lane=Lane.INTERACTIVE,
            owner=None,
        )

    async def _call_back(self) -> bool:
        """Withdraw this, or leave it to be finished and logged; True if it is over."""
        if self.task.done():
            return True
        if self._flight.withdraw():
            self.task.cancel()
            await asyncio.wait({self.task})
            return True
        self.task.add_done_callback(self._log)
        return False

    def _interrupted(self, timeout: float | None) -> SensError:
        if not self._flight.withdraw():
            text = "the session was closed before the answer came"
            return self._error(ConnectionLost(text, may_have_been_sent=True), OutcomeState.UNKNOWN)
        if self._is_closing:
            text = "the session was closed before this message's turn came"
            return self._error(SessionClosed(text), OutcomeState.NOT_SENT)
        within = "" if timeout is None else f" within {timeout:g} s"
        text = f"certainly not sent: its turn did not come{within}"
        return self._error(SendTimeout(text), OutcomeState.NOT_SENT)

    def _read(self, verdict: Verdict) -> Receipt:
        error, attempt = verdict.error, verdict.attempt
        if error is not None:
            state = {
                Step.LEAVE_UNKNOWN: OutcomeState.UNKNOWN,
                Step.REJECT: OutcomeState.REJECTED,
            }.get(verdict.step, OutcomeState.NOT_SENT)
            raise self._error(error, state)
        assert attempt is not None
        self._batch.attempts = self._flight.attempts
        outcomes = self._batch.settled(
            OutcomeState.ACCEPTED,
            request_id=attempt.request_id,
            requested_at=attempt.requested_at,
        )
        return receipt_of(outcomes, self._message)

    def _error(self, error: SensError, state: OutcomeState) -> SensError:
        self._batch.attempts = self._flight.attempts
        self._batch.attempted_at = self._flight.signed_at
        if state is OutcomeState.UNKNOWN:
            self._batch.token = new_token()
            return with_outcome(error, unknown(self._batch, error))
        return with_outcome(error, self._batch.settled(state, error=error))

    def _log(self, task: asyncio.Task[Verdict]) -> None:
        """Say what became of a send that nobody waits for any more."""
        number = mask(self._batch.numbers[0])
        if task.cancelled():
            logger.warning("an unattended send to %s was given up; it may be sent", number)
        elif (bug := task.exception()) is not None:
            logger.error("an unattended send to %s failed", number, exc_info=bug)
        else:
            verdict = task.result()
            request_id = verdict.attempt.request_id if verdict.attempt else None
            log_unattended(self._batch.numbers[0], verdict.error, request_id)


def log_unattended(number: str, error: SensError | None, request_id: str | None) -> None:
    """Say what became of a send that nobody waits for any more."""
    if error is not None:
        logger.warning("an unattended send to %s failed: %s", mask(number), error)
    else:
        logger.warning("an unattended send to %s was accepted: %s", mask(number), request_id)


def receipt_of(outcomes: OutcomeBatch, message: Message) -> Receipt:
    """Give the receipt of an accepted message to one recipient."""
    number, request_id, kind = outcomes.numbers[0], outcomes.request_id, outcomes.type
    if number is None or request_id is None or kind is None:
        raise AssertionError("accepted without number, request id or type")
    return Receipt(
        request_id=request_id,
        requested_at=outcomes.requested_at,
        number=number,
        type=kind,
        reserve_at=message.reservation.at if message.reservation else None,
        attempts=outcomes.attempts,
    )


def with_outcome(error: SensError, outcomes: OutcomeBatch) -> SensError:
    """Give the error of a single send its outcome."""
    error.outcome = outcomes[0]
    return error
