"""Personalised batches as JSON in a few passes say just what the careful way says."""

import string
from datetime import date

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async import ConfigError, MessageType, Recipient
from sens_async.core.chunking import Chunker
from sens_async.core.content import Charset
from sens_async.core.entries import entries_of, texts_in
from sens_async.core.entry_template import EntryTemplate
from sens_async.core.message import Message, Rules
from sens_async.core.template import Template


def compiled(text: str, **options) -> EntryTemplate | None:
    options = {"charset": Charset.CP949, "longest": 2000, **options}
    return EntryTemplate.of(Template.parse(text), **options)


def numbers(count: int) -> list[str]:
    return [f"010{i:08d}" for i in range(count)]


def people(rows: list[dict]) -> list[Recipient]:
    return [Recipient(to, fields=row) for to, row in zip(numbers(len(rows)), rows, strict=True)]


def batches(content: str, recipients: list[Recipient], **options):
    message = Message.compile(content, sender="0212345678", rules=Rules(), **options)
    chunking = Chunker(Rules()).open(message)
    fed = chunking.feed(recipients, 0.0)
    return fed.batches + chunking.flush(), fed.settled


def told(content: str, recipients: list[Recipient], **options) -> dict[str, tuple[str, str]]:
    """What each number gets, as the service reads it, and as what."""
    said = {}
    for batch in batches(content, recipients, **options)[0]:
        body = orjson.loads(batch.body())
        for one in body["messages"]:
            said[one["to"]] = (one.get("content", body["content"]), body["type"])
    return said


# -- what is compiled


@pytest.mark.parametrize("text", ["안녕하세요", "", "{a}", " {a}\n{b} ", "{a}😀", "\ud800{a}"])
def test_what_always_wants_a_careful_look_is_not_compiled(text):
    assert compiled(text) is None


def test_the_strict_charset_has_fewer_literals():
    assert compiled("뷁 {a}") is not None
    assert compiled("뷁 {a}", charset=Charset.KS_X_1001) is None


# -- what is filled


def fill(text: str, *rows: dict, **options):
    template = compiled(text, **options)
    assert template is not None
    return template.fill(numbers(len(rows)), rows)


def test_entries_hold_number_and_escaped_text():
    filled = fill('"{a}"\n', {"a": "가"}, {"a": "나"})

    assert list(filled.entries) == [
        '01000000000","content":"\\"가\\"\\n',
        '01000000001","content":"\\"나\\"\\n',
    ]
    assert texts_in(filled.entries) == ['"가"\n', '"나"\n']


@pytest.mark.parametrize(
    "value",
    ['"', "\\", "\n", "\0", "\x1f", "😀", "\ud800", "e\u0301", None, b"x", 1.5, True, float("nan")],
)
def test_what_is_not_plain_goes_the_careful_way(value):
    assert fill("[{a}]", {"a": value}, {"a": "x"}) is None


def test_a_missing_field_goes_the_careful_way():
    assert fill("[{a}]", {"a": "x"}, {"b": "x"}) is None


def test_a_text_that_is_too_long_goes_the_careful_way():
    assert fill("[{a}]", {"a": "x" * 88}, longest=90).sizes == [90]
    assert fill("[{a}]", {"a": "x" * 89}, longest=90) is None
    assert fill("[{a}]", {"a": "가" * 45}, longest=90) is None


def test_the_strict_charset_sends_its_lacks_the_careful_way():
    assert fill("[{a}]", {"a": "뷁"}).cp949_only
    assert not fill("[{a}]", {"a": "가"}).cp949_only
    assert fill("[{a}]", {"a": "뷁"}, charset=Charset.KS_X_1001) is None


def test_numbers_and_dates_are_written():
    filled = fill("{n}번 {day}", {"n": 1, "day": date(2025, 1, 2)}, {"n": 2, "day": "내일"})

    assert texts_in(filled.entries) == ["1번 2025-01-02", "2번 내일"]


def test_a_field_may_stand_twice():
    filled = fill("{a}, {b}, {a}", {"a": "x", "b": "1"}, {"a": "y", "b": "2"})

    assert texts_in(filled.entries) == ["x, 1, x", "y, 2, y"]


def test_what_many_share_is_left_to_be_written_once():
    rows = [{"a": "모두", "b": str(i % 4)} for i in range(100)]
    assert fill("{a} 글 {b}", *rows) is None
    (batch,), _ = batches("{a} 글 {b}", people(rows))
    body = orjson.loads(batch.body())

    assert sum("content" not in one for one in body["messages"]) == 25


def test_sizes_tell_the_type_of_all_or_the_size_of_each():
    literal = "가" * 40
    short = fill(literal + "{a}", {"a": "1"}, {"a": "2"})
    mixed = fill(literal + "{a}", {"a": "1"}, {"a": "x" * 20})
    long = fill("가" * 46 + "{a}", {"a": "1"}, {"a": "x" * 20})

    assert len(short.sizes) == 1
    assert max(short.sizes) <= 90
    assert mixed.sizes == [81, 100]
    assert len(long.sizes) == 1
    assert min(long.sizes) > 90


# -- against the careful way


