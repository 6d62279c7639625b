"""What a call says, refused as a whole before anybody is sent to."""

import unicodedata
from datetime import datetime, timedelta

import pytest

from sens_async.core.content import Charset, TooLong, Unencodable
from sens_async.core.message import Message, Rules
from sens_async.core.schedule import KST, Reservation
from sens_async.errors import (
    AdRuleViolated,
    ConfigError,
    ContentTooLong,
    InvalidMessage,
    InvalidSchedule,
    InvalidTemplate,
    UnencodableText,
)
from sens_async.models import ContentType, MessageType

NOON = datetime(2025, 11, 25, 12, 0, tzinfo=KST)
MIDNIGHT = datetime(2025, 11, 25, 0, 0, tzinfo=KST)


def compiled(content="안녕하세요", *, rules=None, **call):
    call.setdefault("sender", "02-1234-5678")
    return Message.compile(content, rules=rules or Rules(), **call)


def test_a_plain_call():
    message = compiled()
    assert message.text == "안녕하세요"
    assert message.title is None
    assert message.type is None
    assert message.content_type is ContentType.COMM
    assert message.country_code == "82"
    assert message.sender == "0212345678"


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            {"sender": None},
            ConfigError,
            r"no sender: give SensSession\(sender=\.\.\.\), SENS_SENDER",
        ),
        ({"sender": "call me"}, ConfigError, "^sender "),
        ({"sender": "119"}, ConfigError, "^sender "),
        ({"sender": 212345678}, ConfigError, "^sender .*int"),
        ({"content": 5}, InvalidMessage, "content must be str, got int"),
        ({"content": b"x"}, InvalidMessage, "content must be str, got bytes"),
        ({"content": ["x"]}, InvalidMessage, "content must be str, got list"),
        ({"content": ""}, InvalidMessage, "content is empty"),
        ({"content": " \n\u3000"}, InvalidMessage, "content is empty"),
        ({"content": "{name"}, InvalidTemplate, "index 0"),
        ({"content": "{}"}, InvalidTemplate, "no name"),
        ({"content": "주문 100% }"}, InvalidTemplate, "index 8"),
        ({"content": "오늘 😀"}, UnencodableText, "content .*U\\+1F600.* index 3"),
        ({"content": "가" * 1001}, ContentTooLong, "content takes 2,002 bytes, at most 2,000"),
        (
            {"content": "가" * 46, "type": "SMS"},
            ContentTooLong,
            "content takes 92 bytes, at most 90",
        ),
        ({"subject": 5}, InvalidMessage, "subject must be str, got int"),
        ({"subject": "{"}, InvalidTemplate, "index 0"),
        ({"subject": "가" * 21}, ContentTooLong, "subject takes 42 bytes, at most 40"),
        ({"subject": "😀"}, UnencodableText, "subject "),
        ({"type": "KAKAO"}, InvalidMessage, "type must be one of SMS, LMS, MMS, got 'KAKAO'"),
        ({"type": "ems"}, InvalidMessage, "type must be one of SMS, LMS, MMS, got 'ems'"),
        ({"type": 5}, InvalidMessage, "type must be one of"),
        ({"content_type": "SPAM"}, InvalidMessage, "content_type must be one of COMM, AD, got"),
        ({"content_type": None}, InvalidMessage, "content_type must be one of COMM, AD, got None"),
        ({"country_code": "+1"}, InvalidMessage, r"country_code must be 1 to 4 digits.*got '\+1'"),
        ({"country_code": ""}, InvalidMessage, "country_code must be 1 to 4 digits"),
        ({"country_code": "12345"}, InvalidMessage, "country_code must be 1 to 4 digits"),
        ({"country_code": 82}, InvalidMessage, "country_code must be 1 to 4 digits.*got 82"),
        ({"country_code": "８２"}, InvalidMessage, "country_code must be 1 to 4 digits"),
        ({"type": "SMS", "subject": "안내"}, InvalidMessage, "an SMS cannot carry a subject"),
        ({"type": "SMS", "pictures": 1}, InvalidMessage, "an SMS cannot carry pictures"),
        ({"type": "LMS", "pictures": 1}, InvalidMessage, "an LMS cannot carry pictures"),
        ({"type": "MMS"}, InvalidMessage, "an MMS without pictures would go out as LMS"),
        (
            {"country_code": "1", "type": "LMS"},
            InvalidMessage,
            "country_code 1 takes SMS only, without subject or pictures",
        ),
        ({"country_code": "1", "subject": "Hi"}, InvalidMessage, "country_code 1 takes SMS only"),
        ({"country_code": "81", "pictures": 1}, InvalidMessage, "country_code 81 takes SMS only"),
        (
            {"country_code": "1", "content": "x" * 91},
            ContentTooLong,
            "content takes 91 bytes, at most 90",
        ),
        (
            {"content_type": "AD", "content": "세일 (광고)"},
            AdRuleViolated,
            r"must begin with '\(광고\)'",
        ),
        (
            {"content_type": "AD", "content": "세일", "subject": "오늘만"},
            AdRuleViolated,
            r"must begin with '\(광고\)'",
        ),
    ],
)
def test_what_is_wrong_with_a_call_is_named_with_what_is_allowed(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        compiled(**call)
    assert type(caught.value) is kind


@pytest.mark.parametrize("subject", ["", None])
def test_an_empty_subject_is_none(subject):
    message = compiled(subject=subject, type="SMS")
    assert message.subject is None
    assert message.title is None


@pytest.mark.parametrize("subject", [0, False, [], b""])
def test_a_subject_that_is_no_text_is_refused_also_if_it_is_empty(subject):
    with pytest.raises(InvalidMessage, match="subject must be str"):
        compiled(subject=subject)


@pytest.mark.parametrize(
    ("call", "size", "has_subject", "kind"),
    [
        ({}, 90, False, "SMS"),
        ({}, 91, False, "LMS"),
        ({}, 10, True, "LMS"),
        ({"pictures": 1}, 10, False, "MMS"),
        ({"pictures": 1}, 1000, True, "MMS"),
        ({"type": "LMS"}, 10, False, "LMS"),
        ({"type": MessageType.SMS}, 10, False, "SMS"),
        ({"country_code": "1"}, 90, False, "SMS"),
    ],
)
def test_type_is_chosen_unless_it_was_given(call, size, has_subject, kind):
    assert compiled("안내", **call).type_of(size, has_subject=has_subject) == kind


@pytest.mark.parametrize(
    ("call", "longest"),
    [({}, 2000), ({"type": "SMS"}, 90), ({"type": "LMS"}, 2000), ({"country_code": "1"}, 90)],
)
def test_longest_text(call, longest):
    assert compiled("안내", **call).longest == longest


def test_text_of_exactly_the_limit_fits():
    assert compiled("가" * 45, type="SMS").text == "가" * 45
    assert compiled("가" * 1000).text == "가" * 1000
    assert compiled("안내", subject="가" * 20).title == "가" * 20


def test_a_template_is_left_for_each_recipient():
    message = compiled("{name}님", subject="{order} 안내")
    assert message.text is None
    assert message.title is None
    assert message.content.fields == ("name",)
    assert message.subject.fields == ("order",)


def test_escaped_braces_are_the_same_for_everybody():
    assert compiled("{{이름}}").text == "{이름}"


def test_without_content_everybody_brings_one():
    message = compiled(None)
    assert message.content is None
    assert message.text is None


def test_decomposed_text_goes_out_composed():
    assert compiled(unicodedata.normalize("NFD", "한글")).text == "한글"


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (Rules(unencodable=Unencodable.REPLACE), "가격 ￦100 - ?"),
        (Rules(unencodable=Unencodable.DROP), "가격 100  "),
    ],
)
def test_rules_for_what_cannot_be_encoded(rules, text):
    assert compiled("가격 ₩100 — 😀", rules=rules).text == text


