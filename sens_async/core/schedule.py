"""Times of the service: Korean, and rules about when a message may go out.

The service writes times in Korean local time without an offset, in two shapes; that the zone is
Korea is an inference from its samples, no page names it.
"""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import attrs

from sens_async.errors import InvalidSchedule

__all__ = ["KST", "MINIMUM_LEAD", "Reservation", "from_epoch", "is_night", "parse_time"]

KST = timezone(timedelta(hours=9), "KST")
"""Korean time; there has been no daylight saving since 1988."""

MINIMUM_LEAD = timedelta(minutes=10)
"""How far ahead a reservation must lie (seen in clients that quote SENS API: Send messages)."""

_NIGHT_BEGINS, _NIGHT_ENDS = 21, 8
"""Hours (KST) between which advertisements need separate consent (Network Act, article 50)."""


def from_epoch(seconds: float) -> datetime:
    """Give an aware datetime (KST) for seconds since the epoch."""
    return datetime.fromtimestamp(seconds, KST)


def parse_time(text: str) -> datetime:
    """Read a time of the service, with or without `T`, milliseconds and offset.

    Returns:
        An aware datetime (KST).

    Raises:
        ValueError: It is no time.
    """
    time = datetime.fromisoformat(text)
    try:
        return time.replace(tzinfo=KST) if time.tzinfo is None else time.astimezone(KST)
    except OverflowError as cause:
        raise ValueError(f"{text!r} lies beyond the calendar") from cause


def is_night(at: datetime) -> bool:
    """Whether advertisements need separate consent at this time: 21:00 to 08:00 in Korea."""
    hour = at.astimezone(KST).hour
    return hour >= _NIGHT_BEGINS or hour < _NIGHT_ENDS


@attrs.frozen
class Reservation:
    """A minute at which the service is to send, as it is written on the wire.

    Attributes:
        at: The minute, in the zone that is sent.
        time: `reserveTime`.
        zone: `reserveTimeZone`.
    """

    at: datetime
    time: str
    zone: str

    @classmethod
    def of(cls, at: datetime) -> "Reservation":
        """Round up to the minute and choose the zone to write it in.

        A `ZoneInfo`'s own name is sent; any other zone, and a local time that a change of clocks
        makes ambiguous, is written in Korean time.

        Args:
            at: An aware datetime.

        Raises:
            InvalidSchedule: It has no time zone.
        """
        if not isinstance(at, datetime):
            raise InvalidSchedule(f"reserve_at must be a datetime, got {type(at).__name__}")
        if at.tzinfo is None or at.utcoffset() is None:
            raise InvalidSchedule(
                f"reserve_at {at:%Y-%m-%d %H:%M} has no time zone; "
                'give one, for example tzinfo=ZoneInfo("Asia/Seoul")'
            )
        try:
            return cls._at(at, at.tzinfo)
        except OverflowError:
            raise InvalidSchedule(f"reserve_at {at} lies beyond the calendar") from None

    @classmethod
    def _at(cls, at: datetime, zone: tzinfo) -> "Reservation":
        minute = at.astimezone(UTC)
        if minute.second or minute.microsecond:
            minute = minute.replace(second=0, microsecond=0) + timedelta(minutes=1)
        zone_name = getattr(zone, "key", None)
        local = minute.astimezone(zone)
        ambiguous = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        if not isinstance(zone_name, str) or ambiguous:
            zone_name, local = "Asia/Seoul", minute.astimezone(KST)
        return cls(local, f"{local:%Y-%m-%d %H:%M}", zone_name)

    def check_lead(self, now: float) -> None:
        """Refuse a minute that is too near.

        Args:
            now: Seconds since the epoch.

        Raises:
            InvalidSchedule: It is less than ten minutes ahead.
        """
        earliest = from_epoch(now) + MINIMUM_LEAD
        if self.at < earliest:
            raise InvalidSchedule(
                f"reserve_at {self.time} ({self.zone}) is less than 10 minutes ahead; "
                f"the earliest now is {earliest.astimezone(self.at.tzinfo):%Y-%m-%d %H:%M:%S}"
            )
