"""What dooms a run, or an outage: how little it costs. Figures of requests are upper bounds."""

import asyncio

import pytest
from integration.invariants import check_once, check_report
from raw_server import free_port
from virtual_time import VirtualClock

from sens_async import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    ConnectFailed,
    Credentials,
    NotFound,
    OutcomeState,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    Recipient,
    SensSession,
    ServiceUnavailable,
    Settings,
)

IN_FLIGHT = 32


def people(count: int) -> list[str]:
    return [f"010{i:08d}" for i in range(count)]


def states(report) -> dict[str, int]:
    return {state.name: n for state, n in report.counts.items() if n}


# -- keys and clocks


async def test_a_wrong_key_costs_nobody_and_few_requests(start, open_session):
    slow = await start(latency=0.2)
    wrong = Credentials(slow.access_key, "wrong")
    sens = await open_session(slow, session={"credentials": wrong})
    given = people(5_000)
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"NOT_SENT": 5_000}
    check_report(report, given, slow.admissions)
    assert isinstance(report.stopped_by, AuthenticationFailed)
    assert len(slow.requests) <= 33


async def test_a_key_revoked_in_mid_run_costs_what_is_in_flight(start, open_session):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    slow.fail("unauthorized", requests="61-")
    given = people(10_000)
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 6_000, "NOT_SENT": 4_000}
    check_report(report, given, slow.admissions)
    assert len(slow.requests) <= 60 + IN_FLIGHT + 1


@pytest.mark.parametrize("skew", [600.0, -600.0])
async def test_a_clock_ten_minutes_off_costs_no_run(start, open_session, skew):
    slow = await start(latency=0.2)
    clock = VirtualClock()
    clock.offset = skew
    sens = await open_session(slow, session={"clock": clock})
    given = people(5_000)
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 5_000}
    check_report(report, given, slow.admissions)
    assert len(slow.requests) <= 50 + IN_FLIGHT


@pytest.mark.parametrize("skew", [600.0, -600.0])
async def test_a_clock_ten_minutes_off_costs_no_simultaneous_sends(start, open_session, skew):
    slow = await start(latency=0.2)
    clock = VirtualClock()
    clock.offset = skew
    sens = await open_session(slow, session={"clock": clock})
    receipts = await asyncio.gather(*(sens.send(to, "안녕하세요") for to in people(32)))

    assert {receipt.attempts for receipt in receipts} == {2}
    check_once(slow.admissions)
    assert slow.admissions.total == 32


# -- an envelope that is refused whoever the recipient is


@pytest.mark.parametrize("count", [1, 2, 3, 100, 5_000, 50_000])
async def test_an_unregistered_sender_costs_a_handful_of_requests(start, open_session, count):
    strict = await start(unregistered_sender="refuse", latency=0.05)
    sens = await open_session(strict)
    given = people(count)
    report = await sens.send_many(given, "안녕하세요", sender="0299999999")

    check_report(report, given, strict.admissions)
    assert len(strict.requests) <= 10
    if count >= 3:
        assert states(report) == {"NOT_SENT": count}
        assert isinstance(report.stopped_by, BadRequest)


async def test_an_unregistered_sender_in_mid_run_costs_a_handful_of_requests(start, open_session):
    """The numbers are good and the envelope was proven: nothing is known until all is tried."""
    strict = await start(unregistered_sender="refuse", latency=0.05)
    sens = await open_session(strict)
    given = people(5_000)
    report = await sens.send_many(
        (
            Recipient(number, content="가" * (10 if i < 2_500 else 500))
            for i, number in enumerate(given)
        ),
        sender="0299999999",
    )

    assert states(report) == {"NOT_SENT": 5_000}
    assert len(strict.requests) <= 20


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("forbidden", PermissionDenied),
        (404, NotFound),
        ("redirect", ApiError),
        ("unauthorized", AuthenticationFailed),
        ("quota", QuotaExceeded),
    ],
)
@pytest.mark.parametrize("first", [1, 61])
async def test_what_no_recipient_can_help_stops_the_run(start, open_session, kind, error, first):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    slow.fail(kind, requests=f"{first}-")
    given = people(10_000)
    report = await sens.send_many(given, "안녕하세요")

    accepted = 100 * (first - 1)
    assert report.counts[OutcomeState.ACCEPTED] == accepted
    assert report.counts[OutcomeState.NOT_SENT] == 10_000 - accepted
    check_report(report, given, slow.admissions)
    assert isinstance(report.stopped_by, error)
    assert not report.stopped_by.may_have_been_sent
    assert len(slow.requests) <= first + IN_FLIGHT