def test_text_of_which_nothing_remains_is_empty():
    with pytest.raises(InvalidMessage, match="content is empty"):
        compiled("😀", rules=Rules(unencodable=Unencodable.DROP))


def test_strict_charset_refuses_what_only_cp949_holds():
    with pytest.raises(UnencodableText, match="뷁"):
        compiled("뷁", rules=Rules(charset=Charset.KS_X_1001))
    assert compiled("뷁").text == "뷁"


@pytest.mark.parametrize(
    ("text", "limit", "kept", "size"),
    [
        ("가나다", 6, "가나다", 6),
        ("가나다", 5, "가나", 4),
        ("a가나", 4, "a가", 3),
        ("가", 1, "", 0),
    ],
)
def test_truncated_text_and_its_true_size(text, limit, kept, size):
    assert Rules(on_too_long=TooLong.TRUNCATE).fit(text, limit, "content") == (kept, size)


def test_too_long_says_field_size_and_limit():
    with pytest.raises(ContentTooLong) as caught:
        compiled(subject="가" * 21)
    error = caught.value
    assert (error.field, error.size_bytes, error.limit_bytes) == ("subject", 42, 40)


def test_truncation_is_for_subjects_too():
    rules = Rules(on_too_long=TooLong.TRUNCATE)
    assert compiled("안내", subject="가" * 30, rules=rules).title == "가" * 20


