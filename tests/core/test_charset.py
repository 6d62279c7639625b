"""What can be encoded goes out untouched; what cannot is named, with what to write instead."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sens_async.core.charset import (
    Charset,
    Unencodable,
    cp949_only,
    encode,
    encode_all,
    truncate,
)
from sens_async.errors import UnencodableText

EVERY_BMP_CHARACTER = list(map(chr, range(0x10000)))


def cp949(text: str) -> bytes | None:
    try:
        return text.encode("cp949")
    except UnicodeEncodeError:
        return None


def is_strict(text: str) -> bool:
    """Whether KS X 1001 holds a text: both bytes of each character are 0xA1 or more."""
    return all(
        (raw := cp949(character)) is not None and (len(raw) == 1 or min(raw) >= 0xA1)
        for character in text
    )


def refused(text: str, charset: Charset = Charset.CP949) -> tuple[str, int] | None:
    """The character a text is refused for and its position, or None."""
    try:
        encode(text, charset=charset)
    except UnencodableText as error:
        return error.character, error.position
    return None


held = st.text(st.sampled_from([c for c in EVERY_BMP_CHARACTER if cp949(c)]))
korean = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))
anything = st.text(
    st.sampled_from(
        "가뷁햏\uf92c\u90ce\u00c5\u212bé¾a \n\0①₩—•〜−\u00a0\u200b\ufe0f❤😀👍\u0301\u3099か\ud800"
    )
    | st.characters()
    | st.characters(min_codepoint=0x1100, max_codepoint=0x11FF)
)
charsets = st.sampled_from(Charset)


def test_every_character_of_cp949_counts_as_it_does_there_and_stays_itself():
    for character in EVERY_BMP_CHARACTER:
        raw = cp949(character)
        if raw is not None:
            assert encode(character)[:2] == (character, len(raw))


def test_every_other_character_is_refused_or_becomes_its_canonical_equal():
    for character in EVERY_BMP_CHARACTER:
        if cp949(character) is None:
            composed = unicodedata.normalize("NFC", character)
            assert refused(character) == (None if cp949(composed) else (character, 0))
            if cp949(composed):
                assert encode(character).text == composed


def test_every_suggestion_can_be_sent_whichever_euc_kr_is_meant():
    for character in EVERY_BMP_CHARACTER:
        for charset in Charset:
            for unencodable in (Unencodable.REPLACE, Unencodable.DROP):
                sent = encode(character, charset=charset, unencodable=unencodable).text
                assert is_strict(sent) or charset is Charset.CP949


def test_strict_ks_x_1001_holds_what_its_two_high_bytes_say():
    for character in EVERY_BMP_CHARACTER:
        if cp949(character) is not None:
            strict = is_strict(character)
            assert encode(character).cp949_only is not strict
            assert (encode_all([character], charset=Charset.KS_X_1001) is not None) is strict


def test_all_hangul_syllables_take_two_bytes():
    syllables = "".join(map(chr, range(0xAC00, 0xD7A4)))
    assert encode(syllables).size_bytes == 2 * 11_172
    assert sum(map(is_strict, syllables)) == 2_350


@given(held)
@example("\u212bngstrom \uf92c \uf9b8")
def test_what_cp949_holds_is_never_changed(text):
    encoded = encode(text)
    assert encoded.text == text
    assert encoded.size_bytes == len(text.encode("cp949"))


@given(held, st.sampled_from(["—", "😀", "\u3099", "\ufe0f"]), held)
def test_a_neighbour_that_cannot_be_encoded_spoils_nothing(before, culprit, after):
    sent = encode(before + "." + culprit + after, unencodable="drop").text
    assert sent == before + "." + after


@given(korean, charsets, st.sampled_from(Unencodable))
@example("뷁 햏", Charset.KS_X_1001, Unencodable.DROP)
def test_hangul_in_pieces_is_hangul(text, charset, unencodable):
    pieces = unicodedata.normalize("NFD", text)

    def result(given):
        try:
            return encode(given, charset=charset, unencodable=unencodable)
        except UnencodableText as error:
            return error.character, error.suggestion

    assert result(pieces) == result(text)


def test_whatever_cp949_holds_may_come_in_pieces():
    for character in EVERY_BMP_CHARACTER:
        if cp949(character) and unicodedata.is_normalized("NFC", character):
            assert encode("." + unicodedata.normalize("NFD", character)).text == "." + character


@given(anything, charsets, st.sampled_from([Unencodable.REPLACE, Unencodable.DROP]))
def test_what_goes_out_can_be_encoded_and_is_counted_right(text, charset, unencodable):
    encoded = encode(text, charset=charset, unencodable=unencodable)
    assert encode_all([encoded.text], charset=charset) == [encoded.size_bytes]
    assert encoded.size_bytes == len(encoded.text.encode("cp949"))
    assert encoded.cp949_only is not is_strict(encoded.text)


@given(anything, charsets)
def test_the_character_named_is_the_first_that_cannot_be_encoded(text, charset):
    culprit = refused(text, charset)
    if culprit is not None:
        character, position = culprit
        assert refused(text[:position], charset) is None
        rest = unicodedata.normalize("NFD", text[position:])
        assert rest.startswith(unicodedata.normalize("NFD", character))


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("월—금", "월-금"),
        ("9–18시", "9-18시"),
        ("쿠폰\u00a0코드", "쿠폰 코드"),
        ("₩1,000", "￦1,000"),
        ("• 하나", "· 하나"),
        ("10〜20", "10～20"),
        ("−5℃", "-5℃"),
        ("„인용‟", '"인용"'),
        ("¥100 £5", "￥100 ￡5"),
        ("café", "cafe"),
        ("cafe\u0301", "cafe"),
        ("ｶﾀｶﾅ", "カタカナ"),
        ("A\u030angstrom \u90ce", "\u212bngstrom \uf92c"),
        ("ﬁne", "fine"),
        ("𝐒𝐀𝐋𝐄", "SALE"),
        ("©네이버", "(C)네이버"),
        ("사랑해요 ❤\ufe0f", "사랑해요 ♥"),
        ("가\u200b나\ufeff다\u200d", "가나다"),
        ("1\ufe0f\u20e3", "1"),
        ("축하해요 🎉", "축하해요 ?"),
        ("깨진 \ud83c 글자", "깨진 ? 글자"),
    ],
)
def test_replacing_writes_what_comes_closest(text, sent):
    assert encode(text, unencodable=Unencodable.REPLACE).text == sent


def test_dropping_leaves_the_culprits_out():
    assert encode("축하해요 🎉—", unencodable=Unencodable.DROP).text == "축하해요 "


def test_equal_spellings_are_not_refused():
    assert encode("ㄴ 300\u212a\u037e").text == "ㄴ 300K;"


@pytest.mark.parametrize(
    ("text", "character", "position", "suggestion", "says"),
    [
        (
            "월—금",
            "—",
            1,
            "-",
            r"content holds '—' \(U\+2014\) at index 1.*cp949.*write '-' instead",
        ),
        ("가나\u200b", "\u200b", 2, "", r"'\\u200b' \(U\+200B\) at index 2.*leave it out"),
        ("끝 🎉", "🎉", 2, None, r"\(U\+1F389\) at index 2.*nothing comes close"),
        ("\ud800", "\ud800", 0, None, r"'\\ud800' \(U\+D800\) at index 0"),
        ("cafe\u0301s", "é", 3, "e", r"'é' \(U\+00E9\) at index 3.*write 'e'"),
    ],
)
def test_a_refusal_says_which_character_where_and_what_instead(
    text, character, position, suggestion, says
):
    with pytest.raises(UnencodableText, match=says) as caught:
        encode(text)
    error = caught.value
    assert (error.character, error.position, error.suggestion) == (character, position, suggestion)
    assert error.field == "content"


def test_a_refusal_names_the_field():
    with pytest.raises(UnencodableText, match=r"^subject holds") as caught:
        encode("🎉", field="subject")
    assert caught.value.field == "subject"


def test_strict_ks_x_1001_refuses_what_only_cp949_holds():
    with pytest.raises(UnencodableText, match="ks_x_1001") as caught:
        encode("햏자 뷁", charset=Charset.KS_X_1001)
    assert (caught.value.character, caught.value.position) == ("햏", 0)


@given(st.lists(anything | held | korean, max_size=5), charsets)
@example([], Charset.CP949)
@example(["a\0b", "", "\0"], Charset.CP949)
@example(["뷁"], Charset.KS_X_1001)
def test_measuring_all_at_once_gives_what_one_by_one_gives(texts, charset):
    sizes = encode_all(texts, charset=charset)
    try:
        encoded = [encode(text, charset=charset) for text in texts]
    except UnencodableText:
        assert sizes is None
        return
    if sizes is None:
        assert [one.text for one in encoded] != texts
    else:
        assert sizes == [one.size_bytes for one in encoded]
        assert texts == [one.text for one in encoded]


@given(st.lists(anything, max_size=5))
def test_cp949_only_tells_whether_a_strict_service_would_stumble(texts):
    beyond = [c for c in "".join(texts) if cp949(c) is not None and not is_strict(c)]
    assert cp949_only(texts) is bool(beyond)


@given(held, st.integers(0, 60))
def test_truncating_keeps_the_longest_beginning_that_fits(text, limit):
    kept = truncate(text, limit)
    assert text.startswith(kept)
    assert len(kept.encode("cp949")) <= limit
    one_more = text[: len(kept) + 1]
    assert kept == text or len(one_more.encode("cp949")) > limit


def test_truncating_never_cuts_a_character_in_two():
    assert truncate("가나다", 5) == "가나"
    assert truncate("뷁뷁", 3) == "뷁"
    assert truncate("가", 1) == ""
