"""`send`: what goes on the wire, what comes back, and what became of it when it fails."""

import asyncio
import base64
import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
import pytest
from session_helpers import OPEN, StepCounter, jpeg, numbers, of_endpoint, sent
from virtual_time import VirtualClock

from sens_async import (
    AdRuleViolated,
    ApiError,
    AuthenticationFailed,
    BadRequest,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    ContentTooLong,
    InvalidAttachment,
    InvalidMessage,
    InvalidRecipient,
    InvalidSchedule,
    InvalidTemplate,
    MessageType,
    MissingField,
    NotFound,
    OutcomeState,
    PermissionDenied,
    QuotaExceeded,
    RateLimit,
    Recipient,
    RequestTimeout,
    RetryPolicy,
    SendTimeout,
    SensError,
    ServiceUnavailable,
    Settings,
    Timeouts,
    UnencodableText,
    UnreadableResponse,
    UploadedFile,
)
from sens_async.emulator import Emulator, EmulatorOptions

SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2025, 11, 25, 9, 39, 40, tzinfo=SEOUL)
"""What the tests' clock shows at the start."""

ONE_A_MINUTE = Settings(rate_limit=RateLimit(requests=1, per=60.0))


@pytest.fixture
async def emulator(clock):
    async with Emulator(clock=clock, options=EmulatorOptions(keep_bodies=True)) as emulator:
        yield emulator


@pytest.fixture
async def sens(emulator):
    async with emulator.session(settings=OPEN) as session:
        yield session


@pytest.fixture
async def slow(emulator):
    """A session that may make one request a minute, and has just made it."""
    async with emulator.session(settings=ONE_A_MINUTE) as session:
        await session.send("01099999999", "안녕하세요")
        yield session


# -- what comes back


async def test_receipt_tells_what_was_accepted(emulator, sens):
    receipt = await sens.send("010-1234-5678", "안녕하세요")

    (admission,) = emulator.admissions["01012345678"]
    assert admission.text == "안녕하세요"
    assert receipt.request_id == admission.request_id
    assert receipt.requested_at == NOW
    assert receipt.requested_at.utcoffset() == timedelta(hours=9)
    assert (receipt.number, receipt.type) == ("01012345678", MessageType.SMS)
    assert (receipt.reserve_at, receipt.attempts) == (None, 1)


async def test_receipt_counts_the_requests_it_took(emulator, sens):
    emulator.fail("throttle", requests=1, retry_after=2)

    receipt = await sens.send("01012345678", "안녕하세요")

    assert receipt.attempts == 2


async def test_receipt_of_a_reservation_holds_its_minute(emulator, sens):
    receipt = await sens.send("01012345678", "안녕", reserve_at=NOW + timedelta(hours=1))

    assert receipt.reserve_at == datetime(2025, 11, 25, 10, 40, tzinfo=SEOUL)


async def test_repr_of_a_receipt_hides_the_number(sens):
    receipt = await sens.send("01012345678", "안녕하세요")

    assert "010-****-5678" in repr(receipt)
    assert "01012345678" not in repr(receipt)


# -- what goes on the wire


async def test_the_documented_example_is_what_goes_on_the_wire(clock):
    """SENS API: Send messages, request example; stars replaced by digits."""
    async with (
        Emulator(
            clock=clock,
            service_id="ncp:sms:kr:500000000001:sens",
            sender="01000000000",
            options=EmulatorOptions(keep_bodies=True),
        ) as emulator,
        emulator.session(settings=OPEN) as sens,
    ):
        await sens.send(
            Recipient(
                "01012345678",
                subject="Delivery Noti",
                content="Hello, ******. This is for notifying your delivery status.",
            ),
            "Hello. This is for notifying your delivery status.",
            type="MMS",
            content_type="COMM",
            country_code="82",
            subject="Delivery Notification",
            images=[jpeg()],
            reserve_at=datetime(2025, 11, 25, 9, 50, tzinfo=SEOUL),
        )

        (file,) = emulator.uploads
        request = emulator.requests[-1]
        assert request.target == "/sms/v2/services/ncp:sms:kr:500000000001:sens/messages"
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["x-ncp-iam-access-key"] == emulator.access_key
        assert len(request.headers["x-ncp-apigw-timestamp"]) == 13
        assert request.headers["x-ncp-apigw-signature-v2"]
        assert orjson.loads(request.body) == {
            "type": "MMS",
            "contentType": "COMM",
            "countryCode": "82",
            "from": "01000000000",
            "subject": "Delivery Notification",
            "content": "Hello. This is for notifying your delivery status.",
            "messages": [
                {
                    "to": "01012345678",
                    "subject": "Delivery Noti",
                    "content": "Hello, ******. This is for notifying your delivery status.",
                }
            ],
            "files": [{"fileId": file.file_id}],
            "reserveTime": "2025-11-25 09:50",
            "reserveTimeZone": "Asia/Seoul",
        }


