"""What is kept of recipients is what they were; digests are as coarse as matching is."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async import OutcomeState, Recipient
from sens_async.campaign.fingerprint import STRETCH, Fingerprint
from sens_async.campaign.packing import (
    LeftOut,
    batch_digest,
    key_digest,
    keys_of,
    pack,
    unpack,
    without_people,
)
from sens_async.core.chunking import Chunker
from sens_async.core.evidence import Evidence
from sens_async.core.matching import Candidate, Row, Verdict, match
from sens_async.core.message import Message, Rules
from sens_async.errors import InvalidRecipient
from sens_async.outcomes import OutcomeBatch

numbers = st.integers(0, 10**8 - 1).map(lambda n: f"010{n:08}")
texts = st.text(st.sampled_from("가나다 abc{}&'\"\\\n,"), min_size=1, max_size=20).filter(str.strip)
keys = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
recipients = st.builds(
    Recipient,
    numbers,
    content=st.none() | texts,
    subject=st.none() | st.sampled_from(["제목", "안내"]),
    key=keys,
)


def batches_of(people, *, subject=None):
    message = Message.compile("기본 글", subject=subject, sender="0200000000", rules=Rules())
    chunking = Chunker(Rules()).open(message, skip_duplicates=False)
    return [*chunking.feed(people, 0.0).batches, *chunking.flush()]


@given(st.lists(recipients, max_size=30), st.sampled_from([None, "제목"]))
def test_who_is_packed_is_unpacked(people, subject):
    for batch in batches_of(people, subject=subject):
        own_keys = keys_of(batch.recipients)
        found = unpack(pack(batch, own_keys), len(batch))
        assert list(found.indexes) == list(batch.indexes)
        assert list(found.numbers) == list(batch.numbers)
        assert list(found.keys) == own_keys
        assert (found.texts or ["기본 글"] * len(batch)) == (
            list(batch.final_texts) * (len(batch) if len(batch.final_texts) == 1 else 1)
        )[: len(batch)]
        assert found.titles == (None if batch.titles is None else list(batch.titles))
        assert found.errors is None


@given(st.lists(recipients, min_size=1, max_size=30))
def test_what_is_left_without_people_is_places(people):
    for batch in batches_of(people):
        payload = pack(batch, keys_of(batch.recipients))
        bare = unpack(without_people(payload), len(batch))
        assert list(bare.indexes) == list(batch.indexes)
        assert set(bare.numbers) == {""}
        assert set(bare.keys) == {None}
        assert bare.texts is bare.titles is bare.given is None


@given(
    st.lists(
        st.tuples(st.text(max_size=15) | st.none() | st.integers(), keys),
        min_size=1,
        max_size=20,
    )
)
def test_whoever_is_left_out_is_kept_with_the_reason(people):
    left_out = LeftOut(OutcomeState.REJECTED)
    for index, (to, key) in enumerate(people):
        item = Recipient(to, key=key)
        error = InvalidRecipient(f"{index} is none")
        left_out.add(OutcomeBatch(left_out.state, [index], [item], [None], error=error))
    assert left_out.first_index == 0
    found = unpack(left_out.pop(), len(people))
    assert list(found.indexes) == list(range(len(people)))
    assert found.given == [str(to) for to, _ in people]
    assert list(found.keys) == [key for _, key in people]
    assert found.errors[-1] == f"InvalidRecipient: {len(people) - 1} is none"
    assert not len(left_out)


@given(st.lists(recipients, min_size=1, max_size=12, unique_by=lambda one: one.to), st.randoms())
def test_a_digest_does_not_depend_on_the_order(people, random):
    shuffled = [*people]
    random.shuffle(shuffled)
    digests = [
        sorted(batch_digest(batch, "service") for batch in batches_of(each))
        for each in (people, shuffled)
    ]
    assert digests[0] == digests[1]


spellings = st.sampled_from(
    ["글", " 글", "글\n", "가\r\n나", "가\n나", "A&B", "A&amp;B", "é", "é", "x"]
)


@given(spellings, spellings, st.sampled_from([None, "제목"]), st.sampled_from([None, "제목"]))
def test_what_may_be_taken_for_each_other_has_one_digest(one, other, title, other_title):
    """If a request of the one would be found as the other's, their digests are equal."""
    digests, evidence = [], []
    for text, subject in ((one, title), (other, other_title)):
        rules = Rules(unencodable="replace")
        message = Message.compile(
            None, subject=subject, type="LMS", sender="0200000000", rules=rules
        )
        chunking = Chunker(rules).open(message, skip_duplicates=False)
        chunking.feed([Recipient("01000000001", content=text)], 0.0)
        batch = next(islice(chunking.flush(), 1), None)
        if batch is None:
            return
        digests.append(batch_digest(batch, "service"))
        batch.attempted_at = 0.0
        evidence.append(batch.evidence("token"))
    sought, sent = evidence
    assert isinstance(sent, Evidence)
    for listed_title in (sent.titles[0] or None, None):
        row = Row("01000000001", sent.texts[0], listed_title, "LMS")
        (finding,) = match([sought], [Candidate("id", [row], 0.0, may_grow=False)])
        if finding.verdict is Verdict.FOUND:
            assert digests[0] == digests[1]


