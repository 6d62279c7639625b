"""Reserved sends: when they go out, if they do.

Source: SENS API, "Get reservation status" and "Cancel a reservation". The state is a function of
the time at which somebody looks, of whether it was cancelled, and of the end that was ordered.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, get_args

import attrs

from sens_async.emulator.admissions import AdmissionLog, Batch
from sens_async.emulator.answers import Refused
from sens_async.emulator.options import EmulatorOptions, ReservationEnd

__all__ = ["Reservation", "ReservationStatus", "Reservations"]

ReservationStatus = Literal["READY", "PROCESSING", "CANCELED", "FAIL", "DONE", "STALE", "SKIP"]


@attrs.frozen
class Reservation:
    """A reserved send as it stands at one moment.

    Attributes:
        reserve_id: The request id.
        status: One of the service's seven states.
        reserve_at: `YYYY-MM-DDTHH:MM:SS` with offset.
        zone: The zone that `reserveTime` was given in.
        recipients: How many messages it has.
    """

    reserve_id: str
    status: ReservationStatus
    reserve_at: str
    zone: str
    recipients: int


class Reservations:
    """The reserved sends of one service."""

    def __init__(self, log: AdmissionLog, options: EmulatorOptions) -> None:
        self._log = log
        self._options = options
        self._cancelled: set[str] = set()
        self._ends: dict[str, ReservationEnd] = {}

    def clear(self) -> None:
        """Forget what was cancelled and what was ordered."""
        self._cancelled.clear()
        self._ends.clear()

    def at(self, now: float) -> Iterator[Reservation]:
        """All reservations as they stand at a moment, in the order of their acceptance."""
        return (self._seen(batch, now) for batch in self._log.reserved())

    def get(self, reserve_id: str, now: float) -> Reservation:
        """One reservation as it stands at a moment.

        Raises:
            KeyError: There is no such reservation.
        """
        return self._seen(self._find(reserve_id), now)

    def cancel(self, reserve_id: str, now: float) -> None:
        """Cancel a reservation that is waiting.

        Raises:
            KeyError: There is no such reservation.
            Refused: It does not wait any more; the status is `EmulatorOptions.cancel_refusal`.
        """
        status = self.status(self._find(reserve_id), now)
        if status != "READY":
            raise Refused(
                f"the reservation is {status}, only READY can be cancelled",
                status=int(self._options.cancel_refusal),
            )
        self._cancelled.add(reserve_id)

    def order(self, reserve_id: str, end: ReservationEnd, now: float) -> None:
        """Decide how a reservation that is waiting will end.

        Raises:
            KeyError: There is no such reservation.
            ValueError: It does not wait any more, or there is no such end.
        """
        if end not in get_args(ReservationEnd):
            raise ValueError(f"status is {end!r}, it has to be one of {get_args(ReservationEnd)}")
        status = self.status(self._find(reserve_id), now)
        if status != "READY":
            raise ValueError(f"the reservation is {status}, its end is decided")
        self._ends[reserve_id] = end

    def status(self, batch: Batch, now: float) -> ReservationStatus:
        """The state of a reserved batch at a moment."""
        leaves_at = batch.leaves_at
        assert leaves_at is not None
        if batch.request_id in self._cancelled:
            return "CANCELED"
        if now < leaves_at:
            return "READY"
        end = self._end(batch)
        working = now < leaves_at + self._options.processing_delay[1]
        return "PROCESSING" if working and end in {"DONE", "FAIL"} else end

    def departure(self, batch: Batch) -> float | None:
        """When the messages of any batch go out, in seconds since the epoch; None for never."""
        if batch.leaves_at is None:
            return batch.at
        if batch.request_id in self._cancelled or self._end(batch) != "DONE":
            return None
        return batch.leaves_at

    def waits(self, batch: Batch, now: float) -> bool:
        """Whether a batch is a reservation that is still waiting."""
        return batch.leaves_at is not None and self.status(batch, now) == "READY"

    def _find(self, reserve_id: str) -> Batch:
        batch = self._log.request(reserve_id)
        if batch is None or batch.leaves_at is None:
            raise KeyError(reserve_id)
        return batch

    def _end(self, batch: Batch) -> ReservationEnd:
        return self._ends.get(batch.request_id, self._options.reservation_end)

    def _seen(self, batch: Batch, now: float) -> Reservation:
        envelope = batch.envelope
        assert envelope.reserve_at is not None
        return Reservation(
            batch.request_id,
            self.status(batch, now),
            envelope.reserve_at,
            envelope.reserve_zone,
            len(batch),
        )


def described(reservation: Reservation, options: EmulatorOptions) -> dict[str, str]:
    """A reservation as the service writes it."""
    time = reservation.reserve_at
    if options.reserve_time == "minute":
        time = datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M")
    return {
        "reserveId": reservation.reserve_id,
        "reserveTimeZone": reservation.zone,
        "reserveTime": time,
        "reserveStatus": reservation.status,
    }