async def test_an_upload_is_name_and_base64_and_nothing_else(emulator, sens):
    """SENS API: Upload attachment, request example."""
    picture = jpeg("a note")
    url = "data:image/jpeg;base64," + base64.b64encode(picture).decode()

    file = await sens.upload(url)

    (request,) = emulator.requests
    assert request.target == f"/sms/v2/services/{emulator.service_id}/files"
    body = orjson.loads(request.body)
    assert body.keys() == {"fileName", "fileBody"}
    assert body["fileName"] == file.name
    assert len(file.name) <= 40
    assert file.name.endswith(".jpg")
    assert base64.b64decode(body["fileBody"], validate=True) == picture
    assert file.file_id == emulator.uploads[0].file_id
    assert file.expires_at.timestamp() == pytest.approx(emulator.uploads[0].expires, abs=0.001)
    assert file.size_bytes == len(picture)


async def test_a_plain_sms_says_no_more_than_it_must(emulator, sens):
    await sens.send("01012345678", "안녕하세요")

    assert sent(emulator) == [
        {
            "type": "SMS",
            "contentType": "COMM",
            "countryCode": "82",
            "from": emulator.sender,
            "content": "안녕하세요",
            "messages": [{"to": "01012345678"}],
        }
    ]


async def test_sender_of_the_call_stands_in_for_the_session_s(emulator, sens):
    await sens.send("01012345678", "안녕", sender="02-1234-5678")

    assert sent(emulator)[0]["from"] == "0212345678"


async def test_no_sender_anywhere_is_an_error_that_names_the_ways_to_give_one(emulator):
    async with emulator.session(settings=OPEN, sender=None) as sens:
        with pytest.raises(ConfigError, match="SENS_SENDER"):
            await sens.send("01012345678", "안녕")

    assert not emulator.requests


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"content": "가" * 45}, "SMS"),
        ({"content": "가" * 45 + "a"}, "LMS"),
        ({"content": "가", "subject": "안내"}, "LMS"),
        ({"content": "가", "type": "LMS"}, "LMS"),
        ({"content": "가", "type": MessageType.LMS, "subject": "안내"}, "LMS"),
        ({"content": "가", "images": [jpeg()]}, "MMS"),
        ({"content": "가", "images": [jpeg("a"), jpeg("b")], "type": "MMS"}, "MMS"),
        ({"content": "가", "type": "SMS"}, "SMS"),
    ],
)
async def test_type_is_the_smallest_that_fits_or_the_given_one(emulator, sens, arguments, kind):
    receipt = await sens.send("01012345678", **arguments)

    assert receipt.type == kind
    (body,) = sent(emulator)
    assert body["type"] == kind
    assert body.get("subject") == arguments.get("subject")
    assert len(body.get("files", ())) == len(arguments.get("images", ()))


async def test_content_type_ad_is_on_the_wire(emulator, sens):
    await sens.send("01012345678", "(광고) 할인", content_type="AD")

    assert sent(emulator)[0]["contentType"] == "AD"


async def test_pictures_are_named_in_their_order(emulator, sens):
    await sens.send("01012345678", "가", images=[jpeg("second"), jpeg("first!")])

    by_note = {b"second" in file.data: file.file_id for file in emulator.uploads}
    assert sent(emulator)[0]["files"] == [{"fileId": by_note[True]}, {"fileId": by_note[False]}]


async def test_a_file_uploaded_before_is_named_without_another_upload(emulator, sens):
    file = await sens.upload(jpeg())

    await sens.send("01012345678", "가", images=[file])

    assert sent(emulator)[0]["files"] == [{"fileId": file.file_id}]
    assert len(of_endpoint(emulator, "files")) == 1