def test_digests_differ_where_requests_do():
    people = ["01000000001", "01000000002"]
    (batch,) = batches_of(people)
    (fewer,) = batches_of(people[:1])
    (other,) = batches_of([Recipient(one, content="다른 글") for one in people])
    told = {batch_digest(one, "service") for one in (batch, fewer, other)}
    assert len(told | {batch_digest(batch, "other service")}) == 4


def test_a_text_that_each_brings_is_the_text_that_all_get():
    numbers = ["01000000001", "01000000002"]
    (shared,) = batches_of(numbers)
    (own,) = batches_of([Recipient(one, content="기본 글") for one in numbers])
    assert batch_digest(shared, "service") == batch_digest(own, "service")


def test_keys_are_told_apart_and_not_readable():
    secret = b"secret"
    assert key_digest(secret, "a") == key_digest(secret, "a")
    assert len({key_digest(secret, key) for key in ("a", "b", "", "가")}) == 4
    assert key_digest(b"other", "a") != key_digest(secret, "a")
    assert "customer" not in key_digest(secret, "customer")


def test_half_a_character_is_marked():
    (batch,) = batches_of([Recipient("01000000001", key="a\ud800")])
    assert keys_of(batch.recipients) == ["a\\ud800"]
    assert unpack(pack(batch, keys_of(batch.recipients)), 1).keys == ["a\\ud800"]


class TestFingerprints:
    @staticmethod
    def of(items):
        fingerprint = Fingerprint()
        for start in range(0, len(items), STRETCH):
            fingerprint.add(items[start : start + STRETCH])
        return fingerprint

    @given(st.lists(recipients | numbers, max_size=20), st.lists(recipients | numbers, max_size=20))
    def test_lists_are_alike_exactly_if_they_are_equal(self, one, other):
        planned = self.of(one)
        difference = self.of(other).difference(bytes(planned), planned.taken)
        assert (difference is None) == (one == other)

    @pytest.mark.parametrize("at", [0, 999, 1_000, 2_499])
    def test_a_difference_is_placed(self, at):
        items = [f"010{n:08}" for n in range(2_500)]
        other = [*items]
        other[at] = "0"
        planned = self.of(items)
        first = at // 1_000 * 1_000
        last = min(first + 1_000, 2_500)
        told = self.of(other).difference(bytes(planned), planned.taken)
        assert told == f"the list differs, first somewhere from recipient {first + 1:,} to {last:,}"

    def test_odd_items_are_no_trouble(self):
        items = [None, 17, b"x", "\ud800", Recipient("1", fields={1: {2}}), object]
        assert self.of(items).difference(bytes(self.of(items)), len(items)) is None