async def test_a_foreign_service_id_stops_the_run(emulator, open_session):
    sens = await open_session(session={"service_id": "ncp:sms:kr:999999999999:other"})
    report = await sens.send_many(people(5_000), "안녕하세요")

    assert states(report) == {"NOT_SENT": 5_000}
    assert isinstance(report.stopped_by, PermissionDenied)
    assert len(emulator.requests) <= 4


# -- outages


@pytest.mark.parametrize("kind", [503, "drop", "hang"])
@pytest.mark.parametrize("accept", [False, True], ids=["before", "after"])
async def test_an_outage_of_a_minute_leaves_few_unknown(start, open_session, clock, kind, accept):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    given = people(20_000)
    running = asyncio.create_task(sens.send_many(given, "안녕하세요"))
    await clock.sleep(0.7)
    slow.fail(kind, accept=accept)
    await clock.sleep(60.0)
    slow.clear_faults()
    report = await running

    counts = check_report(report, given, slow.admissions)
    unknown_batches = counts[OutcomeState.UNKNOWN] / 100
    probes = 60.0 / sens.settings.retry.outage_pause
    assert 0 < unknown_batches <= 5 + IN_FLIGHT + probes
    assert not counts[OutcomeState.REJECTED]
    if counts[OutcomeState.NOT_SENT]:
        assert report.stopped_by is not None


async def test_a_short_outage_is_outlived(start, open_session, clock):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    given = people(20_000)
    running = asyncio.create_task(sens.send_many(given, "안녕하세요"))
    await clock.sleep(0.7)
    slow.fail(503)
    await clock.sleep(sens.settings.retry.outage_pause / 2)
    slow.clear_faults()
    report = await running

    counts = check_report(report, given, slow.admissions)
    assert report.stopped_by is None
    assert counts[OutcomeState.UNKNOWN] <= 100 * (5 + IN_FLIGHT)
    assert counts[OutcomeState.ACCEPTED] == 20_000 - counts[OutcomeState.UNKNOWN]


async def test_an_outage_that_was_there_first_leaves_few_unknown(start, open_session):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    slow.fail(503)
    given = people(20_000)
    report = await sens.send_many(given, "안녕하세요")

    counts = check_report(report, given, slow.admissions)
    assert isinstance(report.stopped_by, ServiceUnavailable)
    assert counts[OutcomeState.UNKNOWN] <= 100 * (5 + 4 + 1)
    assert counts[OutcomeState.NOT_SENT] == 20_000 - counts[OutcomeState.UNKNOWN]


# -- 429 with 32 in flight


async def test_a_quota_stops(start, open_session):
    strict = await start(latency=0.2, quota=6_000)
    sens = await open_session(strict)
    given = people(20_000)
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 6_000, "NOT_SENT": 14_000}
    check_report(report, given, strict.admissions)
    assert isinstance(report.stopped_by, QuotaExceeded)
    assert len(strict.requests) <= 60 + IN_FLIGHT


@pytest.mark.parametrize("kind", ["throttle", "rate"])
async def test_a_burst_of_throttling_does_not_stop(start, open_session, kind):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    slow.fail(kind, requests="40-140")
    given = people(20_000)
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 20_000}
    check_report(report, given, slow.admissions)


async def test_a_real_rate_limit_does_not_stop(start, open_session):
    strict = await start(latency=0.2, rate=20)
    sens = await open_session(strict)
    given = people(20_000)
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 20_000}
    check_report(report, given, strict.admissions)


async def test_a_429_without_a_code_does_not_stop_when_a_pause_helps(start, open_session, clock):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    slow.fail("too_many", requests="40-60")
    given = people(20_000)
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 20_000}
    check_report(report, given, slow.admissions)


async def test_a_429_without_a_code_that_comes_again_after_a_pause_stops(start, open_session):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    slow.fail("too_many", requests="40-")
    given = people(20_000)
    report = await sens.send_many(given, "안녕하세요")

    assert report.counts[OutcomeState.ACCEPTED] == 3_900
    assert report.counts[OutcomeState.NOT_SENT] == 16_100
    check_report(report, given, slow.admissions)
    assert isinstance(report.stopped_by, RateLimited)
    assert len(slow.requests) <= 39 + 2 * IN_FLIGHT


async def test_throttling_without_end_stops(start, open_session, clock):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    slow.fail("throttle")
    began = clock.monotonic()
    report = await sens.send_many(people(5_000), "안녕하세요")

    assert states(report) == {"NOT_SENT": 5_000}
    assert isinstance(report.stopped_by, RateLimited)
    assert clock.monotonic() - began < 300.0


