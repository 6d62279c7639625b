"""Reading answers: whatever comes is a value or an error of ours, never anything else."""

import copy
import json
from datetime import datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sens_async.core.answers import (
    Cancellation,
    read_cancellation,
    read_done,
    read_message,
    read_opt_outs,
    read_page,
    reads_reservation,
)
from sens_async.core.listing import Listing, Pager
from sens_async.core.pages import Page
from sens_async.core.responses import Response, read_send, read_upload
from sens_async.core.schedule import KST
from sens_async.core.wire import SendAnswer, UploadAnswer
from sens_async.deliveries import Delivery, DeliveryStatus
from sens_async.errors import (
    BadRequest,
    NotFound,
    SensError,
    ServiceUnavailable,
    UnreadableResponse,
)
from sens_async.models import MessageType, Reservation, ReservationStatus, Unsubscribe

READERS = {
    "send": (read_send, SendAnswer),
    "upload": (read_upload, UploadAnswer),
    "page": (read_page, Page | None),
    "message": (read_message, Delivery),
    "reservation": (reads_reservation("asked"), Reservation),
    "cancellation": (read_cancellation, Cancellation),
    "opt-outs": (read_opt_outs, tuple),
    "done": (read_done, bool),
}
BODIES = [
    body
    for path in sorted((Path(__file__).parents[1] / "samples").glob("*.json"))
    if (body := json.loads(path.read_text(encoding="utf-8"))["response"].get("body")) is not None
]
readers = pytest.mark.parametrize(("read", "kind"), READERS.values(), ids=READERS)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["2025-11-25 09:39:40", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "true",
         "Asia/Seoul", "..", "zone.tab", "COMPLETED", "fail", "\x00", "1e400"]
    )
)  # fmt: skip
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def spoilt(draw):
    """A sample's body with some of its values replaced, renamed or gone."""
    body = copy.deepcopy(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(1, 4))):
        place = body
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                if isinstance(place, dict) and draw(st.booleans()):
                    del place[key]
                else:
                    place[key] = draw(json_values)
                break
            place = place[key]
    return body


bodies = (
    st.binary(max_size=40)
    | st.builds(orjson.dumps, json_values)
    | st.builds(orjson.dumps, spoilt())
    | st.just(b"[" * 2000 + b"]" * 2000)
)
statuses = st.sampled_from(
    [200, 202, 204, 304, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503]
) | (st.integers(100, 999))


@readers
@given(status=statuses, body=bodies)
@example(status=404, body=b"")
@example(status=200, body=b"")
@example(status=200, body=b'{"messages":[' + b"[" * 5000 + b"]" * 5000 + b"]}")
@settings(max_examples=40)
def test_any_answer_is_a_value_or_an_error_of_ours(read, kind, status, body):
    said = read(Response(status, body))
    assert isinstance(said, kind | SensError)
    repr(said)
    rows = said.messages if isinstance(said, Page) else said if isinstance(said, tuple) else [said]
    for row in rows:
        repr(row)
        if isinstance(row, Delivery):
            assert isinstance(row.number, str)
            assert row.requested_at is None or row.requested_at.tzinfo is KST
            assert (row.is_delivered, row.is_failed) != (True, True)
            assert row.result is None or row.result.code == row.code
            hash(row)
        if isinstance(row, Reservation | Unsubscribe):
            assert hash(row) == hash(copy.copy(row))


pages = st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.sampled_from([{"to": "1", "messageId": m} for m in "abc"]), max_size=3
        )
    },
    optional={
        "hasMore": st.sampled_from([True, True, None]),
        "nextToken": st.sampled_from("xyz"),
        "pageIndex": st.integers(-1, 2),
    },
)


@given(st.lists(pages, min_size=1, max_size=12))
def test_no_sequence_of_pages_is_followed_without_end(answers):
    pager = Pager(Listing(request_id="r"), "/messages")
    turned = 0
    while pager.target is not None:
        assert turned < 40
        try:
            pager.turn(said_by("page", answers[turned % len(answers)]))
        except UnreadableResponse:
            return
        turned += 1


def said_by(reader, body, status=200):
    return READERS[reader][0](Response(status, orjson.dumps(body)))


