"""Leave out whoever a campaign has not sent to yet."""

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.errors import CampaignConflict, error_text
from sens_async.campaign.ids import ids_of
from sens_async.campaign.leases import Leases
from sens_async.campaign.schema import batches
from sens_async.campaign.states import CLAIMED, BatchState
from sens_async.campaign.storage import Storage
from sens_async.errors import RunStopped

__all__ = ["cancel"]


async def cancel(storage: Storage, leases: Leases, campaign_id: int, name: str) -> None:
    """Skip what is planned; what may have been sent stays unknown, to be looked up.

    Args:
        storage: The ledger's.
        leases: Tells who is dead.
        campaign_id: Of which campaign.
        name: Its name.

    Raises:
        CampaignConflict: Somebody runs it.
        LedgerError: The ledger failed; nobody was left out.
    """
    await leases.sweep()
    mine = batches.c.id.between(*ids_of(campaign_id))

    async def write(connection: AsyncConnection) -> None:
        at_work = select(func.count()).where(mine, batches.c.state.in_(CLAIMED))
        if await connection.scalar(at_work):
            raise CampaignConflict(f"campaign {name!r} is being run: stop that first")
        await connection.execute(
            update(batches)
            .where(mine, batches.c.state == BatchState.PLANNED)
            .values(
                # One that was to be sent again at once may have been accepted before.
                state=case((batches.c.is_doubtful, BatchState.UNPROVEN), else_=BatchState.SKIPPED),
                fence=batches.c.fence + 1,
                error=error_text(RunStopped("the campaign was cancelled before their turn")),
            )
        )

    await storage.write(write)
