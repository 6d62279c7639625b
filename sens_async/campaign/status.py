"""How a campaign stands."""

from collections import Counter
from datetime import datetime

import attrs
from sqlalchemy import func, select

from sens_async.campaign.ids import ids_of
from sens_async.campaign.leases import SETTLE_SECONDS
from sens_async.campaign.letter import departure
from sens_async.campaign.results import read_results
from sens_async.campaign.schema import batches
from sens_async.campaign.states import BatchState, outcome_of
from sens_async.campaign.storage import Storage
from sens_async.core.schedule import Reservation, from_epoch
from sens_async.deliveries import DeliveryEnd
from sens_async.errors import SensError
from sens_async.models import MessageType, OutcomeState

__all__ = ["CampaignStatus", "read_ends", "read_status"]


@attrs.define(kw_only=True, eq=False, repr=False)
class CampaignStatus:
    """How a campaign stands; while it is run, one object whose figures change.

    Attributes:
        name: The campaign's.
        counts: Recipients by `OutcomeState`. `NOT_SENT` are planned and not sent yet, or were
            tried in vain; `UNKNOWN` may have been sent to.
        in_flight: Recipients among the unknown whose request is out at this moment, as far as
            the ledger knows: also those of a process that has died and was not noticed yet.
        unproven: Recipients among the unknown whom SENS did not list after settling.
        possible_duplicates: Recipients who may have got the message twice, because it was asked
            for at least once, or because SENS lists equal requests.
        counts_by_type: Accepted recipients by `MessageType`.
        planned_by_type: Recipients by the `MessageType` they are sent to as, whether they are yet;
            not those who were left out.
        batches: Requests that it takes to send to them.
        ends: Accepted recipients by how their delivery ended, as far as it was tracked.
        codes: Failed deliveries by result code.
        stopped_by: What ended this call's run early, or None.
        settles_at: When the last of the unknown can be settled by asking again (KST), or None;
            where SENS was not asked, by a settling time of 600 s.
        reasons: Why recipients are still unknown: how many by each reason.
        elapsed: Seconds this call has taken.
    """

    name: str
    counts: Counter[OutcomeState] = attrs.field(factory=Counter)
    in_flight: int = 0
    unproven: int = 0
    possible_duplicates: int = 0
    counts_by_type: Counter[MessageType] = attrs.field(factory=Counter)
    planned_by_type: Counter[MessageType] = attrs.field(factory=Counter)
    batches: int = 0
    ends: Counter[DeliveryEnd] = attrs.field(factory=Counter)
    codes: Counter[str] = attrs.field(factory=Counter)
    stopped_by: SensError | None = None
    settles_at: datetime | None = None
    reasons: Counter[str] = attrs.field(factory=Counter)
    elapsed: float = 0.0

    def count_end(self, end: DeliveryEnd, code: str | None) -> None:
        """Count one delivery that has ended; tracking does this."""
        self.ends[end] += 1
        if end is DeliveryEnd.FAILED and code is not None:
            self.codes[code] += 1

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{state.lower()}={number}" for state, number in sorted((+self.counts).items())
        )
        return f"<CampaignStatus {self.name!r}: {counts or 'nobody'}>"

    @property
    def total(self) -> int:
        """Everybody in the campaign."""
        return self.counts.total()

    @property
    def is_finished(self) -> bool:
        """Whether everybody has a final outcome: nobody is unknown, and nobody is left to send."""
        return not self.counts[OutcomeState.UNKNOWN] and not self.counts[OutcomeState.NOT_SENT]


async def read_status(
    storage: Storage, name: str, campaign_id: int, reservation: Reservation | None
) -> CampaignStatus:
    """Count what the ledger holds, and see when the last of the unknown can be settled."""
    status = CampaignStatus(name=name)
    kinds = (batches.c.state, batches.c.type, batches.c.is_doubtful)
    counted = (
        select(*kinds, func.sum(batches.c.size), func.count(), func.max(batches.c.intent_ms))
        .where(batches.c.id.between(*ids_of(campaign_id)))
        .group_by(*kinds)
    )
    async with storage.reading() as connection:
        rows = (await connection.execute(counted)).all()
    for word, type_name, is_doubtful, size, number, intent_ms in rows:
        state = BatchState(word)
        status.counts[outcome_of(state, is_doubtful=bool(is_doubtful))] += int(size)
        if state is BatchState.INFLIGHT:
            status.in_flight += int(size)
        if state is BatchState.UNKNOWN:
            due = from_epoch(departure(intent_ms, reservation) + SETTLE_SECONDS)
            status.settles_at = max(due, status.settles_at or due)
        if state is BatchState.UNPROVEN:
            status.unproven += int(size)
        if is_doubtful:
            status.possible_duplicates += int(size)
        if type_name is None or state is BatchState.SKIPPED:  # refused, left out, or cancelled
            continue
        status.batches += number
        status.planned_by_type[MessageType(type_name)] += int(size)
        if state is BatchState.ACCEPTED:
            status.counts_by_type[MessageType(type_name)] += int(size)
    return status


async def read_ends(storage: Storage, campaign_id: int, status: CampaignStatus) -> None:
    """Count what tracking has learnt."""
    tracked = select(batches.c.results, batches.c.size).where(
        batches.c.id.between(*ids_of(campaign_id)), batches.c.results.is_not(None)
    )
    async with storage.reading() as connection:
        async for results, size in await connection.stream(tracked):
            for result in read_results(results, size):
                if result.end is not None:
                    status.count_end(result.end, result.code)
