"""What is known of the awaited messages of one request, and when to ask about it again.

Times are seconds on one clock that never goes back; they come in as arguments. Whatever rows come,
in whatever order and however often: a message ends at most once, and those that have ended and
those that are pending are together everybody.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import attrs

from sens_async.core.polling import AT_ONCE, Pace
from sens_async.deliveries import Delivery, DeliveryEnd, DeliveryStatus, PendingDelivery
from sens_async.models import Reservation, ReservationStatus
from sens_async.outcomes import OutcomeBatch

__all__ = ["ENDS_UNSENT", "GIVE_UP_AFTER", "UNLISTED_AFTER", "Followed"]

UNLISTED_AFTER: Final = 3600.0
"""Seconds after which a request that the list does not know is not followed any more. How long rows
may be missing is not documented; clients that poll give up after 2 to 70 minutes."""
GIVE_UP_AFTER: Final = 24 * 3600.0
"""Seconds with nothing new of a request after which it is not followed any more."""

_WHOLE_AFTER: Final = 10.0
"""Seconds for which a list of unknown length must bring nothing new to be believed whole."""
_SUSPECT_AFTER: Final = 60.0
"""Seconds without a message under way after which a request may turn out to be reserved."""
_AFTER_DEPARTURE: Final = 5.0
"""Seconds after a reservation's time before it is looked at."""
_LOOK_AGAIN: Final = 3600.0
"""The longest that a waiting reservation is left alone: it may be cancelled meanwhile."""

_NO_STATUS: Final = ""
_UNDER_WAY: Final = 3
_RANKS: Final[dict[str | None, int]] = {None: 0, _NO_STATUS: 1, DeliveryStatus.READY: 2}
"""How far a state is: not listed, listed without a status, waiting; any other is under way."""
ENDS_UNSENT: Final = {
    ReservationStatus.CANCELED: DeliveryEnd.CANCELED,
    ReservationStatus.FAIL: DeliveryEnd.NOT_SENT,
    ReservationStatus.STALE: DeliveryEnd.NOT_SENT,
    ReservationStatus.SKIP: DeliveryEnd.NOT_SENT,
}
"""How messages end whose reservation ended without sending them."""


def _rank(state: str | None) -> int:
    return _RANKS.get(state, _UNDER_WAY)


