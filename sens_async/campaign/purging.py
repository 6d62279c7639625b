"""Remove what is personal from campaigns that are over."""

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.errors import CampaignConflict
from sens_async.campaign.ids import ids_of
from sens_async.campaign.packing import without_people
from sens_async.campaign.schema import batches, campaigns, people, pictures
from sens_async.campaign.states import BatchState
from sens_async.campaign.storage import Storage

__all__ = ["purge"]

_UNFINISHED = (
    BatchState.PLANNED,
    BatchState.CLAIMED,
    BatchState.INFLIGHT,
    BatchState.UNKNOWN,
)

_ROWS_AT_ONCE = 500


async def purge(storage: Storage, campaign_id: int, name: str, now: float) -> None:
    """Remove numbers, texts, keys and pictures; outcomes, request ids and counts are left.

    In one transaction: a run that takes up what was left alone comes before it or after it.

    Raises:
        CampaignConflict: Somebody is not sent to yet, or is unknown and may be settled.
    """

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(
            select(campaigns.c.id).where(campaigns.c.id == campaign_id).with_for_update()
        )
        if left := await _count_open(connection, campaign_id):
            raise CampaignConflict(
                f"campaign {name!r} is not over: {left:,} recipients are not sent to or "
                "unknown; run or reconcile it first"
            )
        await _remove_people(connection, campaign_id)
        await connection.execute(
            update(pictures).where(pictures.c.campaign_id == campaign_id).values(data=None)
        )
        await connection.execute(
            update(campaigns)
            .where(campaigns.c.id == campaign_id)
            .values(purged_at=now, fingerprint=b"")
        )

    await storage.write(write)
    await storage.forget()


async def _count_open(connection: AsyncConnection, campaign_id: int) -> int:
    """Count recipients who are not sent to yet, or unknown and may be settled."""
    wanted = select(func.coalesce(func.sum(batches.c.size), 0)).where(
        batches.c.id.between(*ids_of(campaign_id)), batches.c.state.in_(_UNFINISHED)
    )
    return int((await connection.execute(wanted)).scalar_one())


async def _remove_people(connection: AsyncConnection, campaign_id: int) -> None:
    after, highest = ids_of(campaign_id)
    after -= 1
    while True:
        wanted = (
            select(people)
            .where(people.c.batch_id > after, people.c.batch_id <= highest)
            .order_by(people.c.batch_id)
            .limit(_ROWS_AT_ONCE)
        )
        rows = (await connection.execute(wanted)).all()
        if not rows:
            return
        for row in rows:
            bare = without_people(row.payload)
            await connection.execute(
                update(people).where(people.c.batch_id == row.batch_id).values(payload=bare)
            )
        after = rows[-1].batch_id
