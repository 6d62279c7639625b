"""Carry one batch through the queue and its attempts, until something final is known.

`send` and runs share this. What is left to the caller is what concerns more than the one batch:
finding a culprit, halving, and stopping a run.
"""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar
from uuid import uuid4

import attrs

from sens_async.attempt import Gateway
from sens_async.core.batch import Batch
from sens_async.core.message import Message
from sens_async.core.requests import Request
from sens_async.core.responses import Response
from sens_async.core.retry import (
    AGAIN,
    MAX_SIGNINGS,
    Attempt,
    History,
    Pauses,
    RetryBudget,
    RetryPolicy,
    Step,
    decide,
)
from sens_async.errors import RateLimited, RunStopped, SensError, TransportError, without_traceback
from sens_async.files import Files
from sens_async.flow.lanes import Lane
from sens_async.flow.queue import RequestQueue
from sens_async.models import OutcomeState
from sens_async.outcomes import OutcomeBatch
from sens_async.owners import Owners
from sens_async.transport import Handover

T = TypeVar("T")

__all__ = ["Dispatcher", "Flight", "Journal", "Verdict", "new_token", "unknown"]

_FRESH_MS = 30_000
"""Milliseconds for which an intent may be acted on; a worker that was held up makes a new one."""


class _TakenOver(RunStopped):
    """A batch is somebody else's by now: this worker was held up for too long."""


class Journal(Protocol):
    """Keeps a durable note of every attempt, for runs that must survive their process."""

    async def intend(self, batch: Batch, timestamp_ms: int) -> bool:
        """Note, durably, that a request with this signature time is about to be made.

        Returns:
            Whether it may be made: not if the batch is somebody else's by now.

        Raises:
            SensError: It could not be noted, so it must not be made.
        """
        ...

    def refused(self, batch: Batch, error: SensError) -> None:
        """Note that the request last intended was provably not accepted."""
        ...

    async def divide(self, batch: Batch, parts: Sequence[Batch]) -> bool:
        """Note, durably, that parts take the place of a refused batch.

        Returns:
            Whether they may be sent: not if the batch is somebody else's by now.

        Raises:
            SensError: It could not be noted, so the parts must not be sent.
        """
        ...


class Flight:
    """Where a batch is at this moment, for those who may want to call it back.

    Args:
        batch: Which, once that is known.

    Attributes:
        batch: As given.
        attempts: Requests begun for it.
        signed_at: Signature time of the last on the gateway's clock, or None.
        is_withdrawn: Whether no further request may be made for it.
    """

    __slots__ = ("_handover", "attempts", "batch", "is_withdrawn", "signed_at")

    def __init__(self, batch: Batch | None = None) -> None:
        self.batch = batch
        self.attempts = 0
        self.is_withdrawn = False
        self.signed_at: float | None = None
        self._handover: Handover | None = None

    @property
    def is_out(self) -> bool:
        """Whether an attempt has begun and not ended."""
        return self._handover is not None

    def withdraw(self) -> bool:
        """Forbid what has not been handed to a connection yet, now and later.

        Returns:
            Whether it is certain that no unanswered request for it will be sent.
        """
        self.is_withdrawn = True
        return self._handover is None or self._handover.withdraw()

    def check(self) -> None:
        """Go no further if this was withdrawn, and a limiter swallowed the cancellation.

        Raises:
            CancelledError: It was.
        """
        if self.is_withdrawn:
            raise asyncio.CancelledError

    def begin(self, signed_at: float) -> Handover:
        """Note that an attempt begins."""
        self.attempts += 1
        self.signed_at = signed_at
        self._handover = Handover()
        return self._handover

    def land(self) -> None:
        """Note that the attempt has ended with an answer or a classified failure."""
        self._handover = None


@attrs.define(eq=False, repr=False)
class Verdict:
    """What is finally known of a batch, as far as it can be found out without splitting it.

    Attributes:
        step: One of `ACCEPT`, `LEAVE_UNKNOWN`, `GIVE_UP`, `REJECT`, `FIND_CULPRIT`, `HALVE` and
            `STOP`.
        attempt: The last attempt, or None if it never came to one.
        error: What stands in the way, or None when accepted.
    """

    step: Step
    attempt: Attempt | None
    error: SensError | None

    @property
    def must_split(self) -> bool:
        """Whether the batch is refused as a whole, and its parts may go."""
        return self.step is Step.FIND_CULPRIT or self.step is Step.HALVE