class Followed:
    """The awaited messages of one request.

    Args:
        request_id: Of the accepted request.
        numbers: Who is awaited, no number twice; None for whoever its list names.
        batch: The same people as the run knows them, or None.
        ended: Counts the messages that have ended in which way.
        reserve_at: When it is to go out, if it is known to be a reservation; else None.
        may_be_reserved: Whether it may be one.

    Attributes:
        request_id: As given.
        reserve_at: As given.
        left: How many are pending. Whoever else a list of unknown length may name counts as one.
        waits: Whether it is a reservation whose time has not come.
        pace: When to ask about it next.
    """

    def __init__(
        self,
        request_id: str,
        numbers: Iterable[str] | None = None,
        *,
        batch: OutcomeBatch | None = None,
        ended: Counter[DeliveryEnd],
        reserve_at: datetime | None = None,
        may_be_reserved: bool = True,
    ) -> None:
        self.request_id = request_id
        self.reserve_at = reserve_at
        self.waits = False
        self.pace = AT_ONCE
        self._ended = ended
        self._batch = batch
        self._is_open = numbers is None
        self._numbers = list(numbers or ())
        self._places = {number: place for place, number in enumerate(self._numbers)}
        self._states: list[str | None] = [None] * len(self._numbers)
        self.left = self._awaited = len(self._numbers) + self._is_open
        self._news = 0
        self._farthest = 0
        self._unsent: DeliveryEnd | None = None
        self._may_be_reserved = may_be_reserved
        self._says_reserved = self._was_looked_up = self._is_unlisted = False
        self._began = self._moved = self._looked_up = 0.0
        self._settled: float | None = None

    def begin(self, now: float, *, due_in: float | None = None) -> None:
        """Note that it is followed from now on.

        Args:
            now: When.
            due_in: Seconds until `reserve_at`; None if there is none.
        """
        self._began = self._moved = self._looked_up = now
        if due_in is not None and due_in > 0:
            self._wait(now, due_in)

    def take(self, row: Delivery) -> Delivery | None:
        """Take in a row of the list.

        Returns:
            The delivery, with its recipient's key and index, if it has come farther; None if that
            was known, lags behind what is known, or is somebody else's.
        """
        place = self._place(row)
        if place is None:
            return None
        state, status = self._states[place], row.status or _NO_STATUS
        if isinstance(state, DeliveryEnd) or status == state or _rank(status) < _rank(state):
            return None
        self._states[place] = status
        self._farthest = max(self._farthest, _rank(status))
        self._settled = None
        # Words that come and go are told, and are no reason to ask faster or longer.
        self._news += row.is_final or _rank(status) > _rank(state)
        if row.end is not None:
            self._end(place, row.end)
        key, index = self._who(place)
        request_id = row.request_id or self.request_id
        return attrs.evolve(row, request_id=request_id, key=key, index=index)

    def read(self, now: float, *, says_reserved: bool = False) -> None:
        """Note that its whole list was read.

        Args:
            now: When.
            says_reserved: Whether the list calls the request reserved.
        """
        self._says_reserved = says_reserved
        if self._unsent is not None:
            for place, state in enumerate(self._states):
                if not isinstance(state, DeliveryEnd) and _rank(state) < _UNDER_WAY:
                    self._end(place, self._unsent)
        self._rest(now)
        if self._is_open and self.left == 1 and (self._states or self._unsent is not None):
            self._settle(now)
        self._is_unlisted = not self._farthest and now - self._began >= UNLISTED_AFTER

    def failed(self, now: float) -> None:
        """Note that it was asked about, and not all of the answer could be read."""
        self._rest(now)

    def is_suspect(self, now: float) -> bool:
        """Whether to look up whether it is a reservation, and how that stands."""
        if not (self.left and self._may_be_reserved) or self._farthest == _UNDER_WAY:
            return False
        if self._says_reserved and not self._was_looked_up:
            return True
        return now - self._looked_up >= _SUSPECT_AFTER

    def reserved(self, reservation: Reservation, now: float, *, due_in: float | None) -> None:
        """Note how its reservation stands.

        Args:
            reservation: As looked up.
            now: When.
            due_in: Seconds until its time; None if that is not known.
        """
        self._was_looked_up, self._looked_up = True, now
        self._may_be_reserved = not reservation.is_final
        if isinstance(reservation.status, ReservationStatus):
            self._unsent = ENDS_UNSENT.get(reservation.status)
        if reservation.status is not ReservationStatus.READY:
            if self.waits or self._unsent is not None:
                self._depart(now)
        elif due_in is not None and due_in > 0:
            self._wait(now, due_in)
        else:  # its time has come, or is not known
            self.waits = True
            self._rest(now)

    def not_reserved(self, now: float, *, due_in: float | None) -> None:
        """Note that no such reservation is known.

        Args:
            now: When.
            due_in: Seconds until the time that it was reserved for all the same; None if there
                is none. How soon the service knows a reservation, and how long, is not documented.
        """
        if due_in is not None and due_in > 0:
            self._wait(now, due_in)
            return
        self._may_be_reserved = False
        if self.waits:
            self._depart(now)

    def is_over(self, now: float) -> bool:
        """Whether all have ended, or nothing is to be hoped for any more."""
        return not self.left or self._is_unlisted or now - self._moved >= GIVE_UP_AFTER

    def pending(self) -> Iterator[PendingDelivery]:
        """Give those whose end is not known."""
        for place, state in enumerate(self._states):
            if not isinstance(state, DeliveryEnd):
                key, index = self._who(place)
                yield PendingDelivery(
                    request_id=self.request_id,
                    number=self._numbers[place],
                    key=key,
                    index=index,
                    status=state or None,
                )
        if self._is_open:
            yield PendingDelivery(request_id=self.request_id)

    def _place(self, row: Delivery) -> int | None:
        """Find whose row it is; a list of unknown length names its own, by their ids."""
        if not self._is_open:
            place = self._places.get(row.number)
            if place is None and row.country_code:  # see `Delivery.is_to`
                place = self._places.get(row.number.removeprefix(row.country_code))
            return place
        place = self._places.setdefault(row.message_id or row.number, len(self._states))
        if place == len(self._states):
            self._numbers.append(row.number)
            self._states.append(None)
            self.left += 1
        return place

    def _who(self, place: int) -> tuple[str | None, int | None]:
        if self._batch is None:
            return None, None
        outcome = self._batch[place]
        return outcome.key, outcome.index

    def _end(self, place: int, end: DeliveryEnd) -> None:
        self._states[place] = end
        self._ended[end] += 1
        self.left -= 1

    def _wait(self, now: float, due_in: float) -> None:
        self.waits = True
        self._began = self._moved = now
        self.pace = Pace(now + min(due_in + _AFTER_DEPARTURE, _LOOK_AGAIN), 0.0)

    def _depart(self, now: float) -> None:
        """Look for its rows from now on."""
        self.waits = False
        self._began = self._moved = now
        self.pace = Pace(now, 0.0)

    def _rest(self, now: float) -> None:
        if self._news:
            self._moved = now
        awaited = max(self._awaited, self.left, 1)
        self.pace = self.pace.after(now, news=self._news, awaited=awaited)
        self._news, self._awaited = 0, self.left

    def _settle(self, now: float) -> None:
        """Believe that a list names everybody once it has stayed as it is for a while."""
        if self._settled is None:
            self._settled = now
        if self._unsent is not None or now - self._settled >= _WHOLE_AFTER:
            self._is_open = False
            self.left = 0
        else:
            self.pace = Pace(self._settled + _WHOLE_AFTER, self.pace.pause)
