"""Reading back over real sockets: what was sent is found, cancelled, or left out."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from sens_async import (
    BadRequest,
    InvalidMessage,
    NotFound,
    OutcomeState,
    PermissionDenied,
    RateLimit,
    ReservationNotCancellable,
    ResultClass,
    ServiceUnavailable,
    Unsubscribed,
)
from sens_async.core.schedule import from_epoch

DAY = 24 * 3600.0


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"010{i:08d}" for i in range(start, start + count)]


async def read(iterator):
    return [entry async for entry in iterator]


def listed(emulator):
    return [request for request in emulator.requests if request.endpoint == "list"]


async def test_a_run_is_found_whole_by_time_and_by_request(sens, clock):
    began = from_epoch(clock.time())
    report = await sens.send_many(numbers(250), "안녕하세요")
    await clock.sleep(5)
    found = await read(sens.messages(since=began))
    assert sorted(delivery.number for delivery in found) == numbers(250)
    assert all(delivery.is_delivered and delivery.telco for delivery in found)
    assert Counter(delivery.request_id for delivery in found).keys() == set(report.request_ids)
    for request_id in report.request_ids:
        of_one = await read(sens.deliveries(request_id))
        assert {d.number for d in of_one} == {
            o.number for o in report.outcomes if o.request_id == request_id
        }
    one = found[17]
    assert await sens.message(one.message_id) == one


async def test_nothing_yet_is_empty_and_then_everything_is_there(sens, clock):
    receipt = await sens.send("01000000001", "안녕하세요")
    assert await read(sens.deliveries(receipt)) == []
    await clock.sleep(0.6)
    (waiting,) = await read(sens.deliveries(receipt))
    assert (waiting.status, waiting.result, waiting.is_final) == ("READY", None, False)
    await clock.sleep(5)
    (done,) = await read(sens.deliveries(receipt))
    assert done.result.kind is ResultClass.DELIVERED


@pytest.mark.parametrize(
    ("list_end", "list_order"), [("inclusive", "oldest"), ("exclusive", "newest")]
)
async def test_messages_on_the_seams_of_long_windows_come_once(
    start, open_session, clock, list_end, list_order
):
    emulator = await start(list_end=list_end, list_order=list_order, completion_delay=3)
    sens = await open_session(emulator)
    since = from_epoch(clock.time())
    sent = 0
    for seam in (30 * DAY, 60 * DAY):
        for beside in (-1, 0, 1):
            await clock.sleep(since.timestamp() + seam + beside - clock.time())
            await sens.send_many(numbers(3, sent), "안녕하세요")
            sent += 3
    await clock.sleep(10)
    found = await read(sens.messages(since=since))
    assert sorted(delivery.number for delivery in found) == numbers(sent)
    assert len(listed(emulator)) == 3
    reported = since + timedelta(days=29, seconds=3)
    found = await read(
        sens.messages(completed_since=reported, completed_until=reported + timedelta(days=2))
    )
    assert sorted(delivery.number for delivery in found) == numbers(9)


async def test_filters_are_the_services(sens, clock):
    began = from_epoch(clock.time())
    await sens.send_many([*numbers(4), "01019003001"], "안녕하세요")
    await sens.send_many(numbers(2, 50), "긴 글 " * 20)
    await clock.sleep(5)
    failed = await read(sens.messages(since=began, status_name="fail"))
    assert [(d.number, d.code, d.is_failed) for d in failed] == [("01019003001", "3001", True)]
    assert len(await read(sens.messages(since=began, type="LMS"))) == 2
    assert len(await read(sens.messages(since=began, to="010-0000-0001"))) == 1
    assert len(await read(sens.messages(since=began, status="READY"))) == 0
    assert len(await read(sens.messages(since=began, sender="020-000-0000"))) == 7


async def test_a_shared_request_shows_each_its_own(open_session, clock):
    sens = await open_session(linger=0.05)
    receipts = await asyncio.gather(*(sens.send(n, "안녕하세요") for n in numbers(20)))
    assert len({receipt.request_id for receipt in receipts}) == 1
    await clock.sleep(1)
    for receipt in receipts:
        assert [d.number for d in await read(sens.deliveries(receipt))] == [receipt.number]
    assert len(await read(sens.deliveries(receipts[0].request_id))) == 20


@pytest.mark.parametrize(
    "shape",
    [
        {"list_fields": "2021"},
        {"empty_list": "200"},
        {"page_size": "1000"},
        {"next_token": False},
        {"reserved_rows": "ready"},
    ],
    ids=str,
)
async def test_every_shape_of_the_list_is_read(start, open_session, clock, shape):
    sens = await open_session(await start(**shape))
    report = await sens.send_many(numbers(100), "안녕하세요")
    (request_id,) = report.request_ids
    assert await read(sens.deliveries(request_id)) == []
    await clock.sleep(1)
    assert [d.number for d in await read(sens.deliveries(request_id))] == numbers(100)


async def test_reads_wait_for_the_rate_limit(open_session, clock):
    sens = await open_session(rate_limit=RateLimit(requests=2, per=1.0))
    began = clock.monotonic()
    for _ in range(9):
        await read(sens.deliveries("nobody"))
    assert clock.monotonic() - began >= 3.9


async def test_a_foreign_service_is_told_from_an_empty_one(start, open_session):
    for status, error in (("403", PermissionDenied), ("404", NotFound)):
        emulator = await start(foreign_service=status)
        sens = await open_session(emulator, session={"service_id": "ncp:sms:kr:2:other"})
        with pytest.raises(error):
            await read(sens.deliveries("r"))


async def test_pages_lost_on_the_way_are_asked_for_again(sens, emulator, clock):
    began = from_epoch(clock.time())
    await sens.send_many(numbers(250), "안녕하세요")
    await clock.sleep(5)
    for kind in ("reset", 503, "garbage"):
        emulator.fail(kind, endpoint="list", times=1)
    assert len(await read(sens.messages(since=began))) == 250


# -- reservations


async def reserved(sens, clock, minutes=30):
    receipt = await sens.send(
        "01000000001",
        "안녕하세요",
        reserve_at=from_epoch(clock.time()) + timedelta(minutes=minutes),
    )
    return receipt.request_id


async def test_a_reservation_waits_and_goes_out(sens, clock):
    reserve_id = await reserved(sens, clock)
    found = await sens.reservations.get(reserve_id)
    assert (found.reserve_id, found.status, found.zone) == (reserve_id, "READY", "Asia/Seoul")
    assert found.is_cancellable
    assert found.reserve_at - from_epoch(clock.time()) > timedelta(minutes=30)
    assert await read(sens.deliveries(reserve_id)) == []
    await clock.sleep(31.5 * 60)
    assert (await sens.reservations.get(reserve_id)).status == "DONE"
    assert [d.is_delivered for d in await read(sens.deliveries(reserve_id))] == [True]


@pytest.mark.parametrize(
    ("form", "end"),
    [
        ("offset", "DONE"),
        ("minute", "DONE"),
        ("offset", "FAIL"),
        ("minute", "STALE"),
        ("offset", "SKIP"),
    ],
)
async def test_every_end_of_a_reservation_is_told(start, open_session, clock, form, end):
    sens = await open_session(await start(reservation_end=end, reserve_time=form))
    reserve_id = await reserved(sens, clock)
    await clock.sleep(3600)
    found = await sens.reservations.get(reserve_id)
    assert (found.status, found.is_final) == (end, True)
    assert found.reserve_at == from_epoch(clock.time() // 60 * 60 - 1740)


async def test_a_cancelled_reservation_never_goes_out(sens, emulator, clock):
    reserve_id = await reserved(sens, clock)
    await sens.reservations.cancel(reserve_id)
    assert (await sens.reservations.get(reserve_id)).status == "CANCELED"
    await sens.reservations.cancel(reserve_id)  # as it should be already
    await clock.sleep(3600)
    assert await read(sens.deliveries(reserve_id)) == []


@pytest.mark.parametrize("refusal", ["400", "404", "409"])
async def test_what_has_gone_out_cannot_be_cancelled(start, open_session, clock, refusal):
    sens = await open_session(await start(cancel_refusal=refusal))
    reserve_id = await reserved(sens, clock)
    await clock.sleep(3600)
    with pytest.raises(ReservationNotCancellable, match="DONE; only a READY one") as caught:
        await sens.reservations.cancel(reserve_id)
    assert caught.value.state == "DONE"
    assert caught.value.status == int(refusal)


async def test_a_reservation_that_there_is_not_is_not_found(sens):
    receipt = await sens.send("01000000001", "안녕하세요")
    for reserve_id in ("nobody", receipt.request_id):
        with pytest.raises(NotFound):
            await sens.reservations.get(reserve_id)
        with pytest.raises(NotFound):
            await sens.reservations.cancel(reserve_id)


async def test_a_cancellation_whose_answer_was_lost_is_done(sens, emulator, clock):
    reserve_id = await reserved(sens, clock)
    emulator.fail("reset", endpoint="cancel", times=1, accept=True)
    await sens.reservations.cancel(reserve_id)
    assert (await sens.reservations.get(reserve_id)).status == "CANCELED"


# -- opt-outs


async def test_numbers_are_added_listed_and_removed(sens, clock):
    began = from_epoch(clock.time())
    await sens.unsubscribes.add(["010-0000-0001", *numbers(2500), "+82 10 0000 0002"])
    everybody = await read(sens.unsubscribes.list())
    assert [entry.number for entry in everybody] == list(
        dict.fromkeys(["01000000001", *numbers(2500)])
    )
    assert all(entry.is_manual and entry.registered_at >= began for entry in everybody)
    (one,) = await read(sens.unsubscribes.list("010-0000-0007"))
    assert one.number == "01000000007"
    await clock.sleep(10)
    assert await read(sens.unsubscribes.list(since=from_epoch(clock.time() - 5))) == []
    assert len(await read(sens.unsubscribes.list(until=from_epoch(clock.time() - 5)))) == 2500
    await sens.unsubscribes.remove(numbers(2499))
    assert await sens.unsubscribes.numbers() == {"01000002499"}
    await sens.unsubscribes.remove(numbers(2500))
    assert await read(sens.unsubscribes.list()) == []


AD = {"content": "(광고) 할인", "content_type": "AD"}


async def test_who_has_opted_out_is_left_out_without_a_request(sens, emulator, clock):
    await sens.unsubscribes.add(numbers(30, 90))
    began = len(emulator.requests)
    report = await sens.send_many(numbers(250), **AD, skip_unsubscribed=True)
    assert report.counts == {OutcomeState.ACCEPTED: 220, OutcomeState.SKIPPED: 30}
    assert [outcome.number for outcome in report.skipped] == numbers(30, 90)
    assert all(isinstance(outcome.error, Unsubscribed) for outcome in report.skipped)
    assert "010-****-0090" in str(report.skipped[0].error)
    assert not set(numbers(30, 90)) & set(emulator.admissions)
    asked = Counter(request.endpoint for request in emulator.requests[began:])
    assert asked == {"unsubscribes": 1, "messages": 3}


async def test_a_stream_leaves_them_out_too(sens, emulator):
    await sens.unsubscribes.add(["010-0000-0001"])
    async with sens.send_stream(numbers(3), **AD, skip_unsubscribed=True) as outcomes:
        states = {outcome.number: outcome.state async for outcome in outcomes}
    assert states == {
        "01000000000": OutcomeState.ACCEPTED,
        "01000000001": OutcomeState.SKIPPED,
        "01000000002": OutcomeState.ACCEPTED,
    }


async def test_without_the_list_nothing_is_sent(open_session, emulator):
    sens = await open_session()
    emulator.fail(500, endpoint="unsubscribes")
    with pytest.raises(ServiceUnavailable):
        await sens.send_many(numbers(3), **AD, skip_unsubscribed=True)
    stream = sens.send_stream(numbers(3), **AD, skip_unsubscribed=True)
    with pytest.raises(ServiceUnavailable):
        await anext(stream)
    assert not emulator.admissions


async def test_opting_out_is_of_advertisements_only(sens, emulator):
    for verb in (sens.send_many, sens.send_stream):
        with pytest.raises(InvalidMessage, match="skip_unsubscribed is for advertisements"):
            await verb(numbers(3), "안녕하세요", skip_unsubscribed=True)
    assert not emulator.requests


async def test_without_being_asked_nobody_looks(sens, emulator):
    await sens.unsubscribes.add(["010-0000-0001"])
    report = await sens.send_many(numbers(3), **AD)
    assert report.counts == {OutcomeState.ACCEPTED: 3}


async def test_a_refused_page_of_a_reading_is_raised(sens, emulator):
    emulator.fail("bad_request", endpoint="list")
    with pytest.raises(BadRequest):
        await read(sens.deliveries("r"))
