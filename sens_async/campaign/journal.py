"""What a run of a campaign writes down: every intent before its request, and every outcome."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.claimed import Claim, ClaimedBatch
from sens_async.campaign.errors import error_text
from sens_async.campaign.group_commit import GroupCommit
from sens_async.campaign.ids import batch_id
from sens_async.campaign.leases import LEASE_SECONDS, Leases, write_in_turn
from sens_async.campaign.packing import batch_digest, key_digest, pack
from sens_async.campaign.schema import batches, keys, people
from sens_async.campaign.states import CLAIMED, BatchState
from sens_async.campaign.storage import Storage
from sens_async.core.batch import Batch
from sens_async.errors import RunStopped, SensError
from sens_async.models import OutcomeState
from sens_async.outcomes import OutcomeBatch

__all__ = ["Journal"]


class Settled(Protocol):
    """Told what became of a batch."""

    def __call__(self, outcomes: OutcomeBatch, claim: Claim, *, was_doubtful: bool) -> None:
        """Take it in."""
        ...


_STATES = {
    OutcomeState.ACCEPTED: BatchState.ACCEPTED,
    OutcomeState.REJECTED: BatchState.REJECTED,
    OutcomeState.NOT_SENT: BatchState.PLANNED,
    OutcomeState.UNKNOWN: BatchState.UNKNOWN,
}


class Journal:
    """Writes one run's intents and outcomes; see `sens_async.dispatch.Journal`.

    Args:
        storage: The ledger's.
        commits: Writes claims.
        leases: Claims of the ledger.
        claims: The run's, by the place of the batch's first recipient; taken out when settled.
        campaign_id: Whose batches.
        service_id: Its service's.
        owner: The run's name in claims.
        settled: Told what became of each batch, once, and whether it was doubtful before.

    Attributes:
        in_flight: Recipients whose request was noted, and has no outcome yet.
    """

    def __init__(
        self,
        storage: Storage,
        commits: GroupCommit,
        leases: Leases,
        claims: dict[int, Claim],
        *,
        campaign_id: int,
        service_id: str,
        owner: str,
        settled: Settled,
    ) -> None:
        self.in_flight = 0
        self._storage = storage
        self._commits = commits
        self._leases = leases
        self._claims = claims
        self._campaign_id = campaign_id
        self._service_id = service_id
        self._owner = owner
        self._settled = settled

    async def intend(self, batch: Batch, timestamp_ms: int) -> bool:
        """Note a request durably before it is made."""
        claim = _claim_of(batch)
        if claim.state is not BatchState.INFLIGHT:
            claim.state = BatchState.INFLIGHT
            self.in_flight += len(batch)
        claim.attempts += 1
        claim.intent_ms = timestamp_ms
        batch.token = self._storage.token(claim.id, timestamp_ms)
        claim.file_ids = " ".join(batch.file_ids) or None
        return await self._commits.commit(claim)

    def refused(self, batch: Batch, error: SensError) -> None:
        """Note that the request last intended was provably not accepted."""
        claim = _claim_of(batch)
        claim.state = BatchState.CLAIMED
        self.in_flight -= len(batch)
        claim.error = error_text(error)
        self._commits.submit(claim)

    def settle(self, outcomes: OutcomeBatch) -> None:
        """Take in what became of a batch."""
        claim = self._claims.pop(outcomes.indexes[0])
        if claim.state is BatchState.INFLIGHT:
            self.in_flight -= len(outcomes)
        was_doubtful = claim.is_doubtful
        claim.state = _STATES[outcomes.state]
        claim.request_id = outcomes.request_id
        at = outcomes.requested_at
        claim.requested_at = None if at is None else at.timestamp()
        if not isinstance(outcomes.error, RunStopped) or outcomes.error.may_have_been_sent:
            claim.error = error_text(outcomes.error)  # else it is the run's end, not this batch's
        if claim.state is BatchState.REJECTED and was_doubtful:
            claim.state = (
                BatchState.UNPROVEN
            )  # this request was refused, an earlier one perhaps not
        self._commits.submit(claim)
        self._settled(outcomes, claim, was_doubtful=was_doubtful)

    async def divide(self, batch: Batch, parts: Sequence[Batch]) -> bool:
        """Put parts in the place of a refused batch, in one transaction."""
        await self._commits.flush()
        parent = _claim_of(batch)
        filled = [part for part in parts if isinstance(part, ClaimedBatch) and len(part)]
        rows = [self._row(part, parent) for part in filled]
        payloads = [
            {"batch_id": _claim_of(part).id, "payload": pack(part, part.keys)} for part in filled
        ]
        named = [
            {"digest": key_digest(self._storage.secret, key), "batch_id": _claim_of(part).id}
            for part in filled
            for key in set(part.keys)
            if key is not None
        ]

        async def write(connection: AsyncConnection) -> bool:
            gone = await connection.execute(
                delete(batches).where(
                    batches.c.id == parent.id,
                    batches.c.fence == parent.fence,
                    batches.c.state.in_(CLAIMED),
                )
            )
            if gone.rowcount != 1:
                return False
            for table in (keys, people):
                await connection.execute(delete(table).where(table.c.batch_id == parent.id))
            for row in rows:
                if await self._leases.is_held_up(connection, row["digest"]):
                    row["state"] = BatchState.PLANNED  # its turn comes; this run cannot send it now
            until = self._storage.engine.now() + LEASE_SECONDS
            await connection.execute(insert(batches).values(lease_until=until), rows)
            await connection.execute(insert(people), payloads)
            if named:
                await connection.execute(insert(keys), named)
            return True

        is_ours = await write_in_turn(self._storage, write)
        if is_ours:
            self._storage.noted((len(filled) - 1) * parent.attempts)
            del self._claims[batch.indexes[0]]
            self._claims.update((part.indexes[0], _claim_of(part)) for part in filled)
        return is_ours

    def _row(self, part: ClaimedBatch, parent: Claim) -> dict[str, object]:
        part.claim = Claim(
            batch_id(self._campaign_id, part.indexes[0]),
            parent.fence + 1,  # the first part has the parent's id: what comes late is not for it
            attempts=parent.attempts,
            intent_ms=parent.intent_ms,
            error=parent.error,
            is_doubtful=parent.is_doubtful,
        )
        return {
            **part.claim.row(),
            "size": len(part),
            "type": part.envelope.type.value,
            "has_subject": part.envelope.has_subject,
            "digest": batch_digest(part, self._service_id),
            "owner": self._owner,
        }


def _claim_of(batch: Batch) -> Claim:
    assert isinstance(batch, ClaimedBatch)
    assert batch.claim is not None
    return batch.claim
