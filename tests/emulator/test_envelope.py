import pytest

from sens_async.emulator import EmulatorOptions
from sens_async.emulator.answers import Refused
from sens_async.emulator.envelope import read

NOW = 1764031180.0  # 2025-11-25 09:39:40 in Korea
DEFAULTS = EmulatorOptions()


@pytest.mark.parametrize("given", ["SMS", "sms", "Lms"])
def test_a_type_may_be_in_lower_case(message, given):
    assert read(message(type=given), DEFAULTS, NOW).type == given.upper()


def test_an_mms_without_files_goes_out_as_lms(message):
    files = [{"fileId": "a"}, {"fileId": "b"}]

    assert read(message(type="MMS"), DEFAULTS, NOW).type == "LMS"
    assert read(message(type="MMS", files=[]), DEFAULTS, NOW).type == "LMS"
    assert read(message(type="MMS", files=files), DEFAULTS, NOW).type == "MMS"
    assert read(message(type="MMS", files=files), DEFAULTS, NOW).file_ids == ("a", "b")


def test_files_mean_nothing_to_other_types(message):
    envelope = read(message(type="LMS", files=[{"fileId": "a"}]), DEFAULTS, NOW)

    assert envelope.file_ids == ()


def test_what_is_left_out_or_null_has_a_default(message):
    absent = dict.fromkeys(
        ["contentType", "countryCode", "subject", "files", "reserveTime", "reserveTimeZone"]
    )
    envelope = read(message(type="LMS", **absent), DEFAULTS, NOW)

    assert envelope == read(message(type="LMS"), DEFAULTS, NOW)
    assert (envelope.content_type, envelope.country_code) == ("COMM", "82")
    assert (envelope.subject, envelope.reserve_at) == (None, None)


def test_a_recipients_own_text_comes_before_the_shared_one(message):
    items = [
        {"to": "01000000001"},
        {"to": "01000000002", "content": "두 번째", "subject": "따로"},
        {"to": "01000000003", "content": None, "subject": None},
    ]
    envelope = read(message(type="LMS", subject="안내", messages=items), DEFAULTS, NOW)

    assert envelope.contents == ["안녕하세요", "두 번째", "안녕하세요"]
    assert envelope.subjects == ["안내", "따로", "안내"]


def test_an_sms_has_no_subject(message):
    items = [{"to": "01000000001", "subject": "따로"}]
    envelope = read(message(subject="안내", messages=items), DEFAULTS, NOW)

    assert (envelope.subject, envelope.subjects) == (None, None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": None}, "type has to be"),
        ({"type": "RCS"}, "type has to be"),
        ({"type": 1}, "type has to be a string"),
        ({"contentType": "comm"}, "contentType"),
        ({"countryCode": "+82"}, "countryCode has to be digits"),
        ({"countryCode": "1", "type": "LMS"}, "SMS only"),
        ({"content": None}, "content is required"),
        ({"content": 1}, "content has to be a string"),
        ({"sender": None}, "from is required"),
        ({"sender": "02-000-0000"}, "from has to be digits only"),
        ({"subject": 1, "type": "LMS"}, "subject has to be a string"),
        ({"messages": None}, "messages is required"),
        ({"messages": []}, "messages is required"),
        ({"messages": {"to": "01000000001"}}, "messages is required"),
        ({"messages": ["01000000001"]}, "list of objects"),
        ({"messages": [{"to": "01000000001"}] * 101}, "101 items, at most 100"),
        ({"messages": [{"to": "01000000001"}, {}]}, r"messages\[1\].to has to be digits"),
        ({"messages": [{"to": "010-0000-0001"}]}, r"messages\[0\].to has to be digits"),
        ({"messages": [{"to": "０１０００００００１"}]}, "digits only"),
        ({"messages": [{"to": ""}]}, "digits only"),
        ({"messages": [{"to": 1000000001}]}, "digits only"),
        ({"messages": [{"to": "01000000001", "content": 1}]}, r"messages\[0\].content"),
        ({"type": "MMS", "files": "a"}, "files has to be a list"),
        ({"type": "MMS", "files": ["a"]}, "with a fileId"),
        ({"type": "MMS", "files": [{"fileId": ""}]}, "with a fileId"),
    ],
)
def test_a_wrong_field_is_refused_by_name(message, fields, reason):
    with pytest.raises(Refused, match=reason) as caught:
        read(message(**fields), DEFAULTS, NOW)

    assert (caught.value.status, caught.value.code) == (400, None)


@pytest.mark.parametrize("payload", [[], "text", 1, True])
def test_the_body_has_to_be_an_object(payload):
    with pytest.raises(Refused, match="JSON object"):
        read(payload, DEFAULTS, NOW)


def test_a_hundred_recipients_are_allowed(message):
    numbers = [f"010{i:08}" for i in range(100)]

    assert read(message(*numbers), DEFAULTS, NOW).numbers == tuple(numbers)


