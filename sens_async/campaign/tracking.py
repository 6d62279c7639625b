"""Learn what became of accepted messages, politely: one question at a time, ever more seldom."""

from collections.abc import Callable, Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.ids import ids_of
from sens_async.campaign.letter import Letter, departure
from sens_async.campaign.packing import unpack
from sens_async.campaign.results import Result, pack_results, read_results
from sens_async.campaign.schema import AnyRow, batches, campaign_id, campaigns, people
from sens_async.campaign.states import BatchState
from sens_async.campaign.status import CampaignStatus
from sens_async.campaign.storage import Storage
from sens_async.core.followed import ENDS_UNSENT
from sens_async.core.polling import passes
from sens_async.deliveries import Delivery
from sens_async.errors import BadRequest, NotFound, SensError
from sens_async.models import ReservationStatus
from sens_async.session import SensSession

__all__ = ["Tracker"]

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
"""Seconds between two rounds over what is pending; each pause is twice the last."""

_AFTER_DEPARTURE = 30.0
"""Seconds after a reserved time before anything is asked."""

_GIVE_UP_AFTER = 86_400.0
"""Seconds after which a request of which nothing is heard is left pending."""

_ROWS_AT_ONCE = 200


class Tracker:
    """Follows a campaign's accepted messages; what is learnt is kept at once.

    Args:
        storage: The ledger's.
        session: Asks.
        campaign_id: Whose messages.
        letter: What it says.
        rate: Questions a second at most.
        status: Kept up to date.
        changed: Called after each change of it.
    """

    def __init__(
        self,
        storage: Storage,
        session: SensSession,
        campaign_id: int,
        letter: Letter,
        *,
        rate: float,
        status: CampaignStatus,
        changed: Callable[[], None],
    ) -> None:
        self._storage = storage
        self._session = session
        self._clock = session.clock
        self._campaign_id = campaign_id
        self._reservation = letter.reservation
        self._interval = 1 / rate
        self._status = status
        self._changed = changed

    async def run(self, timeout: float | None) -> None:  # noqa: ASYNC109 - no failure
        """Ask until every message has ended, or nothing is to be hoped for; see `Campaign.track`.

        Raises:
            SensError: Asking again would not help, or the ledger failed.
        """
        ends_at = None if timeout is None else self._clock.monotonic() + timeout
        wait, pause = self._until_departure(), _FIRST_PAUSE
        while True:
            if ends_at is not None and self._clock.monotonic() + wait >= ends_at:
                return
            await self._session.sleepers.sleep(wait)
            is_hopeful, has_news = await self._round(ends_at)
            if not is_hopeful:
                return
            pause = _FIRST_PAUSE if has_news else min(2 * pause, _LONGEST_PAUSE)
            wait = pause

    def _until_departure(self) -> float:
        if self._reservation is None:
            return 0.0
        due = self._reservation.at.timestamp() + _AFTER_DEPARTURE - self._clock.time()
        return max(0.0, due)

    async def _round(self, ends_at: float | None) -> tuple[bool, bool]:
        """Ask once about every request that has somebody pending.

        Returns:
            Whether something is left to be hoped for, and whether there was news.
        """
        is_hopeful = has_news = False
        after, highest = ids_of(self._campaign_id)
        after -= 1
        while rows := await self._pending(after, highest):
            for row in rows:
                if ends_at is not None and self._clock.monotonic() >= ends_at:
                    return False, has_news
                left, news = await self._ask(row)
                has_news = has_news or news
                is_young = self._age(row) < _GIVE_UP_AFTER
                is_hopeful = is_hopeful or (left and is_young)
                after = row.id
                await self._session.sleepers.sleep(self._interval)
        return is_hopeful, has_news

    async def _pending(self, after: int, highest: int) -> Sequence[AnyRow]:
        wanted = (
            select(
                batches.c.id,
                batches.c.size,
                people.c.payload,
                batches.c.results,
                batches.c.request_id,
                batches.c.intent_ms,
            )
            .join(people, people.c.batch_id == batches.c.id)
            .join(campaigns, campaigns.c.id == campaign_id)
            .where(campaigns.c.purged_at.is_(None))  # else whose reports they are is not known
            .where(batches.c.id > after, batches.c.id <= highest)
            .where(batches.c.state == BatchState.ACCEPTED, batches.c.ended < batches.c.size)
            .order_by(batches.c.id)
            .limit(_ROWS_AT_ONCE)
        )
        async with self._storage.reading() as connection:
            return (await connection.execute(wanted)).all()

    def _age(self, row: AnyRow) -> float:
        return self._clock.time() - departure(row.intent_ms, self._reservation)

    async def _ask(self, row: AnyRow) -> tuple[bool, bool]:
        """Ask about one request.

        Returns:
            Whether somebody in it is pending, and whether there was news.
        """
        old = read_results(row.results, row.size)
        try:
            found = [one async for one in self._session.deliveries(row.request_id)]
            new = _merge(old, unpack(row.payload, row.size).numbers, found)
            if not found and self._reservation is not None:
                new = await self._unsent(row.request_id, new)
        except SensError as error:
            if not passes(error):
                raise
            return True, False
        if new != old:
            await self._keep(row.id, old, new)
        return any(result.end is None for result in new), new != old

    async def _unsent(self, reserve_id: str, results: Sequence[Result]) -> list[Result]:
        """Find out whether a reservation ended without sending."""
        try:
            reservation = await self._session.reservations.get(reserve_id)
        except (NotFound, BadRequest):  # how long one is known is not documented
            return list(results)
        status = reservation.status
        end = ENDS_UNSENT.get(status) if isinstance(status, ReservationStatus) else None
        return [Result(end) if one.end is None else one for one in results]

    async def _keep(self, number: int, old: Sequence[Result], new: Sequence[Result]) -> None:
        ended = sum(result.end is not None for result in new)

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(
                update(batches)
                .where(batches.c.id == number)
                .values(results=pack_results(new), ended=ended)
            )

        await self._storage.write(write)
        for before, result in zip(old, new, strict=True):
            if before.end is None and result.end is not None:
                self._status.count_end(result.end, result.code)
        self._changed()


def _merge(
    results: Sequence[Result], numbers: Sequence[str], found: Sequence[Delivery]
) -> list[Result]:
    """Take in what a list says; an end that is known stays."""
    merged = list(results)
    places = {number: place for place, number in enumerate(numbers)}
    for delivery in found:
        place = places.get(delivery.number)
        if place is None and delivery.country_code:  # see `Delivery.is_to`
            place = places.get(delivery.number.removeprefix(delivery.country_code))
        if place is not None and merged[place].end is None and delivery.end is not None:
            merged[place] = Result(delivery.end, delivery.code, delivery.completed_at)
    return merged