# -- recipients and templates


async def test_a_recipient_s_fields_fill_subject_and_content(emulator, sens):
    person = Recipient("01012345678", fields={"name": "홍길동", "주문 번호": 7})

    await sens.send(person, "#{name}님, 주문 {주문 번호}번 {{도착}}", subject="{name}님께")

    (admission,) = emulator.admissions["01012345678"]
    assert admission.text == "홍길동님, 주문 7번 {도착}"
    assert admission.subject == "홍길동님께"


async def test_what_a_recipient_carries_is_literal(emulator, sens):
    person = Recipient("01012345678", content="{이름}님 100% #{a}", fields={"이름": "x"}, key="k1")

    await sens.send(person)

    assert emulator.admissions["01012345678"][0].text == "{이름}님 100% #{a}"
    assert b"k1" not in emulator.requests[0].body


@pytest.mark.parametrize(
    ("to", "content", "kind", "says"),
    [
        ("01012345678", "{name}님", MissingField, "name"),
        (Recipient("01012345678", fields={"name": None}), "{name}님", MissingField, "name"),
        ("010-12", "안녕", InvalidRecipient, "digits"),
        ("+1 415 555 2671", "안녕", InvalidRecipient, "country_code"),
        (Recipient("01012345678", content="😀"), None, UnencodableText, "U\\+1F600"),
        ("01012345678", None, InvalidMessage, "content"),
        (Recipient("01012345678", content="가" * 1001), None, ContentTooLong, "2,002 bytes"),
        (1012345678, "안녕", InvalidMessage, "int"),
    ],
)
async def test_what_is_wrong_with_the_recipient_is_rejected(
    *, emulator, sens, to, content, kind, says
):
    with pytest.raises(kind, match=says) as caught:
        await sens.send(to, content)

    error = caught.value
    assert not error.may_have_been_sent
    assert not error.is_retryable
    assert error.outcome.state is OutcomeState.REJECTED
    assert error.outcome.recipient is to
    assert error.outcome.attempts == 0
    assert not emulator.requests


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"content": "{name"}, InvalidTemplate, "brace|\\{"),
        ({"content": ""}, InvalidMessage, "empty"),
        ({"content": 5}, InvalidMessage, "int"),
        ({"content": "가" * 46, "type": "SMS"}, ContentTooLong, "92 bytes, at most 90"),
        ({"content": "가" * 1001}, ContentTooLong, "2,002 bytes, at most 2,000"),
        ({"content": "a", "subject": "가" * 21}, ContentTooLong, "42 bytes, at most 40"),
        ({"content": "a", "type": "RCS"}, InvalidMessage, "SMS, LMS, MMS, got 'RCS'"),
        ({"content": "a", "content_type": "NEWS"}, InvalidMessage, "COMM, AD, got 'NEWS'"),
        ({"content": "a", "type": "SMS", "subject": "b"}, InvalidMessage, "subject"),
        ({"content": "a", "type": "SMS", "images": [b"x"]}, InvalidMessage, "pictures"),
        ({"content": "a", "type": "LMS", "images": [b"x"]}, InvalidMessage, "use MMS"),
        ({"content": "a", "type": "MMS"}, InvalidMessage, "go out as LMS"),
        ({"content": "a", "country_code": "1", "type": "LMS"}, InvalidMessage, "SMS only"),
        ({"content": "a", "country_code": "1", "subject": "b"}, InvalidMessage, "SMS only"),
        ({"content": "a", "country_code": "1", "images": [b"x"]}, InvalidMessage, "SMS only"),
        ({"content": "a", "country_code": "Korea"}, InvalidMessage, "'Korea'"),
        ({"content": "a", "country_code": 82}, InvalidMessage, "digits"),
        ({"content": "a", "sender": "12"}, ConfigError, "12|digits"),
        ({"content": "a", "images": "a.jpg"}, TypeError, "list of pictures, got str"),
        ({"content": "a", "images": ["/no/such.jpg"]}, InvalidAttachment, "no such file"),
        ({"content": "a", "images": [b"GIF89a"]}, InvalidAttachment, "picture"),
        ({"content": "a", "images": [7]}, TypeError, "got int"),
    ],
)
async def test_what_is_wrong_with_the_call_is_said_before_anything_is_sent(
    emulator, sens, arguments, kind, says
):
    with pytest.raises(kind, match=says):
        await sens.send("01012345678", **arguments)

    assert not emulator.requests


