import asyncio
import re

import orjson
import pytest


async def test_an_accepted_send_is_answered_202(client, emulator):
    reply = await client.send("01000000001", "01000000002")

    assert reply.status == 202
    assert reply.headers["Content-Type"].startswith("application/json")
    assert set(reply.json) == {"requestId", "requestTime", "statusCode", "statusName"}
    assert reply.json["requestTime"] == "2025-11-25T09:39:40.000"
    assert (reply.json["statusCode"], reply.json["statusName"]) == ("202", "success")
    assert {a.request_id for [a] in emulator.admissions.values()} == {reply.json["requestId"]}


async def test_a_reserved_send_says_so(client):
    reply = await client.send(reserveTime="2025-11-25 18:30")

    assert reply.json["statusName"] == "reserved"


async def test_an_upload_is_answered_with_an_id_that_a_message_can_name(client, emulator, jpeg):
    reply = await client.upload("poster.jpg", jpeg())
    file_id = reply.json["fileId"]
    sent = await client.send(type="MMS", files=[{"fileId": file_id}])

    assert reply.status == 200
    assert re.fullmatch("[0-9a-f]{32}", file_id)
    assert reply.json["createTime"] == "2025-11-25T09:39:40.000"
    assert reply.json["expireTime"] == "2025-12-01T09:39:40.000"
    assert sent.status == 202
    assert emulator.admissions["01000000001"][0].file_ids == (file_id,)
    assert [file.name for file in emulator.uploads] == ["poster.jpg"]


async def test_the_service_id_may_be_percent_encoded_if_it_is_signed_so(client, message):
    target = client.target("messages").replace(":", "%3A")

    assert (await client.post(target, message())).status == 202
    assert (await client.post(target.lower(), message())).status == 202


async def test_the_signature_is_of_the_target_as_it_was_sent(client, message, emulator):
    sent, signed = client.target("messages").replace(":", "%3A"), client.target("messages")
    reply = await client.post(sent, message(), client.headers(signed))

    assert reply.status == 401
    assert "the target differs" in reply.json["error"]["details"]
    assert not emulator.admissions


@pytest.mark.parametrize(
    "query", ["?a=b", "?a=%7e&b=c+d", "?", "?x=/../%2e", "?a#b", '?"<>\\^`{|}']
)
async def test_not_a_byte_of_the_target_is_changed_before_it_is_checked(client, message, query):
    target = client.target("messages") + query
    reply = await raw(client, target, orjson.dumps(message()), client.headers(target))

    assert reply.startswith(b"HTTP/1.1 202")


async def raw(client, target, body, headers):
    """What comes back for bytes that no HTTP client would send."""
    host = client.emulator.url.removeprefix("http://")
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(host.partition(":")[2]))
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return reply


async def test_a_wrong_signature_is_refused_by_the_gateway_with_its_clock(client, message):
    target = client.target("messages")
    reply = await client.post(target, message(), client.headers(target, skew=-600.0))

    assert reply.status == 401
    error = reply.json["error"]
    assert (error["errorCode"], error["message"]) == ("200", "Authentication Failed")
    assert error["details"].startswith("Invalid authentication information.")
    assert "600000 ms behind" in error["details"]
    assert reply.headers["Date"] == "Tue, 25 Nov 2025 00:39:40 GMT"


@pytest.mark.parametrize(
    ("skew", "status"), [(299.0, 202), (-299.0, 202), (300.0, 401), (-300.0, 401)]
)
async def test_a_timestamp_five_minutes_away_is_out(client, message, skew, status):
    target = client.target("messages")

    assert (
        await client.post(target, message(), client.headers(target, skew=skew))
    ).status == status


async def test_missing_headers_are_401(client, message):
    reply = await client.post(client.target("messages"), message(), {"Accept": "*/*"})

    assert reply.status == 401
    assert "missing header x-ncp-apigw-timestamp" in reply.json["error"]["details"]


@pytest.mark.parametrize("status", ["403", "404"])
async def test_a_service_of_somebody_else(start, message, status):
    client = await start(foreign_service=status)
    reply = await client.post("/sms/v2/services/ncp:sms:kr:9:other/messages", message())

    assert reply.status == int(status)
    assert reply.json["status"] == int(status)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sms/v2/services"),
        ("POST", "/sms/v2/services/a/messages/b"),
        ("PUT", "/sms/v2/services/a/messages"),
        ("POST", "/sms/v2/services//messages"),
        ("GET", "/"),
    ],
)
async def test_an_unknown_path_is_the_gateways_404(client, method, path):
    reply = await client.call(method, path)

    assert (reply.status, reply.json["error"]["errorCode"]) == (404, "300")
    assert reply.headers["Date"] == "Tue, 25 Nov 2025 00:39:40 GMT"


