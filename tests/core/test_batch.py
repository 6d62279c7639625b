"""How a request is written: the seed's own example, and the shared text written once."""

import json
from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.core.batch import Batch, Envelope
from sens_async.core.chunking import Chunker
from sens_async.core.message import Message, Rules
from sens_async.core.schedule import Reservation
from sens_async.errors import BadRequest
from sens_async.models import ContentType, MessageType, OutcomeState, Recipient

SEED = """{
"type": "MMS",
"contentType": "COMM",
"countryCode": "82",
"from": "01012345678",
"subject": "Delivery Notification",
"content": "Hello. This is for notifying your delivery status.",
"messages": [
{
"to": "01087654321",
"subject": "Delivery Noti",
"content": "Hello, 홍길동. This is for notifying your delivery status."
}
],
"files": [
{
"fileId": "a1360123456789abcdef0123456774f7"
}
],
"reserveTime": "2025-11-25 09:50",
"reserveTimeZone": "Asia/Seoul"
}"""
"""The seed's request example; its starred-out numbers, name and file id are made up here."""


def envelope(kind=MessageType.SMS, *, has_subject=False, has_files=False, reservation=None):
    return Envelope(kind, ContentType.COMM, "82", "0212345678", reservation, has_subject, has_files)


def batch(texts=None, titles=None, *, size=None, text="기본 본문", title=None, **kind):
    size = size or len(texts or titles)
    numbers = [f"010{i:08d}" for i in range(size)]
    return Batch(
        envelope(**kind, has_subject=titles is not None or title is not None),
        range(size),
        numbers,
        numbers,
        texts,
        titles,
        text,
        title,
    )


def received(body):
    """What each recipient gets, read as the service does: the own text before the default."""
    parsed = json.loads(body)
    return [
        (
            message["to"],
            message.get("content", parsed["content"]),
            message.get("subject", parsed.get("subject")),
        )
        for message in parsed["messages"]
    ]


def test_the_seeds_example_is_written_exactly():
    message = Message.compile(
        "Hello. This is for notifying your delivery status.",
        subject="Delivery Notification",
        type="MMS",
        content_type="COMM",
        country_code="82",
        sender="010-1234-5678",
        reservation=Reservation.of(datetime(2025, 11, 25, 9, 50, tzinfo=ZoneInfo("Asia/Seoul"))),
        pictures=1,
        rules=Rules(),
    )
    chunking = Chunker(Rules()).open(message)
    recipient = Recipient(
        "010-8765-4321",
        content="Hello, 홍길동. This is for notifying your delivery status.",
        subject="Delivery Noti",
    )
    fed = chunking.feed([recipient], 0.0)
    (one,) = fed.batches + chunking.flush()
    assert json.loads(one.body(["a1360123456789abcdef0123456774f7"])) == json.loads(SEED)


def test_the_smallest_request_holds_nothing_else():
    one = batch(size=1)
    assert json.loads(one.body()) == {
        "type": "SMS",
        "contentType": "COMM",
        "countryCode": "82",
        "from": "0212345678",
        "content": "기본 본문",
        "messages": [{"to": "01000000000"}],
    }


def test_text_for_all_is_written_once():
    body = json.loads(batch(size=100).body())
    assert body["content"] == "기본 본문"
    assert body["messages"] == [{"to": f"010{i:08d}"} for i in range(100)]


def test_text_that_most_share_is_the_default():
    body = json.loads(batch(["가", "나", "나", "다"]).body())
    assert body["content"] == "나"
    assert [message.get("content") for message in body["messages"]] == ["가", None, None, "다"]


def test_where_nobody_shares_the_calls_own_text_is_the_default():
    body = json.loads(batch(["가", "나"]).body())
    assert body["content"] == "기본 본문"
    assert [message["content"] for message in body["messages"]] == ["가", "나"]


def test_content_is_there_even_if_the_call_has_none():
    body = json.loads(batch(["가", "나"], text=None).body())
    assert body["content"] == "가"
    assert [message.get("content") for message in body["messages"]] == [None, "나"]


def test_subject_that_most_share_is_the_default():
    one = batch(titles=["가", "가", "나"], title="제목", kind=MessageType.LMS)
    body = json.loads(one.body())
    assert body["subject"] == "가"
    assert [message.get("subject") for message in body["messages"]] == [None, None, "나"]


def test_no_subject_is_no_field():
    assert "subject" not in json.loads(batch(["가", "나"]).body())


def test_reservation_is_written_with_its_zone():
    at = datetime(2025, 7, 1, 9, 50, tzinfo=ZoneInfo("America/New_York"))
    body = json.loads(batch(size=1, reservation=Reservation.of(at)).body())
    assert body["reserveTime"] == "2025-07-01 09:50"
    assert body["reserveTimeZone"] == "America/New_York"


