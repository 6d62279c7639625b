"""One signed exchange, once: no retry, no halving."""

from typing import NamedTuple

import attrs

from sens_async.clock import Clock
from sens_async.core.requests import Request, Service
from sens_async.core.responses import Response, gateway_time, read_send, retry_after, served_at
from sens_async.core.retry import Attempt
from sens_async.core.signing import Signer
from sens_async.errors import ConnectFailed, SensError, TransportError, without_traceback
from sens_async.transport import Handover, Transport

__all__ = ["Exchange", "Gateway"]


class Exchange(NamedTuple):
    """A complete answer and how its request was signed.

    Attributes:
        response: The answer.
        signed_at: Signature time, seconds since the epoch on the gateway's clock.
        is_worth_signing_again: Whether the gateway refused the signature and its clock, known
            better now, makes a new one differ.
        retry_after: Seconds the answer asks to wait, or None.
    """

    response: Response
    signed_at: float
    is_worth_signing_again: bool
    retry_after: float | None


@attrs.frozen(eq=False, repr=False)
class Gateway:
    """Everything one attempt needs: where to, signed by whom, over what, at what time."""

    service: Service
    signer: Signer
    transport: Transport
    clock: Clock

    def now(self) -> float:
        """Give the gateway's time as far as it is known, seconds since the epoch."""
        return self.clock.time() + self.signer.offset

    async def exchange(
        self, request: Request, handover: Handover, *, timestamp_ms: int | None = None
    ) -> Exchange:
        """Sign and exchange once, and learn the gateway's clock from a refusal.

        Args:
            request: What to ask.
            handover: Tells afterwards, also after a cancellation, how far it got.
            timestamp_ms: Signature time; None for now.

        Raises:
            TransportError: No complete answer was read.
            Exception: What no transport should raise; the handover counts as begun then.
        """
        signer = self.signer
        began = self.clock.monotonic()
        timestamp = signer.timestamp(self.clock.time()) if timestamp_ms is None else timestamp_ms
        headers = signer.headers(request.method, request.target, timestamp)
        try:
            response = await self.transport.exchange(request, headers, handover)
        except TransportError:
            raise
        except SensError as error:
            handover.begun = True
            text = f"the transport raised {type(error).__name__}, which proves nothing"
            raise TransportError(text, may_have_been_sent=True) from error
        except Exception:
            handover.begun = True  # whatever this is, it proves nothing
            raise
        if not request.body:
            self._observe(response)
        if response.status < 300:
            return Exchange(response, timestamp / 1000, False, None)
        now = self.clock.time()
        theirs = gateway_time(response)
        if theirs is not None:
            signer.learn(theirs, now)
        # Our clock may have been set during the exchange: judged by where it stands now, the
        # timestamp was made with another offset than the one that was known then.
        offset = timestamp / 1000 + self.clock.monotonic() - began - now
        return Exchange(
            response,
            timestamp / 1000,
            theirs is not None and signer.is_worth_signing_again(offset),
            retry_after(response, now),
        )

    def _observe(self, response: Response) -> None:
        date = served_at(response)
        if date is not None:
            self.signer.observe(date, self.clock.time())

    async def send(
        self, body: bytes, handover: Handover, *, timestamp_ms: int | None = None
    ) -> Attempt:
        """Make one attempt to send a batch; its failure is in the value, not raised.

        Args:
            body: The encoded batch.
            handover: See `exchange`. If it has begun when this is cancelled, the batch may have
                been sent.
            timestamp_ms: Signature time; None for now.
        """
        if timestamp_ms is None:
            timestamp_ms = self.signer.timestamp(self.clock.time())
        try:
            request = Request("POST", self.service.messages, body)
            done = await self.exchange(request, handover, timestamp_ms=timestamp_ms)
        except TransportError as error:
            if handover.begun or not isinstance(error, ConnectFailed):
                error.may_have_been_sent, error.is_retryable = True, False
            return Attempt(error=without_traceback(error), signed_at=timestamp_ms / 1000)
        answer = read_send(done.response)
        if isinstance(answer, SensError):
            return Attempt(
                error=answer,
                signed_at=done.signed_at,
                is_worth_signing_again=done.is_worth_signing_again,
                retry_after=done.retry_after,
            )
        return Attempt(
            error=None,
            request_id=answer.request_id,
            requested_at=answer.request_time,
            signed_at=done.signed_at,
        )
