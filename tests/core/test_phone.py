"""Numbers reach the service in its own form, or are refused; nobody else's phone rings."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sens_async.core.phone import mask, normalize, normalize_all, normalize_sender
from sens_async.errors import ConfigError, InvalidRecipient

numbers = st.from_regex(
    r"(010[0-9]{8}|01[16-9][0-9]{7,8}|050[0-9]{8,9}|02[0-9]{7,8}"
    r"|0(31|44|55|64|70|80)[0-9]{7,8})",
    fullmatch=True,
)
dressings = st.sampled_from(
    ["", "-", " ", "‐", "–", "—", "－", "−", "(", ") ", ".", "\u200b", "\t"]
)
messy = st.text("0123456789-+ ().\n\0０１①²/홍", max_size=30)


@st.composite
def dressed(draw) -> tuple[str, str]:
    """A number, and the same with punctuation before, between and after its digits."""
    number = draw(numbers)
    marks = draw(st.lists(dressings, min_size=len(number) + 1, max_size=len(number) + 1))
    # One dot before a last zero would be a spreadsheet's float.
    marks[-2] = marks[-2].replace(".", "")
    return number, marks[0] + "".join(map("".join, zip(number, marks[1:], strict=True)))


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("01012345678", "01012345678"),
        ("010-1234-5678", "01012345678"),
        ("010 1234 5678", "01012345678"),
        ("(010) 1234.5678", "01012345678"),
        ("０１０－１２３４－５６７８", "01012345678"),
        ("010–1234—5678", "01012345678"),
        ("\u202a010-1234-5678\u202c", "01012345678"),
        ("\ufeff010\u00a01234\u30005678\n", "01012345678"),
        ("+82 10-1234-5678", "01012345678"),
        ("＋82 10 1234 5678", "01012345678"),
        ("(+82) 10 1234 5678", "01012345678"),
        ("+82 010 1234 5678", "01012345678"),
        ("+82 (0)10 1234 5678", "01012345678"),
        ("82 10 1234 5678", "01012345678"),
        ("821012345678", "01012345678"),
        ("0082 10 1234 5678", "01012345678"),
        ("1012345678", "01012345678"),
        ("10-1234-5678", "01012345678"),
        ("1012345678.0", "01012345678"),
        ("01012345678.0", "01012345678"),
        ("0111234567", "0111234567"),
        ("016-123-4567", "0161234567"),
        ("019-1234-5678", "01912345678"),
        ("0504-1234-5678", "050412345678"),
        ("050-1234-5678", "05012345678"),
        ("02-123-4567", "021234567"),
        ("02-1234-5678", "0212345678"),
        ("+82-2-123-4567", "021234567"),
        ("212345678", "0212345678"),
        ("031-123-4567", "0311234567"),
        ("064-1234-5678", "06412345678"),
        ("070-1234-5678", "07012345678"),
        ("080-123-4567", "0801234567"),
    ],
)
def test_every_usual_spelling_of_a_korean_number_is_understood(given, number):
    assert normalize(given) == number
    assert normalize_sender(given) == number


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "112",
        "114",
        "0101234567",
        "010-1234-56789",
        "010-1234-567①",
        "010-1234-5678²",
        "010-1234-5678 010-8765-4321",
        "02-123-456",
        "02-1234-56789",
        "034-123-4567",
        "060-123-4567",
        "099-1234-5678",
        "82",
        "+82",
    ],
)
def test_what_no_subscriber_can_have_is_refused_with_what_is_allowed(given):
    with pytest.raises(InvalidRecipient, match="allowed are"):
        normalize(given)
    with pytest.raises(ConfigError, match=r"^sender .*allowed are"):
        normalize_sender(given)


def test_eight_digits_of_seoul_without_area_code_are_not_guessed_at():
    with pytest.raises(InvalidRecipient, match="8 digits"):
        normalize("2345-6789")


@pytest.mark.parametrize("mark", "/~〜～")
def test_two_numbers_in_short_are_not_taken_for_one(mark):
    with pytest.raises(InvalidRecipient, match=f"'{mark}' at index 11"):
        normalize(f"02-123-4567{mark}8")


def test_a_name_in_the_number_column_is_pointed_at():
    with pytest.raises(InvalidRecipient, match=r"holds '홍' at index 0"):
        normalize("홍길동 010-1234-5678")


@pytest.mark.parametrize("line", ["1588-1234", "16001234", "1899-0000", "+82 1588 1234"])
def test_a_business_line_can_send_and_cannot_receive(line):
    assert re.fullmatch("1[568][0-9]{6}", normalize_sender(line))
    with pytest.raises(InvalidRecipient, match="can send and cannot receive"):
        normalize(line)


@pytest.mark.parametrize("given", ["+1 415 555 2671", "001 415 555 2671", "+81 90 1234 5678"])
def test_a_number_of_another_country_is_told_of_country_code(given):
    with pytest.raises(InvalidRecipient, match="country_code '82'"):
        normalize(given)
    with pytest.raises(ConfigError, match="country_code '82'"):
        normalize_sender(given)


@pytest.mark.parametrize("given", [1012345678, None, b"01012345678", 1.0, ["010"]])
@pytest.mark.parametrize("country_code", ["82", "1"])
def test_what_is_no_text_is_refused_by_its_type(given, country_code):
    with pytest.raises(InvalidRecipient, match=f"<{type(given).__name__}> is no str"):
        normalize(given, country_code)
    with pytest.raises(ConfigError, match=f"sender <{type(given).__name__}> is no str"):
        normalize_sender(given)


@pytest.mark.parametrize(
    ("given", "country_code", "number"),
    [
        ("+1 (415) 555-2671", "1", "4155552671"),
        ("001 415 555 2671", "1", "4155552671"),
        ("415.555.2671", "1", "4155552671"),
        ("+81 90-1234-5678", "81", "9012345678"),
        ("090-1234-5678", "81", "09012345678"),
        ("+2901234", "290", "1234"),
    ],
)
def test_abroad_only_the_country_code_is_taken_off(given, country_code, number):
    assert normalize(given, country_code) == number


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("+82 10 1234 5678", "country_code '1'"),
        ("0082 10 1234 5678", "country_code '1'"),
        ("+1 23", "2 digits"),
        ("+1 123456789012345", "4 to 14 digits"),
        ("+1 00 415 555 2671", "begin with 00"),
        ("415-555-CALL", "holds 'C' at index 8"),
    ],
)
def test_abroad_the_impossible_is_refused(given, why):
    with pytest.raises(InvalidRecipient, match=why):
        normalize(given, "1")


@given(dressed())
def test_punctuation_makes_no_difference(number_and_dressed):
    number, dressed_number = number_and_dressed
    assert normalize(dressed_number) == number


@given(numbers)
def test_a_korean_number_is_the_same_from_inside_and_outside(number):
    assert normalize("+82" + number[1:]) == number
    assert normalize("+82" + number) == number
    assert normalize("82" + number[1:]) == number


@given(messy, st.sampled_from(["82", "1", "81", "290"]))
def test_normalizing_twice_changes_nothing(given, country_code):
    try:
        number = normalize(given, country_code)
    except InvalidRecipient:
        return
    assert normalize(number, country_code) == number
    assert number.isascii()
    assert number.isdigit()


@given(messy)
def test_normalizing_a_sender_twice_changes_nothing(given):
    try:
        number = normalize_sender(given)
    except ConfigError:
        return
    assert normalize_sender(number) == number


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_refused(given):
    try:
        number = normalize(given)
    except InvalidRecipient:
        return
    assert re.fullmatch("0[0-9]{8,11}", number)


@given(st.from_regex("0[89]0[0-9]{5,12}x?", fullmatch=True))
def test_a_refusal_never_shows_the_whole_number(given):
    for normalizing in (normalize, normalize_sender):
        try:
            normalizing(given)
        except (InvalidRecipient, ConfigError) as error:
            text = str(error)
        else:
            continue
        assert given.rstrip("x") not in re.sub("[^0-9x]", "", text)


near_numbers = numbers | numbers.map(lambda n: f"{n[:3]}-{n[3:7]}-{n[7:]}") | messy


@given(st.lists(near_numbers, max_size=6))
@example(["01012345678\n01012345679"])
@example(["01012345678\n01012345679", ""])
@example(["010-1234-5678", "0101234567-8\n"])
@example([])
def test_the_fast_way_gives_what_the_slow_way_gives_or_nothing(given):
    found = normalize_all(given)
    if found is not None:
        assert found == [normalize(number) for number in given]


@given(st.lists(numbers, min_size=1, max_size=6))
def test_clean_numbers_pass_as_the_very_same_objects(given):
    assert normalize_all(given) is given
    assert normalize_all(tuple(given)) == given


@given(st.lists(numbers, min_size=1, max_size=6))
def test_hyphened_numbers_pass_the_fast_way(given):
    assert normalize_all([f"{n[:3]}-{n[3:6]}-{n[6:]}" for n in given]) == given


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("01012345678", "010-****-5678"),
        ("010-1234-5678", "010-****-5678"),
        ("0111234567", "011-****-4567"),
        ("050412345678", "050-****-5678"),
        ("021234567", "****-4567"),
        ("1588-1234", "****-1234"),
        ("1234", "****"),
        ("", "****"),
        ("없음", "****"),
        ("1" * 40, "****"),
        (1012345678, "<int>"),
        (None, "<NoneType>"),
        (b"01012345678", "<bytes>"),
    ],
)
def test_a_masked_number_can_be_recognised_and_not_dialled(number, shown):
    assert mask(number) == shown


@given(st.text() | st.from_regex(r"\+?[0-9][0-9 -]{3,20}", fullmatch=True))
def test_a_mask_shows_at_most_three_and_four_digits_and_hides_three(text):
    digits = "".join(filter(str.isdecimal, text))
    shown = "".join(filter(str.isdecimal, mask(text)))
    assert len(shown) <= 7
    assert not shown or len(shown) <= len(digits) - 3
