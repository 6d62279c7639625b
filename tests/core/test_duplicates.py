"""The same text goes to the same number once, however a chunk is composed and whenever it comes."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async import OutcomeState, Recipient
from sens_async.core.chunking import Chunker
from sens_async.core.message import Message, Rules
from sens_async.core.template import Template


def open_run(content: str, **options):
    message = Message.compile(content, sender="0212345678", rules=Rules(), **options)
    return Chunker(Rules()).open(message)


def sent(batches) -> list[tuple[str, str]]:
    told = []
    for batch in batches:
        body = orjson.loads(batch.body())
        told += [(one["to"], one.get("content", body["content"])) for one in body["messages"]]
    return told


def person(number: int, **options) -> Recipient:
    return Recipient(f"010{number:08d}", **options)


def crowd(start: int, count: int = 100) -> list[Recipient]:
    return [person(i, fields={"a": f"손님 {i}", "b": "x"}) for i in range(start, start + count)]


CONTENT = "{a}님께 {b}"
NUMBER = st.integers(0, 9)
WORD = st.sampled_from(["가", "나", "가나", "", "x" * 30])
ODD = st.sampled_from(['"', "가" * 45])
PLAIN = st.builds(person, NUMBER, fields=st.fixed_dictionaries({"a": WORD, "b": WORD}))
CAREFUL = st.one_of(
    st.builds(person, NUMBER, fields=st.fixed_dictionaries({"a": ODD, "b": WORD})),
    st.builds(person, NUMBER, content=st.sampled_from(["가님께 나", '"님께 x', "다른 글"])),
)


@given(st.sampled_from([CONTENT, "{a}{b} 글", "{a} {b} {a}."]), st.data())
def test_as_a_set_of_numbers_and_texts_would_tell(content, data):
    template = Template.parse(content)
    run = open_run(content)
    seen, expected, left_out, skipped, batches = set(), [], [], [], []
    for round_ in range(data.draw(st.integers(1, 4))):
        chunk = data.draw(st.lists(PLAIN, max_size=6))
        if data.draw(st.booleans()):
            chunk += data.draw(st.lists(st.one_of(PLAIN, CAREFUL), max_size=4))
        if data.draw(st.booleans()):  # so many differ that the chunk is written by one join
            chunk += crowd(100 * (round_ + 1), 30)
        for index, one in enumerate(chunk, run.taken):
            text = one.content or template.render(one.fields)
            if (one.to, text) in seen:
                left_out.append(index)
            else:
                expected.append((one.to, text))
            seen.add((one.to, text))
        fed = run.feed(chunk, 0.0)
        batches += fed.batches
        skipped += [outcome.index for some in fed.settled for outcome in some]
        assert {some.state for some in fed.settled} <= {OutcomeState.SKIPPED}
    batches += run.flush()

    assert sorted(sent(batches)) == sorted(expected)
    assert sorted(skipped) == left_out
    for batch in batches:
        assert len(set(batch.numbers)) == len(batch)


@pytest.mark.parametrize("later", [1, 3])
def test_a_number_that_comes_again_after_many_is_known(later):
    run = open_run(CONTENT)
    made = []
    for chunk in range(later):
        made += run.feed(crowd(100 * chunk), 0.0).batches
    again = [crowd(7, 1)[0], person(8, fields={"a": "다른 분", "b": "x"}), *crowd(9000, 1)]
    fed = run.feed(again, 0.0)
    made += fed.batches + run.flush()

    (skipped,) = fed.settled
    assert [outcome.index for outcome in skipped] == [100 * later]
    assert len(sent(made)) == 100 * later + 2
    assert ("01000000008", "다른 분님께 x") in sent(made)


def test_long_fields_are_told_apart_as_well():
    long = [person(i, fields={"a": "가" * 200, "b": str(i)}) for i in range(100)]
    run = open_run(CONTENT)
    first, second = run.feed(long, 0.0), run.feed(long, 0.0)

    assert len(sent(first.batches)) == 100
    assert second.batches == []
    assert sum(map(len, second.settled)) == 100


def test_every_character_of_the_charset_comes_back_from_it():
    """Kept fields are written again from CP949."""
    beyond = "".join(map(chr, range(0x10000, 0x110000)))
    assert beyond.encode("cp949", "ignore") == b""
    for code in range(0x10000):
        raw = chr(code).encode("cp949", "ignore")
        assert not raw or raw.decode("cp949") == chr(code)


def test_batches_of_one_text_and_of_many_types_are_written_alike():
    """Whether entries are joined as columns, in part, or one by one, they are the same."""
    (batch,) = open_run(CONTENT).feed(crowd(0), 0.0).batches
    whole = sent([batch])
    parts = [batch.part(range(40)), batch.part([40]), batch.part(list(range(41, 100)))]

    assert [told for part in parts for told in sent([part])] == whole
    assert list(batch.final_texts) == [text for _, text in whole]
