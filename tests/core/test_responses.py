"""What each answer says of a message: accepted, refused for sure, or not to be known."""

import json
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sens_async.core.responses import (
    Response,
    gateway_time,
    read_failure,
    read_send,
    read_upload,
    retry_after,
)
from sens_async.core.wire import SendAnswer, UploadAnswer
from sens_async.errors import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    SensError,
    ServiceUnavailable,
    UnreadableResponse,
)

NOW = 1764031180.0
NOW_AS_DATE = "Tue, 25 Nov 2025 00:39:40 GMT"
LATER_AS_DATE = "Tue, 25 Nov 2025 00:40:10 GMT"


def gateway(code: object, message: str = "said the gateway") -> bytes:
    return json.dumps({"error": {"errorCode": code, "message": message}}).encode()


SENS_2026 = b'{"status":400,"errors":"Bad","errorMessage":"said SENS"}'
SENS_GOV = b'{"status":403,"error":"Forbidden","message":"said SENS"}'
SENS_LIST = b'{"status":400,"errors":["first","second"]}'
SENS_WORD = b'{"error":"Not Found"}'
FROM_SENS = {
    "gateway code as text": (gateway("999"), "999"),
    "gateway code as number": (gateway(999), "999"),
    "gateway without code": (b'{"error":{"message":"hm"}}', None),
    "gateway without message": (b'{"error":{"errorCode":"999"}}', "999"),
    "sens errorMessage": (SENS_2026, None),
    "sens message": (SENS_GOV, None),
    "sens errors": (SENS_LIST, None),
    "sens error": (SENS_WORD, None),
}
FROM_SOMEBODY_ELSE = {
    "empty": b"",
    "html": b"<html><body>403 Forbidden</body></html>",
    "text": b"Forbidden",
    "cut off": b'{"error":{"errorCode":"200","mess',
    "null": b"null",
    "list": b'[{"message":"x"}]',
    "string": b'"message"',
    "object of others": b'{"ok":false}',
    "empty object": b"{}",
    "empty error": b'{"error":{}}',
    "empty words": b'{"errors":"","errorMessage":null,"message":""}',
    "not utf-8": b'{"message":"\xb1\xa4"}',
    "bare status": b'{"status":400}',
}
REFUSALS = {
    400: BadRequest,
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    413: BadRequest,
    415: BadRequest,
    422: BadRequest,
}
FAILURES = [500, 501, 502, 503, 504, 520, 599, 600, 999]
STRANGE = [
    100,
    101,
    200,
    201,
    203,
    204,
    206,
    299,
    402,
    405,
    406,
    408,
    409,
    410,
    418,
    421,
    425,
    431,
    451,
]
REDIRECTS = [300, 301, 302, 303, 304, 307, 308]
every_body = pytest.mark.parametrize(
    "body",
    [*(body for body, _ in FROM_SENS.values()), *FROM_SOMEBODY_ELSE.values()],
    ids=[*FROM_SENS, *FROM_SOMEBODY_ELSE],
)


@pytest.mark.parametrize(("status", "kind"), REFUSALS.items())
@pytest.mark.parametrize(("body", "code"), FROM_SENS.values(), ids=FROM_SENS)
def test_a_refusal_with_an_error_body_of_the_service_is_believed(status, kind, body, code):
    error = read_send(Response(status, body))
    assert type(error) is kind
    assert not error.may_have_been_sent
    assert not error.is_retryable
    assert (error.status, error.code) == (status, code)
    assert str(error).startswith(f"refused with {status}")


@pytest.mark.parametrize("status", [*REFUSALS])
@pytest.mark.parametrize("body", FROM_SOMEBODY_ELSE.values(), ids=FROM_SOMEBODY_ELSE)
def test_a_refusal_without_one_came_from_somebody_in_between(status, body):
    error = read_send(Response(status, body))
    assert type(error) is UnreadableResponse
    assert error.may_have_been_sent
    assert not error.is_retryable
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "100", BadRequest),
        (401, "200", AuthenticationFailed),
        (401, "210", PermissionDenied),
        (404, "300", NotFound),
        (413, "430", BadRequest),
        (429, "400", QuotaExceeded),
        (429, "410", RateLimited),
        (429, "420", RateLimited),
    ],
)
@pytest.mark.parametrize("as_number", [False, True])
def test_codes_of_the_gateway(status, code, kind, as_number):
    error = read_send(Response(status, gateway(int(code) if as_number else code)))
    assert type(error) is kind
    assert (error.status, error.code) == (status, code)
    assert f"with {status}, code {code}: said the gateway" in str(error)
    assert not error.may_have_been_sent


def test_a_code_of_one_status_means_nothing_under_another():
    assert type(read_send(Response(403, gateway("400")))) is PermissionDenied
    assert type(read_send(Response(400, gateway("210")))) is BadRequest


