"""The laws of the chunker: nobody is lost, nobody is doubled, and every request can be sent."""

import json
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sens_async.core.chunking import HOLD, Chunker
from sens_async.core.content import limit_of
from sens_async.core.message import Message, Rules
from sens_async.errors import DuplicateRecipient
from sens_async.models import OutcomeState, Recipient

RULES = Rules()


def compiled(content="안녕하세요", **call):
    return Message.compile(content, sender="0212345678", rules=RULES, **call)


def opened(content="안녕하세요", *, duplicates="skip", **call):
    return Chunker(RULES).open(compiled(content, **call), skip_duplicates=duplicates == "skip")


def number(i):
    return f"010{i:08d}"


def chunk_all(chunking, items, size=100, now=0.0):
    """Feed everything and flush: all batches, all settled outcomes."""
    batches, settled = [], []
    for start in range(0, len(items), size):
        fed = chunking.feed(items[start : start + size], now)
        batches += fed.batches
        settled += fed.settled
    return batches + chunking.flush(), settled


def sent(batches):
    """What goes to whom, read from the wire: (number, type, text, subject)."""
    found = []
    for batch in batches:
        body = json.loads(batch.body())
        for message in body["messages"]:
            content = message.get("content", body["content"])
            subject = message.get("subject", body.get("subject"))
            found.append((message["to"], body["type"], content, subject))
    return found


def indexes(batches):
    return [list(batch.indexes) for batch in batches]


@pytest.mark.parametrize("size", [1, 7, 99, 100, 101, 250, 1000])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250, 1000])
def test_a_plain_list_is_cut_into_full_requests(count, size):
    batches, settled = chunk_all(opened(), [number(i) for i in range(count)], size)
    full, rest = divmod(count, 100)
    assert [len(batch) for batch in batches] == [100] * full + [rest] * bool(rest)
    assert [i for batch in batches for i in batch.indexes] == list(range(count))
    assert not settled


@pytest.mark.parametrize("size", [7, 30, 100])
def test_places_of_neighbours_take_no_memory(size):
    batches, _ = chunk_all(opened(), [number(i) for i in range(250)], size)
    assert [batch.indexes for batch in batches] == [
        range(100),
        range(100, 200),
        range(200, 250),
    ]


@pytest.mark.parametrize("pictures", [0, 1])
def test_requests_know_whether_pictures_go_with_them(pictures):
    batches, _ = chunk_all(opened(pictures=pictures), [number(1)])
    assert [batch.envelope.has_files for batch in batches] == [bool(pictures)]


def test_a_full_request_goes_at_once_and_the_rest_is_held():
    chunking = opened()
    fed = chunking.feed([number(i) for i in range(130)], 0.0)
    assert [len(batch) for batch in fed.batches] == [100]
    assert chunking.is_holding
    assert [len(batch) for batch in chunking.flush()] == [30]
    assert not chunking.is_holding
    assert chunking.flush() == []
    assert chunking.taken == 130


def test_a_personalised_list_splits_itself_into_short_and_long():
    names = ["김", "이" * 60]
    items = [Recipient(number(i), fields={"n": names[i % 2]}) for i in range(300)]
    batches, _ = chunk_all(opened("{n}님"), items)
    assert Counter((str(b.envelope.type), len(b)) for b in batches) == {
        ("SMS", 100): 1,
        ("SMS", 50): 1,
        ("LMS", 100): 1,
        ("LMS", 50): 1,
    }
    for batch in batches:
        assert {i % 2 for i in batch.indexes} == {0 if batch.envelope.type == "SMS" else 1}


def test_those_without_a_subject_never_share_a_request_with_those_who_have_one():
    items = [Recipient(number(i), subject="제목" if i % 2 else None) for i in range(20)]
    batches, _ = chunk_all(opened(type="LMS"), items)
    assert sorted(batch.envelope.has_subject for batch in batches) == [False, True]
    assert {subject for to, _, _, subject in sent(batches) if int(to[3:]) % 2 == 0} == {None}