# -- international


async def test_abroad_only_the_country_code_is_taken_off(emulator, sens):
    receipt = await sens.send("+1 (415) 555-2671", "hello", country_code="1")

    (body,) = sent(emulator)
    assert (body["countryCode"], body["messages"]) == ("1", [{"to": "4155552671"}])
    assert (receipt.number, receipt.type) == ("4155552671", MessageType.SMS)


async def test_a_text_that_is_too_long_for_an_sms_does_not_become_an_lms_abroad(emulator, sens):
    with pytest.raises(ContentTooLong, match="at most 90"):
        await sens.send("4155552671", "a" * 91, country_code="1")

    assert not emulator.requests


# -- reservations


@pytest.mark.parametrize(
    ("at", "time", "zone"),
    [
        (datetime(2025, 11, 25, 18, 0, tzinfo=SEOUL), "2025-11-25 18:00", "Asia/Seoul"),
        (datetime(2025, 11, 25, 9, 50, 0, 1, tzinfo=SEOUL), "2025-11-25 09:51", "Asia/Seoul"),
        (NOW + timedelta(minutes=10), "2025-11-25 09:50", "Asia/Seoul"),
        (
            datetime(2025, 11, 25, 3, 30, tzinfo=ZoneInfo("Europe/Berlin")),
            "2025-11-25 03:30",
            "Europe/Berlin",
        ),
        (
            datetime.fromisoformat("2025-11-25T03:30:30+01:00"),
            "2025-11-25 11:31",
            "Asia/Seoul",
        ),
    ],
)
async def test_a_reservation_is_a_minute_in_a_zone(emulator, sens, at, time, zone):
    receipt = await sens.send("01012345678", "안녕", reserve_at=at)

    (body,) = sent(emulator)
    assert (body["reserveTime"], body["reserveTimeZone"]) == (time, zone)
    assert timedelta() <= receipt.reserve_at - at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (datetime(2025, 11, 25, 18, 0), "has no time zone"),  # noqa: DTZ001
        (NOW + timedelta(minutes=9), "less than 10 minutes ahead"),
        (NOW - timedelta(days=1), "less than 10 minutes ahead"),
        ("2025-11-25 18:00", "got str"),
    ],
)
async def test_a_reservation_that_cannot_be_kept_is_refused_at_once(emulator, sens, at, says):
    with pytest.raises(InvalidSchedule, match=says):
        await sens.send("01012345678", "안녕", reserve_at=at)

    assert not emulator.requests


async def test_a_reservation_that_has_come_too_near_while_waiting_is_not_sent(emulator, slow):
    with pytest.raises(InvalidSchedule, match="less than 10 minutes ahead") as caught:
        await slow.send("01012345678", "안녕", reserve_at=NOW + timedelta(minutes=10, seconds=20))

    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert "01012345678" not in emulator.admissions


# -- advertisements


async def test_an_advertisement_needs_its_label(emulator, sens):
    with pytest.raises(AdRuleViolated, match="\\(광고\\)"):
        await sens.send("01012345678", "오늘만 할인", content_type="AD")
    person = Recipient("01012345678", fields={"label": "광고"})
    with pytest.raises(AdRuleViolated, match="\\(광고\\)") as caught:
        await sens.send(person, "{label} 할인", content_type="AD")

    assert caught.value.outcome.state is OutcomeState.REJECTED
    assert not emulator.requests


async def test_the_label_may_come_from_a_field_or_stand_in_the_subject(emulator, sens):
    person = Recipient("01012345678", fields={"label": "(광고)"})

    await sens.send(person, "{label} 할인", content_type="AD")
    await sens.send(person, "할인", subject="(광고) 안내", content_type="AD")

    assert len(emulator.admissions["01012345678"]) == 2


async def test_label_check_can_be_switched_off(emulator):
    async with emulator.session(settings=Settings(check_ad_label=False)) as sens:
        await sens.send("01012345678", "할인", content_type="AD")

    assert sent(emulator)[0]["contentType"] == "AD"


