"""Tracking over real sockets: whatever happens to the questions, everybody's end is told once."""

import asyncio
import itertools
from collections import Counter, defaultdict
from datetime import timedelta

import pytest

from sens_async import (
    DeliveryEnd,
    InvalidMessage,
    InvalidQuery,
    PermissionDenied,
    RateLimit,
    Recipient,
    SessionClosed,
)
from sens_async.core.schedule import from_epoch

NEVER = "01019999999"
"""Its message is never completed."""
MINUTES = 60.0
HOURS = 3600.0


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"010{i:08d}" for i in range(start, start + count)]


def asked(emulator, endpoint="list"):
    return [request for request in emulator.requests if request.endpoint == endpoint]


def request_of(entry) -> str:
    return entry.target.partition("requestId=")[2].partition("&")[0]


async def read(tracking):
    return [delivery async for delivery in tracking]


async def keep(tracking, told) -> None:
    async for delivery in tracking:
        told.append(delivery)


def steps(deliveries) -> dict[str, list[str]]:
    """Number to the states that were told of it, in order."""
    found = defaultdict(list)
    for delivery in deliveries:
        found[delivery.number].append(delivery.status)
    return found


async def test_ten_thousand_are_followed_through_delay_lost_pages_and_failures(
    start, open_session, clock
):
    emulator = await start(
        visibility_delay=(8.0, 20.0), processing_delay=8.0, completion_delay=(20.0, 22.0)
    )
    sens = await open_session(emulator)
    everybody = [
        Recipient(number, key=f"order-{number}")
        for number in [*numbers(9_900), *(f"0101900{code}" for code in range(3000, 3100))]
    ]
    report = await sens.send_many(everybody, "안녕하세요")
    assert len(report.accepted) == 10_000
    for kind in ("drop", 503, "half", "throttle"):
        emulator.fail(kind, endpoint="list", probability=0.02)
    tracking = sens.track(report)
    assert len(tracking.pending) == 10_000
    ends, latest = Counter(), {}
    async for delivery in tracking:
        assert delivery.key == f"order-{delivery.number}"
        assert everybody[delivery.index].to == delivery.number
        assert (delivery.status, delivery.number) not in latest
        latest[delivery.status, delivery.number] = delivery
        ends[delivery.end] += 1
    assert tracking.counts == {DeliveryEnd.DELIVERED: 9_900, DeliveryEnd.FAILED: 100}
    assert tracking.pending == ()
    assert ends[DeliveryEnd.DELIVERED] + ends[DeliveryEnd.FAILED] == 10_000
    assert len({number for status, number in latest if status == "COMPLETED"}) == 10_000
    assert {entry.endpoint for entry in emulator.requests} == {"messages", "list"}
    lists = asked(emulator)
    assert {entry.fault for entry in lists} == {None, "drop", "status", "half", "throttle"}
    times = defaultdict(list)
    for entry in lists:
        times[request_of(entry)].append(entry.at)
    assert times.keys() == set(report.request_ids)
    # In any round, which are three quarters of a second apart at least, each request is asked
    # about once, and later rounds are farther apart.
    assert min(b - a for at in times.values() for a, b in itertools.pairwise(at)) >= 0.75
    assert all(b.at - a.at >= 0.75 for a, b in zip(lists, lists[100:], strict=False))
    assert len(lists) <= 100 * 12


async def test_every_state_is_told_once_and_the_end_is_final(start, open_session):
    sens = await open_session(await start(processing_delay=5.0, completion_delay=15.0))
    report = await sens.send_many(["01000000001", "01019003001", "01019990030"], "안녕하세요")
    tracking = sens.track(report)
    told = await read(tracking)
    way = ["READY", "PROCESSING", "COMPLETED"]
    assert steps(told) == dict.fromkeys(["01000000001", "01019003001", "01019990030"], way)
    assert [d.code for d in told if d.is_final] == ["0", "3001", "0"]
    assert {d.request_id for d in told} == set(report.request_ids)
    assert tracking.counts == {DeliveryEnd.DELIVERED: 2, DeliveryEnd.FAILED: 1}
    assert not tracking.pending
    assert await read(tracking) == []
    assert repr(tracking) == "<Tracking: DELIVERED 2, FAILED 1>"