def test_the_same_number_with_the_same_text_is_skipped_by_name():
    one = Recipient("010-0000-0001", key="second")
    batches, settled = chunk_all(opened(), [number(1), number(2), one])
    assert indexes(batches) == [[0, 1]]
    (outcome,) = [outcome for batch in settled for outcome in batch]
    assert outcome.state is OutcomeState.SKIPPED
    assert outcome.index == 2
    assert outcome.recipient is one
    assert outcome.key == "second"
    assert outcome.number == number(1)
    assert outcome.type == "SMS"
    assert type(outcome.error) is DuplicateRecipient
    assert str(outcome.error) == "010-****-0001 was already given this text"


@pytest.mark.parametrize("apart", [1, 50, 100, 1000])
def test_a_duplicate_is_found_however_far_apart(apart):
    items = [number(i) for i in range(apart)] + [number(0)]
    batches, settled = chunk_all(opened(), items)
    assert sum(map(len, batches)) == apart
    assert [outcome.index for batch in settled for outcome in batch] == [apart]


@pytest.mark.parametrize("first_has_subject", [False, True])
@pytest.mark.parametrize("content", ["{a}", "안녕", None])
@pytest.mark.parametrize("subject", [None, "{a}"])
def test_a_duplicate_is_found_whoever_shares_its_chunk(content, subject, first_has_subject):
    text = {} if content else {"content": "안녕"}
    plain = [Recipient(number(i), fields={"a": "안녕"}, **text) for i in range(99)]
    titled = Recipient(number(999), subject="제목", fields={"a": "안녕"}, **text)
    other = Recipient(number(998), fields={"a": "안녕"}, **text)
    ends = [titled, other] if first_has_subject else [other, titled]
    items = [*plain, ends[0], *plain, ends[1]]

    batches, settled = chunk_all(opened(content, subject=subject), items)

    assert sum(map(len, batches)) == 101
    skipped = [outcome for batch in settled for outcome in batch]
    assert {outcome.state for outcome in skipped} == {OutcomeState.SKIPPED}
    assert sorted(outcome.index for outcome in skipped) == list(range(100, 199))


@pytest.mark.parametrize("own", ["안녕", "다른 글"])
def test_a_text_of_one_s_own_is_told_from_the_call_s_by_its_words(own):
    plain = [number(i) for i in range(100)]
    mixed = [Recipient(number(0), content=own), *plain[1:]]
    batches, settled = chunk_all(opened("안녕"), [*plain, *mixed])
    assert sum(map(len, batches)) == 100 + (own != "안녕")
    assert sum(map(len, settled)) == 100 - (own != "안녕")


def test_the_same_number_with_another_text_goes_in_another_request():
    items = [Recipient(number(1), content=text) for text in ("가", "나", "가")]
    batches, settled = chunk_all(opened(None), items)
    assert [text for _, _, text, _ in sent(batches)] == ["가", "나"]
    assert [len(batch) for batch in batches] == [1, 1]
    assert [outcome.index for batch in settled for outcome in batch] == [2]


def test_the_same_number_with_another_subject_is_no_duplicate():
    items = [Recipient(number(1), subject=title) for title in ("하나", "둘", None, "하나")]
    batches, settled = chunk_all(opened(), items)
    assert Counter(subject for *_, subject in sent(batches)) == {"하나": 1, "둘": 1, None: 1}
    assert [outcome.index for batch in settled for outcome in batch] == [3]


def test_writing_out_the_calls_own_text_makes_it_no_other():
    items = [number(1), Recipient(number(1), content="안녕하세요")]
    batches, settled = chunk_all(opened(), items, size=1)
    assert indexes(batches) == [[0]]
    assert len(settled) == 1


def test_spellings_of_one_number_are_one_number():
    items = [
        "010-1234-5678",
        "01012345678",
        "+82 10 1234 5678",
        "1012345678",
        "０１０１２３４５６７８",
    ]
    batches, settled = chunk_all(opened(), items)
    assert len(sent(batches)) == 1
    assert len(settled) == 4