@pytest.mark.parametrize(
    ("at", "is_night"),
    [("20:59:59", False), ("21:00:00", True), ("07:59:59", True), ("08:00:00", False)],
)
async def test_advertisements_do_not_go_out_at_night(emulator, sens, clock, at, is_night):
    hour, minute, second = map(int, at.split(":"))
    moment = NOW.replace(hour=hour, minute=minute, second=second) + timedelta(days=1)
    await asyncio.sleep(moment.timestamp() - clock.time())

    if is_night:
        with pytest.raises(
            AdRuleViolated, match=r"21:00 and 08:00.*\(Settings\(night_consent=True\)\)$"
        ):
            await sens.send("01012345678", "(광고) 할인", content_type="AD")
    else:
        await sens.send("01012345678", "(광고) 할인", content_type="AD")
    await sens.send("01011112222", "알림", content_type="COMM")

    assert len(emulator.admissions) == (1 if is_night else 2)


async def test_what_counts_is_when_an_advertisement_goes_out(emulator, sens, clock):
    night = NOW.replace(hour=22, minute=0, second=0)
    with pytest.raises(AdRuleViolated, match="22:00"):
        await sens.send("01012345678", "(광고) 할인", content_type="AD", reserve_at=night)
    await asyncio.sleep(night.timestamp() - clock.time())

    await sens.send(
        "01012345678", "(광고) 할인", content_type="AD", reserve_at=NOW + timedelta(days=1)
    )

    assert len(emulator.admissions) == 1


async def test_night_begins_while_an_advertisement_waits(emulator, clock):
    await asyncio.sleep(NOW.replace(hour=20, minute=59, second=30).timestamp() - clock.time())
    async with emulator.session(settings=ONE_A_MINUTE) as sens:
        await sens.send("01011112222", "(광고) 할인", content_type="AD")
        with pytest.raises(AdRuleViolated, match="21:00") as caught:
            await sens.send("01012345678", "(광고) 할인", content_type="AD")

    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert list(emulator.admissions) == ["01011112222"]


async def test_consent_lets_advertisements_go_out_at_night(emulator, clock):
    await asyncio.sleep(NOW.replace(hour=23).timestamp() - clock.time())
    async with emulator.session(settings=Settings(night_consent=True)) as sens:
        await sens.send("01012345678", "(광고) 할인", content_type="AD")

    assert len(emulator.admissions) == 1


# -- pictures


async def test_a_hundred_concurrent_sends_of_one_picture_are_one_upload(emulator, sens, tmp_path):
    poster = tmp_path / "poster.jpg"
    poster.write_bytes(jpeg())

    await asyncio.gather(*(sens.send(to, "안내", images=[poster]) for to in numbers(100)))

    assert len(of_endpoint(emulator, "files")) == 1
    (file,) = emulator.uploads
    assert len(emulator.admissions) == 100
    assert {a.file_ids for batch in emulator.admissions.batches for a in batch} == {(file.file_id,)}


async def test_pictures_of_equal_name_and_size_are_two_files(emulator, sens, tmp_path):
    for folder, note in (("spring", "3월"), ("autumn", "9월")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "poster.jpg").write_bytes(jpeg(note))
    spring, autumn = tmp_path / "spring/poster.jpg", tmp_path / "autumn/poster.jpg"
    assert spring.stat().st_size == autumn.stat().st_size

    await sens.send("01011111111", "봄", images=[spring])
    await sens.send("01022222222", "가을", images=[str(autumn)])

    data = {file.file_id: file.data for file in emulator.uploads}
    (spring_id,) = emulator.admissions["01011111111"][0].file_ids
    (autumn_id,) = emulator.admissions["01022222222"][0].file_ids
    assert data[spring_id] == spring.read_bytes()
    assert data[autumn_id] == autumn.read_bytes()


@pytest.mark.parametrize("days", [2, 6])
async def test_a_file_that_expires_is_replaced_in_time(clock, days):
    options = EmulatorOptions(file_lifetime=days * 86_400.0)
    async with (
        Emulator(clock=clock, options=options) as emulator,
        emulator.session(settings=OPEN) as sens,
    ):
        for number in numbers(days + 2):
            await sens.send(number, "안내", images=[jpeg()])
            asyncio.get_running_loop().advance(86_000)
            await asyncio.sleep(1)

        assert 2 <= len(emulator.uploads) <= 3
        admissions = [a for batch in emulator.admissions.batches for a in batch]
        assert len(admissions) == days + 2
        assert {a.failure for a in admissions} == {None}
        assert all(request.status == 202 for request in of_endpoint(emulator, "messages"))


