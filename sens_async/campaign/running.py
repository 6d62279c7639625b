"""Carry a campaign to its end: passes over what is planned, and questions about what is unknown."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import attrs
from sqlalchemy import and_, exists, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.errors import CampaignConflict
from sens_async.campaign.ids import ids_of
from sens_async.campaign.leases import Leases
from sens_async.campaign.letter import Letter
from sens_async.campaign.reconciling import Round, reconcile
from sens_async.campaign.schema import batches, campaigns
from sens_async.campaign.sending import Pass
from sens_async.campaign.states import (
    CLAIMED,
    MAX_BLIND_ATTEMPTS,
    OPEN,
    BatchState,
    Guarantee,
)
from sens_async.campaign.status import CampaignStatus, read_status
from sens_async.campaign.storage import Storage
from sens_async.errors import SessionClosed
from sens_async.models import OutcomeState
from sens_async.session import SensSession

__all__ = ["Order", "Runner"]

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two rounds of questions; each pause is twice the last."""

_A_MOMENT = 0.1
"""Seconds waited beyond a moment, so that it has come."""

_PATIENCE = 5
"""Rounds that move nothing although it is time, after which what is unknown is left so; but not
before the longest time in which something may turn up has passed without any movement."""


_COUNTED = (
    "counts",
    "in_flight",
    "unproven",
    "possible_duplicates",
    "counts_by_type",
    "planned_by_type",
    "batches",
)
"""Figures of a status that are counted in the ledger."""


@attrs.frozen(kw_only=True)
class Order:
    """What to run, and how.

    Attributes:
        name: The campaign's.
        campaign_id: Its row's id.
        letter: What it says.
        images: Its pictures.
        guarantee: What is done about a batch that may have been accepted.
        settle: Seconds after which absence is believed.
        waits: Whether to wait until everything is settled.
    """

    name: str
    campaign_id: int
    letter: Letter
    images: Sequence[bytes]
    guarantee: Guarantee
    settle: float
    waits: bool


