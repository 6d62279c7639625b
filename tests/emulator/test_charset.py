import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.emulator.charset import cut, size, unencodable_at

encodable = st.text(st.sampled_from("가나다뷁漢①a B\n.€"), max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("abc", 3), ("안녕", 4), ("뷁", 2), ("\r\n", 2), ("😀", 1)]
)
def test_sizes(text, expected):
    assert size(text) == expected


@given(encodable, st.integers(0, 100))
def test_a_cut_is_the_longest_beginning_that_fits(text, limit):
    kept = cut(text, limit)

    assert text.startswith(kept)
    assert size(kept) <= limit
    assert kept == text or size(text[: len(kept) + 1]) > limit


def test_a_character_is_never_halved():
    assert cut("가나다", 5) == "가나"


def test_what_cannot_be_encoded_is_left_whole():
    assert cut("😀" * 100, 90) == "😀" * 100


def test_texts_that_cannot_be_encoded_are_found():
    assert unencodable_at(["안녕", "뷁", "é", "a—b", ""]) == {2, 3}
    assert unencodable_at(["안녕", "뷁"]) == set()