async def test_only_requests_with_somebody_pending_are_asked_about(sens, emulator, clock):
    report = await sens.send_many([*numbers(100), NEVER, *numbers(99, 100)], "안녕하세요")
    done, open_ = report.request_ids
    tracking = sens.track(report, timeout=600)
    assert len([d for d in await read(tracking) if d.is_final]) == 199
    (pending,) = tracking.pending
    assert (pending.index, pending.request_id, pending.status) == (100, open_, "PROCESSING")
    assert (pending.number, pending.key) == (NEVER, None)
    assert NEVER not in repr(pending)
    times = defaultdict(list)
    for entry in asked(emulator):
        times[request_of(entry)].append(entry.at)
    assert len(times[done]) <= 6
    assert len(times[open_]) <= 25
    assert times[open_][-1] - times[open_][-2] >= 45


async def test_it_ends_quietly_at_the_timeout(start, open_session, clock):
    emulator = await start(visibility_delay=100.0, completion_delay=200.0)
    sens = await open_session(emulator)
    report = await sens.send_many([Recipient(n, key=n[-3:]) for n in numbers(150)], "안녕하세요")
    tracking = sens.track(report, timeout=90)
    await clock.sleep(5)  # it begins with the first question
    began = clock.monotonic()
    assert await read(tracking) == []
    assert clock.monotonic() - began == pytest.approx(90, abs=0.1)
    assert tracking.counts == {}
    assert [pending.index for pending in tracking.pending] == list(range(150))
    assert [pending.key for pending in tracking.pending] == [n[-3:] for n in numbers(150)]
    assert {pending.status for pending in tracking.pending} == {None}
    assert await read(tracking) == []
    assert len(await read(sens.track(report))) == 300


async def test_a_question_without_an_answer_does_not_outlast_the_timeout(sens, emulator, clock):
    report = await sens.send_many(numbers(1), "안녕하세요")
    emulator.fail("hang", endpoint="list")
    began = clock.monotonic()
    tracking = sens.track(report, timeout=7)
    assert await read(tracking) == []
    assert clock.monotonic() - began == pytest.approx(7, abs=0.1)
    assert len(tracking.pending) == 1


async def test_only_who_was_accepted_is_followed(sens, emulator):
    report = await sens.send_many(["01000000001", "x", "01000000001"], "안녕하세요")
    tracking = sens.track(report)
    assert [d.index for d in await read(tracking) if d.is_final] == [0]
    assert tracking.counts.total() == 1
    nobody = sens.track(await sens.send_many(["x"], "안녕하세요"))
    before = len(emulator.requests)
    assert await read(nobody) == []
    assert len(emulator.requests) == before


async def test_a_shared_receipt_is_followed_alone(open_session, emulator):
    sens = await open_session(linger=0.05)
    receipts = await asyncio.gather(*(sens.send(n, "안녕하세요") for n in [*numbers(5), NEVER]))
    assert len({receipt.request_id for receipt in receipts}) == 1
    tracking = sens.track(receipts[3])
    assert {d.number for d in await read(tracking)} == {"01000000003"}
    assert tracking.counts == {DeliveryEnd.DELIVERED: 1}
    assert not asked(emulator, "reservation")


async def test_a_request_id_is_followed_for_whoever_the_list_names(sens, clock):
    report = await sens.send_many(numbers(60), "안녕하세요")
    tracking = sens.track(report.request_ids[0])
    (unknown,) = tracking.pending
    assert (unknown.number, unknown.request_id) == (None, report.request_ids[0])
    began = clock.monotonic()
    told = await read(tracking)
    assert set(steps(told)) == set(numbers(60))
    assert tracking.counts == {DeliveryEnd.DELIVERED: 60}
    assert not tracking.pending
    assert 13 <= clock.monotonic() - began <= 25  # until its list is believed whole