class Dispatcher:
    """The session's parts that every request goes through.

    Args:
        gateway: Makes the attempts.
        queue: Says when.
        policy: How patient to be.
        random: Gives numbers from 0 to 1, for jitter.
    """

    def __init__(
        self,
        gateway: Gateway,
        queue: RequestQueue,
        policy: RetryPolicy,
        random: Callable[[], float],
    ) -> None:
        self.gateway = gateway
        self.queue = queue
        self.policy = policy
        self.budget = RetryBudget()
        self.pauses = Pauses()
        self.owners = Owners()
        self._random = random

    async def dispatch(
        self,
        batch: Batch,
        message: Message,
        flight: Flight,
        *,
        files: Files,
        lane: Lane,
        owner: Hashable,
        journal: Journal | None = None,
    ) -> Verdict:
        """Send a batch; try again as often as it is right to.

        Args:
            batch: Whom to send what.
            message: Whose time is checked again before each attempt.
            flight: Kept up to date, so that a cancellation knows what it interrupts.
            files: The message's pictures.
            lane: Where to wait.
            owner: Whose slots to use.
            journal: Told of every attempt before it is made, and of every refusal; None for none.

        Cancellation: `flight` says whether the batch may have been sent.
        """
        clock = self.gateway.clock
        connect_failures = signings = 0
        file_ids: Sequence[str]
        while True:
            try:
                file_ids = await files.ids() if files else ()
                noted = None
                if journal is not None:
                    batch.file_ids = file_ids
                    noted = await self._intend(
                        batch, message, flight, journal=journal, lane=lane, owner=owner
                    )
                else:
                    await self._enter(batch, lane, owner)
                try:
                    flight.check()
                    message.check_time(clock.time())
                    began = clock.monotonic()
                    body = batch.body(file_ids)  # only now: somebody may have left meanwhile
                    timestamp = noted or self._timestamp()
                    handover = flight.begin(timestamp / 1000)
                    self.owners.begin(batch)
                    attempt = await self.gateway.send(body, handover, timestamp_ms=timestamp)
                finally:
                    self.owners.end(batch)
                    self.queue.leave(lane)
            except SensError as error:
                return _withheld(error)
            flight.land()
            flight.signed_at = attempt.signed_at
            if attempt.error is None:  # as `decide` says, without a history for every batch
                self._accepted(batch, attempt, began)
                return Verdict(Step.ACCEPT, attempt, None)
            history = History(
                recipients=_recipients_left(batch, attempt.error, journal),
                has_old_files=files.are_old(file_ids),
                connect_failures=connect_failures,
                signings=signings,
                can_afford_retry=self.budget.can_afford_retry,
                pauses=self.pauses.before(began),
            )
            action = decide(attempt, history, self.policy, self._random())
            if flight.is_withdrawn and action.step in AGAIN:
                return Verdict(Step.GIVE_UP, attempt, attempt.error)
            match action.step:
                case Step.CONNECT_AGAIN:
                    connect_failures += 1
                    self.budget.spend()
                    await clock.sleep(action.delay)
                case Step.PAUSE:
                    self.pauses.begin(began, clock.monotonic())
                    self.queue.pause(action.delay)
                case Step.REPLACE_FILES:
                    files.replace(file_ids)
                case Step.SIGN_AGAIN:
                    signings += 1
                case _:
                    return Verdict(action.step, attempt, attempt.error)

    def _accepted(self, batch: Batch, attempt: Attempt, began: float) -> None:
        self.budget.earn()
        self.pauses.end(began)
        self.queue.observe(self.gateway.clock.monotonic() - began)
        self.owners.note(str(attempt.request_id), batch.token)

    async def _enter(self, batch: Batch, lane: Lane, owner: Hashable) -> None:
        if not self.queue.enter_now(len(batch), lane):
            await self.queue.enter(len(batch), lane, owner)

    def _timestamp(self) -> int:
        return self.gateway.signer.timestamp(self.gateway.clock.time())

    async def _intend(
        self,
        batch: Batch,
        message: Message,
        flight: Flight,
        *,
        journal: Journal,
        lane: Lane,
        owner: Hashable,
    ) -> int:
        """Wait for the turn of a request, note it, and take a slot for it.

        The turn comes first, so that what is noted goes out soon, and the slot last, so that
        none is held while a disk is waited for.

        Returns:
            The signature time that was noted; the slot must be left.

        Raises:
            SensError: The request must not be made.
        """
        await self.queue.pace(len(batch), lane)
        flight.check()
        message.check_time(self.gateway.clock.time())
        timestamp_ms = self._timestamp()
        while await journal.intend(batch, timestamp_ms):
            await self.queue.take(lane, owner)
            now_ms = self._timestamp()
            if abs(now_ms - timestamp_ms) <= _FRESH_MS:
                return timestamp_ms
            self.queue.leave(lane)
            timestamp_ms = now_ms
        raise _TakenOver("another worker has taken this batch over")

    async def ask(
        self,
        request: Request,
        read: Callable[[Response], T | SensError],
        lane: Lane = Lane.INTERACTIVE,
        *,
        is_patient: bool = True,
    ) -> T:
        """Make a request that is safe to repeat, and repeat it while that may help.

        Reads are; uploads are, since their name is derived from their bytes.

        Args:
            request: What to ask.
            read: Gives what an answer says, or its error.
            lane: Where to wait.
            is_patient: Whether a failure is worth another request now. Without, only a signature
                that a clock spoiled is made again; a 429 holds everybody up all the same.

        Returns:
            What the answer says.

        Raises:
            SensError: The last failure. Nothing of a *message* was sent.
        """
        clock = self.gateway.clock
        failures = signings = 0
        while True:
            await self.queue.enter(0, lane, self)
            began = clock.monotonic()
            is_worth_signing_again, wait = False, None
            try:
                done = await self.gateway.exchange(request, Handover())
            except TransportError as failure:
                error: SensError = failure
            else:
                said = read(done.response)
                if not isinstance(said, SensError):
                    self.pauses.end(began)
                    return said
                error = said
                del said
                is_worth_signing_again, wait = done.is_worth_signing_again, done.retry_after
            finally:
                self.queue.leave(lane)
            if is_worth_signing_again and signings < MAX_SIGNINGS:
                signings += 1
                continue
            if isinstance(error, RateLimited):
                attempt = Attempt(error=error, signed_at=0.0, retry_after=wait)
                history = History(pauses=self.pauses.before(began))
                action = decide(attempt, history, self.policy, self._random())
                if action.step is Step.PAUSE:
                    self.pauses.begin(began, clock.monotonic())
                    self.queue.pause(action.delay)
                    if is_patient:
                        continue
            failures += 1
            passes = is_patient and (error.is_retryable or error.may_have_been_sent)
            error.may_have_been_sent = False
            if not passes or failures >= self.policy.max_attempts:
                try:
                    raise error
                finally:  # an error that its own frame names keeps all of its frames
                    del error
            longest = min(self.policy.max_wait, self.policy.backoff * 2**failures)
            await clock.sleep(self._random() * longest)


def _withheld(error: SensError) -> Verdict:
    """Give the verdict of a batch of which no request was made."""
    step = Step.GIVE_UP if isinstance(error, _TakenOver) else Step.STOP
    return Verdict(step, None, without_traceback(error))


def _recipients_left(batch: Batch, error: SensError, journal: Journal | None) -> int:
    """Count who is still in a batch whose attempt failed; some may leave once it was refused."""
    if not error.may_have_been_sent:
        batch.release()
        if journal is not None:
            journal.refused(batch, error)
    return len(batch)


def new_token() -> str:
    """Make a name for one request; see `Evidence`."""
    return uuid4().hex


def unknown(batch: Batch, error: SensError, *, is_final: bool = True) -> OutcomeBatch:
    """Give everybody's outcome where the last attempt may have been accepted.

    Args:
        batch: Its `attempted_at` is that attempt's.
        error: What is known.
        is_final: See `Evidence`.
    """
    evidence = batch.evidence(batch.token or new_token(), is_final=is_final)
    return batch.settled(OutcomeState.UNKNOWN, error=error, evidence=evidence)
