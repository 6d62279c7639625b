"""A batch of a campaign in the hands of a run."""

from collections.abc import Sequence

import attrs

from sens_async.campaign.states import BatchState
from sens_async.core.batch import Batch
from sens_async.core.evidence import Evidence

__all__ = ["Claim", "ClaimedBatch"]


@attrs.define(eq=False)
class Claim:
    """A batch's row as far as its claimant changes it; see `sens_async.campaign.schema`."""

    id: int
    fence: int
    state: BatchState = BatchState.CLAIMED
    attempts: int = 0
    intent_ms: int | None = None
    file_ids: str | None = None
    request_id: str | None = None
    requested_at: float | None = None
    error: str | None = None
    is_doubtful: bool = False

    def row(self) -> dict[str, object]:
        """Give what is written of it."""
        return {
            "id": self.id,
            "fence": self.fence,
            "state": self.state,
            "attempts": self.attempts,
            "intent_ms": self.intent_ms,
            "file_ids": self.file_ids,
            "request_id": self.request_id,
            "requested_at": self.requested_at,
            "error": self.error,
            "is_doubtful": self.is_doubtful,
        }


@attrs.define(eq=False, repr=False)
class ClaimedBatch(Batch):
    """Recipients of one request, and their row.

    Attributes:
        claim: Their row; None for parts of a refused batch that have none yet.
        keys: The caller's ids, one for each.
    """

    claim: Claim | None = attrs.field(default=None, kw_only=True)
    keys: Sequence[str | None] = attrs.field(default=(), kw_only=True)

    def part(self, positions: range | Sequence[int]) -> "ClaimedBatch":
        """Give a batch of some of these recipients, which has no row yet."""
        part = super().part(positions)
        values = {field.name: getattr(part, field.name) for field in attrs.fields(Batch)}
        return ClaimedBatch(**values, keys=[self.keys[i] for i in positions])

    def evidence(self, token: str, *, is_final: bool = True) -> Evidence | None:
        """None: the ledger keeps what it takes to look for the request."""
