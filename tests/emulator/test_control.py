import orjson
import pytest

JSON = {"Content-Type": "application/json"}


async def control(client, method, path, body=None, **headers):
    data = b"" if body is None else orjson.dumps(body)
    return await client.call(method, f"/_emulator{path}", data, {**JSON, **headers})


async def test_it_says_what_it_is(client, emulator):
    reply = await control(client, "GET", "/")

    assert reply.json == {"name": "SENS emulator", "service_id": emulator.service_id}
    assert reply.headers["Date"] == "Tue, 25 Nov 2025 00:39:40 GMT"


async def test_admissions_by_number(client, emulator):
    sent = await client.send("01000000001", content="안녕")
    reply = await control(client, "GET", "/admissions")

    [admission] = emulator.admissions["01000000001"]
    assert reply.json == {
        "01000000001": [
            {
                "request_id": sent.json["requestId"],
                "message_id": admission.message_id,
                "type": "SMS",
                "text": "안녕",
                "at": 1764031180.0,
            }
        ]
    }


async def test_requests_are_counted(client, emulator):
    emulator.fail("throttle", requests=2)
    await client.send("01000000001", "01000000002")
    await client.send("01000000001", "01000000002")

    assert (await control(client, "GET", "/requests")).json == {
        "total": 2,
        "accepted": 1,
        "recipients": 4,
        "endpoints": {"messages": 2},
        "statuses": {"202": 1, "429": 1},
        "unanswered": 0,
        "faults": {"throttle": 1},
    }


async def test_a_fault_is_ordered_as_json(client):
    fault = {"kind": "half-head", "requests": "2-3", "accept": True, "times": 1}
    reply = await control(client, "POST", "/faults", fault)

    assert reply.status == 200
    assert reply.json == {
        "faults": [
            {
                "kind": "half_head",
                "endpoint": "messages",
                "requests": "2-3",
                "probability": None,
                "times": 1,
                "accept": True,
                "status": 503,
                "retry_after": None,
                "delay": 1.0,
            }
        ]
    }


@pytest.mark.parametrize(
    ("requests", "told"), [(3, "3"), ("3-", "3-"), ([1, 4], [1, 4]), (None, None)]
)
async def test_request_numbers_are_told_as_they_are_written(client, requests, told):
    reply = await control(client, "POST", "/faults", {"kind": "drop", "requests": requests})

    assert reply.json["faults"][0]["requests"] == told


async def test_faults_are_ordered_as_a_script_and_called_off(client):
    script = "requests 1: 503\nrequests 2: 500"
    ordered = await control(client, "POST", "/faults", {"script": script})
    first = await client.send()
    cleared = await control(client, "DELETE", "/faults")
    second = await client.send()

    assert [fault["status"] for fault in ordered.json["faults"]] == [503, 500]
    assert (first.status, cleared.status, second.status) == (503, 204, 202)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "JSON object"),
        ({}, "kind or script is required"),
        ({"kind": "explode"}, "no fault 'explode'"),
        ({"kind": ["drop"]}, "no fault"),
        ({"kind": "drop", "speed": 1}, "speed"),
        ({"kind": "drop", "times": "2"}, ""),
        ({"kind": "drop", "accept": "false"}, "accept"),
        ({"kind": "drop", "requests": {}}, ""),
        ({"kind": "drop", "requests": ["1"]}, "integers"),
        ({"kind": 503, "body": {}}, "body"),
        ({"script": "explode"}, "no fault 'explode'"),
    ],
)
async def test_a_fault_that_cannot_be_read_is_400_and_orders_nothing(client, body, reason):
    reply = await control(client, "POST", "/faults", body)

    assert reply.status == 400
    assert reason in reply.json["error"]
    assert (await client.send()).status == 202


async def test_reset_forgets(client, emulator):
    emulator.fail("drop", requests=2)
    await client.send()

    assert (await control(client, "POST", "/reset")).status == 204
    assert not emulator.admissions
    assert emulator.requests == []
    assert (await client.send()).status == 202


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost@evil"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/admissions"), ("POST", "/reset")])
async def test_another_host_name_is_refused(client, host, method, path):
    reply = await control(client, method, path, Host=host)

    assert reply.status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:65535", "[::1]", "[::1]:80"]
)
async def test_names_of_loopback_are_welcome(client, host):
    assert (await control(client, "GET", "/admissions", Host=host)).status == 200


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://localhost:1"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/reset"), ("POST", "/faults"), ("DELETE", "/faults")]
)
async def test_a_page_of_another_origin_changes_nothing(client, emulator, origin, method, path):
    await client.send("01000000001")
    reply = await control(client, method, path, {"kind": "drop"}, Origin=origin)

    assert reply.status == 403
    assert list(emulator.admissions) == ["01000000001"]
    assert (await client.send()).status == 202


async def test_its_own_pages_may_change_things(client, emulator):
    reply = await control(client, "POST", "/reset", Origin=emulator.url)

    assert reply.status == 204


@pytest.mark.parametrize("path", ["/faults", "/seed", "/clock"])
async def test_a_body_that_is_broken_on_the_way_is_400(client, path):
    headers = {**JSON, "Content-Encoding": "gzip"}
    reply = await client.call("POST", f"/_emulator{path}", b"abc", headers)

    assert (reply.status, reply.json) == (400, {"error": "the body cannot be read"})


async def test_a_number_that_json_cannot_hold_orders_nothing(client):
    reply = await control(client, "POST", "/faults", {"script": f"drop times={10**20}"})

    assert reply.status == 400
    assert (await client.send()).status == 202


async def test_what_is_not_there_is_404(client):
    assert (await control(client, "GET", "/nothing")).status == 404