async def test_a_reservation_that_outlasts_the_picture_is_refused(clock):
    options = EmulatorOptions(file_lifetime=2 * 86_400.0)
    async with (
        Emulator(clock=clock, options=options) as emulator,
        emulator.session(settings=OPEN) as sens,
    ):
        at = NOW + timedelta(days=3)
        with pytest.raises(InvalidSchedule, match="keeps its picture only until") as caught:
            await sens.send("01012345678", "안내", images=[jpeg()], reserve_at=at)

    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert not emulator.admissions


async def test_a_refused_file_is_uploaded_once_more(emulator, sens):
    await sens.send("01011111111", "안내", images=[jpeg()])
    emulator.fail("bad_request", requests=2)

    receipt = await sens.send("01022222222", "안내", images=[jpeg()])

    assert receipt.attempts == 2
    first, second = (file.file_id for file in emulator.uploads)
    assert emulator.admissions["01011111111"][0].file_ids == (first,)
    assert emulator.admissions["01022222222"][0].file_ids == (second,)


async def test_a_caller_s_file_that_the_service_does_not_know_is_refused(emulator, sens):
    file = UploadedFile(file_id="a136", expires_at=NOW + timedelta(days=1))

    with pytest.raises(BadRequest, match="fileId") as caught:
        await sens.send("01012345678", "안내", images=[file])

    assert caught.value.outcome.state is OutcomeState.REJECTED
    assert len(emulator.requests) <= 2


async def test_an_upload_that_fails_for_good_says_that_nothing_was_sent(emulator, sens):
    emulator.fail(503, endpoint="files")

    with pytest.raises(ServiceUnavailable) as caught:
        await sens.send("01012345678", "안내", images=[jpeg()])

    assert not caught.value.may_have_been_sent
    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert not of_endpoint(emulator, "messages")


# -- failures of the service


@pytest.mark.parametrize(
    ("fault", "options", "kind", "state"),
    [
        ("unauthorized", {}, AuthenticationFailed, OutcomeState.NOT_SENT),
        ("forbidden", {}, PermissionDenied, OutcomeState.NOT_SENT),
        (404, {}, NotFound, OutcomeState.NOT_SENT),
        ("quota", {}, QuotaExceeded, OutcomeState.NOT_SENT),
        ("bad_request", {}, BadRequest, OutcomeState.REJECTED),
        ("too_large", {}, BadRequest, OutcomeState.REJECTED),
        (503, {}, ServiceUnavailable, OutcomeState.UNKNOWN),
        (500, {"accept": True}, ServiceUnavailable, OutcomeState.UNKNOWN),
        ("drop", {}, ConnectionLost, OutcomeState.UNKNOWN),
        ("drop", {"accept": True}, ConnectionLost, OutcomeState.UNKNOWN),
        ("reset", {"accept": True}, ConnectionLost, OutcomeState.UNKNOWN),
        ("half", {"accept": True}, ConnectionLost, OutcomeState.UNKNOWN),
        ("garbage", {"accept": True}, ConnectionLost, OutcomeState.UNKNOWN),
        ("hang", {"accept": True}, RequestTimeout, OutcomeState.UNKNOWN),
        ("no_id", {"accept": True}, UnreadableResponse, OutcomeState.UNKNOWN),
        ("html", {"status": 404}, UnreadableResponse, OutcomeState.UNKNOWN),
    ],
)
async def test_an_error_says_what_became_of_the_message(
    *, emulator, sens, fault, options, kind, state
):
    emulator.fail(fault, **options)

    with pytest.raises(kind) as caught:
        await sens.send(Recipient("01012345678", key="k1"), "안녕하세요")

    error = caught.value
    assert error.outcome.state is state
    assert error.outcome.error is error
    assert (error.outcome.number, error.outcome.key) == ("01012345678", "k1")
    assert (error.outcome.attempts, error.outcome.attempted_at) == (1, NOW)
    assert error.may_have_been_sent == (state is OutcomeState.UNKNOWN)
    assert not (error.is_retryable and error.may_have_been_sent)
    assert ("01012345678" in emulator.admissions) == options.get("accept", False)
    assert len(emulator.requests) == 1


