"""One series of list calls: what is asked for, and how to get through its pages."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote

import attrs

from sens_async.core.pages import Page
from sens_async.core.phone import mask
from sens_async.core.windows import BY_COMPLETION, BY_REQUEST, Window
from sens_async.deliveries import Delivery, DeliveryStatus
from sens_async.errors import InvalidQuery, UnreadableResponse
from sens_async.models import ContentType, MessageType

__all__ = ["PAGE_SIZE", "Listing", "Pager"]

PAGE_SIZE: Final = 100
"""The most rows a page may have; the service's own default is 20 (SENS API: List messages)."""

_MAX_BARREN: Final = 3
"""Pages in a row that bring no row and promise more, before that promise is not believed."""


def _shown(number: str | None) -> str:
    return "None" if number is None else mask(number)


@attrs.frozen(kw_only=True)
class Listing:
    """What one series of list calls asks for; exactly one of the first three must be given.

    Attributes:
        request_id: The messages of one request.
        requested: Those asked for in a window of at most 30 days.
        completed: Those completed in a window of at most 24 hours.
        message_id: Only this message.
        type: Only messages sent as this.
        content_type: Only these.
        country_code: Only to this country; digits.
        status: Only messages that are this far.
        status_name: Only `"success"` or `"fail"`.
        sender: Only from this number; digits.
        to: Only to this number; digits.

    Raises:
        InvalidQuery: The service could not be asked this.
    """

    request_id: str | None = None
    requested: Window | None = None
    completed: Window | None = None
    message_id: str | None = None
    type: MessageType | None = None
    content_type: ContentType | None = None
    country_code: str | None = None
    status: DeliveryStatus | None = None
    status_name: str | None = None
    sender: str | None = attrs.field(default=None, repr=_shown)
    to: str | None = attrs.field(default=None, repr=_shown)

    def __attrs_post_init__(self) -> None:
        groups = (self.request_id, self.requested, self.completed)
        if sum(group is not None for group in groups) != 1:
            raise InvalidQuery(
                "give one of request_id, a window of request times and one of completion times"
            )
        for window, longest in ((self.requested, BY_REQUEST), (self.completed, BY_COMPLETION)):
            if window is not None and window.end - window.start > longest:
                raise InvalidQuery(f"a window of {window.end - window.start} is over {longest}")

    def target(self, path: str, *, token: str | None = None, index: int | None = None) -> str:
        """Give the request target of one page.

        Args:
            path: `Service.messages`.
            token: The `nextToken` of the page before; None for the first page.
            index: Number of the page, from 0, where there is no token to ask by.
        """
        fields = {
            "requestId": self.request_id,
            "requestStartTime": self.requested and _wire_time(self.requested.start),
            "requestEndTime": self.requested and _wire_time(self.requested.end),
            "completeStartTime": self.completed and _wire_time(self.completed.start),
            "completeEndTime": self.completed and _wire_time(self.completed.end),
            "messageId": self.message_id,
            "type": self.type,
            "contentType": self.content_type,
            "countryCode": self.country_code,
            "status": self.status,
            "statusName": self.status_name,
            "from": self.sender,
            "to": self.to,
            "pageSize": str(PAGE_SIZE),
            "pageIndex": None if index is None else str(index),
            "nextToken": token,
        }
        pairs = [f"{name}={quote(text, safe='')}" for name, text in fields.items() if text]
        return f"{path}?{'&'.join(pairs)}"

    def may_come_again(self, row: Delivery) -> bool:
        """Whether a row may also be in the window that follows on this one."""
        window = self.requested or self.completed
        time = row.requested_at if self.requested else row.completed_at
        return window is not None and (time is None or time >= window.end)


class Pager:
    """Goes from page to page of one series, and knows when to stop.

    A page that says `hasMore` and gives no `nextToken` is followed by page number, as older
    answers of the service want it. What never ends is an error, not a loop and not a silent end:
    somebody may conclude from a row's absence that a message was never accepted.

    Args:
        listing: What is asked for.
        path: `Service.messages`.

    Attributes:
        target: Of the next page, or None after the last.
    """

    def __init__(self, listing: Listing, path: str) -> None:
        self._target: Callable[..., str] = listing.target
        self._path = path
        self._passed: set[int] = set()
        self._before: frozenset[str] = frozenset()
        self._index = 0
        self._barren = 0
        self.target: str | None = listing.target(path)

    def turn(self, page: Page | None) -> Sequence[Delivery]:
        """Take in a page and look for the next.

        Args:
            page: None for the answer that there is nothing.

        Returns:
            Its rows without those that were on the page before, too: a list that grows while it
            is read moves.

        Raises:
            UnreadableResponse: There is said to be more, and no way to it.
        """
        self.target = None
        if page is None:
            return ()
        before = self._before
        fresh = [row for row in page.messages if row.message_id not in before]
        self._before = frozenset(row.message_id for row in page.messages if row.message_id)
        if page.has_more is False or (page.has_more is None and page.next_token is None):
            return fresh
        self._barren = 0 if fresh else self._barren + 1
        if self._barren == _MAX_BARREN or (not fresh and page.next_token is None):
            raise _endless(f"{self._barren} pages in a row brought nothing new")
        mark = hash(self._before if page.next_token is None else page.next_token)
        if mark in self._passed:
            raise _endless("comes back to where it was")
        self._passed.add(mark)
        if page.next_token is None:
            self._index = (self._index if page.page_index is None else page.page_index) + 1
            self.target = self._target(self._path, index=self._index)
        else:
            self.target = self._target(self._path, token=page.next_token)
        return fresh


def _endless(why: str) -> UnreadableResponse:
    return UnreadableResponse(f"the list says that it has more, but {why}", status=200)


def _wire_time(time: datetime) -> str:
    """Write a time as the list takes it: Korean, `YYYY-MM-DD HH:mm:ss`, without a zone."""
    return time.replace(tzinfo=None).isoformat(" ")