async def test_a_request_that_there_is_not_is_given_up(sens, emulator, clock):
    began = clock.monotonic()
    tracking = sens.track("RSLA-nobody")
    assert await read(tracking) == []
    assert [pending.number for pending in tracking.pending] == [None]
    assert HOURS <= clock.monotonic() - began <= 1.1 * HOURS
    assert len(asked(emulator)) < 80
    assert len(asked(emulator, "reservation")) == 1


@pytest.mark.parametrize(
    "kind", ["reset", "garbage", 500, 504, "rate", "too_many", "quota", "html"]
)
async def test_what_fails_is_asked_again_later(sens, emulator, kind):
    report = await sens.send_many(numbers(3), "안녕하세요")
    emulator.fail(kind, endpoint="list", times=4)
    tracking = sens.track(report)
    assert len([d for d in await read(tracking) if d.is_delivered]) == 3
    assert tracking.last_error is not None
    met = [entry for entry in asked(emulator) if entry.fault]
    assert len(met) == 4
    assert all(b.at - a.at >= 1 for a, b in itertools.pairwise(met))


async def test_a_doom_is_raised_and_what_was_learnt_is_kept(sens, emulator):
    report = await sens.send_many([*numbers(3), NEVER], "안녕하세요")
    emulator.fail("forbidden", endpoint="list", requests="8")
    tracking = sens.track(report, timeout=100)
    with pytest.raises(PermissionDenied):
        await read(tracking)
    assert tracking.counts == {DeliveryEnd.DELIVERED: 3}
    assert await read(tracking) == []
    assert len(tracking.pending) == 1


async def test_it_may_be_left_and_taken_up_again(sens, emulator, clock):
    report = await sens.send_many(numbers(250), "안녕하세요")
    tracking = sens.track(report)
    told = []
    async for delivery in tracking:
        told.append(delivery)
        if len(told) == 30:
            break
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not {name for name in names if name.startswith("sens-async")}
    asked_before = len(emulator.requests)
    await clock.sleep(1)
    assert len(emulator.requests) == asked_before  # nothing runs while nobody waits
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(keep(tracking, told), 0.3)
    told += await read(tracking)
    way = {("READY", "PROCESSING", "COMPLETED"), ("PROCESSING", "COMPLETED")}
    assert {tuple(each) for each in steps(told).values()} <= way
    assert len(steps(told)) == 250
    assert tracking.counts == {DeliveryEnd.DELIVERED: 250}


async def test_a_closed_session_ends_it(open_session, emulator, clock):
    sens = await open_session()
    report = await sens.send_many([*numbers(3), NEVER], "안녕하세요")
    sleeping, asking = sens.track(report), sens.track(report)
    waiting = asyncio.create_task(read(sleeping))
    await clock.sleep(300)
    emulator.fail("hang", endpoint="list")
    hanging = asyncio.create_task(read(asking))
    await clock.sleep(1)
    closed_at = clock.monotonic()
    await sens.aclose()
    for task in (waiting, hanging):
        with pytest.raises(SessionClosed):
            await task
    assert clock.monotonic() - closed_at < 1
    assert sleeping.counts == {DeliveryEnd.DELIVERED: 3}
    with pytest.raises(SessionClosed):
        await anext(sleeping)
    with pytest.raises(SessionClosed):
        sens.track("r")


async def test_sends_go_before_it(open_session, clock):
    sens = await open_session(rate_limit=RateLimit(requests=10))
    report = await sens.send_many([*numbers(1900), NEVER], "안녕하세요")
    tracking = asyncio.create_task(read(sens.track(report, timeout=300)))
    waits = []
    for number in numbers(20, 50_000):
        began = clock.monotonic()
        await sens.send(number, "인증번호 123456")
        waits.append(clock.monotonic() - began)
        await clock.sleep(0.03)
    assert max(waits) <= 0.21  # its own turn, after one that is bulk's now and then
    assert len([d for d in await tracking if d.is_final]) == 1900


# -- reservations