TEXT = st.text(
    st.one_of(
        st.sampled_from("가나다뷁 \"\\\n\t\0é—😀ㅎ0{}'"), st.sampled_from(string.ascii_letters)
    ),
    max_size=30,
)
VALUE = st.one_of(TEXT, st.integers(-(10**6), 10**30), st.none(), st.dates())
ROWS = st.lists(st.fixed_dictionaries({"a": VALUE, "b": TEXT}), min_size=1, max_size=12)
CONTENT = st.sampled_from(
    [
        "{a}",
        "안녕 {a}",
        '{b}님,\n"{a}" \\ 주문',
        "{a}{b}",
        "{a} {b} {a}",
        "가" * 42 + "{b}",
        "가" * 990 + "{a}{b}",
        "뷁 {a}",
    ]
)


@given(CONTENT, ROWS)
def test_together_says_what_each_alone_says(content, rows):
    """One who comes with a Recipient of another kind takes the careful way."""

    class Careful(Recipient):
        pass

    plain = people(rows)
    careful = [Careful(one.to, fields=one.fields) for one in plain]
    assert told(content, plain) == told(content, careful)
    refused = [
        [(o.index, type(o.error), str(o.error)) for batch in settled for o in batch]
        for settled in (batches(content, some)[1] for some in (plain, careful))
    ]
    assert sorted(refused[0], key=str) == sorted(refused[1], key=str)


@given(CONTENT, ROWS, st.integers(0, 11))
def test_a_part_says_what_the_whole_said(content, rows, place):
    for batch in batches(content, people(rows))[0]:
        whole = orjson.loads(batch.body())
        positions = sorted({place % len(batch), len(batch) - 1})
        part = orjson.loads(batch.part(positions).body())
        expected = [whole["messages"][i] for i in positions]
        assert [(one["to"], one.get("content", part["content"])) for one in part["messages"]] == [
            (one["to"], one.get("content", whole["content"])) for one in expected
        ]


@given(ROWS, st.booleans())
def test_whoever_was_given_it_before_is_found_on_either_way(rows, careful_first):
    """The second time everybody comes beside one with an own text, so the ways differ."""
    plain = people(rows)
    beside = [*plain, Recipient("010-9999-9999", content="내 글")]
    message = Message.compile("{b}님 {a}", sender="0212345678", rules=Rules())
    chunking = Chunker(Rules()).open(message)
    first, second = (beside, plain) if careful_first else (plain, beside)
    composed = len(plain) - _count_rejected(chunking.feed(first, 0.0))
    skipped = [
        outcome
        for outcomes in chunking.feed(second, 0.0).settled
        if outcomes.state == "SKIPPED"
        for outcome in outcomes
    ]
    assert len(skipped) == composed


def _count_rejected(fed) -> int:
    return sum(len(outcomes) for outcomes in fed.settled if outcomes.state == "REJECTED")


def test_the_same_text_of_other_fields_is_the_same_text():
    twice = [
        Recipient("01011112222", fields={"a": "x", "b": "yz"}),
        Recipient("01011112222", fields={"a": "xy", "b": "z"}),
    ]
    made, settled = batches("글 {a}{b}", twice)

    assert [len(batch) for batch in made] == [1]
    assert [outcomes.state for outcomes in settled] == ["SKIPPED"]


def test_types_split_by_the_size_of_the_rendered_text():
    rows = [{"a": "가" * (i + 30)} for i in range(30)]
    made, _ = batches("주문 {a}", people(rows))
    by_type = {batch.envelope.type: len(batch) for batch in made}

    assert by_type == {MessageType.SMS: 13, MessageType.LMS: 17}


def test_an_advertisement_is_filled_if_its_label_is_the_templates():
    rows = [{"a": str(i)} for i in range(3)]
    assert len(told("(광고) {a}번", people(rows), content_type="AD")) == 3
    made, settled = batches("{a}번 (광고)", people(rows), content_type="AD")

    assert made == []
    assert {type(outcomes.error).__name__ for outcomes in settled} == {"AdRuleViolated"}


def test_a_subject_goes_with_everybody():
    rows = [{"a": str(i)} for i in range(3)]
    (batch,), _ = batches("{a}번", people(rows), subject="안내")
    body = orjson.loads(batch.body())

    assert body["subject"] == "안내"
    assert all("subject" not in one for one in body["messages"])


def test_entries_and_texts_are_two_sides_of_one_thing():
    texts = ['"', "\\", "가\n", "", "\0"]

    assert texts_in(entries_of(numbers(5), texts)) == texts


def test_a_missing_sender_is_told_as_ever():
    with pytest.raises(ConfigError):
        Message.compile("{a}", sender=None, rules=Rules())


@pytest.mark.parametrize("content", ["뷁 {a}", "안녕 {a}뷁"])
def test_what_only_cp949_holds_is_seen_in_the_literals(content):
    message = Message.compile(content, sender="0212345678", rules=Rules())
    chunking = Chunker(Rules()).open(message)
    chunking.feed(people([{"a": str(i)} for i in range(3)]), 0.0)

    assert chunking.cp949_only_seen
