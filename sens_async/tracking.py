"""Follow accepted messages to their end."""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from sens_async.core.followed import Followed
from sens_async.core.following import Following
from sens_async.deliveries import Delivery, DeliveryEnd, PendingDelivery
from sens_async.errors import SensError
from sens_async.models import Reservation

if TYPE_CHECKING:  # it needs what only reading back needs
    from sens_async.tracker import Tracker

__all__ = ["Tracking"]

_AT_A_TIME = 8
"""Requests asked about at once."""


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
        tracker: "Tracker",
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
        try:
            for look in looks:
                if not look.cancelled():
                    self.last_error = look.result() or self.last_error
        finally:  # an error that its own frame holds keeps the tracking
            del look, looks

    def _found(self, news: Delivery | Reservation) -> None:
        if isinstance(news, Delivery):
            self._unread.append(news)
        else:
            self.reservations[news.reserve_id] = news

    def __repr__(self) -> str:
        ended = ", ".join(f"{end} {count:,}" for end, count in self.counts.items())
        return f"<Tracking: {ended or 'nothing yet'}>"
