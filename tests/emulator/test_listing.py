import asyncio
from urllib.parse import quote, urlencode

import pytest


async def get(client, path, query="", method="GET"):
    target = client.target(path) + ("?" + query if query else "")
    return await client.call(method, target, b"", client.headers(target, method=method))


async def listed(client, **query):
    return await get(client, "messages", urlencode(query, quote_via=quote))


def numbers(reply):
    return [row["to"] for row in reply.json["messages"]]


HOUR = {"requestStartTime": "2025-11-25 09:00:00", "requestEndTime": "2025-11-25 10:00:00"}
MANY = [f"010{i:08}" for i in range(45)]


async def test_messages_are_listed_by_request_id_once_they_are_visible(start, clock):
    client = await start(visibility_delay=5.0)
    request_id = (await client.send("01000000001", type="LMS", subject="안내")).json["requestId"]
    early = await listed(client, requestId=request_id)
    await clock.sleep(5.0)
    reply = await listed(client, requestId=request_id)

    assert (early.status, early.body) == (404, b"")
    assert reply.json == {
        "statusCode": "202",
        "statusName": "success",
        "pageIndex": 0,
        "pageSize": 20,
        "itemCount": 1,
        "hasMore": False,
        "messages": [
            {
                "requestId": request_id,
                "messageId": client.emulator.admissions["01000000001"][0].message_id,
                "requestTime": "2025-11-25 09:39:40",
                "contentType": "COMM",
                "type": "LMS",
                "subject": "안내",
                "content": "안녕하세요",
                "countryCode": "82",
                "from": "0200000000",
                "to": "01000000001",
                "status": "COMPLETED",
                "statusCode": "0",
                "statusName": "success",
                "statusMessage": "성공",
                "completeTime": "2025-11-25 09:39:43",
                "telcoCode": reply.json["messages"][0]["telcoCode"],
            }
        ],
    }
    assert reply.json["messages"][0]["telcoCode"] in {"SKT", "KT", "LGT"}


async def test_a_message_moves_from_ready_to_processing_to_completed(start, clock):
    client = await start(visibility_delay=0, processing_delay=10, completion_delay=30)
    await client.send("01000000001")
    [admission] = client.emulator.admissions["01000000001"]

    async def look():
        reply = await get(client, f"messages/{admission.message_id}")
        assert reply.json["statusCode"] == "200"
        [row] = reply.json["messages"]
        return row["status"], row.get("statusName"), row.get("completeTime")

    assert await look() == ("READY", None, None)
    await clock.sleep(10)
    assert await look() == ("PROCESSING", None, None)
    await clock.sleep(20)
    assert await look() == ("COMPLETED", "success", "2025-11-25 09:40:10")


async def test_a_message_that_nobody_knows_is_404(client):
    await client.send()
    for message_id in ("x", "0" * 36, "00000000-0000-4000-8000-000000000001", "f" * 36):
        reply = await get(client, f"messages/{message_id}")
        assert (reply.status, reply.body) == (404, b"")


async def test_pages_follow_one_another(start):
    client = await start(visibility_delay=0)
    request_id = (await client.send(*MANY)).json["requestId"]
    seen, query = [], {"requestId": request_id}
    while True:
        reply = await listed(client, **query)
        seen += numbers(reply)
        if not reply.json["hasMore"]:
            break
        query["nextToken"] = reply.json["nextToken"]

    assert seen == MANY
    assert (reply.json["pageIndex"], reply.json["itemCount"]) == (2, 5)
    assert "nextToken" not in reply.json


async def test_what_is_sent_while_somebody_pages_disturbs_no_page(start):
    client = await start(visibility_delay=0, list_order="newest")
    await client.send(*MANY[:30])
    first = await listed(client, **HOUR)
    await client.send(*MANY[30:])
    second = await listed(client, **HOUR, nextToken=first.json["nextToken"])

    assert numbers(first) + numbers(second) == MANY[:30]


