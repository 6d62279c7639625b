"""A campaign while it is planned: its row holds the name, and is no campaign before the end."""

from collections.abc import Sequence
from typing import Self
from uuid import uuid4

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.errors import CampaignConflict
from sens_async.campaign.ids import ids_of
from sens_async.campaign.leases import LEASE_SECONDS
from sens_async.campaign.letter import Letter
from sens_async.campaign.schema import batches, campaigns, keys, people, pictures
from sens_async.campaign.storage import Storage

__all__ = ["Draft", "forget_drafts"]


class Draft:
    """A plan under way; see `begin`.

    Attributes:
        storage: Where it is written.
        campaign_id: Of its row.
    """

    def __init__(self, storage: Storage, campaign_id: int, owner: str) -> None:
        self.storage = storage
        self.campaign_id = campaign_id
        self._owner = owner

    @classmethod
    async def begin(
        cls, storage: Storage, name: str, letter: Letter, images: Sequence[bytes], now: float
    ) -> Self:
        """Take a name, also from a plan that was interrupted.

        Args:
            storage: Where to.
            name: The campaign's.
            letter: What it says.
            images: The bytes of `letter.pictures`.
            now: Seconds since the epoch.

        Raises:
            CampaignConflict: Somebody else plans a campaign of that name just now, or has.
        """
        owner = uuid4().hex
        row = {
            "name": name,
            "is_planned": False,
            "owner": owner,
            "planned_at": now,
            "recipients": 0,
            "fingerprint": b"",
            **letter.columns,
        }

        async def write(connection: AsyncConnection) -> int:
            await _free(connection, storage, name)
            until = storage.engine.now() + LEASE_SECONDS
            made = await connection.execute(
                insert(campaigns).values(lease_until=until, **row).returning(campaigns.c.id)
            )
            campaign_id = int(made.scalar_one())
            kept = [
                {"campaign_id": campaign_id, "place": place, "digest": digest, "data": data}
                for place, (digest, data) in enumerate(zip(letter.pictures, images, strict=True))
            ]
            if kept:
                await connection.execute(insert(pictures), kept)
            return campaign_id

        return cls(storage, await storage.write(write), owner)

    async def hold(self, connection: AsyncConnection) -> None:
        """Keep the name for another while.

        Raises:
            CampaignConflict: Somebody else plans it by now.
        """
        await self._update(connection)

    async def complete(
        self, connection: AsyncConnection, recipients: int, fingerprint: bytes
    ) -> None:
        """Make it a campaign; see `hold`."""
        await self._update(
            connection, is_planned=True, recipients=recipients, fingerprint=fingerprint
        )

    async def forget(self) -> None:
        """Remove all that was written of it."""
        await self.storage.write(lambda to: _forget(to, self.campaign_id))

    async def _update(self, connection: AsyncConnection, **values: object) -> None:
        until = self.storage.engine.now() + LEASE_SECONDS
        held = await connection.execute(
            update(campaigns)
            .where(campaigns.c.id == self.campaign_id, campaigns.c.owner == self._owner)
            .values(lease_until=until, **values)
        )
        if held.rowcount != 1:
            raise CampaignConflict("this campaign is planned anew meanwhile, by somebody else")


async def forget_drafts(storage: Storage, latest: float) -> None:
    """Remove plans that were interrupted, and begun before a time (seconds since the epoch)."""
    interrupted = select(campaigns.c.id).where(
        ~campaigns.c.is_planned,
        campaigns.c.planned_at <= latest,
        campaigns.c.lease_until < storage.engine.now(),
    )

    async def write(connection: AsyncConnection) -> None:
        for campaign_id in (await connection.scalars(interrupted)).all():
            await _forget(connection, campaign_id)

    await storage.write(write)


async def _free(connection: AsyncConnection, storage: Storage, name: str) -> None:
    """Take a name from whoever has it without a right to."""
    is_alive = (campaigns.c.lease_until > storage.engine.now()).label("is_alive")
    found = await connection.execute(
        select(campaigns.c.id, campaigns.c.is_planned, is_alive).where(campaigns.c.name == name)
    )
    old = found.one_or_none()
    if old is None:
        return
    if old.is_planned or (old.is_alive and not storage.engine.writes_alone):
        raise CampaignConflict(f"another process plans campaign {name!r} just now")
    await _forget(connection, old.id)


async def _forget(connection: AsyncConnection, campaign_id: int) -> None:
    for number in (keys.c.batch_id, people.c.batch_id, batches.c.id):
        is_of_it = number.between(*ids_of(campaign_id))
        await connection.execute(delete(number.table).where(is_of_it))
    await connection.execute(delete(pictures).where(pictures.c.campaign_id == campaign_id))
    await connection.execute(delete(campaigns).where(campaigns.c.id == campaign_id))