texts = st.sampled_from(["가", "나", "다", "라"]) | st.text("가나다", min_size=1, max_size=4)


@given(
    st.lists(st.tuples(texts, texts), min_size=1, max_size=12),
    st.none() | texts,
    st.none() | texts,
    st.booleans(),
    st.booleans(),
)
def test_everybody_gets_what_is_theirs_whatever_the_default(rows, text, title, has_own, has_titles):
    contents = [content for content, _ in rows] if has_own or text is None else None
    titles = [own for _, own in rows] if has_titles else None
    one = batch(contents, titles, size=len(rows), text=text, title=title, kind=MessageType.LMS)
    for (to, content, subject), number, i in zip(
        received(one.body()), one.numbers, range(len(rows)), strict=True
    ):
        assert to == number
        assert content == (contents[i] if contents is not None else text)
        assert subject == (titles[i] if titles is not None else title)


@given(st.lists(texts, min_size=1, max_size=12), st.none() | texts)
def test_default_is_one_of_the_texts_most_share_or_the_calls(contents, text):
    default = json.loads(batch(contents, text=text).body())["content"]
    most = max(Counter(contents).values())
    if most > 1:
        assert Counter(contents)[default] == most
    else:
        assert default == (contents[0] if text is None else text)


LONG, SHORT = "긴 글입니다. " * 20, "짧은 글"


@pytest.mark.parametrize("call", [LONG, SHORT])
def test_default_never_exceeds_what_the_type_holds(call):
    message = Message.compile(call, sender="0212345678", rules=Rules())
    chunking = Chunker(Rules()).open(message)
    recipients = [
        Recipient(f"010{i:08d}", content=(None, SHORT + str(i), LONG + str(i))[i % 3])
        for i in range(30)
    ]
    fed = chunking.feed(recipients, 0.0)
    batches = fed.batches + chunking.flush()
    assert sorted(one.envelope.type for one in batches) == ["LMS", "SMS"]
    for one in batches:
        body = json.loads(one.body())
        limit = 90 if one.envelope.type == "SMS" else 2000
        assert len(body["content"].encode("cp949")) <= limit
        for to, content, _ in received(one.body()):
            own = recipients[int(to[3:])].content
            assert content == (call if own is None else own)


def test_a_part_is_what_was_asked_for():
    whole = batch(["가", "나", "다"], ["하나", "둘", "셋"], kind=MessageType.LMS)
    whole.attempts, whole.attempted_at = 2, 1764031180.0
    part = whole.part([0, 2])
    assert len(part) == 2
    assert part.indexes == [0, 2]
    assert part.recipients == [whole.recipients[0], whole.recipients[2]]
    assert received(part.body()) == [received(whole.body())[0], received(whole.body())[2]]
    assert (part.attempts, part.attempted_at) == (2, 1764031180.0)


def test_halves_are_the_whole():
    whole = batch(size=7)
    halves = [whole.part(range(3)), whole.part(range(3, 7))]
    assert [number for half in halves for number in half.numbers] == list(whole.numbers)


def test_settled_gives_everybody_the_same_end():
    one = batch(size=3)
    one.attempts, one.attempted_at = 1, 1764031180.0
    error = BadRequest("no", status=400)
    outcomes = one.settled(OutcomeState.REJECTED, error=error)
    assert [outcome.index for outcome in outcomes] == [0, 1, 2]
    assert {outcome.state for outcome in outcomes} == {OutcomeState.REJECTED}
    assert all(outcome.error is error for outcome in outcomes)
    assert all(outcome.attempts == 1 for outcome in outcomes)
    accepted = one.settled(OutcomeState.ACCEPTED, request_id="RSLA-1")
    assert {(outcome.request_id, outcome.type) for outcome in accepted} == {("RSLA-1", "SMS")}


def test_envelopes_that_differ_in_anything_are_different():
    at = Reservation.of(datetime(2025, 11, 25, 9, 50, tzinfo=ZoneInfo("Asia/Seoul")))
    others = [
        envelope(),
        envelope(MessageType.LMS),
        envelope(has_subject=True),
        envelope(has_files=True),
        envelope(reservation=at),
        Envelope(MessageType.SMS, ContentType.AD, "82", "0212345678", None, False, False),
        Envelope(MessageType.SMS, ContentType.COMM, "1", "0212345678", None, False, False),
        Envelope(MessageType.SMS, ContentType.COMM, "82", "15881234", None, False, False),
    ]
    assert len(set(others)) == len(others)
    assert envelope() == envelope()


def test_the_envelope_is_not_spoilt_by_writing_it():
    one = batch(size=1)
    before = dict(one.envelope.wire)
    one.body(["f"])
    assert one.envelope.wire == before


def test_repr_shows_no_number_and_no_text():
    shown = repr(batch(["비밀"], size=1))
    assert shown == "<Batch of 1 SMS>"