async def test_a_body_that_is_not_json_or_not_utf8(client):
    target = client.target("messages")
    not_json = await client.post(target, b"{")
    empty = await client.post(target, b"")
    not_utf8 = await client.post(target, '{"type":"SMS","content":"안녕"}'.encode("cp949"))

    assert (not_json.status, not_json.json["errorMessage"]) == (400, "the body is not JSON")
    assert empty.status == 400
    assert (not_utf8.status, not_utf8.json["error"]["errorCode"]) == (400, "100")


async def test_the_body_shape_of_refusals_can_be_chosen(start):
    public, gov = await start(error_shape="errors"), await start(error_shape="error")

    assert (await public.send(type="RCS")).json == {
        "status": 400,
        "errors": "Bad Request",
        "errorMessage": "type has to be SMS, LMS or MMS",
    }
    assert (await gov.send(type="RCS")).json == {
        "status": 400,
        "error": "Bad Request",
        "message": "type has to be SMS, LMS or MMS",
    }


async def test_too_large_a_body_is_refused_by_the_gateway(start):
    client = await start(max_body_bytes=1000)
    fits = await client.send()
    reply = await client.send(content="가" * 1000)

    assert fits.status == 202
    assert (reply.status, reply.json["error"]["errorCode"]) == (413, "430")
    assert [entry.status for entry in client.emulator.requests] == [202, 413]


async def test_rate_and_quota_are_429_with_their_codes(start, clock):
    client = await start(rate=2, quota=3)
    first, second, third = [await client.send() for _ in range(3)]
    await clock.sleep(1.0)
    fourth, fifth = await client.send(), await client.send()

    assert (first.status, second.status, fourth.status) == (202, 202, 202)
    assert (third.status, third.json["error"]["errorCode"]) == (429, "420")
    assert (fifth.status, fifth.json["error"]["errorCode"]) == (429, "400")


async def test_an_unauthentic_request_does_not_use_up_the_rate(start, message):
    client = await start(rate=1)
    target = client.target("messages")
    await client.post(target, message(), client.headers(target, skew=900.0))

    assert (await client.send()).status == 202


async def test_latency_passes_on_the_emulators_clock(start, clock):
    client = await start(latency=30.0)
    before = clock.monotonic()

    assert (await client.send(patience=100)).status == 202
    assert 30.0 <= clock.monotonic() - before < 31.0


async def test_every_request_is_logged(start, message):
    client = await start(keep_bodies=True)
    await client.send("01000000001", "01000000002")
    await client.send("01000000001", type="RCS")
    accepted, refused = client.emulator.requests

    assert (accepted.endpoint, accepted.target) == ("messages", client.target("messages"))
    assert (accepted.status, accepted.accepted, accepted.recipients) == (202, True, 2)
    assert (refused.status, refused.accepted, refused.recipients) == (400, False, 1)
    assert accepted.headers["X-NCP-APIGW-TIMESTAMP"] == "1764031180000"
    assert accepted.at == 1764031180.0
    assert accepted.fault is None
    assert orjson.loads(accepted.body) == message("01000000001", "01000000002")


async def test_bodies_are_not_kept_unless_asked_for(client, emulator):
    await client.send()

    assert emulator.requests[0].body is None


async def test_a_client_that_leaves_before_its_body_is_sent_sends_nothing(client, emulator, caplog):
    host, _, port = emulator.url.removeprefix("http://").partition(":")
    target = client.target("messages")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await client.send()).status == 202
    assert len(emulator.requests) == 1
    assert caplog.records == []


async def test_a_client_that_expects_100_continue_is_served(client, message):
    target = client.target("messages")
    headers = {**client.headers(target), "Expect": "100-continue"}
    async with client.http.post(
        client.emulator.url + target, data=orjson.dumps(message()), headers=headers, expect100=True
    ) as response:
        assert response.status == 202


async def test_many_at_once_are_all_admitted(client, emulator):
    replies = await asyncio.gather(*(client.send(f"010{i:08}") for i in range(100)))

    assert {reply.status for reply in replies} == {202}
    assert len({reply.json["requestId"] for reply in replies}) == 100
    assert len(emulator.admissions) == 100


async def test_a_clients_timeout_does_not_undo_an_acceptance(start):
    client = await start(latency=60.0)
    with pytest.raises(TimeoutError):
        await client.send(patience=1.0)

    [entry] = client.emulator.requests
    assert (entry.accepted, entry.status) == (True, None)
    assert list(client.emulator.admissions) == ["01000000001"]