def test_duplicates_are_sent_if_asked_for_each_in_a_request_of_its_own():
    batches, settled = chunk_all(opened(duplicates="send"), [number(1)] * 7 + [number(2)])
    assert not settled
    assert sorted(i for batch in batches for i in batch.indexes) == list(range(8))
    assert all(len(set(batch.numbers)) == len(batch) for batch in batches)


def test_open_requests_are_bounded_whatever_the_list():
    chunking = opened(duplicates="send")
    held = 1000
    for batch_of_one in range(1000):
        held -= sum(map(len, chunking.feed([number(batch_of_one % 2)], 0.0).batches))
    assert held <= 400
    assert sum(map(len, chunking.flush())) == held


def test_recipients_of_a_slow_source_are_due_after_a_second():
    chunking = opened("{n}님")
    chunking.feed([Recipient(number(1), fields={"n": "김"})], 10.0)
    chunking.feed([Recipient(number(2), fields={"n": "이"})], 10.6)
    chunking.feed([Recipient(number(3), fields={"n": "박" * 60})], 10.7)
    assert chunking.due(10.0 + HOLD - 0.01) == []
    (first,) = chunking.due(10.0 + HOLD)
    assert list(first.numbers) == [number(1), number(2)]
    assert chunking.is_holding
    (second,) = chunking.due(10.7 + HOLD)
    assert list(second.numbers) == [number(3)]
    assert not chunking.is_holding
    assert chunking.due(99.0) == []


def test_about_a_second_is_what_is_waited():
    assert 0.5 <= HOLD <= 1.0


def test_the_hold_begins_anew_after_a_full_request():
    chunking = opened()
    chunking.feed([number(i) for i in range(99)], 0.0)
    chunking.feed([number(100), number(101)], 0.5)
    assert chunking.due(1.4) == []
    assert [len(batch) for batch in chunking.due(1.5)] == [1]


def test_abroad_a_leading_zero_tells_numbers_apart():
    batches, settled = chunk_all(
        opened("hello", country_code="81"), ["9012345678", "09012345678", "+81 90 1234 5678"]
    )
    assert sorted(to for to, *_ in sent(batches)) == ["09012345678", "9012345678"]
    assert len(settled) == 1


def test_outcomes_of_the_refused_come_with_those_of_the_skipped():
    fed = opened().feed([number(1), "x", number(1)], 0.0)
    assert sorted((outcome.index, str(outcome.state)) for b in fed.settled for outcome in b) == [
        (1, "REJECTED"),
        (2, "SKIPPED"),
    ]
    assert opened().feed([], 0.0).settled == []


def test_settled_outcomes_are_given_once():
    chunking = opened()
    assert chunking.feed(["x"], 0.0).settled
    assert not chunking.feed([number(1)], 0.0).settled


TEXTS = [None, "가", "나", "짧은 글 {n}", "긴 글" * 40, "더 긴 글" * 40]
people = st.one_of(
    st.integers(0, 12).map(number),
    st.builds(
        Recipient,
        to=st.integers(0, 12).map(number) | st.just("틀림"),
        content=st.sampled_from(TEXTS),
        subject=st.sampled_from([None, "", "제목", "다른 제목"]),
        fields=st.just({"n": "김"}) | st.just({"n": "이" * 50}) | st.just({}),
    ),
    st.just("bad"),
    st.none(),
)
plans = st.fixed_dictionaries(
    {
        "content": st.sampled_from(["안녕", "긴 글" * 40, "{n}님", None]),
        "subject": st.sampled_from([None, "기본 제목", "{n}"]),
        "duplicates": st.sampled_from(["skip", "send"]),
        "pictures": st.sampled_from([0, 1]),
    }
)


def expectation(plan, items):
    """One by one, each in a run of its own: what each would get; None for the refused."""
    expected = {}
    for index, item in enumerate(items):
        batches, _ = chunk_all(opened(**plan), [item])
        expected[index] = sent(batches)[0] if batches else None
    return expected


