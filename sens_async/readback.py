"""Ask SENS what became of messages."""

from collections.abc import AsyncIterator, Callable, Iterable

from sens_async.core.answers import read_message, read_page
from sens_async.core.listing import Listing, Pager
from sens_async.core.pages import Page
from sens_async.core.requests import Request, Service, checked_id, of_message
from sens_async.deliveries import Delivery
from sens_async.dispatch import Dispatcher
from sens_async.models import Receipt

__all__ = ["Readback"]


def _always() -> None:
    """Stand in for a check where there is nothing to check."""


class Readback:
    """Reads what the service says of accepted messages.

    Every question is safe to repeat, and is repeated while that may help; all count against the
    rate limit. Nothing is read ahead: an iteration may be left at any time.

    Args:
        dispatcher: The session's.
        service: Whose messages.
        check: Called before each question; raises where the session cannot be used.
    """

    def __init__(
        self, dispatcher: Dispatcher, service: Service, *, check: Callable[[], None] = _always
    ) -> None:
        self._dispatcher = dispatcher
        self._service = service
        self._check = check

    async def page(self, target: str) -> Page | None:
        """Give one page of a list, or None where there is nothing.

        Args:
            target: From `Pager` or `Listing.target`.

        Raises:
            SensError: It could not be read.
        """
        self._check()
        return await self._dispatcher.ask(Request("GET", target), read_page)

    async def rows(self, listing: Listing) -> AsyncIterator[Delivery]:
        """Give all that one series of list calls brings, page by page.

        Nothing found is no error. In which order rows come is not documented.

        Args:
            listing: What to ask for.

        Raises:
            SensError: A page could not be read; the rows before it are good.
        """
        pager = Pager(listing, self._service.messages)
        while pager.target is not None:
            for row in pager.turn(await self.page(pager.target)):
                yield row

    async def rows_of(self, listings: Iterable[Listing]) -> AsyncIterator[Delivery]:
        """Give all that several series bring, whose windows follow on each other.

        Args:
            listings: What to ask for. A row on the seam of two windows comes once.

        Raises:
            SensError: See `rows`.
        """
        seen_before: set[str] = set()
        for listing in listings:
            on_seam: set[str] = set()
            async for row in self.rows(listing):
                if row.message_id in seen_before:
                    continue
                if row.message_id is not None and listing.may_come_again(row):
                    on_seam.add(row.message_id)
                yield row
            seen_before = on_seam

    async def message(self, message_id: str) -> Delivery:
        """Give one message; see `SensSession.message`."""
        request = of_message(self._service, message_id)
        self._check()
        return await self._dispatcher.ask(request, read_message)

    def deliveries(self, of: str | Receipt) -> AsyncIterator[Delivery]:
        """Give the messages of one request; see `SensSession.deliveries`."""
        if isinstance(of, Receipt):
            return self._addressed(of)
        return self.rows(Listing(request_id=checked_id(of, "request_id")))

    async def _addressed(self, receipt: Receipt) -> AsyncIterator[Delivery]:
        """Give a recipient's own rows: others may have shared the request."""
        async for row in self.rows(Listing(request_id=receipt.request_id)):
            if row.is_to(receipt.number):
                yield row
