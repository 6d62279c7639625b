"""A refused batch is sent in parts, so that most of it goes and whoever is at fault is found.

What this may cost is bounded: three single requests tell a fault of the whole envelope, which
stops the run, and halving finds one recipient in a hundred in at most fourteen.
"""

from collections.abc import Sequence
from typing import Protocol

from sens_async.core.batch import Batch
from sens_async.core.retry import Step
from sens_async.dispatch import Verdict
from sens_async.errors import ApiError, SensError
from sens_async.models import OutcomeState
from sens_async.outcomes import OutcomeBatch

__all__ = ["Carrier", "hunt"]

_PROBES = 3


class Carrier(Protocol):
    """The run that a batch belongs to."""

    async def divide(
        self, batch: Batch, positions: Sequence[range | Sequence[int]]
    ) -> Sequence[Batch] | None:
        """Give parts of a refused batch that hold everybody in it; None if they must not be sent.

        Then everybody in it is settled.
        """
        ...

    async def attempt(self, batch: Batch, *, keeps_rejection: bool = False) -> Verdict:
        """Send a part and settle it, unless it must be split, too; see `Run.attempt`."""
        ...

    def settle(self, outcomes: OutcomeBatch) -> None:
        """Take outcomes."""
        ...

    def stop(self, error: SensError) -> None:
        """End the run."""
        ...


async def hunt(carrier: Carrier, batch: Batch, refusal: Verdict, *, is_proven: bool) -> None:
    """Settle everybody in a refused batch.

    Args:
        carrier: Sends the parts.
        batch: Whom to send what.
        refusal: Of the whole.
        is_proven: Whether anything of the envelope was accepted, so that it is not at fault.
    """
    if len(batch) >= _PROBES and not is_proven:
        await _probe(carrier, batch, refusal)
    else:
        await _split(carrier, batch, one_is_refused=refusal.step is Step.FIND_CULPRIT)


async def _probe(carrier: Carrier, batch: Batch, refusal: Verdict) -> None:
    """Try three recipients far apart: if all are refused alike, it is not about them."""
    places = (0, len(batch) // 2, len(batch) - 1)
    others = [place for place in range(len(batch)) if place not in places]
    parts = await carrier.divide(batch, [*([place] for place in places), others])
    if parts is None:
        return
    *singles, rest = parts
    rejected: list[tuple[Batch, Verdict]] = []
    for one in singles:
        verdict = await carrier.attempt(one, keeps_rejection=True)
        if verdict.step is Step.REJECT:
            rejected.append((one, verdict))
    if len(rejected) == len(places) and all(
        _kind(verdict) == _kind(refusal) for _, verdict in rejected
    ):
        assert refusal.error is not None
        carrier.stop(refusal.error)
        state = OutcomeState.NOT_SENT
    else:
        state = OutcomeState.REJECTED
    for one, verdict in rejected:
        carrier.settle(one.settled(state, error=verdict.error))
    if len(rest) > 1 and not rejected:  # then whoever was refused is in there
        await _split(carrier, rest, one_is_refused=refusal.step is Step.FIND_CULPRIT)
    elif len(rest):
        await _carry(carrier, rest)


async def _split(carrier: Carrier, batch: Batch, *, one_is_refused: bool) -> None:
    """Send a batch in halves, and those in halves again as long as they are refused.

    Args:
        carrier: Sends them.
        batch: At least two recipients.
        one_is_refused: Whether it was refused for somebody in it: if one half is accepted, the
            other need not be tried as a whole.
    """
    middle = len(batch) // 2
    parts = await carrier.divide(batch, [range(middle), range(middle, len(batch))])
    if parts is None:
        return
    left, right = parts
    left_is_accepted = await _carry(carrier, left)
    if one_is_refused and left_is_accepted and len(right) > 1:
        await _split(carrier, right, one_is_refused=True)
    else:
        await _carry(carrier, right)


async def _carry(carrier: Carrier, part: Batch) -> bool:
    """Settle everybody in a part of a refused batch; True if it was accepted as a whole."""
    verdict = await carrier.attempt(part)
    if verdict.must_split:
        await _split(carrier, part, one_is_refused=verdict.step is Step.FIND_CULPRIT)
    return verdict.step is Step.ACCEPT


def _kind(verdict: Verdict) -> tuple[int, str | None]:
    error = verdict.error
    return (error.status, error.code) if isinstance(error, ApiError) else (0, None)