# -- halving


@pytest.mark.parametrize(
    ("first", "most_refused", "most"), [(0, 7, 17), (100, 7, 14)], ids=["unproven", "proven"]
)
async def test_one_bad_number_costs_few_requests(emulator, open_session, first, most_refused, most):
    """Wherever it stands in its batch of 100, the first of the run or one after an acceptance."""
    refused, requests = [], []
    for place in range(100):
        emulator.reset()
        sens = await open_session()
        given = people(first + 100)
        emulator.refuse_numbers = {given[first + place]}
        report = await sens.send_many(given, "안녕하세요")
        await sens.aclose()

        assert states(report) == {"ACCEPTED": len(given) - 1, "REJECTED": 1}
        assert [outcome.index for outcome in report.rejected] == [first + place]
        check_report(report, given, emulator.admissions)
        refused.append(sum(entry.status == 400 for entry in emulator.requests))
        requests.append(len(emulator.requests) - first // 100)

    assert max(refused) <= most_refused
    assert max(requests) <= most


async def test_one_bad_number_in_each_batch_holds_nobody_else_up(start, open_session):
    slow = await start(latency=0.05)
    sens = await open_session(slow)
    given = people(3_000)
    bad = {given[100 * i + 7 * i % 100] for i in range(30)}
    slow.refuse_numbers = bad
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 2_970, "REJECTED": 30}
    assert {outcome.number for outcome in report.rejected} == bad
    check_report(report, given, slow.admissions)
    assert len(slow.requests) <= 30 * 12


async def test_one_batch_of_a_kind_is_halved_at_a_time(start, open_session):
    slow = await start(latency=0.05)
    sens = await open_session(slow)
    given = people(3_000)
    slow.refuse_numbers = {given[100 * i + 42] for i in range(30)}
    most = 0

    async def watch():
        nonlocal most
        while True:
            parts = [e for e in slow.requests if e.recipients < 100 and e.status is None]
            most = max(most, len(parts))
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    report = await sens.send_many(given, "안녕하세요")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    assert most == 1
    assert report.counts[OutcomeState.REJECTED] == 30


async def test_three_bad_numbers_far_apart_do_not_make_an_envelope_bad(emulator, sens):
    """Places 0, 50 and 99 are those that are probed; the fourth is good."""
    given = people(100)
    emulator.refuse_numbers = {given[0], given[50]}
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 98, "REJECTED": 2}
    check_report(report, given, emulator.admissions)


async def test_everybody_bad_after_others_were_accepted_is_rejected_one_by_one(emulator, sens):
    given = people(200)
    emulator.refuse_numbers = set(given[100:])
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"ACCEPTED": 100, "REJECTED": 100}
    check_report(report, given, emulator.admissions)
    assert len(emulator.requests) <= 1 + 199


async def test_what_is_too_large_is_halved_without_looking_for_a_culprit(start, open_session):
    narrow = await start(max_body_bytes=40_000)
    sens = await open_session(narrow)
    given = [
        Recipient(number, content=f"{i:04d}" + "가" * 900) for i, number in enumerate(people(100))
    ]
    report = await sens.send_many(given)

    assert states(report) == {"ACCEPTED": 100}
    check_report(report, given, narrow.admissions)
    refused = [entry.status for entry in narrow.requests].count(413)
    # one of 100, three of one to see whether it is the envelope, two of 49, four of 25, eight
    assert (refused, len(narrow.requests)) == (7, 18)


async def test_what_is_too_large_for_three_far_apart_is_too_large_for_everybody(emulator, sens):
    emulator.fail("too_large")
    given = people(1_000)
    report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"NOT_SENT": 1_000}
    check_report(report, given, emulator.admissions)
    assert isinstance(report.stopped_by, BadRequest)
    assert len(emulator.requests) <= 7


async def test_what_is_too_large_alone_is_rejected(emulator, sens):
    emulator.fail("too_large")
    report = await sens.send_many(people(1), "안녕하세요")

    assert states(report) == {"REJECTED": 1}


async def test_no_connection_at_all_ends_in_reasonable_time(clock):
    settings = Settings(base_url=f"http://127.0.0.1:{free_port()}", rate_limit=None)
    keys = Credentials("access", "secret")
    given = people(20_000)
    async with SensSession(
        keys, service_id="svc", sender="0200000000", settings=settings, clock=clock
    ) as sens:
        report = await sens.send_many(given, "안녕하세요")

    assert states(report) == {"NOT_SENT": 20_000}
    assert report.elapsed < 60.0
    assert {type(outcome.error) for outcome in report.not_sent} == {ConnectFailed}
