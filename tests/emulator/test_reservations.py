import pytest
from emulator_calls import call, listed


async def reserve(client, **fields):
    reply = await client.send("01000000001", reserveTime="2025-11-25 10:00", **fields)
    return reply.json["requestId"]


async def status(client, reserve_id):
    reply = await call(client, "GET", f"reservations/{reserve_id}/reserve-status")
    return reply.json["reserveStatus"]


async def until_it_goes_out(clock):
    await clock.sleep(20 * 60 + 20)


async def test_a_reservation_goes_out_at_its_time_and_its_messages_are_listed_then(start, clock):
    client = await start(processing_delay=5, completion_delay=10)
    reserve_id = await reserve(client)
    reply = await call(client, "GET", f"reservations/{reserve_id}/reserve-status")
    waiting = await listed(client, requestId=reserve_id)
    await until_it_goes_out(clock)
    working = await status(client, reserve_id)
    await clock.sleep(10)
    done = await listed(client, requestId=reserve_id)

    assert reply.json == {
        "reserveId": reserve_id,
        "reserveTimeZone": "Asia/Seoul",
        "reserveTime": "2025-11-25T10:00:00+09:00",
        "reserveStatus": "READY",
    }
    assert (waiting.status, waiting.json["statusName"], waiting.json["messages"]) == (
        200,
        "reserved",
        [],
    )
    assert (working, await status(client, reserve_id)) == ("PROCESSING", "DONE")
    [row] = done.json["messages"]
    assert (row["requestTime"], row["completeTime"]) == (
        "2025-11-25 09:39:40",
        "2025-11-25 10:00:10",
    )


async def test_a_reservation_that_waits_can_be_cancelled_once(start, clock):
    client = await start()
    reserve_id = await reserve(client)
    cancelled = await call(client, "DELETE", f"reservations/{reserve_id}")
    again = await call(client, "DELETE", f"reservations/{reserve_id}")
    await until_it_goes_out(clock)

    assert (cancelled.status, cancelled.body) == (204, b"")
    assert (again.status, again.json["errorMessage"]) == (
        400,
        "the reservation is CANCELED, only READY can be cancelled",
    )
    assert await status(client, reserve_id) == "CANCELED"
    assert (await listed(client, requestId=reserve_id)).status == 404
    assert list(client.emulator.inbox) == []


@pytest.mark.parametrize("refusal", ["400", "404", "409"])
async def test_what_has_gone_out_cannot_be_cancelled(start, clock, refusal):
    client = await start(cancel_refusal=refusal)
    reserve_id = await reserve(client)
    await until_it_goes_out(clock)

    assert (await call(client, "DELETE", f"reservations/{reserve_id}")).status == int(refusal)


async def test_what_is_no_reservation_is_404(client):
    request_id = (await client.send()).json["requestId"]

    for wrong in (request_id, "nothing", "%EC%84%9C"):
        assert (await call(client, "GET", f"reservations/{wrong}/reserve-status")).status == 404
        assert (await call(client, "DELETE", f"reservations/{wrong}")).status == 404


@pytest.mark.parametrize("end", ["FAIL", "STALE", "SKIP"])
@pytest.mark.parametrize("by", ["option", "order"])
async def test_a_reservation_can_end_without_going_out(start, clock, end, by):
    client = await start(processing_delay=0, **({"reservation_end": end} if by == "option" else {}))
    reserve_id = await reserve(client)
    if by == "order":
        client.emulator.end_reservation(reserve_id, end)
    before = await status(client, reserve_id)
    await until_it_goes_out(clock)

    assert (before, await status(client, reserve_id)) == ("READY", end)
    assert (await listed(client, requestId=reserve_id)).status == 404
    assert [found.status for found in client.emulator.reservations] == [end]
    with pytest.raises(ValueError, match="its end is decided"):
        client.emulator.end_reservation(reserve_id, "DONE")


@pytest.mark.parametrize(("rows", "expected"), [("ready", (200, ["READY"])), ("hidden", (404, []))])
async def test_how_waiting_messages_are_listed_can_be_chosen(start, clock, rows, expected):
    client = await start(reserved_rows=rows)
    reserve_id = await reserve(client)
    await clock.sleep(1)
    reply = await listed(client, requestId=reserve_id)

    statuses = [row["status"] for row in reply.json["messages"]] if reply.body else []
    assert (reply.status, statuses) == expected


async def test_the_reserved_time_may_be_told_as_it_was_in_2023(start):
    client = await start(reserve_time="minute")
    reserve_id = await reserve(client, reserveTimeZone="Asia/Tokyo")
    reply = await call(client, "GET", f"reservations/{reserve_id}/reserve-status")

    assert reply.json["reserveTime"] == "2025-11-25 10:00"
    assert reply.json["reserveTimeZone"] == "Asia/Tokyo"
