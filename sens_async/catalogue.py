"""What SENS lists of the requests it has accepted, as far as it was asked for."""

from collections import defaultdict
from collections.abc import Container, Iterator

from sens_async.attempt import Gateway
from sens_async.core.evidence import list_lag
from sens_async.core.listing import Listing, Pager
from sens_async.core.matching import Candidate, Row
from sens_async.core.schedule import from_epoch
from sens_async.core.windows import as_window
from sens_async.deliveries import Delivery
from sens_async.errors import UnreadableResponse
from sens_async.readback import Readback

__all__ = ["Catalogue", "Span"]

Span = tuple[float, float]
"""From and until, seconds since the epoch."""

_NUMBER = frozenset("0123456789+- ")
"""What a number may be written with."""


class _Entry:
    """An accepted request, as far as its rows were read.

    Attributes:
        rows: By message id.
        read_at: The gateway's time when it was last asked for as a whole, or None.
        is_misdated: Whether a row has a date outside the window in which it was listed.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Delivery] = {}
        self.read_at: float | None = None
        self.is_misdated = False

    def add(self, row: Delivery) -> None:
        """Take in a row; what an earlier answer told of it and this one does not, is kept."""
        key = row.message_id or f"{row.number} {len(self.rows)}"
        old = self.rows.get(key)
        if old is None or row.content or not old.content:
            self.rows[key] = row

    def candidate(self, request_id: str, settle: float) -> Candidate:
        """Give it as it is compared."""
        times = [row.requested_at.timestamp() for row in self.rows.values() if row.requested_at]
        at, read_at = min(times, default=None), self.read_at
        return Candidate(
            request_id,
            [_row(row) for row in self.rows.values()],
            at,
            is_complete=read_at is not None,
            may_grow=read_at is None or at is None or read_at < at + list_lag(settle),
            is_misdated=self.is_misdated,
        )


class Catalogue:
    """Reads requests, and keeps what was read.

    Args:
        readback: Asks.
        gateway: Its service.
        settle: Seconds after which absence is believed.
    """

    def __init__(self, readback: Readback, gateway: Gateway, settle: float) -> None:
        self._readback = readback
        self._path = gateway.service.messages
        self._settle = settle
        self._entries: defaultdict[str, _Entry] = defaultdict(_Entry)
        self._requests: dict[str, str] = {}

    def __iter__(self) -> Iterator[Candidate]:
        """Give every request of which a row was read."""
        for request_id, entry in self._entries.items():
            yield entry.candidate(request_id, self._settle)

    async def look(self, sender: str, number: str, span: Span) -> set[str]:
        """Look for the requests with a message from a number to a number.

        Args:
            sender: Digits.
            number: Digits.
            span: When they were asked for.

        Returns:
            Their ids; some of their rows are known then.

        Raises:
            SensError: The list could not be read to its end.
        """
        start, end = map(from_epoch, span)
        window = as_window(start, end, names=("start", "end"))
        found = set()
        for row in await self._rows(Listing(requested=window, sender=sender, to=number)):
            request_id = row.request_id or await self._request_of(row)
            self._add(request_id, row)
            if row.requested_at and not window.start <= row.requested_at <= window.end:
                self._entries[request_id].is_misdated = True
            found.add(request_id)
        return found

    async def read(self, request_id: str, now: float) -> None:
        """Read a request as a whole.

        Args:
            request_id: From `look`.
            now: The gateway's time.

        Raises:
            SensError: It could not be read to its end.
        """
        entry = self._entries[request_id]
        for row in await self._rows(Listing(request_id=request_id)):
            self._add(row.request_id or request_id, row)
        ids = [row.message_id for row in entry.rows.values() if row.message_id is not None]
        if ids and not any(row.content for row in entry.rows.values()):
            self._add(request_id, await self._readback.message(ids[0]))
        entry.read_at = now

    def forget(self, request_ids: Container[str]) -> None:
        """Forget requests that are known to be others."""
        for request_id in [one for one in self._entries if one in request_ids]:
            del self._entries[request_id]

    def _add(self, request_id: str, row: Delivery) -> None:
        self._entries[request_id].add(row)
        if row.message_id is not None:
            self._requests[row.message_id] = request_id

    async def _request_of(self, row: Delivery) -> str:
        """Find out whose row it is, where the list does not say."""
        if row.message_id is None:
            raise UnreadableResponse("a listed message has neither request id nor message id")
        if row.message_id not in self._requests:
            detail = await self._readback.message(row.message_id)
            if detail.request_id is None:
                raise UnreadableResponse("a message does not say which request it belongs to")
            self._add(detail.request_id, detail)
            self._requests[row.message_id] = detail.request_id
        return self._requests[row.message_id]

    async def _rows(self, listing: Listing) -> list[Delivery]:
        """Give a whole list.

        Raises:
            SensError: It could not be read to its end, or says that there is more to come.
        """
        pager = Pager(listing, self._path)
        rows: list[Delivery] = []
        while pager.target is not None:
            page = await self._readback.page(pager.target)
            rows.extend(map(_legible, pager.turn(page)))
            if page is not None and not page.messages and page.status_name == "reserved":
                raise UnreadableResponse("the list says that what it holds is reserved", status=200)
        return rows


def _legible(row: Delivery) -> Delivery:
    """Give a row that says to whom it is: one with stars in its number may be to anybody.

    Raises:
        UnreadableResponse: It does not.
    """
    if not set(row.number) <= _NUMBER:
        raise UnreadableResponse("a listed message does not say to which number it is", status=200)
    return row


def _row(row: Delivery) -> Row:
    return Row(
        row.number,
        row.content,
        row.subject,
        row.type,
        row.content_type,
        row.country_code,
        row.sender,
        row.file_ids,
        row.message_id,
    )
