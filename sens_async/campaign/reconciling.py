"""Ask SENS for batches that may have been accepted, and write down what is known then.

All unknown batches of a service are looked for together, whatever campaign they are of, so that
what belongs to one is not taken for another's; and what the ledger knows to be accepted is none.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.errors import error_text
from sens_async.campaign.leases import SETTLE_SECONDS
from sens_async.campaign.letter import departure, reservation_of
from sens_async.campaign.packing import unpack
from sens_async.campaign.schema import AnyRow, batches, campaign_id, campaigns, people
from sens_async.campaign.states import BatchState, Guarantee
from sens_async.campaign.storage import Storage
from sens_async.campaign.strays import Messages, may_be_part, read_strays
from sens_async.core.evidence import MARGIN, Evidence
from sens_async.core.schedule import from_epoch
from sens_async.core.signing import SIGNATURE_LIFETIME
from sens_async.models import ContentType, MessageType, OutcomeState
from sens_async.outcomes import OutcomeBatch
from sens_async.report import BulkReport
from sens_async.searching import RETENTION
from sens_async.session import SensSession

__all__ = ["Round", "reconcile"]

_Known = tuple[AnyRow, OutcomeBatch, BatchState]
"""A batch that was unknown, what is known of it, and the state that it is in then."""

_AT_ONCE = 1_000
"""Unknown batches that are looked for together, the oldest first."""

_CONTROLS = 20
"""Accepted batches by which it is tried whether asking works."""

_NEARBY = round(2_000 * (SIGNATURE_LIFETIME + MARGIN))
"""Milliseconds around an unknown signature in which an accepted request may be taken for it."""


@attrs.frozen
class Round:
    """What one round of questions has brought.

    Attributes:
        found: Batches that are accepted.
        replanned: Batches that are to be sent again.
        unproven: Batches that SENS did not list after settling.
        left: Batches that are still unknown, of all campaigns.
        settles_at: When the last of those can be settled (KST), or None.
        reasons: By campaign id, why recipients are still unknown: how many by each reason.
        settling: By campaign id, when the last of the unknown can be settled (KST).
    """

    found: int = 0
    replanned: int = 0
    unproven: int = 0
    left: int = 0
    settles_at: datetime | None = None
    reasons: Mapping[int, Counter[str]] = attrs.field(factory=dict)
    settling: Mapping[int, datetime] = attrs.field(factory=dict)

    @property
    def has_news(self) -> bool:
        """Whether anything is known that was not."""
        return bool(self.found or self.replanned or self.unproven)

    def is_due(self, now: float) -> bool:
        """Whether what is left could have been settled.

        Args:
            now: The gateway's time, seconds since the epoch.
        """
        return self.settles_at is None or self.settles_at.timestamp() <= now


async def reconcile(
    storage: Storage,
    session: SensSession,
    *,
    guarantees: Mapping[int, Guarantee],
    settle: float,
) -> Round:
    """Ask once for everything that is unknown of the session's service.

    Args:
        storage: The ledger's.
        session: Asks.
        guarantees: What is done about an absent batch, by campaign id, where not what its
            campaign was planned with.
        settle: Seconds after which absence is believed; of other campaigns than those in
            `guarantees` not before the default, since nobody has allowed less for them.

    Raises:
        LedgerError: The ledger cannot be read or written.
        SessionClosed: The session is closed.
    """
    unknown = await _unknown(storage, session.service_id)
    if not unknown:
        return Round()
    report, began = BulkReport(), session.clock.time()
    sought = [_sought(row, storage.token(row.id, row.intent_ms)) for row in unknown]
    for batch in [*sought, *await _accepted(storage, session.service_id, unknown)]:
        first = len(report)  # places must differ, and mean nothing here
        batch.indexes = range(first, first + len(batch))
        report.add(batch)
    resolution = await session.resolve(report, settle=settle, wait=False)
    assert resolution.report is not None
    doubled = {ids[0] for ids in resolution.suspected_duplicates}
    now = began + session.signer.offset - max(0.0, session.signer.lag)
    settled = zip(unknown, resolution.report.batches, strict=False)  # the accepted come behind
    known = [(row, batch, _state(row, batch, guarantees, now)) for row, batch in settled]
    if any(state is BatchState.ACCEPTED for _, _, state in known):
        known = _held(known, sought, await read_strays(storage, session.service_id, now))
    await _write(storage, known, doubled)
    counts = Counter(state for _, _, state in known)
    reasons: defaultdict[int, Counter[str]] = defaultdict(Counter)
    settling: dict[int, datetime] = {}
    for row, batch, state in known:
        if state is BatchState.UNKNOWN and batch.evidence is not None:
            number, due = row.campaign_id, from_epoch(batch.evidence.settles_at(settle))
            why = resolution.reason_of.get(batch.evidence.token, "its time is not over")
            reasons[number][why] += len(batch)
            settling[number] = max(due, settling.get(number, due))
    return Round(
        found=counts[BatchState.ACCEPTED],
        replanned=counts[BatchState.PLANNED],
        unproven=counts[BatchState.UNPROVEN],
        left=counts[BatchState.UNKNOWN],
        settles_at=resolution.settles_at,
        reasons=reasons,
        settling=settling,
    )


def _state(
    row: AnyRow, known: OutcomeBatch, guarantees: Mapping[int, Guarantee], now: float
) -> BatchState:
    if known.state is OutcomeState.ACCEPTED:
        return BatchState.ACCEPTED
    if known.state is not OutcomeState.NOT_SENT:
        # What SENS lists no more will never be known, and must not hold others up for ever.
        is_old = row.intent_ms / 1_000 < now - RETENTION
        return BatchState.UNPROVEN if is_old else BatchState.UNKNOWN
    departs_at = departure(row.intent_ms, reservation_of(row.reserve_at, row.reserve_zone))
    if row.campaign_id not in guarantees and now < departs_at + SETTLE_SECONDS:
        return BatchState.UNKNOWN
    guarantee = guarantees.get(row.campaign_id, Guarantee(row.guarantee))
    if guarantee is Guarantee.AT_MOST_ONCE:
        return BatchState.UNPROVEN
    return BatchState.PLANNED


def _held(
    known: Sequence[_Known], sought: Sequence[OutcomeBatch], strays: Collection[Messages]
) -> list[_Known]:
    """Leave unknown what was found and may be a part of a larger request, not listed in full."""
    held = []
    for (row, batch, state), before in zip(known, sought, strict=True):
        assert before.evidence is not None
        if state is BatchState.ACCEPTED and may_be_part(before.evidence, strays):
            held.append((row, before, BatchState.UNKNOWN))
        else:
            held.append((row, batch, state))
    return held


async def _write(
    storage: Storage,
    known: Sequence[_Known],
    doubled: Collection[str],
) -> None:
    """Write what is not unknown any more, unless somebody else has done so meanwhile."""
    news = [one for one in known if one[2] is not BatchState.UNKNOWN]

    async def write(connection: AsyncConnection) -> None:
        for row, batch, state in news:
            at = batch.requested_at
            await connection.execute(
                update(batches)
                .where(
                    batches.c.id == row.id,
                    batches.c.fence == row.fence,
                    batches.c.state == BatchState.UNKNOWN,
                )
                .values(
                    state=state,
                    fence=row.fence + 1,
                    request_id=batch.request_id,
                    requested_at=None if at is None else at.timestamp(),
                    error=None
                    if state is BatchState.ACCEPTED
                    else error_text(batch.error) or row.error,
                    is_doubtful=bool(row.is_doubtful) or batch.request_id in doubled,
                )
            )

    if news:
        await storage.write(write)


async def _unknown(storage: Storage, service_id: str) -> Sequence[AnyRow]:
    wanted = (
        select(
            batches,
            people.c.payload,
            campaigns.c.id.label("campaign_id"),
            *(column for column in campaigns.c if column.name not in batches.c),
        )
        .select_from(batches)
        .join(people, people.c.batch_id == batches.c.id)
        .join(campaigns, campaigns.c.id == campaign_id)
        .where(batches.c.state == BatchState.UNKNOWN, campaigns.c.service_id == service_id)
        .order_by(batches.c.intent_ms, batches.c.id)
        .limit(_AT_ONCE)
    )
    async with storage.reading() as connection:
        return (await connection.execute(wanted)).all()


def _sought(row: AnyRow, token: str) -> OutcomeBatch:
    people = unpack(row.payload, row.size)
    reservation = reservation_of(row.reserve_at, row.reserve_zone)
    title = row.title if row.has_subject else None
    evidence = Evidence(
        token=token,
        numbers=tuple(people.numbers),
        texts=(row.text or "",) if people.texts is None else tuple(people.texts),
        titles=(title or "",) if people.titles is None else tuple(people.titles),
        type=MessageType(row.type),
        content_type=ContentType(row.content_type),
        country_code=row.country_code,
        sender=row.sender,
        signed_at=row.intent_ms / 1000,
        reserve_at=None if reservation is None else reservation.at,
        file_ids=tuple(row.file_ids.split()) if row.file_ids else (),
    )
    return _batch(OutcomeState.UNKNOWN, people.numbers, evidence=evidence)


async def _accepted(
    storage: Storage, service_id: str, unknown: Sequence[AnyRow]
) -> Sequence[OutcomeBatch]:
    """Give requests that are known to be accepted and so are none of the unknown."""
    times = [row.intent_ms for row in unknown]
    near = (
        select(batches.c.id, batches.c.request_id, batches.c.intent_ms)
        .select_from(batches)
        .join(campaigns, campaigns.c.id == campaign_id)
        .where(batches.c.state == BatchState.ACCEPTED, campaigns.c.service_id == service_id)
    )
    if all(row.reserve_at is None for row in unknown):  # else they may be dated anywhere
        near = near.where(batches.c.intent_ms.between(min(times) - _NEARBY, max(times) + _NEARBY))
    async with storage.reading() as connection:
        rows = (await connection.execute(near)).all()
        rows = sorted(rows, key=lambda row: abs(row.intent_ms - times[0]))
        nearest = [row.id for row in rows[:_CONTROLS]]
        found = await connection.execute(select(people).where(people.c.batch_id.in_(nearest)))
        first = {row.batch_id: unpack(row.payload, 1).numbers[0] for row in found}
        numbers = {number: one for number, one in first.items() if one}
    return [
        _batch(
            OutcomeState.ACCEPTED,
            [numbers.get(row.id)],
            request_id=row.request_id,
            attempted_at=row.intent_ms / 1000 if row.id in numbers else None,
        )
        for row in rows
    ]


def _batch(
    state: OutcomeState,
    numbers: Sequence[str | None],
    *,
    request_id: str | None = None,
    attempted_at: float | None = None,
    evidence: Evidence | None = None,
) -> OutcomeBatch:
    return OutcomeBatch(
        state,
        range(len(numbers)),
        [None] * len(numbers),
        numbers,
        request_id=request_id,
        attempted_at=attempted_at,
        evidence=evidence,
    )
