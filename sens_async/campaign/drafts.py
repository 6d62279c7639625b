"""A campaign while it is planned: its row holds the name, and is no campaign before the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Self
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.errors import CampaignConflict, LedgerError
from sens_async.campaign.ids import ids_of
from sens_async.campaign.leases import LEASE_SECONDS
from sens_async.campaign.letter import Letter
from sens_async.campaign.schema import batches, campaigns, keys, people, pictures
from sens_async.campaign.storage import Storage
from sens_async.clock import Clock

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
    @asynccontextmanager
    async def begin(
        cls, storage: Storage, name: str, letter: Letter, images: Sequence[bytes], clock: Clock
    ) -> AsyncIterator[Self]:
        """Hold a name while its campaign is planned; if that fails, nothing of it is left.

        Args:
            storage: Where to.
            name: The campaign's; also taken from a plan that was interrupted.
            letter: What it says.
            images: The bytes of `letter.pictures`.
            clock: Says when the name is to be held for another while.

        Raises:
            CampaignConflict: Somebody else plans a campaign of that name just now, or has.
        """
        owner = uuid4().hex
        row = {"name": name, "owner": owner, "planned_at": clock.time(), **letter.columns}
        kept = [
            {"place": place, "digest": digest, "data": data}
            for place, (digest, data) in enumerate(zip(letter.pictures, images, strict=True))
        ]
        try:
            campaign_id = await _insert(storage, row, kept)
            draft = cls(storage, campaign_id, owner)
            renewing = asyncio.create_task(draft._renew(clock), name="sens-async plan")
            try:
                yield draft
            finally:
                renewing.cancel()
                await asyncio.wait({renewing})
        except BaseException:
            with suppress(LedgerError):  # a plan that was interrupted is no campaign anyway
                await storage.write(partial(_forget, which=campaigns.c.owner == owner))
            raise

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

    async def _renew(self, clock: Clock) -> None:
        while True:
            await clock.sleep(LEASE_SECONDS / 3)
            try:
                await self.storage.write(self.hold)
            except LedgerError:
                return  # who writes next is told

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
    is_over = campaigns.c.lease_until < storage.engine.now()
    is_old = and_(campaigns.c.planned_at <= latest, is_over)
    await storage.write(partial(_forget, which=is_old))


async def _insert(
    storage: Storage, row: dict[str, object], kept: Sequence[dict[str, object]]
) -> int:
    """Make a campaign's row, in the place of a plan that was interrupted; give its id."""
    named = campaigns.c.name == row["name"]
    conflict = CampaignConflict(f"another process plans campaign {row['name']!r} just now")

    async def write(connection: AsyncConnection) -> int:
        is_over = campaigns.c.lease_until < storage.engine.now()
        await _forget(connection, which=named if storage.engine.writes_alone else named & is_over)
        if await connection.scalar(select(campaigns.c.id).where(named)) is not None:
            raise conflict
        until = storage.engine.now() + LEASE_SECONDS
        begun = {"is_planned": False, "recipients": 0, "fingerprint": b"", "lease_until": until}
        made = await connection.execute(
            insert(campaigns).values(**begun, **row).returning(campaigns.c.id)
        )
        campaign_id = int(made.scalar_one())
        if kept:
            await connection.execute(insert(pictures).values(campaign_id=campaign_id), kept)
        return campaign_id

    try:
        return await storage.write(write)
    except LedgerError as error:
        if isinstance(error.__cause__, IntegrityError):  # at the same moment
            raise conflict from error
        raise


async def _forget(connection: AsyncConnection, which: ColumnElement[bool]) -> None:
    """Remove plans, but none that is complete: somebody may have run it by now."""
    # The lock waits for whoever completes one at this moment, and then sees that it is complete.
    found = select(campaigns.c.id).where(~campaigns.c.is_planned, which).with_for_update()
    for campaign_id in (await connection.scalars(found)).all():
        for number in (keys.c.batch_id, people.c.batch_id, batches.c.id):
            is_of_it = number.between(*ids_of(campaign_id))
            await connection.execute(delete(number.table).where(is_of_it))
        await connection.execute(delete(pictures).where(pictures.c.campaign_id == campaign_id))
        await connection.execute(delete(campaigns).where(campaigns.c.id == campaign_id))
