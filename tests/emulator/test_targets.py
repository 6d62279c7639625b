"""Request lines as proxies' clients and old HTTP stacks write them, over sockets of our own."""

import asyncio

import orjson
import pytest

from sens_async.emulator import targets

SENS = "https://sens.apigw.ntruss.com"


async def exchange(client, data: bytes, *, read_until: bytes = b"") -> bytes:
    """What comes back for these bytes, until the connection ends or the given ones have come."""
    port = int(client.emulator.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    reply = await (reader.readuntil(read_until) if read_until else reader.read())
    writer.close()
    await writer.wait_closed()
    return reply


def head(line: str, headers: dict[str, str]) -> bytes:
    fields = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([line, *fields, "", ""]).encode("utf-8", "surrogateescape")


async def post(client, target, *, signed=None, host="sens.apigw.ntruss.com", body=None, **headers):
    """Send a message to a target as given, signed for what follows its host."""
    body = orjson.dumps(client.message()) if body is None else body
    signature = client.headers(targets.split(target)[1] if signed is None else signed)
    fields = {"Host": host, "Connection": "close", "Content-Length": str(len(body)), **signature}
    return await exchange(client, head(f"POST {target} HTTP/1.1", {**fields, **headers}) + body)


def status(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


@pytest.fixture
def client(client, message):
    client.message = message
    return client


@pytest.mark.parametrize(
    ("target", "authority", "origin"),
    [
        ("/a?b", None, "/a?b"),
        ("/http://a/b", None, "/http://a/b"),
        ("*", None, "*"),
        ("", None, ""),
        ("http://a", "a", "/"),
        ("http://a:80?b=c", "a:80", "/?b=c"),
        ("HTTPS://a/b:c%3Ad?e=/f?#g", "a", "/b:c%3Ad?e=/f?#g"),
        ("http://[::1]:80/a", "[::1]:80", "/a"),
        ("http://u:p@a/b", "u:p@a", "/b"),
        ("http:///a", "", "/a"),
    ],
)
def test_a_target_is_split_without_changing_a_byte(target, authority, origin):
    assert targets.split(target) == (authority, origin)


@pytest.mark.parametrize(
    "base",
    [
        "https://sens.apigw.ntruss.com",
        "http://sens.apigw.ntruss.com",
        "https://sens.apigw.ntruss.com:443",
        "HTTPS://SENS.apigw.NTRUSS.com",
        "https://sens.apigw.gov-ntruss.com",
        "https://sens.apigw.fin-ntruss.com",
        "http://127.0.0.1:9",
        "http://localhost",
        "http://[::1]:80",
    ],
)
async def test_an_absolute_target_is_signed_by_its_path(client, emulator, base):
    target = client.target("messages")
    reply = await post(client, base + target)

    assert status(reply) == 202
    assert emulator.requests[0].target == target
    assert list(emulator.admissions) == ["01000000001"]


@pytest.mark.parametrize("query", ["", "?", "?a=%7e&b=c+d", "?u=https://x/y", "?a#b", "?x=/../%2e"])
@pytest.mark.parametrize("colon", [":", "%3A", "%3a"])
async def test_not_a_byte_of_an_absolute_targets_path_is_changed(client, emulator, colon, query):
    target = client.target("messages").replace(":", colon) + query
    reply = await post(client, SENS + target)

    assert status(reply) == 202
    assert emulator.requests[0].target == target


async def test_a_path_that_was_encoded_after_signing_is_told_from_the_one_signed(client):
    target = client.target("messages")
    reply = await post(client, SENS + target.replace(":", "%3A"), signed=target)

    assert status(reply) == 401
    assert b"the target differs: signed" in reply


async def test_a_client_that_signs_the_whole_url_is_told_so(client):
    url = SENS + client.target("messages")
    reply = await post(client, url, signed=url)

    assert status(reply) == 401
    assert f"signed '{url}'".encode() in reply


@pytest.mark.parametrize(
    "base",
    [
        "http://example.com",
        "http://sens.apigw.ntruss.com.evil.example",
        "http://127.0.0.1.evil.example:80",
        "http://user@127.0.0.1",
        "http://169.254.169.254",
    ],
)
async def test_other_hosts_are_refused(client, emulator, base):
    reply = await post(client, base + client.target("messages"))

    assert status(reply) == 403
    assert b"no proxy" in reply
    assert not emulator.requests


@pytest.mark.parametrize("authority", ["evil.example", "sens.apigw.ntruss.com", "u@127.0.0.1"])
@pytest.mark.parametrize(
    "line", ["GET http://{}/_emulator/admissions", "POST http://{}/_emulator/reset"]
)
async def test_an_absolute_target_opens_no_way_into_the_control_interface(
    client, emulator, authority, line
):
    await client.send("01000000001")
    own = emulator.url.removeprefix("http://")
    replies = [
        await exchange(
            client,
            head(
                f"{line.format(authority)} HTTP/1.1",
                {"Host": host, "Connection": "close", "Content-Length": "0"},
            ),
        )
        for host in (own, authority)
    ]

    assert {status(reply) for reply in replies} == {403}
    assert list(emulator.admissions) == ["01000000001"]


async def test_an_absolute_target_of_loopback_reaches_the_control_interface(client, emulator):
    own = emulator.url.removeprefix("http://")
    line = f"GET {emulator.url}/_emulator/ HTTP/1.1"
    good = await exchange(client, head(line, {"Host": own, "Connection": "close"}))
    bad = await exchange(client, head(line, {"Host": "evil.example", "Connection": "close"}))

    assert (status(good), status(bad)) == (200, 403)


async def test_a_redirect_keeps_the_host_that_the_client_asked(client, emulator):
    emulator.fail("redirect")
    target = client.target("messages")
    absolute = await post(client, SENS + target)
    emulator.reset()
    emulator.fail("redirect")
    origin = await post(client, target, host="localhost:9")

    assert f"\r\nLocation: {SENS}{target}\r\n".encode() in absolute
    assert f"\r\nLocation: http://localhost:9{target}\r\n".encode() in origin


async def test_a_chunked_body_is_read(client, emulator):
    body, target = orjson.dumps(client.message()), client.target("messages")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    fields = {"Host": "x", "Connection": "close", "Transfer-Encoding": "chunked"}
    line = f"POST {target} HTTP/1.1"
    reply = await exchange(
        client, head(line, {**fields, **client.headers(target)}) + chunks + b"0\r\n\r\n"
    )

    assert status(reply) == 202
    assert list(emulator.admissions) == ["01000000001"]


@pytest.mark.parametrize("host", [{}, {"Host": "x"}])
async def test_http_1_0_is_answered_and_closed(client, emulator, host):
    body, target = orjson.dumps(client.message()), client.target("messages")
    fields = {**host, "Content-Length": str(len(body)), **client.headers(target)}
    reply = await exchange(client, head(f"POST {target} HTTP/1.0", fields) + body)

    assert status(reply) == 202
    assert list(emulator.admissions) == ["01000000001"]


async def test_a_body_is_waited_for_after_100_continue(client, emulator):
    body, target = orjson.dumps(client.message()), client.target("messages")
    fields = {"Host": "x", "Connection": "close", "Content-Length": str(len(body))}
    fields |= {"Expect": "100-continue", **client.headers(target)}
    port = int(emulator.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(f"POST {target} HTTP/1.1", fields))
    first = await reader.readuntil(b"\r\n\r\n")
    writer.write(body)
    second = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert (status(first), status(second)) == (100, 202)


async def test_names_of_headers_may_be_in_any_case(client):
    target, body = client.target("messages"), orjson.dumps(client.message())
    fields = {"hOST": "x", "cONNECTION": "close", "CONTENT-length": str(len(body))}
    fields |= {name.swapcase(): value for name, value in client.headers(target).items()}
    reply = await exchange(client, head(f"POST {target} HTTP/1.1", fields) + body)

    assert status(reply) == 202


@pytest.mark.parametrize(
    "header",
    [
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "application/json;charset=UTF-8"},
        {"x-ncp-apigw-api-key": "an-api-key-of-old"},
        {"Proxy-Connection": "keep-alive"},
        {"Proxy-Authorization": "Basic eA=="},
        {"Accept-Encoding": "gzip, deflate, br"},
    ],
)
async def test_what_clients_add_to_the_headers_is_taken(client, header):
    assert status(await post(client, client.target("messages"), **header)) == 202


async def test_query_parameters_that_nobody_knows_are_ignored(client):
    assert status(await post(client, client.target("messages") + "?lang=ko&x=%EA%B0%80")) == 202


async def test_a_body_is_json_in_any_of_its_spellings(client, emulator):
    body = (
        b'{ "type" : "lms", "contentType":"COMM" ,"countryCode":"82", "from":"0200000000",'
        b'"subject":null,"content":"\\uc548\\ub155 \\ud83d\\u00e9", "files":null,'
        b'\n"messages":[{"to":"01000000001","subject":null,"content":"\\uc548\\ub155"}],'
        b'"reserveTime":null,"reserveTimeZone":null, "unknown": {"a": [1.5, true]} }'
    ).replace(b" \\ud83d\\u00e9", b"")
    reply = await post(client, client.target("messages"), body=body)

    [admission] = emulator.admissions["01000000001"]
    assert status(reply) == 202
    assert (admission.type, admission.text, admission.subject) == ("LMS", "안녕", None)