async def test_a_service_that_cannot_be_reached_was_certainly_not_sent_to(clock):
    async with Emulator(clock=clock) as emulator:
        settings = Settings(base_url=emulator.url, retry=RetryPolicy(max_attempts=3))
    async with emulator.session(settings=settings) as sens:
        with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1") as caught:
            await sens.send("01012345678", "안녕하세요")

    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert caught.value.outcome.attempts == 3
    assert caught.value.is_retryable


async def test_throttling_is_waited_out(emulator, sens, clock):
    emulator.fail("throttle", requests="1-3", retry_after=5)
    began = clock.monotonic()

    receipt = await sens.send("01012345678", "안녕하세요")

    assert receipt.attempts == 4
    assert clock.monotonic() - began == pytest.approx(15, abs=0.1)


async def test_a_wrong_clock_costs_one_request(emulator):
    late = VirtualClock()
    late.offset = -600

    async with emulator.session(settings=OPEN, clock=late) as sens:
        receipt = await sens.send("01011111111", "안녕하세요")
        after = await sens.send("01022222222", "안녕하세요")

    assert (receipt.attempts, after.attempts) == (2, 1)
    assert len(emulator.admissions) == 2


# -- timeouts


async def test_time_that_is_over_before_the_first_byte_means_certainly_not_sent(
    emulator, slow, clock
):
    began = clock.monotonic()

    with pytest.raises(SendTimeout, match="certainly not sent") as caught:
        await slow.send("01012345678", "안녕하세요", timeout=5.0)

    error = caught.value
    assert isinstance(error, TimeoutError)
    assert not error.may_have_been_sent
    assert error.outcome.state is OutcomeState.NOT_SENT
    assert clock.monotonic() - began == pytest.approx(5.0)
    asyncio.get_running_loop().advance(3600)
    await asyncio.sleep(1)
    assert "01012345678" not in emulator.admissions


async def test_time_that_is_over_between_two_attempts_means_certainly_not_sent(emulator, sens):
    emulator.fail("throttle", requests=1, retry_after=15)

    with pytest.raises(SendTimeout) as caught:
        await sens.send("01012345678", "안녕하세요", timeout=5.0)

    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert caught.value.outcome.attempts == 1
    asyncio.get_running_loop().advance(3600)
    await asyncio.sleep(1)
    assert not emulator.admissions


async def test_time_that_is_over_during_an_upload_means_certainly_not_sent(emulator, sens):
    emulator.fail("late", endpoint="files", delay=20.0)

    with pytest.raises(SendTimeout):
        await sens.send("01012345678", "안내", images=[jpeg()], timeout=5.0)

    asyncio.get_running_loop().advance(3600)
    await asyncio.sleep(1)
    assert not of_endpoint(emulator, "messages")


async def test_time_that_is_over_after_the_first_byte_means_may_have_been_sent(
    emulator, sens, clock, caplog
):
    emulator.fail("late", delay=20.0)
    began = clock.monotonic()

    with pytest.raises(RequestTimeout, match="background") as caught:
        await sens.send("01012345678", "안녕하세요", timeout=5.0)

    error = caught.value
    assert error.may_have_been_sent
    assert error.outcome.state is OutcomeState.UNKNOWN
    assert error.outcome.attempted_at == NOW
    assert clock.monotonic() - began == pytest.approx(5.0, abs=0.1)
    assert not emulator.admissions
    await asyncio.sleep(20)
    (admission,) = emulator.admissions["01012345678"]
    (record,) = caplog.records
    assert record.name == "sens_async"
    assert admission.request_id in record.getMessage()


async def test_a_timeout_that_is_not_reached_changes_nothing(emulator, sens):
    emulator.fail("late", delay=4.0)

    receipt = await sens.send("01012345678", "안녕하세요", timeout=5.0)

    assert receipt.attempts == 1