class Runner:
    """One call that carries a campaign on.

    Args:
        storage: The ledger's.
        living: Names of this process's runs that go on; added to.
        session: Sends and asks.
        order: What to do.
        status: Kept up to date.
        watch: Told the status after each change of it.
    """

    def __init__(
        self,
        storage: Storage,
        living: set[str],
        session: SensSession,
        order: Order,
        watch: Callable[[CampaignStatus], None] | None,
    ) -> None:
        self.status = CampaignStatus(name=order.name)
        self._storage = storage
        self._living = living
        self._leases = Leases(storage, living, self._now)
        self._session = session
        self._clock = session.clock
        self._order = order
        self._watch = watch
        self._owner = uuid4().hex
        self._is_blind = order.guarantee is Guarantee.AT_LEAST_ONCE
        self._given_up: set[int] = set()
        self._began = self._clock.monotonic()

    async def run(self) -> CampaignStatus:
        """Send what is planned and settle what is unknown; see `Campaign.run`."""
        async with self._at_work():
            await self._carry_on(sends=True)
        return self.status

    async def reconcile(self) -> CampaignStatus:
        """Settle what is unknown, and send nothing; see `Campaign.reconcile`."""
        async with self._at_work():
            await self._carry_on(sends=False)
        return self.status

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[None]:
        self._living.add(self._owner)
        try:
            await self._leases.sweep()
            await self._storage.write(self._reopen)
            await self._refresh()
            try:
                yield
            except SessionClosed as error:
                self.status.stopped_by = error
            await self._refresh()
        finally:
            self._living.discard(self._owner)

    async def _carry_on(self, *, sends: bool) -> None:
        pause, misses, moved_at = _FIRST_PAUSE, 0, self._clock.monotonic()
        while True:
            claimed = await self._pass() if sends else 0
            if self.status.stopped_by is not None:
                return
            states = await self._states()
            waiting = self._waiting(states) if sends else 0
            if claimed and waiting:
                continue  # equal ones whose turn has come
            if not (waiting or states[BatchState.UNKNOWN] or any(states[s] for s in CLAIMED)):
                return
            if self._is_blind and sends and claimed:  # what was accepted may be listed by then
                await self._session.sleepers.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            last = await self._ask()
            again = await self._storage.write(self._send_again) if self._is_blind and sends else 0
            states = await self._states()
            if sends and (last.replanned or again):
                await self._refresh()
                continue
            at_work = sum(states[state] for state in CLAIMED) if sends else 0
            moves = claimed or at_work or last.has_news or not last.is_due(self._now())
            misses = 0 if moves else misses + 1
            if moves:
                moved_at = self._clock.monotonic()
            still = self._clock.monotonic() - moved_at
            is_stuck = misses >= _PATIENCE and still >= self._order.settle
            waiting = self._waiting(states) if sends else 0
            is_open = at_work or waiting or states[BatchState.UNKNOWN]
            if not is_open or not self._order.waits or is_stuck:
                if waiting and not claimed:
                    self.status.stopped_by = _blocked(waiting)
                return
            await self._session.sleepers.sleep(self._until_next(pause, last))
            pause = min(2 * pause, _LONGEST_PAUSE)
            await self._leases.sweep()

    async def _pass(self) -> int:
        order = self._order
        one = Pass(
            self._storage,
            self._leases,
            self._session,
            owner=self._owner,
            campaign_id=order.campaign_id,
            letter=order.letter,
            images=order.images,
            given_up=self._given_up,
            status=self.status,
            changed=self._changed,
        )
        return await one.run()

    async def _ask(self) -> Round:
        order = self._order
        last = await reconcile(
            self._storage,
            self._session,
            guarantees={order.campaign_id: order.guarantee},
            settle=order.settle,
        )
        self.status.settles_at = last.settling.get(order.campaign_id)
        self.status.reasons = last.reasons.get(order.campaign_id, Counter())
        await self._refresh()
        return last

    def _until_next(self, pause: float, last: Round) -> float:
        due = 0.0 if last.settles_at is None else last.settles_at.timestamp() - self._now()
        return min(pause, due + _A_MOMENT) if due > 0 else pause

    def _now(self) -> float:
        """Give the gateway's time, as far as it is known."""
        return self._clock.time() + self._session.signer.offset

    def _waiting(self, states: Counter[BatchState]) -> int:
        """How many planned batches this run has not tried in vain."""
        return max(0, states[BatchState.PLANNED] - len(self._given_up))

    async def _states(self) -> Counter[BatchState]:
        """Count batches by state."""
        counted = (
            select(batches.c.state, func.count())
            .where(batches.c.id.between(*ids_of(self._order.campaign_id)))
            .group_by(batches.c.state)
        )
        async with self._storage.reading() as connection:
            found = (await connection.execute(counted)).all()
        return Counter({BatchState(state): int(count) for state, count in found})

    async def _refresh(self) -> None:
        """Count anew: other processes may have moved something, and questions have."""
        order = self._order
        fresh = await read_status(
            self._storage, order.name, order.campaign_id, order.letter.reservation
        )
        for name in _COUNTED:
            setattr(self.status, name, getattr(fresh, name))
        if not self.status.counts[OutcomeState.UNKNOWN]:
            self.status.settles_at, self.status.reasons = None, Counter()
        self._changed()

    def _changed(self) -> None:
        self.status.elapsed = self._clock.monotonic() - self._began
        if self._watch is not None:
            self._watch(self.status)

    async def _reopen(self, connection: AsyncConnection) -> None:
        """Take up again what a weaker guarantee had left alone."""
        guarantee = self._order.guarantee
        if guarantee is Guarantee.AT_MOST_ONCE:
            return
        is_purged = (
            select(campaigns.c.purged_at.is_not(None))
            .where(campaigns.c.id == self._order.campaign_id)
            .with_for_update()  # whoever purges it waits, and sees what is open then
        )
        if await connection.scalar(is_purged):
            return  # nobody knows any more who it was for
        mine = batches.c.id.between(*ids_of(self._order.campaign_id))
        other = batches.alias("other")
        is_before = and_(
            other.c.state == BatchState.UNPROVEN,
            other.c.id.between(ids_of(self._order.campaign_id)[0], batches.c.id - 1),
        )
        equal = exists().where(
            other.c.digest == batches.c.digest,
            other.c.id != batches.c.id,
            or_(other.c.state.in_(OPEN), is_before),
        )
        await connection.execute(
            update(batches)
            .where(mine, batches.c.state == BatchState.UNPROVEN, ~equal)
            .values(state=BatchState.UNKNOWN, fence=batches.c.fence + 1)
        )

    async def _send_again(self, connection: AsyncConnection) -> int:
        """Plan again what is unknown, and flag it: somebody may get it twice."""
        again = await connection.execute(
            update(batches)
            .where(batches.c.id.between(*ids_of(self._order.campaign_id)))
            .where(batches.c.state == BatchState.UNKNOWN)
            .where(batches.c.attempts < MAX_BLIND_ATTEMPTS)
            .values(state=BatchState.PLANNED, fence=batches.c.fence + 1, is_doubtful=true())
        )
        return again.rowcount


def _blocked(waiting: int) -> CampaignConflict:
    return CampaignConflict(
        f"{waiting:,} batches are not sent yet: the same message to the same people may have been "
        "accepted already, and is still unknown (in this campaign or another of this ledger)"
    )