def test_words_are_known_in_any_case_and_kept_otherwise():
    row = {"to": "1", "type": "sms", "status": "Completed", "contentType": "NEWS"}
    (found,) = said_by("page", {"messages": [row]}).messages
    assert found.type is MessageType.SMS
    assert found.status is DeliveryStatus.COMPLETED
    assert found.content_type == "NEWS"


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        (None, ()),
        ([], ()),
        ([{"fileId": "a", "name": "x"}, {"fileId": "b"}], ("a", "b")),
        ([{"name": "x"}, None, 5, {"fileId": 7}], ()),
        ("a", ()),
        ({"fileId": "a"}, ()),
    ],
)
def test_files_of_any_shape_leave_a_row_readable(files, ids):
    assert said_by("page", {"messages": [{"to": "1", "files": files}]}).messages[0].file_ids == ids


@pytest.mark.parametrize(
    ("has_more", "read_as"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("FALSE", False),
        (None, None),
        (1, None),
        ("?", None),
    ],
)
def test_has_more_is_yes_no_or_not_said(has_more, read_as):
    assert said_by("page", {"messages": [], "hasMore": has_more}).has_more is read_as


def test_one_message_is_one():
    row = {"to": "1"}
    assert isinstance(said_by("message", {"messages": [row, row]}), UnreadableResponse)
    assert isinstance(said_by("message", {"messages": [row]}), Delivery)
    assert isinstance(said_by("message", {"statusName": "success"}), NotFound)


@pytest.mark.parametrize(
    ("time", "zone", "at"),
    [
        ("2025-11-25T18:30:00+09:00", "Asia/Seoul", (18, 30)),
        ("2025-11-25T09:30:00Z", "Asia/Seoul", (18, 30)),
        ("2025-11-25 18:30", "Asia/Seoul", (18, 30)),
        ("2025-11-25 18:30", None, (18, 30)),
        ("2025-11-25 10:30", "Europe/Berlin", (18, 30)),
    ],
)
def test_a_reserved_time_is_read_in_its_zone(time, zone, at):
    body = {"reserveStatus": "READY", "reserveTime": time, "reserveTimeZone": zone}
    found = said_by("reservation", body)
    assert found.reserve_at == datetime(2025, 11, 25, *at, tzinfo=KST)
    assert found.reserve_id == "asked"


@pytest.mark.parametrize(
    ("time", "zone"), [("soon", "Asia/Seoul"), ("2025-11-25 18:30", "Mars/Base"), (5, None)]
)
def test_an_odd_reserved_time_leaves_the_state_readable(time, zone):
    body = {"reserveStatus": "done", "reserveTime": time, "reserveTimeZone": zone}
    found = said_by("reservation", body)
    assert (found.status, found.reserve_at) == (ReservationStatus.DONE, None)


def test_a_state_that_is_not_known_stays_as_it_came():
    assert said_by("reservation", {"reserveStatus": "Pondering"}).status == "Pondering"


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"status":400,"errorMessage":"no"}'])
def test_a_refusal_to_cancel_is_told_from_failing(status, body):
    said = read_cancellation(Response(status, body))
    assert said.refusal.status == status
    assert type(said.refusal) is {400: BadRequest, 404: NotFound, 422: BadRequest}.get(
        status, type(said.refusal)
    )
    assert isinstance(read_cancellation(Response(503, body)), ServiceUnavailable)
    assert read_cancellation(Response(204)) == Cancellation(None)


@pytest.mark.parametrize(
    "body", [None, {}, {"unsubscribes": []}, [None], [{}], [{"clientTelNo": 5}], "x"]
)
def test_an_opt_out_list_that_is_none_is_no_empty_one(body):
    assert isinstance(said_by("opt-outs", body), UnreadableResponse)


def test_an_error_keeps_nothing_of_other_peoples_messages():
    rows = [{"to": "01012345678", "content": "비밀 본문"}, {"content": "비밀 본문"}]
    for reader, body in (("page", {"messages": rows}), ("message", {"messages": rows[:1] * 2})):
        error = said_by(reader, body)
        assert isinstance(error, UnreadableResponse)
        assert error.body_excerpt == f"<{len(orjson.dumps(body))} bytes>"
        assert "비밀" not in f"{error} {vars(error)}"
