"""Ask what trackings want to know."""

from collections.abc import Callable

from sens_async.core.answers import read_page, reads_reservation
from sens_async.core.followed import Followed
from sens_async.core.following import following
from sens_async.core.listing import Listing, Pager
from sens_async.core.polling import passes, spread
from sens_async.core.requests import Request, Service, of_reservation
from sens_async.deliveries import Delivery
from sens_async.dispatch import Dispatcher
from sens_async.errors import BadRequest, NotFound, SensError, without_traceback
from sens_async.flow.lanes import Lane
from sens_async.flow.sleepers import Sleepers
from sens_async.models import Receipt, Reservation
from sens_async.report import BulkReport
from sens_async.tracking import Tracking

__all__ = ["Tracker"]

_RESERVED = "reserved"
"""`statusName` of the list of a request that waits for its time."""


class Tracker:
    """Asks what trackings want to know: in the lane of runs, and nothing twice in a row.

    Args:
        dispatcher: The session's.
        service: Whose messages.
        check: Called before each question; raises where the session cannot be used.
        random: Gives numbers from 0 to 1, for jitter.
        sleepers: Woken when the session closes.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        service: Service,
        *,
        check: Callable[[], None],
        random: Callable[[], float],
        sleepers: Sleepers,
    ) -> None:
        self.clock = dispatcher.gateway.clock
        self._dispatcher = dispatcher
        self._service = service
        self._check = check
        self._random = random
        self._sleepers = sleepers

    def track(
        self,
        of: str | Receipt | BulkReport,
        timeout: float | None,
    ) -> Tracking:
        """Make a tracking; see `SensSession.track`."""
        return Tracking(self, following(of), timeout)

    def check(self) -> None:
        """Refuse to go on where the session cannot be used."""
        self._check()

    async def sleep(self, seconds: float, at_most: float) -> None:
        """Wait for the next round.

        Args:
            seconds: To wait, or somewhat longer by chance.
            at_most: The longest, whatever chance says.

        Raises:
            SessionClosed: Meanwhile.
        """
        await self._sleepers.sleep(min(spread(seconds, self._random()), at_most))
        self.check()

    async def look(
        self, request: Followed, found: Callable[[Delivery | Reservation], None]
    ) -> SensError | None:
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

    async def _read(
        self, request: Followed, found: Callable[[Delivery | Reservation], None]
    ) -> None:
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

    async def _look_up(
        self, request: Followed, found: Callable[[Delivery | Reservation], None]
    ) -> None:
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
