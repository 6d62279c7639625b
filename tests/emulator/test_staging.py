import asyncio

import aiohttp
import orjson
import pytest
from emulator_calls import listed


async def control(client, method, path, body=None):
    data = b"" if body is None else orjson.dumps(body)
    return await client.call(method, f"/_emulator{path}", data, {}, patience=5000)


async def test_the_clock_is_told_advanced_set_and_put_right_by_a_reset(client):
    told = await control(client, "GET", "/clock")
    advanced = await control(client, "POST", "/clock", {"advance": 3600})
    was_set = await control(client, "POST", "/clock", {"set": "2026-01-01T00:00:00+09:00"})
    await control(client, "POST", "/reset")

    assert told.json == {"time": 1764031180.0, "iso": "2025-11-25T00:39:40+00:00", "offset": 0.0}
    assert advanced.json["offset"] == 3600.0
    assert was_set.json["iso"] == "2025-12-31T15:00:00+00:00"
    assert (await control(client, "GET", "/clock")).json["offset"] == 0.0


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"advance": -1},
        {"advance": "1"},
        {"advance": True},
        {"advance": 1e300},
        {"set": "tomorrow"},
        {"set": "2025-11-25T00:00:00"},
        {"set": None},
        {"set": -1},
        {"advance": 1, "set": 1},
        {"back": 1},
    ],
)
async def test_a_clock_cannot_be_moved_by_nonsense(client, body):
    reply = await control(client, "POST", "/clock", body)

    assert reply.status == 400
    assert reply.json["error"]
    assert client.emulator.clock.offset == 0.0


async def test_an_advanced_clock_brings_messages_and_still_takes_signatures_of_both(client):
    request_id = (await client.send("01000000001")).json["requestId"]
    await control(client, "POST", "/clock", {"advance": 3600})
    own = await listed(client, requestId=request_id)
    target = client.target("messages") + f"?requestId={request_id}"
    signed_before = client.headers(target, method="GET", skew=-3600.0)
    given = await client.call("GET", target, b"", signed_before)

    assert own.json["messages"][0]["status"] == "COMPLETED"
    assert given.status == 200


async def test_signatures_may_be_held_to_the_advanced_clock(start):
    client = await start(signature_clock="own")
    client.emulator.advance(3600)
    target = client.target("unsubscribes")
    signed_before = client.headers(target, method="GET", skew=-3600.0)

    assert (await client.call("GET", target, b"", signed_before)).status == 401
    assert (await client.send()).status == 202


async def test_a_send_can_be_seeded_in_the_past(client, message):
    body = {"send": message("01000000001"), "ago": 7200}
    request_id = (await control(client, "POST", "/seed", body)).json["request_id"]
    await client.send("01000000002")
    window = {"requestStartTime": "2025-11-25 07:39:40", "requestEndTime": "2025-11-25 07:39:40"}
    reply = await listed(client, **window)

    assert [row["requestId"] for row in reply.json["messages"]] == [request_id]


@pytest.mark.parametrize(
    "body",
    [{}, {"send": 1}, {"send": {}}, {"send": {}, "ago": "1"}, {"send": {}, "ago": -1}, {"at": 1}],
)
async def test_a_seed_that_cannot_be_read_is_400(client, body):
    assert (await control(client, "POST", "/seed", body)).status == 400
    assert not client.emulator.admissions


async def test_the_inbox_shows_the_newest_first(client, clock):
    await client.send("01000000001", content="하나")
    await clock.sleep(1)
    await client.send("01000000002", content="둘")
    everything = await control(client, "GET", "/inbox")
    mine = await control(client, "GET", "/inbox?to=010-0000-0001")
    late = await control(client, "GET", "/inbox?since=1764031181")
    one = await control(client, "GET", "/inbox?limit=1")
    holding = await control(client, "GET", "/inbox?containing=%ED%95%98")

    assert [found["text"] for found in everything.json] == ["둘", "하나"]
    assert [found["text"] for found in mine.json] == ["하나"]
    assert [found["text"] for found in late.json] == ["둘"]
    assert [found["text"] for found in one.json] == ["둘"]
    assert [found["text"] for found in holding.json] == ["하나"]
    [admission] = client.emulator.admissions["01000000001"]
    assert mine.json[0] == {
        "request_id": admission.request_id,
        "message_id": admission.message_id,
        "number": "01000000001",
        "sender": "0200000000",
        "type": "SMS",
        "content_type": "COMM",
        "country_code": "82",
        "subject": None,
        "text": "하나",
        "file_ids": [],
        "at": 1764031180.0,
        "status": "PROCESSING",
        "code": None,
        "telco": None,
        "completed_at": None,
    }


async def test_a_message_is_waited_for(client, clock):
    waiting = asyncio.create_task(control(client, "GET", "/inbox/wait?to=01000000002&timeout=60"))
    await clock.sleep(10)
    await client.send("01000000001")
    assert not waiting.done()
    await client.send("01000000002", content="인증번호 123456")
    reply = await waiting

    assert (reply.status, reply.json["text"]) == (200, "인증번호 123456")
    assert clock.time() < 1764031180.0 + 11


