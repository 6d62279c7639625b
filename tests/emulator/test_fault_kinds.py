import asyncio
import errno
from contextlib import suppress

import aiohttp
import pytest

from sens_async.emulator import FaultKind

NUMBER = "01000000001"


def times_accepted(emulator):
    return len(emulator.admissions.get(NUMBER, []))


@pytest.fixture(params=[False, True], ids=["refused", "accepted"])
def accept(request):
    return request.param


@pytest.fixture(autouse=True)
def quiet(caplog):
    """No fault makes noise in the logs."""
    yield
    assert caplog.records == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "900"), (503, "500"), (504, "510"), (429, "410"), (413, "430"), (401, "200")],
)
async def test_a_status_has_the_gateways_body(client, emulator, accept, status, code):
    emulator.fail(status, accept=accept)
    reply = await client.send(NUMBER)

    assert (reply.status, reply.json["error"]["errorCode"]) == (status, code)
    assert times_accepted(emulator) == accept
    [entry] = emulator.requests
    assert (entry.status, entry.accepted, entry.fault) == (status, accept, "status")


async def test_a_status_the_gateway_does_not_know_has_an_empty_body(client, emulator):
    emulator.fail(502)
    reply = await client.send(NUMBER)

    assert (reply.status, reply.body) == (502, b"")


async def test_403_is_a_refusal_of_the_service(client, emulator):
    emulator.fail(403)
    reply = await client.send(NUMBER)

    assert (reply.status, reply.json["errors"]) == (403, "Forbidden")


async def test_a_status_may_have_any_body(client, emulator):
    emulator.fail(503, body='{"odd": true}', retry_after=7)
    reply = await client.send(NUMBER)

    assert (reply.json, reply.headers["Retry-After"]) == ({"odd": True}, "7")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("throttle", 429, "410"),
        ("rate", 429, "420"),
        ("quota", 429, "400"),
        ("unauthorized", 401, "200"),
        ("too_large", 413, "430"),
    ],
)
async def test_refusals_of_the_gateway(client, emulator, kind, status, code):
    emulator.fail(kind)
    reply = await client.send(NUMBER)

    assert (reply.status, reply.json["error"]["errorCode"]) == (status, code)
    assert times_accepted(emulator) == 0


@pytest.mark.parametrize(("kind", "status"), [("forbidden", 403), ("bad_request", 400)])
async def test_refusals_of_the_service(client, emulator, kind, status):
    emulator.fail(kind)
    reply = await client.send(NUMBER)

    assert (reply.status, reply.json["status"]) == (status, status)


async def test_too_many_without_a_code(client, emulator):
    emulator.fail("too_many", retry_after="Wed, 26 Nov 2025 07:28:00 GMT")
    reply = await client.send(NUMBER)

    assert (reply.status, reply.body) == (429, b"")
    assert reply.headers["Retry-After"] == "Wed, 26 Nov 2025 07:28:00 GMT"


@pytest.mark.parametrize(
    ("given", "written"), [(2, "2"), (2.0, "2"), (0.5, "0.5"), ("999999", "999999")]
)
async def test_retry_after_is_written_as_it_is_given(client, emulator, given, written):
    emulator.fail("throttle", retry_after=given)

    assert (await client.send(NUMBER)).headers["Retry-After"] == written


async def test_a_connection_dropped(client, emulator, accept):
    emulator.fail("drop", accept=accept)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.send(NUMBER)

    assert times_accepted(emulator) == accept
    [entry] = emulator.requests
    assert (entry.status, entry.accepted, entry.fault) == (None, accept, "drop")


async def test_a_connection_reset(client, emulator, accept):
    emulator.fail("reset", accept=accept)
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await client.send(NUMBER)

    assert caught.value.errno == errno.ECONNRESET
    assert times_accepted(emulator) == accept


async def test_silence_until_the_client_leaves(client, emulator, accept):
    emulator.fail("hang", accept=accept)
    with pytest.raises(TimeoutError):
        await client.send(NUMBER, patience=60.0)

    assert times_accepted(emulator) == accept
    assert emulator.requests[0].status is None


async def test_a_hanging_request_ends_when_its_client_has_left(client, emulator):
    before = asyncio.all_tasks()
    emulator.fail("hang")
    with pytest.raises(TimeoutError):
        await client.send(NUMBER, patience=60.0)
    await asyncio.sleep(0.1)

    assert asyncio.all_tasks() <= before


async def test_late_messages_are_accepted_after_their_client_has_left(client, emulator, clock):
    emulator.fail("late", delay=30.0)
    with pytest.raises(TimeoutError):
        await client.send(NUMBER, patience=5.0)
    assert times_accepted(emulator) == 0
    await clock.sleep(26.0)

    assert times_accepted(emulator) == 1
    assert emulator.admissions[NUMBER][0].at == pytest.approx(1764031210.0, abs=1)
    [entry] = emulator.requests
    assert (entry.accepted, entry.status) == (True, None)