def test_a_reservation_is_in_korean_time_unless_another_zone_is_named(message):
    here = read(message(reserveTime="2025-11-25 09:50"), DEFAULTS, NOW)
    there = read(
        message(reserveTime="2025-11-24 19:50", reserveTimeZone="America/New_York"), DEFAULTS, NOW
    )

    assert here.reserve_at == "2025-11-25T09:50:00+09:00"
    assert here.reserve_zone == "Asia/Seoul"
    assert there.reserve_at == "2025-11-24T19:50:00-05:00"
    assert here.leaves_at == there.leaves_at


def test_a_reservation_needs_ten_minutes_notice(message):
    assert read(message(reserveTime="2025-11-25 09:50"), DEFAULTS, NOW + 20).reserve_at

    with pytest.raises(Refused, match="at least 10 minutes ahead"):
        read(message(reserveTime="2025-11-25 09:50"), DEFAULTS, NOW + 21)


@pytest.mark.parametrize(
    "fields",
    [
        {"reserveTime": "2025-11-25T09:50"},
        {"reserveTime": "2025-11-25 09:50:00"},
        {"reserveTime": "2026-02-31 09:50"},
        {"reserveTime": ""},
        {"reserveTime": "2025-12-25 09:50", "reserveTimeZone": "Seoul"},
        {"reserveTime": "2025-12-25 09:50", "reserveTimeZone": "Asia"},
        {"reserveTime": "2025-12-25 09:50", "reserveTimeZone": "../../etc/passwd"},
        {"reserveTime": "2025-12-25 09:50", "reserveTimeZone": "\x00"},
    ],
)
def test_a_reservation_that_cannot_be_read_is_refused(message, fields):
    with pytest.raises(Refused, match="reserveTime"):
        read(message(**fields), DEFAULTS, NOW)


@pytest.mark.parametrize(
    "number",
    [
        "01012345678",
        "0111234567",
        "050123456789",
        "05012345678",
        "021234567",
        "0212345678",
        "03112345678",
        "07012345678",
    ],
)
def test_numbers_that_may_be_telephones(message, number):
    assert not read(message(number), DEFAULTS, NOW).bad_numbers


@pytest.mark.parametrize("number", ["0", "010123456", "010123456789", "1012345678", "15881234"])
def test_numbers_that_cannot_be_telephones(message, number):
    refuse = EmulatorOptions(bad_number="refuse")

    assert read(message("01000000001", number), DEFAULTS, NOW).bad_numbers == {1}
    with pytest.raises(Refused, match=r"messages\[1\].to is no telephone number"):
        read(message("01000000001", number), refuse, NOW)


def test_foreign_numbers_are_not_judged(message):
    assert not read(message("15881234", countryCode="1"), DEFAULTS, NOW).bad_numbers


def test_a_long_list_of_numbers_is_judged_at_once(message):
    numbers = ["05012345678"] * 99 + ["0"]

    assert read(message(*numbers), DEFAULTS, NOW).bad_numbers == {99}


def test_text_outside_the_charset_is_found_per_recipient(message):
    own = [{"to": "01000000001"}, {"to": "01000000002", "content": "축하해요 🎉"}]

    assert read(message(messages=own), DEFAULTS, NOW).unencodable == {1}
    assert read(message("01000000001", "01000000002", content="🎉"), DEFAULTS, NOW).unencodable == {
        0,
        1,
    }
    assert read(message(type="LMS", subject="🎉"), DEFAULTS, NOW).unencodable == {0}
    with pytest.raises(Refused, match="EUC-KR"):
        read(message(content="🎉"), EmulatorOptions(unencodable="refuse"), NOW)


@pytest.mark.parametrize(("kind", "limit"), [("SMS", 90), ("LMS", 2000)])
def test_too_long_a_text_can_be_refused(message, kind, limit):
    refuse = EmulatorOptions(too_long="refuse")
    text = "가" * (limit // 2)

    assert read(message(type=kind, content=text), refuse, NOW).content == text
    with pytest.raises(Refused, match=f"content takes more than {limit} bytes"):
        read(message(type=kind, content=text + "."), refuse, NOW)


def test_too_long_a_subject_can_be_refused(message):
    refuse = EmulatorOptions(too_long="refuse")

    with pytest.raises(Refused, match="subject takes more than 40 bytes"):
        read(message(type="LMS", subject="가" * 20 + "."), refuse, NOW)


def test_the_same_number_twice_can_be_refused(message):
    twice = message("01000000001", "01000000001")

    assert read(twice, DEFAULTS, NOW).numbers == ("01000000001", "01000000001")
    with pytest.raises(Refused, match="the same number twice"):
        read(twice, EmulatorOptions(duplicate_to="refuse"), NOW)