@every_body
def test_429_is_a_refusal_whatever_it_says(body):
    error = read_send(Response(429, body))
    assert type(error) is RateLimited
    assert not error.may_have_been_sent
    assert error.is_retryable


def test_quota_is_not_worth_a_retry():
    assert not read_send(Response(429, gateway("400"))).is_retryable


@pytest.mark.parametrize("status", FAILURES)
@every_body
def test_a_failure_of_the_service_leaves_open_what_happened(status, body):
    error = read_send(Response(status, body))
    assert type(error) is ServiceUnavailable
    assert error.may_have_been_sent
    assert not error.is_retryable
    assert error.status == status


@pytest.mark.parametrize("status", STRANGE)
@every_body
def test_a_status_the_service_does_not_have_leaves_open_what_happened(status, body):
    error = read_send(Response(status, body))
    assert type(error) is UnreadableResponse
    assert error.may_have_been_sent


@pytest.mark.parametrize("status", REDIRECTS)
@every_body
def test_a_redirect_is_certainly_not_the_service(status, body):
    error = read_send(Response(status, body, location="https://login.example/?next=1"))
    assert type(error) is ApiError
    assert not error.may_have_been_sent
    assert f"redirect ({status}) to https://login.example/?next=1; is base_url right?" in str(error)


def test_a_redirect_to_nowhere():
    assert "to nowhere" in str(read_send(Response(302)))


@pytest.mark.parametrize("name", ["success", "reserved", "processing", "something new", None])
def test_202_with_a_request_id_is_an_acceptance(name):
    body = json.dumps({"requestId": "RSLA-1", "statusCode": "202", "statusName": name}).encode()
    answer = read_send(Response(202, body))
    assert type(answer) is SendAnswer
    assert (answer.request_id, answer.status_name) == ("RSLA-1", name)


@every_body
def test_202_without_a_request_id_leaves_open_what_happened(body):
    error = read_send(Response(202, body))
    assert type(error) is UnreadableResponse
    assert error.may_have_been_sent
    assert "a 202 without a readable request id" in str(error)


def test_202_that_says_fail_leaves_open_what_happened():
    error = read_send(Response(202, b'{"requestId":"RSLA-1","statusName":"fail"}'))
    assert type(error) is UnreadableResponse
    assert error.may_have_been_sent
    assert "statusName is 'fail'" in str(error)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_upload_is_known_by_its_body(status):
    answer = read_upload(Response(status, b'{"fileId":"f","expireTime":"2025-11-27T10:12:47.520"}'))
    assert type(answer) is UploadAnswer
    assert answer.file_id == "f"


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(200, b"{}"), UnreadableResponse),
        (Response(200, b'{"fileId":"f"}'), UnreadableResponse),
        (Response(204), UnreadableResponse),
        (Response(400, SENS_2026), BadRequest),
        (Response(401, gateway("200")), AuthenticationFailed),
        (Response(429), RateLimited),
        (Response(503), ServiceUnavailable),
        (Response(302), ApiError),
    ],
)
def test_uploads_that_fail(response, kind):
    assert type(read_upload(response)) is kind


def test_what_the_service_said_is_told():
    assert "said SENS" in str(read_failure(Response(400, SENS_2026)))
    assert "said SENS" in str(read_failure(Response(403, SENS_GOV)))
    assert '["first","second"]' in str(read_failure(Response(400, SENS_LIST)))


def test_body_is_kept_for_diagnosis_at_most_200_characters_and_printable():
    error = read_failure(Response(500, b"\x1b[31mred\r\n" + b"x" * 5000))
    assert error.body_excerpt.startswith(" [31mred  xxx")
    assert len(error.body_excerpt) <= 200


@pytest.mark.parametrize("number", ["01012345678", "010-1234-5678", "+821012345678", "0212345678"])
@pytest.mark.parametrize("status", [202, 400, 404, 429, 500, 302])
def test_phone_numbers_are_masked_wherever_an_answer_is_shown(number, status):
    body = json.dumps({"errorMessage": f"bad number {number}!"}).encode()
    error = read_send(Response(status, body, location=f"https://host/?to={number}"))
    shown = f"{error} {error.body_excerpt} {error!r}"
    assert number not in shown
    assert "5678" in shown


@pytest.mark.parametrize("before", range(180, 205))
def test_a_number_is_masked_also_where_the_excerpt_ends(before):
    error = read_failure(Response(500, b"x" * before + b"01012345678 and more"))
    assert "010123" not in error.body_excerpt


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":' + b"[" * 300 + b"]" * 300 + b"}}",
        b'{"errors":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"requestId":"r","statusCode":' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"requestId":"r","requestTime":"0001-01-01T00:00:00+23:00"}',
        b"[" * 100_000,
    ],
    ids=["deep message", "deep errors", "deep code", "year 0", "endless"],
)
@pytest.mark.parametrize("status", [202, 400, 401, 429, 500])
def test_an_answer_made_to_hurt_is_only_an_answer(status, body):
    assert isinstance(read_send(Response(status, body)), SendAnswer | SensError)
    assert isinstance(read_upload(Response(status, body)), UploadAnswer | SensError)