def soon(clock, minutes=30):
    return from_epoch(clock.time()) + timedelta(minutes=minutes)


@pytest.mark.parametrize("rows", ["empty", "ready", "hidden"])
async def test_a_reserved_run_is_waited_for(start, open_session, clock, rows):
    emulator = await start(reserved_rows=rows)
    sens = await open_session(emulator)
    report = await sens.send_many(numbers(150), "안녕하세요", reserve_at=soon(clock))
    tracking = sens.track(report)
    began = clock.monotonic()
    told = await read(tracking)
    assert len([d for d in told if d.is_delivered]) == 150
    assert tracking.counts == {DeliveryEnd.DELIVERED: 150}
    assert {r.status for r in tracking.reservations.values()} <= {"READY", "PROCESSING", "DONE"}
    assert tracking.reservations.keys() == set(report.request_ids)
    assert clock.monotonic() - began <= 32 * MINUTES
    waiting = [e for e in emulator.requests if 120 < e.at - emulator.requests[0].at < 29 * MINUTES]
    assert not waiting


async def test_a_reserved_receipt_is_not_asked_about_before_its_time(sens, emulator, clock):
    receipt = await sens.send("01000000001", "안녕하세요", reserve_at=soon(clock, 90))
    told = await read(sens.track(receipt))
    assert told[-1].is_delivered
    assert len(asked(emulator, "reservation")) == 2  # after an hour, and at its time
    assert min(entry.at for entry in asked(emulator)) >= receipt.reserve_at.timestamp()


@pytest.mark.parametrize("rows", ["empty", "ready", "hidden"])
async def test_a_cancelled_reservation_ends_its_messages(start, open_session, clock, rows):
    sens = await open_session(await start(reserved_rows=rows))
    report = await sens.send_many(numbers(3), "안녕하세요", reserve_at=soon(clock, 24 * 60))
    tracking = sens.track(report)
    reading = asyncio.create_task(read(tracking))
    await clock.sleep(10 * MINUTES)
    assert len(tracking.pending) == 3
    await sens.reservations.cancel(report.request_ids[0])
    cancelled = clock.monotonic()
    assert {d.status for d in await reading} <= {"READY"}
    assert clock.monotonic() - cancelled <= 1.1 * HOURS
    assert tracking.counts == {DeliveryEnd.CANCELED: 3}
    assert not tracking.pending


@pytest.mark.parametrize("end", ["FAIL", "STALE", "SKIP"])
@pytest.mark.parametrize("by", ["receipt", "id"])
async def test_a_reservation_that_sends_nothing_ends_its_messages(
    start, open_session, clock, end, by
):
    sens = await open_session(await start(reservation_end=end))
    receipt = await sens.send("01000000001", "안녕하세요", reserve_at=soon(clock))
    tracking = sens.track(receipt if by == "receipt" else receipt.request_id)
    assert await read(tracking) == []
    # By its id alone it was never known who and how many they are.
    assert tracking.counts == ({DeliveryEnd.NOT_SENT: 1} if by == "receipt" else {})
    assert not tracking.pending
    assert tracking.reservations[receipt.request_id].status == end


async def test_a_lookup_that_fails_is_made_again(sens, emulator, clock):
    receipt = await sens.send("01000000001", "안녕하세요", reserve_at=soon(clock))
    emulator.fail(503, endpoint="reservation", times=3)
    tracking = sens.track(receipt)
    assert (await read(tracking))[-1].is_delivered


# -- what is asked for


@pytest.mark.parametrize("of", ["", " ", None, 7, ["r"], b"r"])
async def test_what_cannot_be_followed_is_refused(sens, of):
    with pytest.raises(InvalidQuery):
        sens.track(of)


@pytest.mark.parametrize("timeout", [0, -1, "5", True, float("nan"), float("inf")])
async def test_a_timeout_is_seconds(sens, timeout):  # noqa: ASYNC109 - what is tested
    with pytest.raises(InvalidMessage, match="timeout must be seconds above 0"):
        sens.track("r", timeout=timeout)
