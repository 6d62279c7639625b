"""Whatever is asked, the service answers with a status of its own and never breaks."""

import string

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from virtual_time import EPOCH

from sens_async.emulator import EmulatorOptions
from sens_async.emulator.gateway import Gateway, Received
from sens_async.emulator.signature import sign
from sens_async.emulator.state import State

ACCESS, SECRET, SERVICE = "AK", "SK", "ncp:sms:kr:1:fuzz"
STATUSES = {200, 202, 204, 400, 401, 403, 404, 413, 429}

wire_text = st.text(string.ascii_letters + string.digits + string.punctuation + "한", max_size=12)
times = st.sampled_from(
    [
        "2025-11-25%2009:00:00",
        "2025-11-25+09%3A39%3A40",
        "0001-01-01%2000:00:00",
        "9999-12-31%2023:59:59",
        "2025-13-40%2000:00:00",
        "",
    ]
)
words = st.one_of(
    wire_text,
    times,
    st.sampled_from(["SMS", "AD", "COMPLETED", "fail", "01000000001", "20", "101", "-1", "1" * 30]),
)
names = st.sampled_from(
    [
        "requestId",
        "requestStartTime",
        "requestEndTime",
        "completeStartTime",
        "completeEndTime",
        "messageId",
        "type",
        "contentType",
        "countryCode",
        "status",
        "statusName",
        "from",
        "to",
        "pageSize",
        "nextToken",
        "clientTelNo",
        "startTime",
        "endTime",
        "pageIndex",
        "other",
    ]
)
queries = st.lists(st.tuples(names, words), max_size=6).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def bent(whole):
    """A right object in which some fields are anything."""
    fields = {name: st.just(value) | json for name, value in whole.items()}
    return st.fixed_dictionaries({}, optional=fields)


item = bent({"to": "01000000001", "content": "안녕", "subject": "제목"})
sends = bent(
    {
        "type": "LMS",
        "contentType": "AD",
        "countryCode": "82",
        "from": "0200000000",
        "subject": "안내",
        "content": "안녕하세요",
        "files": [{"fileId": "0" * 32}],
        "reserveTime": "2025-11-25 10:00",
        "reserveTimeZone": "Asia/Seoul",
    }
).flatmap(lambda body: st.lists(item, max_size=3).map(lambda items: {**body, "messages": items}))
uploads = bent({"fileName": "a.jpg", "fileBody": "/9j/4AAQ"})
opt_outs = st.lists(bent({"clientTelNo": "01000000001"}), max_size=3)
bodies = st.one_of(
    st.binary(max_size=20),
    st.one_of(json, sends, uploads, opt_outs).map(
        lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    ),
)


@st.composite
def requests(draw, ids):
    method = draw(
        st.sampled_from(["GET", "POST", "DELETE", "GET", "POST", "DELETE", "PUT", "HEAD"])
    )
    found = draw(st.sampled_from(ids) | wire_text)
    path = draw(
        st.sampled_from(
            [
                "messages",
                "files",
                f"messages/{found}",
                f"reservations/{found}",
                f"reservations/{found}/reserve-status",
                "unsubscribes",
                found,
            ]
        )
    )
    service = draw(st.sampled_from([SERVICE, SERVICE, SERVICE.replace(":", "%3A"), "other"]))
    query = draw(queries)
    return method, f"/sms/v2/services/{service}/{path}?{query}", draw(bodies)


def gateway(**options):
    """A service with a message, a reservation and an opt-out."""
    state = State(sender="0200000000", options=EmulatorOptions(**options))
    body = {
        "type": "SMS",
        "from": "0200000000",
        "content": "안녕하세요",
        "messages": [{"to": "01000000001"}],
    }
    state.send(body, EPOCH - 100)
    state.send({**body, "reserveTime": "2025-11-25 10:00"}, EPOCH - 100)
    state.unsubscribes.add(["01000000002"], EPOCH - 100)
    return Gateway(access_key=ACCESS, secret_key=SECRET, service_id=SERVICE, state=state)


def headers(method, target):
    stamp = str(round(EPOCH * 1000))
    return {
        "x-ncp-apigw-timestamp": stamp,
        "x-ncp-iam-access-key": ACCESS,
        "x-ncp-apigw-signature-v2": sign(SECRET, ACCESS, stamp, method, target),
    }


IDS = [batch.request_id for batch in gateway().state.admissions.batches] + [
    gateway().state.admissions.batches[0].message_id(0)
]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reserved_rows": "ready", "list_fields": "2021", "empty_list": "200", "page_size": "1000"},
    ],
    ids=["default", "other"],
)
@given(asked=st.lists(requests(IDS), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_request_breaks_the_service(options, asked):
    service = gateway(**options)
    for method, target, body in asked:
        received = Received(method, target, headers(method, target), body)
        answer = service.process(received, now=EPOCH, monotonic=0.0)

        assert answer.status in STATUSES
        assert answer.status != 401, answer.body
        if answer.body:
            orjson.loads(answer.body)


@given(
    asked=requests(["x"]),
    given_headers=st.dictionaries(
        st.sampled_from(sorted(headers("GET", "/"))), st.text(max_size=12) | wire_text
    ),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_signature_breaks_the_gateway(asked, given_headers):
    method, target, body = asked
    answer = gateway().process(
        Received(method, target, {**headers(method, target), **given_headers}, body),
        now=EPOCH,
        monotonic=0.0,
    )

    assert answer.status in STATUSES
    assert SECRET.encode() + b" " not in answer.body


async def test_nor_does_any_over_a_socket(client):
    service = client.emulator.service_id
    for method, tail, body in (
        ("DELETE", "unsubscribes", b'[{"clientTelNo": "010"}]'),
        ("DELETE", "unsubscribes", b"\xff"),
        ("GET", "messages?requestId=%FF%00&pageSize=1&pageSize=x", b"{"),
        ("GET", "messages/%2e%2e%2f%ff", b""),
        ("GET", "reservations//reserve-status", b""),
        ("POST", "unsubscribes?x", b'[{"clientTelNo":null}]'),
        ("PATCH", "unsubscribes", b""),
        (
            "GET",
            "messages?requestStartTime=0001-01-01%2000:00:00&requestEndTime=0001-01-01%2000:00:00",
            b"",
        ),
    ):
        target = f"/sms/v2/services/{service}/{tail}"
        reply = await client.call(method, target, body, client.headers(target, method=method))

        assert reply.status in STATUSES - {401}, (method, tail, reply)
