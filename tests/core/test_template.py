"""What is rendered is what was given: the text, and in its places the recipient's own words."""

from collections import OrderedDict
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sens_async.core.template import Template
from sens_async.errors import InvalidMessage, InvalidTemplate, MissingField

odd_text = st.text(st.sampled_from("가{}#%s\\\0\n ") | st.characters(), max_size=8)
names = st.text(
    st.sampled_from("가b.%#:![]") | st.characters(exclude_characters="{}"), min_size=1, max_size=5
).filter(lambda name: not name.isspace())


class Grade(StrEnum):
    GOLD = "골드"


plain_values = st.one_of(
    odd_text, st.integers(), st.decimals(allow_nan=False), st.dates(), st.datetimes()
)
all_values = st.one_of(
    plain_values, st.none(), st.floats(), st.booleans(), st.binary(max_size=2), st.just(Grade.GOLD)
)


@st.composite
def templates(draw) -> tuple[str, list[str | tuple[str]]]:
    """A template, and its parts: texts, and fields as tuples of a name."""
    parts = draw(st.lists(odd_text | st.tuples(names), max_size=6))
    written = []
    for place, part in enumerate(parts):
        if isinstance(part, str):
            text = part.replace("{", "{{").replace("}", "}}")
            is_before_field = place + 1 < len(parts) and isinstance(parts[place + 1], tuple)
            # A "#" right before a field is swallowed, so that one more has to be written.
            written.append(text + "#" if is_before_field and text.endswith("#") else text)
        else:
            written.append(f"{{{part[0]}}}")
    return "".join(written), parts


@given(templates(), st.data())
def test_a_text_is_its_literals_and_the_values_given(template, data):
    text, parts = template
    fields = {part[0]: data.draw(plain_values) for part in parts if isinstance(part, tuple)}
    parsed = Template.parse(text)
    expected = [part if isinstance(part, str) else str(fields[part[0]]) for part in parts]
    assert parsed.fields == tuple(fields)
    assert parsed.is_literal is not bool(fields)
    assert parsed.literal == "".join(part for part in parts if isinstance(part, str))
    assert parsed.render(fields) == "".join(expected)
    assert parsed.render_all([fields]) in (None, ["".join(expected)])


rows = st.lists(
    st.dictionaries(st.sampled_from(["이름", "a", "b"]), plain_values | all_values), max_size=4
)


@given(st.sampled_from(["{이름}님", "#{a}{b}{a}%s", "안내", "{a}\0{b}", "{이름}{a}{b}"]), rows)
@example("{a}-{b}", [{"a": "1\0", "b": "2"}])
@example("{a}\0{b}", [{"a": "1", "b": "2"}])
@example("{a}", [{"a": 10**5000}])
@example("안내", [])
def test_the_fast_way_writes_what_the_slow_way_writes_or_nothing(text, rows):
    template = Template.parse(text)
    texts = template.render_all(rows)
    if texts is not None:
        assert texts == [template.render(row) for row in rows]


@given(st.lists(st.fixed_dictionaries({"a": st.text("가%#{}"), "b": st.integers()}), max_size=5))
def test_plain_rows_take_the_fast_way(rows):
    assert Template.parse("{a}님 {b}원").render_all(rows) == [
        f"{r['a']}님 {r['b']}원" for r in rows
    ]


@pytest.mark.parametrize(
    ("text", "fields", "rendered"),
    [
        ("{이름}님, 주문이 도착했습니다", {"이름": "김하늘"}, "김하늘님, 주문이 도착했습니다"),
        ("#{이름}님", {"이름": "김하늘"}, "김하늘님"),
        ("주문 ##{no}", {"no": 7}, "주문 #7"),
        ("주문 # {no}", {"no": 7}, "주문 # 7"),
        ("{주문 번호}", {"주문 번호": "A-1"}, "A-1"),
        ("{a.b} {a[0]} {a!r} {a:>9}", {"a.b": 1, "a[0]": 2, "a!r": 3, "a:>9": 4}, "1 2 3 4"),
        ("{{이름}}", {}, "{이름}"),
        ("#{{이름}}", {}, "#{이름}"),
        ("{{{이름}}}", {"이름": "하늘"}, "{하늘}"),
        ("100% {a}%s %(a)s", {"a": "%d"}, "100% %d%s %(a)s"),
        ("{a}", {"a": "{b} #{c} }}"}, "{b} #{c} }}"),
        ("{a}{a}", {"a": 1, "unused": None}, "11"),
        ("{a}", {"a": ""}, ""),
        ("{a}", {"a": 0}, "0"),
        ("{a}", {"a": 1.5}, "1.5"),
        ("{a}원", {"a": Decimal("12000.50")}, "12000.50원"),
        ("{a}", {"a": date(2025, 11, 25)}, "2025-11-25"),
        ("{a}", {"a": datetime(2025, 11, 25, 9, 30)}, "2025-11-25 09:30:00"),  # noqa: DTZ001
        ("{a}", {"a": Grade.GOLD}, "골드"),
        ("", {}, ""),
    ],
)
def test_fields_are_filled_in_to_the_letter(text, fields, rendered):
    template = Template.parse(text)
    assert template.render(fields) == rendered
    assert template.render_all([fields]) in ([rendered], None)
    assert template.render(OrderedDict(fields)) == rendered


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("{이름", 0, r"the '\{' at index 0 has no partner"),
        ("안녕 }", 3, r"the '\}' at index 3 has no partner"),
        ("{이름}}", 4, r"the '\}' at index 4 has no partner"),
        ("{a{b}}", 0, r"the '\{' at index 0 has no partner"),
        ("가 {}", 2, "index 2 enclose no name"),
        ("#{ }", 1, "index 1 enclose no name"),
        ("{{{}}}", 2, "index 2 enclose no name"),
        ('{"json": 1', 0, "a brace itself is {{ or }}"),
    ],
)
def test_braces_that_do_not_pair_are_pointed_at(text, position, why):
    with pytest.raises(InvalidTemplate, match=why) as caught:
        Template.parse(text)
    assert caught.value.position == position


@given(odd_text)
def test_any_text_is_a_template_or_refused_at_a_brace(text):
    try:
        Template.parse(text)
    except InvalidTemplate as error:
        position = error.position
    else:
        return
    assert text[position] in "{}"


NAN = float("nan")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "'이름' is missing; the recipient has no fields"),
        ({"name": "하늘", "grade": "골드"}, "'이름' is missing; the recipient has 'name', 'grade'"),
        ({"이름": None, "등급": "골드"}, "'이름' is None; the recipient has '이름', '등급'"),
        ({"이름": NAN}, "'이름' is nan"),
        ({str(n): n for n in range(12)}, "'8', '9' and 2 more"),
    ],
)
def test_a_missing_field_is_named_with_those_there_are_and_no_value(fields, says):
    template = Template.parse("{이름}님")
    with pytest.raises(MissingField, match=says) as caught:
        template.render(fields)
    assert caught.value.name == "이름"
    assert "하늘" not in str(caught.value)
    assert "골드" not in str(caught.value)
    assert template.render_all([{"이름": "하늘"}, fields]) is None


@pytest.mark.parametrize("value", [b"\xb0\xa1", bytearray(b"a"), memoryview(b"a")])
def test_bytes_are_refused_since_nobody_knows_their_encoding(value):
    template = Template.parse("{a}")
    with pytest.raises(InvalidMessage, match=f"'a' .* got {type(value).__name__}"):
        template.render({"a": value})
    assert template.render_all([{"a": value}]) is None
