"""What was sent, as its recipients get to see it."""

import asyncio
import heapq
from collections.abc import Iterator
from itertools import islice

import attrs

from sens_async.emulator.admissions import Batch
from sens_async.emulator.clock import MovableClock
from sens_async.emulator.results import DELIVERED
from sens_async.emulator.state import State

__all__ = ["Inbox", "InboxMessage"]


@attrs.frozen(kw_only=True)
class InboxMessage:
    """One message to one number, as it stands at the moment of looking.

    Attributes:
        request_id: Of the send it came in.
        message_id: Its own.
        number: As it was given in `to`.
        sender: The calling number.
        type: `SMS`, `LMS` or `MMS`.
        content_type: `COMM` or `AD`.
        country_code: Without `+`.
        subject: As it is delivered, or None.
        text: As it is delivered.
        file_ids: Of its pictures.
        at: When it went out, seconds since the epoch: at its acceptance, or at the reserved time.
        status: `READY`, `PROCESSING` or `COMPLETED`.
        code: The result, `0` for delivered; None until it is completed.
        telco: The carrier; None until it is completed.
        completed_at: Seconds since the epoch; None until it is completed.
    """

    request_id: str
    message_id: str
    number: str
    sender: str
    type: str
    content_type: str
    country_code: str
    subject: str | None
    text: str
    file_ids: tuple[str, ...]
    at: float
    status: str
    code: str | None
    telco: str | None
    completed_at: float | None

    @property
    def is_delivered(self) -> bool:
        """Whether it has arrived."""
        return self.code == DELIVERED


class Inbox:
    """Every message that has gone out, the newest first.

    A message is here from the moment it goes out, however long its delivery takes and whatever
    comes of it; a reserved one from its reserved time, if it was not cancelled.
    """

    def __init__(self, state: State, clock: MovableClock) -> None:
        self._state = state
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Inbox: {self._state.admissions.total} messages accepted>"

    def __iter__(self) -> Iterator[InboxMessage]:
        return self._messages(None, "", 0.0)

    def messages(
        self,
        to: str | None = None,
        *,
        containing: str = "",
        since: float = 0.0,
        limit: int | None = None,
    ) -> list[InboxMessage]:
        """The messages that match, the newest first.

        Args:
            to: The recipient; hyphens and spaces do not matter. None for any.
            containing: What the text has to hold.
            since: Seconds since the epoch; what went out before is left out.
            limit: How many at most; None for all.
        """
        return list(islice(self._messages(to, containing, since), limit))

    def last(self, to: str | None = None) -> InboxMessage | None:
        """The newest message, of those to a number if one is given; None if there is none."""
        return next(self._messages(to, "", 0.0), None)

    async def wait(
        self,
        to: str | None = None,
        *,
        containing: str = "",
        since: float = 0.0,
        timeout: float = 10.0,  # noqa: ASYNC109 - on the emulator's clock, not the loop's
    ) -> InboxMessage:
        """The newest message that matches, as soon as there is one.

        Args:
            to: The recipient; hyphens and spaces do not matter. None for any.
            containing: What the text has to hold.
            since: Seconds since the epoch; what went out before does not count.
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: There was none in that time.
        """
        changed = asyncio.Event()
        deadline = self._clock.monotonic() + timeout
        watched = (self._state.on_accept, self._clock.on_move)
        for watchers in watched:
            watchers.add(changed.set)
        try:
            while True:
                changed.clear()
                found = next(self._messages(to, containing, since), None)
                if found is not None:
                    return found
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise TimeoutError(f"no such message came within {timeout:g} s")
                await self._sleep(min(left, self._until_next_departure()), changed)
        finally:
            for watchers in watched:
                watchers.discard(changed.set)

    async def _sleep(self, seconds: float, changed: asyncio.Event) -> None:
        """Sleep, or less if something changes."""
        tasks = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(changed.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _until_next_departure(self) -> float:
        """Seconds until the next reservation goes out; infinity if none is waiting."""
        now = self._clock.time()
        waiting = [
            batch.leaves_at - now
            for batch in self._state.admissions.reserved()
            if batch.leaves_at is not None and batch.leaves_at > now
        ]
        return min(waiting, default=float("inf"))

    def _messages(self, to: str | None, containing: str, since: float) -> Iterator[InboxMessage]:
        number = None if to is None else "".join(filter(str.isalnum, to))
        now = self._clock.time()
        for left, batch in self._departed(now):
            if left < since:
                return
            numbers = batch.envelope.numbers
            if number is not None and number not in numbers:
                continue
            for position in reversed(range(len(numbers))):
                if number is not None and numbers[position] != number:
                    continue
                message = self._message(batch, position, left, now)
                if containing in message.text:
                    yield message

    def _departed(self, now: float) -> Iterator[tuple[float, Batch]]:
        """The batches that have gone out, with the moment, the latest first."""
        log, departure = self._state.admissions, self._state.reservations.departure
        at_once = (
            (batch.at, batch)
            for batch in reversed(log.between(float("-inf"), now))
            if batch.leaves_at is None
        )
        moments = ((departure(batch), batch) for batch in log.reserved())
        reserved = [(left, batch) for left, batch in moments if left is not None and left <= now]
        reserved.sort(key=_moment, reverse=True)
        return heapq.merge(at_once, reserved, key=_moment, reverse=True)

    def _message(self, batch: Batch, position: int, left: float, now: float) -> InboxMessage:
        message = batch.admission(position)
        progress = self._state.deliveries.progress(batch, message, now)
        return InboxMessage(
            request_id=message.request_id,
            message_id=message.message_id,
            number=message.number,
            sender=message.sender,
            type=message.type,
            content_type=message.content_type,
            country_code=message.country_code,
            subject=message.subject,
            text=message.text,
            file_ids=message.file_ids,
            at=left,
            status=progress.status,
            code=progress.code,
            telco=progress.telco,
            completed_at=progress.completed_at,
        )


def _moment(departed: tuple[float, Batch]) -> float:
    return departed[0]