async def test_late_messages_are_answered_if_their_client_has_waited(client, emulator):
    emulator.fail("late", delay=30.0)
    reply = await client.send(NUMBER, patience=60.0)

    assert reply.json["requestId"] == emulator.admissions[NUMBER][0].request_id


async def test_what_arrives_after_its_signature_has_ended_is_not_accepted(client, emulator):
    emulator.fail("late", delay=300.0)
    reply = await client.send(NUMBER, patience=600.0)

    assert reply.status == 401
    assert times_accepted(emulator) == 0


async def test_half_an_answer(client, emulator, accept):
    emulator.fail("half", accept=accept)
    target = client.target("messages")
    body = b'{"type":"SMS","from":"0200000000","content":"a","messages":[{"to":"01000000001"}]}'
    async with client.http.post(
        emulator.url + target, data=body, headers=client.headers(target)
    ) as response:
        assert response.status == 202
        assert response.headers["Date"] == "Tue, 25 Nov 2025 00:39:40 GMT"
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert times_accepted(emulator) == accept


async def test_half_a_status_line(client, emulator, accept):
    emulator.fail("half_head", accept=accept)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.send(NUMBER)

    assert times_accepted(emulator) == accept


async def test_bytes_that_are_not_http(client, emulator, accept):
    emulator.fail("garbage", accept=accept)
    with pytest.raises(aiohttp.ClientResponseError, match="400"):
        await client.send(NUMBER)

    assert times_accepted(emulator) == accept


async def test_a_redirect_leads_to_a_second_send_for_those_who_follow(client, emulator, message):
    emulator.fail("redirect", requests=1)
    target = client.target("messages")
    async with client.http.post(
        emulator.url + target, json=message(NUMBER), headers=client.headers(target)
    ) as response:
        assert response.status == 202

    assert [entry.status for entry in emulator.requests] == [307, 202]


async def test_a_page_of_somebody_else(client, emulator, accept):
    emulator.fail("html", status=400, accept=accept)
    reply = await client.send(NUMBER)

    assert reply.status == 400
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.body.startswith(b"<!doctype html>")
    assert times_accepted(emulator) == accept


async def test_an_acceptance_without_an_id(client, emulator, jpeg):
    emulator.fail("no_id", accept=True)
    emulator.fail("no_id", accept=True, endpoint="files")
    sent, uploaded = await client.send(NUMBER), await client.upload("a.jpg", jpeg())

    assert sent.status == 202
    assert set(sent.json) == {"requestTime", "statusCode", "statusName"}
    assert times_accepted(emulator) == 1
    assert uploaded.status == 200
    assert set(uploaded.json) == {"createTime", "expireTime"}
    assert len(emulator.uploads) == 1


async def test_a_202_that_says_fail(client, emulator, accept):
    emulator.fail("fail_status", accept=accept)
    reply = await client.send(NUMBER)

    assert (reply.status, reply.json["statusName"]) == (202, "fail")
    assert times_accepted(emulator) == accept
    if accept:
        assert reply.json["requestId"] == emulator.admissions[NUMBER][0].request_id


async def test_an_invalid_request_is_not_accepted_before_a_fault(client, emulator, message):
    emulator.fail("drop", accept=True)
    target = client.target("messages")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.post(target, message(NUMBER), client.headers(target, skew=900.0))

    assert times_accepted(emulator) == 0
    assert not emulator.requests[0].accepted


@pytest.mark.parametrize("kind", sorted(set(FaultKind) - {"hang", "fail_status"}))
async def test_uploads_have_faults_too(client, emulator, jpeg, kind):
    emulator.fail(kind, endpoint="files", requests=1)
    with suppress(aiohttp.ClientError):
        await client.upload("a.jpg", jpeg())
    reply = await client.upload("a.jpg", jpeg())

    assert reply.status == 200
    assert emulator.requests[0].fault == kind
    assert emulator.requests[1].fault is None


async def test_faults_can_be_called_off(client, emulator):
    emulator.fail("drop")
    emulator.clear_faults()

    assert (await client.send(NUMBER)).status == 202


async def test_reset_begins_anew_and_drops_what_still_waits(client, emulator, clock):
    emulator.fail("late", delay=30.0)
    waiting = asyncio.create_task(client.send(NUMBER, patience=60.0))
    await clock.sleep(1.0)
    emulator.reset()
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await waiting
    await clock.sleep(60.0)
    emulator.fail("drop", requests=2)

    assert times_accepted(emulator) == 0
    assert (await client.send(NUMBER)).status == 202
    assert len(emulator.requests) == 1
