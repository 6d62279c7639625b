import pytest
from emulator_calls import call, listed


def numbers(*numbers):
    return [{"clientTelNo": number} for number in numbers]


async def test_numbers_are_added_listed_and_removed(client, clock):
    added = await call(client, "POST", "unsubscribes", body=numbers("01000000001", "01000000002"))
    await clock.sleep(60)
    client.emulator.unsubscribe("01000000003", kind="C")
    listed = await call(client, "GET", "unsubscribes")
    removed = await call(client, "DELETE", "unsubscribes", body=numbers("01000000001", "010999"))

    assert added.status == 200
    assert added.json[0] == {
        "clientTelNo": "01000000001",
        "registerTime": "2025-11-25T09:39:40.000",
        "registerType": "M",
    }
    assert [(row["clientTelNo"], row["registerType"]) for row in listed.json] == [
        ("01000000001", "M"),
        ("01000000002", "M"),
        ("01000000003", "C"),
    ]
    assert (removed.status, removed.body) == (204, b"")
    assert [entry.number for entry in client.emulator.unsubscribes] == [
        "01000000002",
        "01000000003",
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("clientTelNo=01000000000", ["01000000000"]),
        ("startTime=1764031181000", ["01000000002"]),
        ("endTime=1764031180000", ["01000000000", "01000000001"]),
        ("pageSize=2", ["01000000000", "01000000001"]),
        ("pageSize=2&pageIndex=1", ["01000000002"]),
    ],
)
async def test_the_list_can_be_searched_and_paged(client, clock, query, found):
    client.emulator.unsubscribe("01000000000", "01000000001")
    await clock.sleep(1)
    client.emulator.unsubscribe("01000000002")
    reply = await call(client, "GET", "unsubscribes", query)

    assert [row["clientTelNo"] for row in reply.json] == found


@pytest.mark.parametrize(("option", "status", "body"), [("404", 404, b""), ("200", 200, b"[]")])
async def test_an_empty_list(start, option, status, body):
    client = await start(empty_list=option)
    reply = await call(client, "GET", "unsubscribes")

    assert (reply.status, reply.body) == (status, body)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "body",
    [[], {}, None, "x", [1], [{}], numbers("010-0000-0001"), numbers(*["01000000001"] * 1001)],
)
async def test_a_body_outside_the_rules_is_400(client, method, body):
    reply = await call(client, method, "unsubscribes", body=body)

    assert reply.status == 400


async def test_a_thousand_numbers_are_taken_at_once(client):
    body = numbers(*(f"010{i:08}" for i in range(1000)))

    assert (await call(client, "POST", "unsubscribes", body=body)).status == 200
    assert len(client.emulator.unsubscribes) == 1000


async def test_advertising_fails_for_who_had_opted_out_when_it_went_out(start, clock):
    client = await start(opt_out_code="3006")
    emulator = client.emulator
    await client.send("01000000001", contentType="AD", content="(광고) 그 전")
    await clock.sleep(1)
    emulator.unsubscribe("01000000001")
    await client.send("01000000001", contentType="AD", content="(광고) 그 후")
    await client.send("01000000001", content="소식")
    await clock.sleep(60)
    await call(client, "DELETE", "unsubscribes", body=numbers("01000000001"))
    await client.send("01000000001", contentType="AD", content="(광고) 다시")
    await clock.sleep(60)

    codes = {message.text: message.code for message in emulator.inbox}
    assert codes == {"(광고) 그 전": "0", "(광고) 그 후": "3006", "소식": "0", "(광고) 다시": "0"}
    window = {"requestStartTime": "2025-11-25 09:00:00", "requestEndTime": "2025-11-25 10:00:00"}
    failed = await listed(client, **window, statusName="fail")
    assert [row["content"] for row in failed.json["messages"]] == ["(광고) 그 후"]
