"""Who has which batch: claimed for a while, given back, and taken from the dead."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.engines import Engine
from sens_async.campaign.errors import LedgerError
from sens_async.campaign.ids import ids_of
from sens_async.campaign.schema import AnyRow, batches, people
from sens_async.campaign.states import CLAIMED, OPEN, BatchState
from sens_async.campaign.storage import Storage

__all__ = ["LEASE_SECONDS", "SETTLE_SECONDS", "Leases", "write_in_turn"]

T = TypeVar("T")

LEASE_SECONDS = 60.0
"""How long a claim holds without being renewed; it is renewed three times as often."""

SETTLE_SECONDS = 600.0
"""Seconds after its signature in which a request may turn up; see `SensSession.resolve`."""

_TURNS = 20
"""Times that something is written, if others open equal batches at the same moment."""

_READ = select(
    batches.c.id,
    batches.c.size,
    batches.c.type,
    batches.c.has_subject,
    people.c.payload,
    batches.c.fence,
    batches.c.attempts,
    batches.c.intent_ms,
    batches.c.is_doubtful,
).join(people, people.c.batch_id == batches.c.id)


class Leases:
    """Claims of a ledger's batches.

    Args:
        storage: The ledger's.
        living: Names of this process's runs that go on.
        gateway_time: Gives the time by which requests are signed, seconds since the epoch.
    """

    def __init__(
        self,
        storage: Storage,
        living: Collection[str],
        gateway_time: Callable[[], float],
    ) -> None:
        self._gateway_time = gateway_time
        self._storage = storage
        self._engine: Engine = storage.engine
        self._living = living

    async def claim(
        self, owner: str, campaign_id: int, *, after: int, limit: int
    ) -> Sequence[AnyRow]:
        """Claim planned batches, in order.

        One that SENS could not tell from a batch which is open elsewhere, or which comes before it
        in its own campaign, is passed by: its turn comes when that is settled.

        Args:
            owner: Whose they are then.
            campaign_id: Of which campaign.
            after: Only batches whose id is above this.
            limit: At most so many.
        """
        engine = self._engine
        wanted = engine.skipping_locked(self._planned(campaign_id, after).limit(limit))
        claim = (
            update(batches)
            .where(batches.c.id.in_(wanted))
            .where(batches.c.state == BatchState.PLANNED)
            .values(
                state=BatchState.CLAIMED,
                owner=owner,
                fence=batches.c.fence + 1,
                lease_until=engine.now() + LEASE_SECONDS,
            )
            .returning(batches.c.id)
        )

        async def write(connection: AsyncConnection) -> Sequence[AnyRow]:
            ids = (await connection.scalars(claim)).all()
            claimed = _READ.where(batches.c.id.in_(ids)).order_by(batches.c.id)
            return (await connection.execute(claimed)).all() if ids else []

        return await write_in_turn(self._storage, write)

    async def is_held_up(self, connection: AsyncConnection, digest: object) -> bool:
        """Whether a batch of this digest must wait until an equal one is settled."""
        unsettled = self._is_unsettled(batches)
        equal = select(batches.c.id).where(batches.c.digest == digest, unsettled)
        return (await connection.execute(equal.limit(1))).first() is not None

    def _planned(self, campaign_id: int, after: int) -> Select[tuple[int]]:
        """Give the batches that may be claimed."""
        lowest, highest = ids_of(campaign_id)
        other = batches.alias("other")
        is_before = other.c.id.between(lowest, batches.c.id - 1)
        equal = exists().where(
            other.c.digest == batches.c.digest,
            other.c.id != batches.c.id,
            or_(
                self._is_unsettled(other),
                and_(other.c.state == BatchState.PLANNED, is_before),
            ),
        )
        return (
            select(batches.c.id)
            .where(batches.c.state == BatchState.PLANNED, batches.c.id > after)
            .where(batches.c.id.between(lowest, highest), ~equal)
            .order_by(batches.c.id)
        )

    def _is_unsettled(self, table: FromClause) -> ColumnElement[bool]:
        """Give the condition that a request for a batch may yet turn up in the service's list.

        That is also so of one that is not looked for any more, or was sent again at once.
        """
        since_ms = (self._gateway_time() - SETTLE_SECONDS) * 1_000
        is_orphan = or_(table.c.state == BatchState.UNPROVEN, table.c.is_doubtful)
        return or_(table.c.state.in_(OPEN), and_(is_orphan, table.c.intent_ms > since_ms))

    async def renew(self, owner: str) -> None:
        """Hold what one has for another while."""

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(
                update(batches)
                .where(batches.c.state.in_(CLAIMED), batches.c.owner == owner)
                .values(lease_until=self._engine.now() + LEASE_SECONDS)
            )

        await self._storage.write(write)

    async def release(self, owner: str) -> None:
        """Give back what was claimed and never came to an intent."""

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(
                update(batches)
                .where(batches.c.state == BatchState.CLAIMED, batches.c.owner == owner)
                .values(state=BatchState.PLANNED, fence=batches.c.fence + 1)
            )

        await self._storage.write(write)

    async def sweep(self) -> None:
        """Take from the dead: what has no intent is planned again, the rest is unknown."""
        is_dead: ColumnElement[bool] = batches.c.owner.not_in(list(self._living))
        if not self._engine.writes_alone:  # else this process could not write
            is_dead = and_(is_dead, batches.c.lease_until < self._engine.now())

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(
                update(batches)
                .where(batches.c.state.in_(CLAIMED), is_dead)
                .values(
                    state=case(
                        (batches.c.state == BatchState.CLAIMED, BatchState.PLANNED),
                        else_=BatchState.UNKNOWN,
                    ),
                    fence=batches.c.fence + 1,
                )
            )

        await self._storage.write(write)


async def write_in_turn(storage: Storage, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Write what opens batches; again where somebody has just opened an equal one.

    Raises:
        LedgerError: See `Storage.write`.
    """
    for _ in range(_TURNS - 1):
        try:
            return await storage.write(work)
        except LedgerError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
    return await storage.write(work)