@pytest.mark.parametrize("token", ["x", "e30", "WzEsMiwzLDRd", "한"])
async def test_a_token_of_something_else_is_400(client, token):
    assert (await listed(client, **HOUR, nextToken=token)).status == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["01000000001", "01000000002", "01019003001", "821000001"]),
        ({"type": "LMS"}, ["01000000002"]),
        ({"contentType": "AD"}, ["01000000002"]),
        ({"countryCode": "1"}, ["821000001"]),
        ({"from": "0200000000", "to": "01000000001"}, ["01000000001"]),
        ({"status": "READY"}, []),
        ({"status": "COMPLETED", "statusName": "fail"}, ["01019003001"]),
        ({"statusName": "success", "to": "01019003001"}, []),
        ({"unknown": "x", "type": ""}, ["01000000001", "01000000002", "01019003001", "821000001"]),
    ],
)
async def test_every_filter(start, clock, query, found):
    client = await start()
    await client.send("01000000001")
    await client.send("01000000002", type="LMS", contentType="AD")
    await client.send("01019003001")
    await client.send("821000001", countryCode="1")
    await clock.sleep(10)
    reply = await listed(client, **HOUR, **query)

    assert (numbers(reply) if reply.body else []) == found


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({}, "one of requestId"),
        ({"messageId": "x"}, "one of requestId"),
        ({"requestStartTime": "2025-11-25 09:00:00"}, "requestEndTime is required"),
        ({**HOUR, "requestEndTime": "2025-11-25T10:00:00"}, "YYYY-MM-DD HH:mm:ss"),
        ({**HOUR, "requestEndTime": "2025-11-25 08:00:00"}, "is before"),
        ({**HOUR, "requestEndTime": "2025-12-25 09:00:01"}, "more than 30 days"),
        (
            {"completeStartTime": "2025-11-25 09:00:00", "completeEndTime": "2025-11-26 09:00:01"},
            "more than 24 hours",
        ),
        ({**HOUR, "pageSize": "101"}, "pageSize"),
        ({**HOUR, "pageSize": "0"}, "pageSize"),
        ({**HOUR, "type": "RCS"}, "type"),
        ({**HOUR, "to": "010-0000-0001"}, "to has to be digits"),
    ],
)
async def test_a_query_outside_the_rules_is_400(client, query, reason):
    reply = await listed(client, **query)

    assert reply.status == 400
    assert reason in reply.json["errorMessage"]


async def test_the_longest_windows_are_allowed(client):
    month = {**HOUR, "requestEndTime": "2025-12-25 09:00:00"}
    day = {"completeStartTime": "2025-11-25 09:00:00", "completeEndTime": "2025-11-26 09:00:00"}

    assert (await listed(client, **month)).status == 404
    assert (await listed(client, **day)).status == 404


@pytest.mark.parametrize(
    ("option", "second", "found"),
    [("inclusive", "40", 1), ("exclusive", "40", 0), ("exclusive", "41", 1)],
)
async def test_whether_the_last_second_belongs_to_a_window(start, option, second, found):
    client = await start(visibility_delay=0, list_end=option, empty_list="200")
    await client.send()
    window = {
        "requestStartTime": "2025-11-25 09:39:40",
        "requestEndTime": f"2025-11-25 09:39:{second}",
    }

    assert (await listed(client, **window)).json["itemCount"] == found


async def test_messages_are_listed_by_their_completion(start, clock):
    client = await start(visibility_delay=0, completion_delay=60)
    await client.send("01000000001")
    await clock.sleep(30)
    await client.send("01000000002")
    await clock.sleep(100)
    window = {"completeStartTime": "2025-11-25 09:40:41", "completeEndTime": "2025-11-25 09:41:10"}

    assert numbers(await listed(client, **window)) == ["01000000002"]


async def test_after_ninety_days_a_message_is_gone(start, clock):
    client = await start()
    request_id = (await client.send("01000000001")).json["requestId"]
    [admission] = client.emulator.admissions["01000000001"]
    await clock.sleep(90 * 86400 - 1)
    before = await listed(client, requestId=request_id)
    await clock.sleep(1)

    assert before.status == 200
    assert (await listed(client, requestId=request_id)).status == 404
    assert (await get(client, f"messages/{admission.message_id}")).status == 404


async def test_each_request_has_a_delay_of_its_own_from_a_range(start, clock):
    client = await start(visibility_delay=(0, 120))
    await asyncio.gather(*(client.send(number) for number in MANY[:30]))
    counts = []
    for _ in range(4):
        reply = await listed(client, **HOUR, pageSize=100)
        counts.append(len(numbers(reply)) if reply.body else 0)
        await clock.sleep(40)

    assert counts == sorted(counts)
    assert counts[0] < counts[1] < counts[2] < counts[3] == 30


async def test_other_readings_of_the_documentation(start):
    client = await start(
        visibility_delay=0, page_size="1000", next_token=False, list_fields="2021", empty_list="200"
    )
    request_id = (await client.send(*MANY)).json["requestId"]
    whole = await listed(client, requestId=request_id)
    page = await listed(client, **HOUR)
    empty = await listed(client, requestId="nobody")

    assert (whole.json["pageSize"], numbers(whole)) == (1000, MANY)
    assert whole.json["requestId"] == request_id
    assert set(whole.json["messages"][0]) == {
        "messageId",
        "requestTime",
        "from",
        "to",
        "contentType",
        "countryCode",
    }
    assert (page.json["hasMore"], page.json.get("nextToken")) == (True, None)
    assert (empty.status, empty.json["messages"]) == (200, [])


async def test_the_id_that_was_asked_for_may_be_repeated(start):
    client = await start(visibility_delay=0, list_request_id=True)
    request_id = (await client.send("01000000001")).json["requestId"]

    assert (await listed(client, requestId=request_id)).json["requestId"] == request_id
    assert "requestId" not in (await listed(client, **HOUR)).json


@pytest.mark.parametrize("space", ["%20", "+"])
async def test_a_space_may_be_written_in_both_ways(start, space):
    client = await start(visibility_delay=0)
    await client.send("01000000001")
    query = f"requestStartTime=2025-11-25{space}09:39:40&requestEndTime=2025-11-25{space}09:39:40"

    assert numbers(await get(client, "messages", query)) == ["01000000001"]
