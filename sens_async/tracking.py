"""Follow accepted messages to their end."""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Self

from sens_async.core.answers import read_page, reads_reservation
from sens_async.core.followed import Followed
from sens_async.core.following import Following, following
from sens_async.core.listing import Listing, Pager
from sens_async.core.polling import passes, spread
from sens_async.core.requests import Request, Service, of_reservation
from sens_async.deliveries import Delivery, DeliveryEnd, PendingDelivery
from sens_async.dispatch import Dispatcher
from sens_async.errors import BadRequest, NotFound, SensError, without_traceback
from sens_async.flow.lanes import Lane
from sens_async.models import Receipt, Reservation
from sens_async.report import BulkReport

__all__ = ["Tracker", "Tracking"]

_Sink = Callable[[Delivery | Reservation], None]

_RESERVED = "reserved"
"""`statusName` of the list of a request that waits for its time."""
_AT_A_TIME = 8
"""Requests asked about at once."""


class Tracker:
    """Asks what trackings want to know: in the lane of runs, and nothing twice in a row.

    Args:
        dispatcher: The session's.
        service: Whose messages.
        check: Called before each question; raises where the session cannot be used.
        random: Gives numbers from 0 to 1, for jitter.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        service: Service,
        *,
        check: Callable[[], None],
        random: Callable[[], float],
    ) -> None:
        self.clock = dispatcher.gateway.clock
        self._dispatcher = dispatcher
        self._service = service
        self._check = check
        self._random = random
        self._sleeping: set[asyncio.Task[None]] = set()

    def track(
        self,
        of: str | Receipt | BulkReport,
        timeout: float | None,
    ) -> "Tracking":
        """Make a tracking; see `SensSession.track`."""
        return Tracking(self, following(of), timeout)

    def check(self) -> None:
        """Refuse to go on where the session cannot be used."""
        self._check()

    def close(self) -> None:
        """Wake all who sleep until their next question: there will be none."""
        for sleep in tuple(self._sleeping):
            sleep.cancel()

    async def sleep(self, seconds: float, at_most: float) -> None:
        """Wait for the next round.

        Args:
            seconds: To wait, or somewhat longer by chance.
            at_most: The longest, whatever chance says.

        Raises:
            SessionClosed: Meanwhile.
        """
        wait = min(spread(seconds, self._random()), at_most)
        sleep = asyncio.create_task(self.clock.sleep(wait), name="sens-async tracking")
        self._sleeping.add(sleep)
        try:
            await asyncio.wait({sleep})
        finally:
            sleep.cancel()
            self._sleeping.discard(sleep)
        self.check()
        await sleep  # for whatever a clock of the caller's own raises

    async def look(self, request: Followed, found: _Sink) -> SensError | None:
        """Ask about one request: for its list and, where it may be reserved, its reservation.

        Args:
            request: It is told what was found.
            found: Given each delivery that is new, and each reservation.

        Returns:
            What it failed with where it is worth asking again later; else None.

        Raises:
            SensError: Asking again would not help.
        """
        try:
            if request.waits:
                await self._look_up(request, found)
            if not request.waits:
                await self._read(request, found)
                if request.is_suspect(self.clock.monotonic()):
                    await self._look_up(request, found)
        except SensError as error:
            if not passes(error):
                raise
            request.failed(self.clock.monotonic())
            return without_traceback(error)
        return None

    async def _read(self, request: Followed, found: _Sink) -> None:
        pager = Pager(Listing(request_id=request.request_id), self._service.messages)
        says_reserved = False
        while pager.target is not None:
            self.check()
            question = Request("GET", pager.target)
            page = await self._dispatcher.ask(question, read_page, Lane.BULK, is_patient=False)
            says_reserved = page is not None and page.status_name == _RESERVED
            for row in pager.turn(page):
                delivery = request.take(row)
                if delivery is not None:
                    found(delivery)
        request.read(self.clock.monotonic(), says_reserved=says_reserved)

    async def _look_up(self, request: Followed, found: _Sink) -> None:
        self.check()
        question = of_reservation(self._service, request.request_id)
        read = reads_reservation(request.request_id)
        reservation, at = None, request.reserve_at
        try:
            reservation = await self._dispatcher.ask(question, read, Lane.BULK, is_patient=False)
            at = reservation.reserve_at or at
        except (NotFound, BadRequest):  # with which of them it says so is not documented
            pass
        now = self.clock.monotonic()
        due_in = None if at is None else at.timestamp() - self.clock.time()
        if reservation is None:
            request.not_reserved(now, due_in=due_in)
        else:
            request.reserved(reservation, now, due_in=due_in)
            found(reservation)


class Tracking:
    """An async iterator over the changes of messages that are followed.

    Made by `SensSession.track`. Nothing runs while nobody waits for it: it may be left at any
    time without closing it, and iterating again goes on where it was. Messages that have ended
    and those that are pending are always everybody who is followed.

    Attributes:
        counts: Messages that have ended, by `DeliveryEnd`, whether their delivery was read yet or
            not.
        reservations: What was sent with `reserve_at`, by request id, as it was last looked up.
        last_error: The last failure that was passed over, to ask again later; None if there was
            none. It may say why something is still pending.
    """

    def __init__(
        self,
        tracker: Tracker,
        following: Following,
        timeout: float | None,
    ) -> None:
        self.counts: Counter[DeliveryEnd] = following.ended
        self.reservations: dict[str, Reservation] = {}
        self.last_error: SensError | None = None
        self._tracker = tracker
        self._following = following
        self._timeout = timeout
        self._deadline: float | None = None
        self._round: deque[Followed] = deque()
        self._unread: deque[Delivery] = deque()
        self._turn = asyncio.Lock()

    @property
    def pending(self) -> Sequence[PendingDelivery]:
        """Messages whose end is not known, request by request; put together when asked for."""
        return tuple(self._following.pending())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery:
        async with self._turn:
            while not self._unread:
                if not await self._step():
                    raise StopAsyncIteration
            return self._unread.popleft()

    async def _step(self) -> bool:
        """Ask about some of those whose turn it is, or wait for the next; False at the end."""
        tracker = self._tracker
        tracker.check()
        now = tracker.clock.monotonic()
        if self._deadline is None:
            self._deadline = now + (math.inf if self._timeout is None else self._timeout)
            self._following.begin(now, tracker.clock.time())
        left = self._deadline - now
        if left <= 0:
            return False
        if not self._round:
            due = self._following.next_round(now)
            if due is None:
                return False
            if due > now:
                await tracker.sleep(due - now, at_most=left)
                return True
            self._round.extend(self._following.round(now))
        asked = [self._round.popleft() for _ in range(min(_AT_A_TIME, len(self._round)))]
        await self._ask(asked, None if left == math.inf else left)
        return True

    async def _ask(self, requests: Sequence[Followed], timeout: float | None) -> None:  # noqa: ASYNC109
        looks = [
            asyncio.create_task(
                self._tracker.look(request, self._found), name="sens-async tracking"
            )
            for request in requests
        ]
        try:
            await asyncio.wait(looks, timeout=timeout, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)
        for look in looks:
            if not look.cancelled():
                self.last_error = look.result() or self.last_error

    def _found(self, news: Delivery | Reservation) -> None:
        if isinstance(news, Delivery):
            self._unread.append(news)
        else:
            self.reservations[news.reserve_id] = news

    def __repr__(self) -> str:
        ended = ", ".join(f"{end} {count:,}" for end, count in self.counts.items())
        return f"<Tracking: {ended or 'nothing yet'}>"