WIRE_NAMES = [
    "requestId", "requestTime", "statusCode", "statusName", "error", "errors", "errorCode",
    "errorMessage", "message", "fileId", "expireTime",
]  # fmt: skip
json_bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(WIRE_NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode())
headers = (
    st.none() | st.text(max_size=40) | st.sampled_from([NOW_AS_DATE, LATER_AS_DATE, "5", "-1"])
)
answers = st.builds(
    Response,
    status=st.integers(100, 999) | st.sampled_from([202, 400, 401, 404, 429, 503]),
    body=st.binary(max_size=200) | json_bodies,
    date=headers,
    retry_after=headers,
    location=headers,
)


@settings(max_examples=300, deadline=None)
@given(answers)
def test_any_answer_is_an_acceptance_or_an_error_and_only_proved_refusals_are_not_sent(response):
    result = read_send(response)
    if isinstance(result, SendAnswer):
        assert response.status == 202
        assert result.request_id
        return
    assert isinstance(result, SensError)
    assert len(result.body_excerpt) <= 300
    if not result.may_have_been_sent:
        is_documented = response.status in {400, 401, 403, 404, 413, 415, 422, 429}
        assert is_documented or 300 <= response.status < 400
    if 200 <= response.status < 300 or response.status >= 500:
        assert result.may_have_been_sent


@settings(max_examples=200, deadline=None)
@given(answers)
def test_any_answer_to_an_upload_is_read_or_an_error(response):
    assert isinstance(read_upload(response), UploadAnswer | SensError)


@settings(max_examples=300, deadline=None)
@given(answers, st.floats(0, 4e9))
@example(Response(429, retry_after="9" * 400), NOW)
@example(Response(429, retry_after="9" * 5000), NOW)
@example(Response(429, retry_after="Fri, 31 Dec 9999 23:59:59 -2359"), NOW)
def test_any_headers_give_seconds_or_nothing(response, now):
    seconds = retry_after(response, now)
    assert seconds is None or (type(seconds) is float and seconds >= 0.0)
    time = gateway_time(response)
    assert time is None or type(time) is float


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("-7", 0.0),
        ("86400", 86400.0),
        ("soon", None),
        ("", None),
        ("1.5", None),
        ("\u00b2", None),
        ("Tue, 99 Nov 2025 00:40:10 GMT", None),
        (LATER_AS_DATE, 30.0),
        ("Tue, 25 Nov 2025 09:40:10 +0900", 30.0),
        ("Tue, 25 Nov 2025 00:39:00 GMT", 0.0),
    ],
)
def test_retry_after(header, seconds):
    assert retry_after(Response(429, retry_after=header), NOW) == seconds


def test_retry_after_as_a_date_is_relative_to_the_answers_own_clock():
    response = Response(429, retry_after=LATER_AS_DATE, date=NOW_AS_DATE)
    assert retry_after(response, NOW + 600) == 30.0


def test_retry_after_does_not_need_a_readable_date():
    response = Response(429, retry_after=LATER_AS_DATE, date="today")
    assert retry_after(response, NOW) == 30.0


@pytest.mark.parametrize(
    ("response", "time"),
    [
        (Response(401, gateway("200"), date=NOW_AS_DATE), NOW),
        (Response(401, gateway("210"), date=NOW_AS_DATE), NOW),
        (Response(401, gateway("200")), None),
        (Response(401, gateway("200"), date="today"), None),
        (Response(401, SENS_GOV, date=NOW_AS_DATE), None),
        (Response(401, b"", date=NOW_AS_DATE), None),
        (Response(401, b"<html>", date=NOW_AS_DATE), None),
        (Response(403, gateway("200"), date=NOW_AS_DATE), None),
        (Response(202, gateway("200"), date=NOW_AS_DATE), None),
    ],
)
def test_only_the_gateways_own_refusal_tells_its_time(response, time):
    assert gateway_time(response) == time


def test_a_date_without_a_zone_is_universal_time(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    try:
        for date in ("Tue, 25 Nov 2025 00:39:40 -0000", NOW_AS_DATE):
            assert gateway_time(Response(401, gateway("200"), date=date)) == NOW
    finally:
        monkeypatch.undo()
        time.tzset()


def test_errors_of_an_answer_hold_only_visible_characters():
    message = "".join(map(chr, range(32))) + "끝"
    error = read_failure(Response(400, json.dumps({"message": message}).encode()))
    assert str(error).endswith("끝")
    assert all(char.isprintable() for char in str(error))
    assert set(string.ascii_letters) & set(str(error))
