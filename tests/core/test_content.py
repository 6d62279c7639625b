"""Limits, types, the label of advertisements, and `measure` for pages where texts are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async import measure
from sens_async.core.content import (
    Charset,
    UnencodableCharacter,
    choose_type,
    encode,
    has_ad_label,
    limit_of,
)
from sens_async.errors import UnencodableText
from sens_async.models import MessageType


@pytest.mark.parametrize(
    ("size_bytes", "has_subject", "has_images", "kind"),
    [
        (0, False, False, MessageType.SMS),
        (90, False, False, MessageType.SMS),
        (91, False, False, MessageType.LMS),
        (2001, False, False, MessageType.LMS),
        (10, True, False, MessageType.LMS),
        (10, False, True, MessageType.MMS),
        (10, True, True, MessageType.MMS),
    ],
)
def test_the_cheapest_type_that_holds_the_message_is_chosen(
    size_bytes, has_subject, has_images, kind
):
    assert choose_type(size_bytes, has_subject, has_images) is kind


def test_limits_are_those_of_the_service():
    assert [limit_of(kind) for kind in MessageType] == [90, 2000, 2000]


@pytest.mark.parametrize(
    ("subject", "content", "labelled"),
    [
        (None, "(광고) 세일", True),
        (None, " \n(광고)세일", True),
        ("(광고) 안내", "세일", True),
        ("안내", "(광고) 세일", True),
        ("", "세일 (광고)", False),
        (None, "（광고）세일", False),
        (None, "(광 고)세일", False),
        (None, "[광고] 세일", False),
        ("안내", "", False),
    ],
)
def test_an_advertisement_begins_with_its_label_to_the_letter(subject, content, labelled):
    assert has_ad_label(subject, content) is labelled


def test_measure_says_what_a_text_would_be():
    measured = measure("안녕하세요 a")
    assert (measured.text, measured.size_bytes, measured.limit_bytes) == ("안녕하세요 a", 12, 90)
    assert measured.type is MessageType.SMS
    assert measured.fits
    assert (measured.subject_bytes, measured.unencodable, measured.cp949_only) == (0, (), ())


@pytest.mark.parametrize(
    ("content", "options", "kind"),
    [
        ("가" * 45, {}, MessageType.SMS),
        ("가" * 45 + ".", {}, MessageType.LMS),
        ("가" * 1000, {}, MessageType.LMS),
        ("가" * 1000 + ".", {}, None),
        ("가", {"subject": "안내"}, MessageType.LMS),
        ("가", {"subject": ""}, MessageType.SMS),
        ("가", {"subject": "가" * 20}, MessageType.LMS),
        ("가", {"subject": "가" * 20 + "."}, None),
        ("가", {"images": 1}, MessageType.MMS),
        ("가" * 1000 + ".", {"images": 1}, None),
    ],
)
def test_measure_chooses_the_type_or_says_that_nothing_fits(content, options, kind):
    measured = measure(content, **options)
    assert measured.type is kind
    assert measured.fits is (kind is not None)
    assert measured.limit_bytes == (2000 if kind is None else limit_of(kind))


def test_measure_lists_every_character_that_cannot_be_sent():
    measured = measure("₩1 🎉", subject="월—금")
    assert measured.unencodable == (
        UnencodableCharacter("₩", 0, "￦"),
        UnencodableCharacter("🎉", 3, None),
        UnencodableCharacter("—", 1, "-", field="subject"),
    )
    assert (measured.text, measured.size_bytes, measured.subject_bytes) == ("1 ", 2, 4)


def test_measure_lists_what_only_cp949_holds_once():
    assert measure("뷁뷁 햏", subject="뷁").cp949_only == ("뷁", "햏")
    strict = measure("뷁", charset="ks_x_1001")
    assert strict.cp949_only == ()
    assert strict.unencodable == (UnencodableCharacter("뷁", 0, None),)


def test_measure_counts_hangul_in_pieces_as_it_goes_out():
    assert measure("\u1112\u1161\u11ab").text == "한"


@given(st.text(), st.none() | st.text(), st.sampled_from(Charset))
def test_measure_takes_any_text_and_finds_what_sending_would_refuse(content, subject, charset):
    measured = measure(content, subject=subject, charset=charset)
    assert measured.size_bytes == len(measured.text.encode("cp949"))
    for field, text in (("content", content), ("subject", subject or "")):
        found = [one.position for one in measured.unencodable if one.field == field]
        try:
            encode(text, charset=charset)
        except UnencodableText as error:
            position: int | None = error.position
        else:
            position = None
        assert found[:1] == [position][: position is not None]


@pytest.mark.parametrize("wrong", [None, b"text", 1])
def test_measure_takes_text_only(wrong):
    with pytest.raises(TypeError, match=f"content must be str, got {type(wrong).__name__}"):
        measure(wrong)


def test_measure_takes_a_subject_that_is_text_only():
    with pytest.raises(TypeError, match="subject must be str, got bytes"):
        measure("가", subject=b"text")


def test_measure_knows_two_charsets():
    with pytest.raises(ValueError, match="utf-8"):
        measure("가", charset="utf-8")
