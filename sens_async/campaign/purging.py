"""Remove what is personal from campaigns that are over."""

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.ids import ids_of
from sens_async.campaign.packing import without_people
from sens_async.campaign.schema import batches, campaigns, people, pictures
from sens_async.campaign.states import BatchState
from sens_async.campaign.storage import Storage

__all__ = ["count_open", "purge"]

_UNFINISHED = (
    BatchState.PLANNED,
    BatchState.CLAIMED,
    BatchState.INFLIGHT,
    BatchState.UNKNOWN,
)

_ROWS_AT_ONCE = 500


async def count_open(storage: Storage, campaign_id: int) -> int:
    """Count recipients who are not sent to yet, or unknown and may be settled."""
    wanted = select(func.coalesce(func.sum(batches.c.size), 0)).where(
        batches.c.id.between(*ids_of(campaign_id)), batches.c.state.in_(_UNFINISHED)
    )
    async with storage.reading() as connection:
        return int((await connection.execute(wanted)).scalar_one())


async def purge(storage: Storage, campaign_id: int, now: float) -> None:
    """Remove numbers, texts, keys and pictures; outcomes, request ids and counts are left."""
    after, highest = ids_of(campaign_id)
    after -= 1

    async def some(connection: AsyncConnection) -> int | None:
        wanted = (
            select(people)
            .where(people.c.batch_id > after, people.c.batch_id <= highest)
            .order_by(people.c.batch_id)
            .limit(_ROWS_AT_ONCE)
        )
        rows = (await connection.execute(wanted)).all()
        for row in rows:
            bare = without_people(row.payload)
            await connection.execute(
                update(people).where(people.c.batch_id == row.batch_id).values(payload=bare)
            )
        return rows[-1].batch_id if rows else None

    while (last := await storage.write(some)) is not None:
        after = last

    async def mark(connection: AsyncConnection) -> None:
        await connection.execute(
            update(pictures).where(pictures.c.campaign_id == campaign_id).values(data=None)
        )
        await connection.execute(
            update(campaigns)
            .where(campaigns.c.id == campaign_id)
            .values(purged_at=now, fingerprint=b"")
        )

    await storage.write(mark)
    await storage.forget()