@settings(max_examples=200, deadline=None)
@given(st.lists(people, max_size=40), plans, st.integers(1, 12), st.data())
def test_laws(items, plan, size, data):
    chunking = opened(**plan)
    batches, settled, now = [], [], 0.0
    for start in range(0, len(items), size):
        now += data.draw(st.sampled_from([0.0, 0.4, 2.0]))
        fed = chunking.feed(items[start : start + size], now)
        batches += fed.batches + chunking.due(now)
        settled += fed.settled
    batches += chunking.flush()
    outcomes = {outcome.index: outcome for batch in settled for outcome in batch}

    # None lost, none doubled.
    placed = [index for batch in batches for index in batch.indexes]
    assert sorted([*placed, *outcomes]) == list(range(len(items)))
    assert sum(map(len, settled)) == len(outcomes)
    assert chunking.taken == len(items)

    expected = expectation(plan, items)
    first_with = {}
    for index in sorted(expected):
        if expected[index] is not None:
            first_with.setdefault(expected[index], index)
    for batch in batches:
        assert 1 <= len(batch) <= 100
        assert list(batch.indexes) == sorted(batch.indexes)
        assert len(set(batch.numbers)) == len(batch)
        assert [items[i] for i in batch.indexes] == list(batch.recipients)
        for index, got in zip(batch.indexes, sent([batch]), strict=True):
            assert got == expected[index]
        limit = limit_of(batch.envelope.type)
        body = json.loads(batch.body())
        assert len(body["content"].encode("cp949")) <= limit
        assert batch.envelope.has_subject == ("subject" in body)
    for index, outcome in outcomes.items():
        if outcome.state is OutcomeState.SKIPPED:
            assert plan["duplicates"] == "skip"
            assert first_with[expected[index]] < index
        else:
            assert outcome.state is OutcomeState.REJECTED
            assert expected[index] is None
    if plan["duplicates"] == "skip":
        went = [expected[index] for index in placed]
        assert len(set(went)) == len(went)


few = st.builds(
    Recipient,
    to=st.integers(0, 3).map(number),
    content=st.none() | st.sampled_from(["가", "나"]),
    subject=st.none() | st.sampled_from(["", "제목", "다른"]),
    fields=st.sampled_from([{"n": "가"}, {"n": "나"}, {"n": "가" * 50}]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(few | st.integers(0, 3).map(number), max_size=4), max_size=12), plans)
def test_what_was_fed_together_says_nothing_of_who_is_a_duplicate(feeds, plan):
    items = [item for feed in feeds for item in feed]
    chunking = opened(**{**plan, "duplicates": "skip"})
    settled = [batch for feed in feeds for batch in chunking.feed(feed, 0.0).settled]
    skipped = {o.index for batch in settled for o in batch if o.state is OutcomeState.SKIPPED}

    seen, again = set(), set()
    for index, told in expectation(plan, items).items():
        if told is not None and told in seen:
            again.add(index)
        seen.add(told)
    assert skipped == again


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 400), unique=True, max_size=350),
    st.integers(1, 200),
    st.sampled_from(["skip", "send"]),
)
def test_order_is_kept_where_nobody_comes_twice(given_numbers, size, duplicates):
    items = [number(i) for i in given_numbers]
    batches, _ = chunk_all(opened(duplicates=duplicates), items, size)
    assert [one for batch in batches for one in batch.numbers] == items
    assert all(len(batch) == 100 for batch in batches[:-1])


def test_skipping_duplicates_costs_a_number_and_its_place_in_a_set():
    count = 60_000
    chunking = opened()
    tracemalloc.start()
    try:
        for start in range(0, count, 1000):
            chunking.feed([number(i) for i in range(start, start + 1000)], 0.0)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown / count <= 86  # just after the set has grown


def test_sending_duplicates_keeps_nothing():
    chunking = opened(duplicates="send")
    tracemalloc.start()
    try:
        for start in range(0, 20_000, 1000):
            chunking.feed([number(i) for i in range(start, start + 1000)], 0.0)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 100_000


@pytest.mark.parametrize(("content", "seen"), [("뷁", True), ("안녕하세요", False)])
def test_what_may_not_arrive_is_noticed(content, seen):
    chunking = opened(content)
    chunking.feed([number(1)], 0.0)
    assert chunking.cp949_only_seen is seen


def test_chunker_shows_its_rules():
    assert "cp949" in repr(Chunker(RULES))
