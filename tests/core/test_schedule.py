"""Times on the wire: minutes, zones, lead, night."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.core.schedule import KST, Reservation, from_epoch, is_night, parse_time
from sens_async.errors import InvalidSchedule

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2025, 11, 25, 12, 0, tzinfo=KST)
NAIVE = datetime(2020, 1, 1)  # noqa: DTZ001 - Hypothesis wants it so


def wire(at):
    reservation = Reservation.of(at)
    return reservation.time, reservation.zone


@pytest.mark.parametrize(
    ("at", "time"),
    [
        (datetime(2025, 11, 25, 9, 50, tzinfo=SEOUL), "2025-11-25 09:50"),
        (datetime(2025, 11, 25, 9, 50, 0, 1, tzinfo=SEOUL), "2025-11-25 09:51"),
        (datetime(2025, 11, 25, 9, 50, 1, tzinfo=SEOUL), "2025-11-25 09:51"),
        (datetime(2025, 11, 25, 9, 59, 59, 999999, tzinfo=SEOUL), "2025-11-25 10:00"),
        (datetime(2025, 12, 31, 23, 59, 1, tzinfo=SEOUL), "2026-01-01 00:00"),
    ],
)
def test_a_reservation_is_rounded_up_to_the_minute(at, time):
    assert wire(at) == (time, "Asia/Seoul")


@pytest.mark.parametrize(
    ("zone", "time", "name"),
    [
        (NEW_YORK, "2025-07-01 09:50", "America/New_York"),
        (ZoneInfo("UTC"), "2025-07-01 09:50", "UTC"),
        (UTC, "2025-07-01 18:50", "Asia/Seoul"),
        (KST, "2025-07-01 09:50", "Asia/Seoul"),
        (timezone(timedelta(hours=-4)), "2025-07-01 22:50", "Asia/Seoul"),
        (timezone(timedelta(hours=5, minutes=45)), "2025-07-01 13:05", "Asia/Seoul"),
    ],
)
def test_a_named_zone_is_sent_and_any_other_is_written_in_korean_time(zone, time, name):
    assert wire(datetime(2025, 7, 1, 9, 50, tzinfo=zone)) == (time, name)


@pytest.mark.parametrize(("fold", "time"), [(0, "2025-11-02 14:30"), (1, "2025-11-02 15:30")])
def test_an_hour_that_comes_twice_is_written_in_korean_time(fold, time):
    twice = datetime(2025, 11, 2, 1, 30, tzinfo=NEW_YORK, fold=fold)
    assert wire(twice) == (time, "Asia/Seoul")


def test_an_hour_that_never_comes_is_moved_as_python_does():
    never = datetime(2025, 3, 9, 2, 30, tzinfo=NEW_YORK)
    assert wire(never) == ("2025-03-09 03:30", "America/New_York")


def test_rounding_up_into_an_ambiguous_hour_notices():
    at = datetime(2025, 11, 2, 0, 59, 30, tzinfo=NEW_YORK)
    assert wire(at) == ("2025-11-02 14:00", "Asia/Seoul")


@given(
    at=st.datetimes(NAIVE, NAIVE.replace(year=2040)),
    zone=st.sampled_from([SEOUL, NEW_YORK, ZoneInfo("Europe/Dublin"), KST, UTC]),
    fold=st.integers(0, 1),
)
def test_what_is_written_is_the_minute_meant(at, zone, fold):
    at = at.replace(tzinfo=zone, fold=fold)
    reservation = Reservation.of(at)
    written = datetime.strptime(reservation.time, "%Y-%m-%d %H:%M").replace(
        tzinfo=ZoneInfo(reservation.zone)
    )
    late = written.astimezone(UTC) - at.astimezone(UTC)
    assert timedelta(0) <= late < timedelta(minutes=1)
    assert reservation.at.astimezone(UTC) == written.astimezone(UTC)


def test_naive_time_is_refused_with_the_way_out():
    with pytest.raises(
        InvalidSchedule, match=r'reserve_at 2025-11-25 12:00 has no time zone.*"Asia/Seoul"'
    ):
        Reservation.of(NOON.replace(tzinfo=None))


class Nowhere(tzinfo):
    def utcoffset(self, dt):
        return None

    dst = tzname = utcoffset


def test_a_zone_without_offset_is_no_zone():
    with pytest.raises(InvalidSchedule, match="no time zone"):
        Reservation.of(NOON.replace(tzinfo=Nowhere()))


@pytest.mark.parametrize("at", ["2025-11-25 12:00", 1764031180, NOON.date(), NOON.time()])
def test_what_is_no_datetime_is_refused_with_its_type(at):
    with pytest.raises(
        InvalidSchedule, match=f"reserve_at must be a datetime, got {type(at).__name__}"
    ):
        Reservation.of(at)


@pytest.mark.parametrize("at", [datetime.max, datetime.min])  # noqa: DTZ901 - zones follow
@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=20)), timezone(timedelta(hours=-20))]
)
def test_the_ends_of_time_raise_nothing_but_the_documented_error(at, zone):
    with suppress(InvalidSchedule):
        Reservation.of(at.replace(tzinfo=zone))


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=11), timedelta(days=9)])
def test_ten_minutes_ahead_are_enough(ahead):
    Reservation.of(NOON + ahead).check_lead(NOON.timestamp())


@pytest.mark.parametrize(
    "ahead", [timedelta(minutes=9), timedelta(0), timedelta(minutes=-1), timedelta(days=-1)]
)
def test_less_than_ten_minutes_ahead_is_refused_with_the_earliest(ahead):
    with pytest.raises(
        InvalidSchedule,
        match=r"less than 10 minutes ahead; the earliest now is 2025-11-25 12:10:00",
    ):
        Reservation.of(NOON + ahead).check_lead(NOON.timestamp())


def test_lead_is_measured_to_the_second():
    reservation = Reservation.of(NOON + timedelta(minutes=10))
    reservation.check_lead(NOON.timestamp())
    with pytest.raises(InvalidSchedule, match="12:10:01"):
        reservation.check_lead(NOON.timestamp() + 1)


def test_lead_is_told_in_the_zone_of_the_reservation():
    at = datetime(2025, 7, 1, 9, 50, tzinfo=NEW_YORK)
    with pytest.raises(InvalidSchedule, match=r"America/New_York.*2025-07-01 10:00:00"):
        Reservation.of(at).check_lead(at.timestamp())


@pytest.mark.parametrize(
    ("hour", "minute", "night"),
    [
        (20, 59, False),
        (21, 0, True),
        (23, 59, True),
        (0, 0, True),
        (7, 59, True),
        (8, 0, False),
        (12, 0, False),
    ],
)
def test_night_in_korea(hour, minute, night):
    at = datetime(2025, 11, 25, hour, minute, tzinfo=KST)
    assert is_night(at) is night
    assert is_night(at.astimezone(NEW_YORK)) is night


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-25T09:39:40.535",
        "2025-11-25 09:39:40.535",
        "2025-11-25T00:39:40.535Z",
        "2025-11-25T09:39:40.535+09:00",
        "2025-11-24T19:39:40.535-05:00",
    ],
)
def test_every_shape_of_a_service_time_is_korean_and_aware(text):
    time = parse_time(text)
    assert time == datetime(2025, 11, 25, 9, 39, 40, 535000, tzinfo=KST)
    assert time.utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize("text", ["", "now", "2025-11-25T25:00", "0001-01-01T00:00:00+23:00"])
def test_what_is_no_time_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_time(text)


def test_epoch_seconds_are_korean_time():
    assert from_epoch(1764031180.0).isoformat() == "2025-11-25T09:39:40+09:00"
