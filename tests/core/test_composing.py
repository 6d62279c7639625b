"""From what the caller gave to final texts: culprits are named, the others go on."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sens_async.core.composing import Composer
from sens_async.core.content import TooLong, Unencodable
from sens_async.core.message import Message, Rules
from sens_async.errors import (
    AdRuleViolated,
    ContentTooLong,
    InvalidMessage,
    InvalidRecipient,
    MissingField,
    UnencodableText,
)
from sens_async.models import OutcomeState, Recipient

ONE, TWO, THREE = "01000000001", "01000000002", "01000000003"


def composer(content="안녕하세요", *, rules=None, **call):
    return Composer(Message.compile(content, sender="0212345678", rules=rules or Rules(), **call))


def texts(composed, message_text=None):
    """Index -> (type, number, text, subject) of all who passed."""
    found = {}
    for group in composed:
        rows = group.rows
        for row in range(len(rows)):
            text = message_text if rows.texts is None else rows.texts[row]
            title = None if rows.titles is None else rows.titles[row]
            found[rows.indexes[row]] = (str(group.type), rows.numbers[row], text, title)
    return found


def refused(one):
    """Index -> error of all who were refused."""
    for batch in one.rejected:
        assert batch.state is OutcomeState.REJECTED
        assert len(batch) == 1
        assert batch.attempts == 0
    return {outcome.index: outcome.error for batch in one.rejected for outcome in batch}


def test_clean_numbers_share_the_calls_text():
    one = composer()
    (group,) = one.compose([ONE, "010-0000-0002"])
    assert list(group.rows.indexes) == [0, 1]
    assert group.rows.numbers == [ONE, TWO]
    assert group.rows.texts is None
    assert not one.rejected


class Odd:
    def __str__(self):
        raise RuntimeError("no text for you")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (None, "must be str or Recipient, got NoneType"),
        (5, "must be str or Recipient, got int"),
        (b"01000000002", "must be str or Recipient, got bytes"),
        ({"to": TWO}, "must be str or Recipient, got dict"),
        ((TWO, "text"), "must be str or Recipient, got tuple"),
        ([TWO], "must be str or Recipient, got list"),
        (Recipient, "must be str or Recipient, got type"),
        (Odd(), "must be str or Recipient, got Odd"),
        ("", "no Korean phone number"),
        ("12", "no Korean phone number"),
        ("전화", "allowed are digits"),
        ("+14155552671", "country_code"),
        ("15881234", "cannot receive"),
        (Recipient(None), "NoneType"),
        (Recipient(1000000002), "int"),
        (Recipient(b"01000000002"), "bytes"),
        (Recipient("nobody"), "allowed are digits"),
        (Recipient(Odd()), "Odd"),
    ],
)
@pytest.mark.parametrize("others", [[ONE, THREE], [Recipient(ONE), Recipient(THREE)]])
def test_a_wrong_item_is_refused_by_name_and_the_others_go_on(item, text, others):
    one = composer()
    composed = one.compose([others[0], item, others[1]])
    assert {index: row[1] for index, row in texts(composed).items()} == {0: ONE, 2: THREE}
    errors = refused(one)
    assert errors.keys() == {1}
    assert type(errors[1]) is InvalidRecipient
    assert text in str(errors[1])
    (batch,) = one.rejected
    assert batch[0].recipient is item
    assert batch[0].number is None


def test_a_str_of_ones_own_kind_is_a_number():
    class Number(str):
        __slots__ = ()

    one = composer()
    assert texts(one.compose([Number("010-0000-0001")]), "x")[0][1] == ONE


def test_a_recipient_of_ones_own_kind_is_one():
    class Customer(Recipient):
        pass

    one = composer("{name}님")
    rows = texts(
        one.compose([Customer(ONE, fields={"name": "김"}), Recipient(TWO, fields={"name": "이"})])
    )
    assert [row[2] for row in rows.values()] == ["김님", "이님"]


def test_everything_goes_wrong_at_once_and_each_is_told_its_own():
    one = composer("{name}님, 안내드립니다")
    fine = {"name": "김민수"}
    items = [
        Recipient(ONE, fields=fine),
        Recipient("010", fields=fine),
        Recipient(TWO),
        Recipient(TWO, fields={"name": None}),
        Recipient(TWO, fields={"name": "😀"}),
        Recipient(TWO, fields={"name": "가" * 1000}),
        Recipient(TWO, fields={"name": b"bytes"}),
        Recipient(TWO, fields={"name": Odd()}),
        Recipient(TWO, fields=5),
        Recipient(TWO, fields=None),
        Recipient(TWO, content=5),
        Recipient(TWO, content=""),
        Recipient(TWO, content=" \n"),
        Recipient(TWO, subject=5, fields=fine),
        Recipient(TWO, subject="가" * 21, fields=fine),
        Recipient(TWO, subject="😀", fields=fine),
        TWO,
        Recipient(THREE, content="{name}은 그대로"),
    ]
    composed = texts(one.compose(items))
    assert {index: row[2] for index, row in composed.items()} == {
        0: "김민수님, 안내드립니다",
        17: "{name}은 그대로",
    }
    expected = {
        1: (InvalidRecipient, "3 digits"),
        2: (MissingField, "'name'"),
        3: (MissingField, "'name'"),
        4: (UnencodableText, "content .*U+1F600"),
        5: (ContentTooLong, "content takes 2,0"),
        6: (InvalidMessage, "'name'"),
        7: (InvalidMessage, "cannot be written: RuntimeError"),
        8: (InvalidMessage, "fields must be a mapping, got int"),
        9: (InvalidMessage, "fields must be a mapping, got NoneType"),
        10: (InvalidMessage, "content must be str, got int"),
        11: (InvalidMessage, "content is empty"),
        12: (InvalidMessage, "content is empty"),
        13: (InvalidMessage, "subject must be str, got int"),
        14: (ContentTooLong, "subject takes 42 bytes, at most 40"),
        15: (UnencodableText, "subject "),
        16: (MissingField, "'name'"),
    }
    errors = refused(one)
    assert errors.keys() == expected.keys()
    for index, (kind, text) in expected.items():
        assert type(errors[index]) is kind, index
        for part in text.split(".*"):
            assert part in str(errors[index]), index
    assert one.taken == len(items)


def test_errors_that_outcomes_keep_hold_no_frames():
    one = composer("{name}님")
    one.compose([Recipient(ONE, fields={"name": Odd()}), Recipient(TWO), "x"])
    for error in refused(one).values():
        assert error.__traceback__ is None
        assert error.__context__ is None
        assert error.__cause__ is None or error.__cause__.__traceback__ is None


def test_indexes_go_on_from_chunk_to_chunk():
    one = composer()
    one.compose([ONE, "x", TWO])
    (group,) = one.compose([THREE])
    assert list(group.rows.indexes) == [3]


def test_nobody_is_nobody():
    one = composer()
    assert one.compose([]) == []
    assert one.compose(["x"]) == []
    assert one.taken == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "김민수", "n": 3},
        MappingProxyType({"name": "김민수", "n": 3}),
        defaultdict(str, {"name": "김민수", "n": 3}),
        {"name": "김민수", "n": Decimal(3)},
    ],
)
def test_fields_may_be_any_mapping(fields):
    one = composer("{name}님 {n}개")
    assert texts(one.compose([Recipient(ONE, fields=fields)]))[0][2] == "김민수님 3개"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (1.5, "1.5"),
        (True, "True"),
        (Decimal("1.10"), "1.10"),
        (date(2025, 11, 25), "2025-11-25"),
        ("{x} %s %% #", "{x} %s %% #"),
        ("a\x00b", "a\x00b"),
        (0, "0"),
    ],
)
def test_values_are_written_as_str_does(value, text):
    one = composer("[{v}]")
    plain = Recipient(TWO, fields={"v": "x"})
    composed = texts(one.compose([Recipient(ONE, fields={"v": value}), plain]))
    assert composed[0][2] == f"[{text}]"
    assert composed[1][2] == "[x]"


def test_an_int_too_long_to_write_is_one_refusal():
    one = composer("[{v}]")
    composed = one.compose(
        [Recipient(ONE, fields={"v": 10**5000}), Recipient(TWO, fields={"v": 1})]
    )
    assert texts(composed).keys() == {1}
    assert refused(one).keys() == {0}


def test_an_own_text_is_literal_and_an_own_subject_too():
    one = composer("{name}님", subject="{name}님께")
    (row,) = texts(one.compose([Recipient(ONE, content="{name} 100%", subject="#{name}")])).values()
    assert row == ("LMS", ONE, "{name} 100%", "#{name}")


def test_an_own_text_wants_no_fields_of_the_call():
    one = composer("{name}님")
    assert texts(one.compose([Recipient(ONE, content="직접")]))[0][2] == "직접"


def test_without_any_text_a_recipient_is_refused():
    one = composer(None)
    composed = one.compose([ONE, Recipient(TWO, content="직접"), Recipient(THREE)])
    assert texts(composed).keys() == {1}
    for index in (0, 2):
        assert "neither the call nor the recipient gives a text" in str(refused(one)[index])


def test_own_subjects_make_long_messages_of_those_only():
    one = composer("안내")
    composed = one.compose([ONE, Recipient(TWO, subject="제목"), Recipient(THREE, subject="")])
    assert {(str(g.type), g.has_subject, tuple(g.rows.indexes)) for g in composed} == {
        ("SMS", False, (0, 2)),
        ("LMS", True, (1,)),
    }


def test_a_given_type_is_never_changed_by_a_recipients_subject():
    one = composer("안내", type="SMS")
    composed = one.compose([ONE, Recipient(TWO, subject="제목")])
    assert texts(composed, "안내").keys() == {0}
    assert "an SMS cannot carry a subject" in str(refused(one)[1])


def test_abroad_a_recipients_subject_is_refused():
    one = composer("hello", country_code="1")
    composed = one.compose(["+1 415 555 2671", Recipient("4155552672", subject="Hi")])
    assert texts(composed, "hello")[0][:3] == ("SMS", "4155552671", "hello")
    assert texts(composed).keys() == {0}
    assert refused(one).keys() == {1}


def test_a_given_type_limits_everybodys_text():
    one = composer("{t}", type="SMS")
    composed = one.compose([Recipient(ONE, fields={"t": "가" * n}) for n in (45, 46)])
    assert texts(composed).keys() == {0}
    assert "content takes 92 bytes, at most 90" in str(refused(one)[1])


def test_long_and_short_are_told_apart_by_bytes():
    one = composer("{t}")
    composed = texts(one.compose([Recipient(ONE, fields={"t": "가" * n}) for n in (45, 46)]))
    assert [row[0] for row in composed.values()] == ["SMS", "LMS"]


def test_pictures_make_all_of_them_mms():
    one = composer("{t}", pictures=1)
    composed = one.compose([Recipient(ONE, fields={"t": "가" * n}) for n in (1, 46)])
    assert {str(group.type) for group in composed} == {"MMS"}


@pytest.mark.parametrize(
    ("call", "recipients", "passed"),
    [
        (
            {"content": "{t}"},
            [Recipient(ONE, fields={"t": "(광고) 세일"}), Recipient(TWO, fields={"t": "세일"})],
            {0},
        ),
        (
            {"content": "(광고) 세일"},
            [
                Recipient(ONE),
                Recipient(TWO, content="그냥 세일"),
                Recipient(THREE, content="(광고)!"),
            ],
            {0, 2},
        ),
        (
            {"content": "세일", "subject": "{t}"},
            [Recipient(ONE, fields={"t": "(광고)"}), Recipient(TWO, fields={"t": "특가"})],
            {0},
        ),
        (
            {"content": "세일", "subject": "(광고) 특가"},
            [Recipient(ONE), Recipient(TWO, subject="특가"), Recipient(THREE, content="세일!")],
            {0, 2},
        ),
        (
            {"content": None},
            [Recipient(ONE, content="(광고)"), Recipient(TWO, content="세일")],
            {0},
        ),
    ],
)
def test_the_label_is_looked_for_in_what_each_gets(call, recipients, passed):
    one = composer(content_type="AD", **call)
    assert texts(one.compose(recipients)).keys() == passed
    for error in refused(one).values():
        assert type(error) is AdRuleViolated
    assert refused(one).keys() == set(range(len(recipients))) - passed


def test_the_label_may_be_nobodys_business():
    one = composer("{t}", content_type="AD", rules=Rules(check_ad_label=False))
    assert texts(one.compose([Recipient(ONE, fields={"t": "세일"})])).keys() == {0}


def test_rules_mend_instead_of_refusing():
    rules = Rules(unencodable=Unencodable.REPLACE, on_too_long=TooLong.TRUNCATE)
    one = composer("{t}", type="SMS", rules=rules)
    values = ["가" * 60, "₩100 — 끝", "x"]
    composed = texts(
        one.compose([Recipient(f"0100000000{i}", fields={"t": t}) for i, t in enumerate(values)])
    )
    assert [row[2] for row in composed.values()] == ["가" * 45, "￦100 - 끝", "x"]


def test_what_rules_leave_nothing_of_is_refused():
    one = composer("{t}", rules=Rules(unencodable=Unencodable.DROP))
    one.compose([Recipient(ONE, fields={"t": "😀"})])
    assert "content is empty" in str(refused(one)[0])


@pytest.mark.parametrize(
    ("content", "field", "seen"), [("뷁", "x", True), ("{t}", "뷁", True), ("{t}", "한글①", False)]
)
def test_what_may_not_arrive_is_noticed(content, field, seen):
    one = composer(content)
    one.compose([Recipient(ONE, fields={"t": field})])
    assert one.cp949_only_seen is seen


recipients = st.builds(
    Recipient,
    to=st.sampled_from([ONE, TWO, "010-0000-0003", "+82 10 0000 0004", "x", ""]) | st.none(),
    content=st.none() | st.sampled_from(["직접", "", "😀", "가" * 50, "(광고)"]) | st.integers(),
    subject=st.none() | st.sampled_from(["제목", "", "가" * 30]) | st.integers(),
    fields=st.dictionaries(
        st.sampled_from(["t", "u"]), st.none() | st.text(max_size=60), max_size=2
    )
    | st.none(),
)
items = st.lists(
    recipients | st.sampled_from([ONE, TWO, "x"]) | st.integers() | st.none(), max_size=12
)
calls = st.fixed_dictionaries(
    {"content": st.sampled_from(["안녕", "{t}", "(광고) {t} {u}", None])},
    optional={
        "subject": st.sampled_from(["제목", "{u}"]),
        "content_type": st.sampled_from(["COMM", "AD"]),
        "pictures": st.just(1),
    },
)


@settings(max_examples=150, deadline=None)
@given(items, calls)
def test_everybody_is_composed_or_refused_and_as_if_alone(given_items, call):
    try:
        together = composer(**call)
    except InvalidMessage:
        return
    composed = texts(together.compose(given_items), together._message.text)
    errors = refused(together)
    assert sorted([*composed, *errors]) == list(range(len(given_items)))
    for index, item in enumerate(given_items):
        alone = composer(**call)
        own = texts(alone.compose([item]), alone._message.text)
        if index in errors:
            assert not own
            assert str(refused(alone)[0]) == str(errors[index])
        else:
            kind, number, text, title = composed[index]
            default = together._message.title or ""
            assert own[0][:3] == (kind, number, text)
            assert (own[0][3] or default) == (title or default)