@pytest.mark.parametrize(
    "call",
    [
        {"content": "(광고) 세일"},
        {"content": "\n (광고)세일"},
        {"content": "세일", "subject": "(광고) 오늘만"},
        {"content": "세일", "rules": Rules(check_ad_label=False)},
        {"content": "{인사} 세일"},
        {"content": "세일", "subject": "{인사}"},
        {"content": None},
    ],
)
def test_advertisements_that_pass_or_must_be_looked_at_later(call):
    compiled(content_type="AD", **call)


def test_ordinary_messages_need_no_label():
    assert compiled().ad_label_error(None, "세일") is None


@pytest.mark.parametrize(
    ("call", "is_error"),
    [
        ({"content_type": "AD"}, True),
        ({"content_type": "AD", "rules": Rules(night_consent=True)}, False),
        ({"content_type": "COMM"}, False),
    ],
)
def test_advertisements_at_night_need_consent(call, is_error):
    message = compiled("(광고) 세일", **call)
    message.check_time(NOON.timestamp())
    if is_error:
        with pytest.raises(AdRuleViolated, match=r"at 00:00, between 21:00 and 08:00 \(KST\)"):
            message.check_time(MIDNIGHT.timestamp())
    else:
        message.check_time(MIDNIGHT.timestamp())


def reserved(at, content_type="AD"):
    return compiled("(광고) 세일", content_type=content_type, reservation=Reservation.of(at))


def test_night_is_when_it_goes_out_not_when_it_is_asked_for():
    reserved(NOON).check_time(MIDNIGHT.timestamp())
    with pytest.raises(AdRuleViolated, match="at 00:00"):
        reserved(MIDNIGHT + timedelta(days=1)).check_time(NOON.timestamp())


def test_night_is_told_in_korean_time_also_of_a_reservation_elsewhere():
    from zoneinfo import ZoneInfo

    at = datetime(2025, 11, 25, 9, 30, tzinfo=ZoneInfo("America/New_York"))  # 23:30 in Korea
    with pytest.raises(AdRuleViolated, match=r"at 23:30.*\(KST\)"):
        reserved(at).check_time(NOON.timestamp())


def test_lead_is_checked_whenever_asked():
    message = reserved(NOON, "COMM")
    message.check_time(NOON.timestamp() - 600)
    with pytest.raises(InvalidSchedule, match="less than 10 minutes ahead"):
        message.check_time(NOON.timestamp() - 599)
