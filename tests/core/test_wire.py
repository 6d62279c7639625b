"""The service's JSON: what is read, and what is refused instead of guessed."""

from datetime import datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.core.schedule import KST
from sens_async.core.wire import SendAnswer, UploadAnswer, read

ACCEPTED = {
    "requestId": "RSLA-1764031180535-0001-00000001-aBcDeFgH",
    "requestTime": "2025-11-25T09:39:40.535",
    "statusCode": "202",
    "statusName": "success",
}
UPLOADED = {
    "fileId": "0123456789abcdef0123456789abcdef",
    "createTime": "2025-11-25T10:12:47.520",
    "expireTime": "2025-11-27T10:12:47.520",
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def without(body, name):
    return {key: value for key, value in body.items() if key != name}


def test_acceptance_of_the_seed():
    assert read(orjson.dumps(ACCEPTED), SendAnswer) == SendAnswer(
        request_id="RSLA-1764031180535-0001-00000001-aBcDeFgH",
        request_time=datetime(2025, 11, 25, 9, 39, 40, 535000, tzinfo=KST),
        status_code="202",
        status_name="success",
    )


def test_upload_of_the_reference():
    assert read(orjson.dumps(UPLOADED), UploadAnswer) == UploadAnswer(
        file_id="0123456789abcdef0123456789abcdef",
        expire_time=datetime(2025, 11, 27, 10, 12, 47, 520000, tzinfo=KST),
    )


def test_a_request_id_alone_is_an_acceptance():
    assert read(b'{"requestId":"r"}', SendAnswer) == SendAnswer("r")


def test_unknown_fields_are_passed_over():
    assert read(b'{"requestId":"r","surprise":[1]}', SendAnswer) == SendAnswer("r")


def test_a_code_that_is_a_number_is_text():
    assert read(b'{"requestId":"r","statusCode":202}', SendAnswer).status_code == "202"


@pytest.mark.parametrize(
    "time",
    ["yesterday", "", None, 1764031180, [], {}, "2025-13-45T99:99", "0001-01-01T00:00:00+23:00"],
)
def test_an_odd_time_leaves_an_acceptance_readable(time):
    answer = read(orjson.dumps({**ACCEPTED, "requestTime": time}), SendAnswer)
    assert answer.request_time is None
    assert answer.request_id == ACCEPTED["requestId"]


@pytest.mark.parametrize("request_id", [None, "", 5, True, ["r"], {"id": "r"}, 1.5])
def test_a_request_id_that_is_no_text_is_not_made_one(request_id):
    with pytest.raises(ValueError, match="not a SendAnswer"):
        read(orjson.dumps({**ACCEPTED, "requestId": request_id}), SendAnswer)


def test_a_missing_request_id_is_named():
    with pytest.raises(ValueError, match=r"not a SendAnswer.*requestId"):
        read(orjson.dumps(without(ACCEPTED, "requestId")), SendAnswer)


@pytest.mark.parametrize("name", ["fileId", "expireTime"])
def test_an_upload_needs_both_id_and_expiry(name):
    with pytest.raises(ValueError, match="not a UploadAnswer"):
        read(orjson.dumps(without(UPLOADED, name)), UploadAnswer)


@pytest.mark.parametrize("time", ["soon", None, 5, "0001-01-01T00:00:00+23:00"])
def test_an_upload_needs_a_readable_expiry(time):
    with pytest.raises(ValueError):
        read(orjson.dumps({**UPLOADED, "expireTime": time}), UploadAnswer)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"null", b"[]", b'"r"', b"5", b"\xff\xfe"])
@pytest.mark.parametrize("kind", [SendAnswer, UploadAnswer])
def test_what_is_no_object_is_refused(body, kind):
    with pytest.raises(ValueError):
        read(body, kind)


@given(st.fixed_dictionaries({"requestId": json_values, "requestTime": json_values}))
def test_any_json_is_read_or_refused(body):
    try:
        answer = read(orjson.dumps(body), SendAnswer)
    except ValueError:
        assert not isinstance(body["requestId"], str) or not body["requestId"]
    else:
        assert answer.request_id == body["requestId"]