async def test_waiting_ends_at_its_timeout(client, clock):
    reply = await control(client, "GET", "/inbox/wait?timeout=30")

    assert (reply.status, reply.json) == (408, {"error": "no such message came within 30 s"})
    assert clock.time() == pytest.approx(1764031180.0 + 30, abs=0.5)
    assert client.emulator._state.on_accept == client.emulator.clock.on_move == set()


async def test_a_reserved_message_is_in_the_inbox_from_its_time(client, clock):
    await client.send("01000000001", reserveTime="2025-11-25 10:00")
    early = await control(client, "GET", "/inbox")
    reply = await control(client, "GET", "/inbox/wait?timeout=3600")

    assert early.json == []
    assert reply.json["at"] == 1764032400.0
    assert clock.time() == pytest.approx(1764032400.0, abs=0.5)


async def test_a_waiter_hears_of_an_advanced_clock(client):
    await client.send("01000000001", reserveTime="2025-11-25 10:00")
    waiting = asyncio.create_task(client.emulator.inbox.wait(timeout=10.0))
    await asyncio.sleep(0.1)
    client.emulator.advance(1300.0)

    assert (await waiting).number == "01000000001"


async def test_nobody_waits_on_when_the_emulator_closes(client, clock):
    left = asyncio.create_task(control(client, "GET", "/inbox/wait?timeout=3600"))
    await clock.sleep(1)
    left.cancel()
    staying = asyncio.create_task(control(client, "GET", "/inbox/wait?timeout=3600"))
    await clock.sleep(1)
    await client.emulator.aclose()

    with pytest.raises(aiohttp.ClientError):
        await staying
    assert clock.time() < 1764031180.0 + 3


@pytest.mark.parametrize("query", ["timeout=x", "timeout=-1", "since=nan", "timeout=inf"])
async def test_a_wait_that_cannot_be_read_is_400(client, query):
    assert (await control(client, "GET", f"/inbox/wait?{query}")).status == 400


async def test_results_are_ordered_read_and_forgotten(client, clock):
    ordered = await control(client, "POST", "/results", {"01000000001": "3001"})
    wrong = await control(client, "POST", "/results", {"01000000002": 3001})
    await client.send("01000000001")
    await clock.sleep(10)
    failed = client.emulator.inbox.last().code
    cleared = await control(client, "DELETE", "/results")

    assert ordered.json == {"01000000001": "3001"}
    assert (wrong.status, failed, cleared.status) == (400, "3001", 204)
    assert (await control(client, "GET", "/results")).json == {}


async def test_reservations_are_read_and_ended(client):
    ids = [(await client.send(reserveTime="2025-11-25 10:00")).json["requestId"] for _ in range(2)]
    ordered = await control(client, "POST", f"/reservations/{ids[0]}", {"status": "STALE"})
    cancelled = await control(client, "POST", f"/reservations/{ids[1]}", {"status": "CANCELED"})
    client.emulator.advance(3600)

    assert ordered.json["status"] == "READY"
    assert cancelled.json["status"] == "CANCELED"
    assert [found["status"] for found in (await control(client, "GET", "/reservations")).json] == [
        "STALE",
        "CANCELED",
    ]
    for reserve_id, body, status in (
        (ids[0], {"status": "DONE"}, 400),
        (ids[0], {"status": ["DONE"]}, 400),
        (ids[0], {}, 400),
        (ids[1], {"status": "CANCELED"}, 400),
        ("nobody", {"status": "DONE"}, 404),
    ):
        assert (await control(client, "POST", f"/reservations/{reserve_id}", body)).status == status


async def test_opt_outs_are_read_and_set(client):
    body = {"numbers": ["01000000001", "01000000002"], "type": "C"}
    added = await control(client, "POST", "/unsubscribes", body)
    left = await control(client, "DELETE", "/unsubscribes", {"numbers": ["01000000001"]})

    assert added.json[0] == {"number": "01000000001", "at": 1764031180.0, "type": "C"}
    assert [entry["number"] for entry in left.json] == ["01000000002"]
    for wrong in ({}, {"numbers": "010"}, {"numbers": [1]}, {"numbers": [], "type": "X"}):
        assert (await control(client, "POST", "/unsubscribes", wrong)).status == 400


async def test_everything_is_forgotten_by_a_reset(client):
    emulator = client.emulator
    emulator.unsubscribe("01000000001")
    emulator.results["01000000001"] = "3001"
    await client.send("01000000001", reserveTime="2025-11-25 10:00")
    emulator.advance(10)
    emulator.reset()

    assert (list(emulator.unsubscribes), emulator.results, emulator.reservations) == ([], {}, [])
    assert (list(emulator.inbox), emulator.clock.offset) == ([], 0.0)