async def test_the_exchange_has_a_limit_of_its_own(emulator, clock):
    emulator.fail("hang", accept=True)
    settings = Settings(timeouts=Timeouts(total=7.0))
    began = clock.monotonic()
    async with emulator.session(settings=settings) as sens:
        with pytest.raises(RequestTimeout, match="within 7 s") as caught:
            await sens.send("01012345678", "안녕하세요")

    assert caught.value.may_have_been_sent
    assert clock.monotonic() - began == pytest.approx(7.0, abs=0.1)


# -- cancellation


async def test_cancelling_a_send_that_waits_withdraws_it(emulator, slow, caplog):
    sending = asyncio.create_task(slow.send("01012345678", "안녕하세요"))
    await asyncio.sleep(30)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    asyncio.get_running_loop().advance(3600)
    await asyncio.sleep(1)
    assert "01012345678" not in emulator.admissions
    assert not caplog.records
    assert slow.queue.waiting == slow.queue.in_flight == 0


@pytest.mark.parametrize(
    ("fault", "options", "says", "level"),
    [
        ("late", {"delay": 10.0}, "was accepted: ", logging.WARNING),
        ("hang", {}, "failed: no complete answer within 30 s", logging.WARNING),
        ("hang", {"accept": True}, "failed: no complete answer within 30 s", logging.WARNING),
    ],
)
async def test_cancelling_a_send_on_the_wire_finishes_it_in_the_background(
    *, emulator, sens, caplog, fault, options, says, level
):
    emulator.fail(fault, **options)
    sending = asyncio.create_task(sens.send("01012345678", "안녕하세요"))
    await asyncio.sleep(5)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    await asyncio.sleep(60)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("sens_async", level)
    assert says in record.getMessage()
    assert "010-****-5678" in record.getMessage()
    assert "01012345678" not in record.getMessage()
    assert len(emulator.requests) == 1


async def test_closing_waits_for_an_unattended_send(emulator, caplog):
    async with emulator.session(settings=OPEN) as sens:
        emulator.fail("late", delay=10.0)
        sending = asyncio.create_task(sens.send("01012345678", "안녕하세요"))
        await asyncio.sleep(5)
        sending.cancel()

    assert len(emulator.admissions) == 1
    assert "was accepted" in caplog.text
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_cancelling_one_who_waits_for_an_upload_leaves_the_others(emulator, sens):
    emulator.fail("late", endpoint="files", delay=10.0)
    sends = [asyncio.create_task(sens.send(to, "안내", images=[jpeg()])) for to in numbers(5)]
    await asyncio.sleep(5)

    sends[0].cancel()
    results = await asyncio.gather(*sends, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert sorted(emulator.admissions) == numbers(4, start=1)
    assert len(emulator.uploads) == 1


async def test_a_send_cancelled_at_any_turn_is_withdrawn_or_finished(emulator):
    """Cancelled at each turn of the loop: never lost, never sent after it was withdrawn."""
    states = set()
    for turn in range(200):
        number = f"010{turn:08d}"
        async with emulator.session(settings=OPEN) as sens:
            sending = asyncio.create_task(sens.send(number, "안녕하세요"))
            with StepCounter({turn: sending.cancel}):
                await asyncio.wait({sending})
            requests = len(emulator.requests)
        # What was withdrawn stays so; what was on the wire has been finished by closing.
        assert len(emulator.admissions.get(number, ())) <= 1
        if not sending.cancelled():
            assert number in emulator.admissions
            break
        states.add(number in emulator.admissions)
        assert len(emulator.requests) - requests <= 1
    else:
        pytest.fail("it never got to its end")

    assert states == {True, False}


# -- what must never be seen


@pytest.mark.parametrize("fault", ["unauthorized", "bad_request", "html", "drop", 503])
async def test_errors_and_logs_hold_neither_keys_nor_numbers(emulator, sens, caplog, fault):
    caplog.set_level(logging.DEBUG)
    emulator.fail(fault)

    with pytest.raises(SensError) as caught:
        await sens.send("01012345678", "비밀 내용")

    seen = f"{caught.value} {caught.value!r} {caught.value.outcome!r} {caplog.text}"
    assert emulator.secret_key not in seen
    assert "01012345678" not in seen
    assert "비밀 내용" not in seen
    if isinstance(caught.value, ApiError):
        assert str(caught.value.status) in str(caught.value)
