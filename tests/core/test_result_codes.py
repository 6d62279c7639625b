"""Result codes: all of them, in two languages, each with what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.core.result_codes import ResultClass, explain, known_codes

TABLE = [
    "0",
    *(str(code) for code in range(2000, 2008)),
    *(str(code) for code in range(3000, 3020)), "3022", "3023",
    *(str(code) for code in range(1001, 1021)),
    *(f"S{code:03d}" for code in range(13)), "S998", "S999",
    *(f"E{code}" for code in range(900, 923)), "E999",
]  # fmt: skip
"""Every code of the reference."""


def test_the_table_is_the_references():
    assert sorted(known_codes()) == sorted(TABLE)


@pytest.mark.parametrize("code", TABLE)
def test_every_code_is_explained_in_both_languages(code):
    result = explain(code)
    assert result.code == code
    assert result.english.isascii()
    assert len(result.english) > 5
    assert any("가" <= char <= "힣" for char in result.korean)
    assert result.kind is not ResultClass.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (ResultClass.DELIVERED, ["0"]),
        (ResultClass.TRANSIENT, ["2000", "2003", "2007", "3005", "3011", "1001", "S000", "S001", "S998"]),
        (ResultClass.PERMANENT, ["3000", "3001", "3006", "3012", "3022", "3023", "S999", "E999"]),
        (ResultClass.FIX_REQUEST, ["1002", "1004", "1020", "S002", "S007", "E900", "E911", "E922"]),
        (ResultClass.QUOTA, ["1005", "S004", "S010"]),
        (ResultClass.NEVER_RESEND, ["E915", "E916", "E917", "E919"]),
    ],
)  # fmt: skip
def test_every_class_is_the_references(kind, codes):
    assert {explain(code).kind for code in codes} == {kind}


@given(st.text(max_size=6).filter(lambda code: code not in TABLE))
def test_what_is_not_known_passes_through(code):
    result = explain(code)
    assert result.code == code
    assert result.kind is ResultClass.UNKNOWN
