"""The list of numbers that have opted out of advertisements."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from itertools import count

from sens_async.core.answers import read_done, read_opt_outs
from sens_async.core.phone import normalize
from sens_async.core.requests import (
    OPT_OUTS_PER_PAGE,
    OPT_OUTS_PER_REQUEST,
    Service,
    opt_outs,
    opted_out,
)
from sens_async.core.windows import checked_time
from sens_async.dispatch import Dispatcher
from sens_async.errors import InvalidQuery, InvalidRecipient, UnreadableResponse
from sens_async.models import Unsubscribe

__all__ = ["Unsubscribes"]


class Unsubscribes:
    """Who has opted out through the service's 080 number; `SensSession.unsubscribes`.

    SENS itself fails advertisements to these numbers; `send_many(..., skip_unsubscribed=True)`
    does not even ask for them. Every question is safe to repeat, and is repeated while that may
    help.

    Args:
        dispatcher: The session's.
        service: Whose.
        check: Called before each question; raises where the session cannot be used.
    """

    def __init__(
        self, dispatcher: Dispatcher, service: Service, *, check: Callable[[], None]
    ) -> None:
        self._dispatcher = dispatcher
        self._service = service
        self._check = check

    def list(
        self,
        number: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[Unsubscribe]:
        """Look numbers up.

        Args:
            number: Only this one; None for all.
            since: Only those registered at or after this; aware, by the millisecond.
            until: Only those registered at or before this; aware, by the millisecond.

        Returns:
            An iterator that asks for a page of 100 when it needs one, and may be left at any
            time. Pages are asked for by number: what is added or removed meanwhile may move
            others from one to the next.

        Raises:
            InvalidRecipient: `number` is no phone number.
            InvalidQuery: A time has no zone, or `until` is before `since`.
            SensError: While iterating: a page could not be read.
        """
        self._check()
        digits = None if number is None else normalize(number)
        after = None if since is None else _milliseconds(since, "since")
        before = None if until is None else _milliseconds(until, "until")
        if after is not None and before is not None and before < after:
            raise InvalidQuery(f"until ({until}) is before since ({since})")
        return self._rows(digits, after, before)

    async def add(self, numbers: Iterable[str]) -> None:
        """Enter numbers by hand, up to 1,000 in a request.

        Args:
            numbers: In any usual spelling; one that comes twice is sent once.

        Raises:
            InvalidRecipient: Naming the place of one that is no phone number; nothing was sent.
            SensError: Those of earlier requests are entered, the others may be. What the service
                says to a number that is on the list already is not documented.
        """
        await self._change("POST", numbers)

    async def remove(self, numbers: Iterable[str]) -> None:
        """Take numbers off the list, up to 1,000 in a request.

        Only with the consent of who has opted out.

        Args:
            numbers: See `add`.

        Raises:
            InvalidRecipient: See `add`.
            SensError: Those of earlier requests are removed, the others may be. What the service
                says to a number that is not on the list is not documented.
        """
        await self._change("DELETE", numbers)

    async def numbers(self) -> frozenset[str]:
        """Give all numbers on the list, written as recipients' numbers are.

        Raises:
            SensError: The list could not be read whole.
        """
        return frozenset([_as_recipient(entry.number) async for entry in self.list()])

    async def _rows(
        self, number: str | None, since: int | None, until: int | None
    ) -> AsyncIterator[Unsubscribe]:
        passed: set[int] = set()
        seen: frozenset[str] = frozenset()
        for page in count():
            request = opt_outs(self._service, number=number, since=since, until=until, page=page)
            self._check()
            entries = await self._dispatcher.ask(request, read_opt_outs)
            is_last = len(entries) < OPT_OUTS_PER_PAGE
            numbers = frozenset(entry.number for entry in entries)
            if not is_last and hash(numbers) in passed:
                raise UnreadableResponse(
                    f"page {page} of the opt-out list is one before it once more", status=200
                )
            passed.add(hash(numbers))
            for entry in entries:
                if entry.number not in seen:
                    yield entry
            if is_last:
                return
            seen = numbers

    async def _change(self, method: str, numbers: Iterable[str]) -> None:
        self._check()
        given: object = numbers
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
            raise TypeError(
                f"numbers must be an iterable of str, got {type(given).__name__}; "
                "a single one goes in a list"
            )
        unique = list(dict.fromkeys(_checked(number, i) for i, number in enumerate(numbers)))
        for start in range(0, len(unique), OPT_OUTS_PER_REQUEST):
            part = unique[start : start + OPT_OUTS_PER_REQUEST]
            self._check()
            await self._dispatcher.ask(opted_out(self._service, method, part), read_done)

    def __repr__(self) -> str:
        return f"<Unsubscribes of {self._service.service_id}>"


def _checked(number: object, place: int) -> str:
    try:
        return normalize(number)
    except InvalidRecipient as error:
        raise InvalidRecipient(f"numbers[{place}]: {error}") from None


def _as_recipient(number: str) -> str:
    try:
        return normalize(number)
    except InvalidRecipient:  # the service holds it, so it stays as it is
        return number


def _milliseconds(time: object, name: str) -> int:
    return int(checked_time(time, name).timestamp() * 1000)
