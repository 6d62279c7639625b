"""Stopping, cancelling and running out of time hold for good, and faults cost few requests."""

import asyncio
from email.utils import formatdate

import pytest
from scripted import Scripted, accepted, refused, session_over
from session_helpers import check, jpeg, numbers

from sens_async import (
    AuthenticationFailed,
    BulkReport,
    ConnectFailed,
    InvalidMessage,
    OutcomeState,
    RetryPolicy,
    SensError,
    SessionClosed,
    Settings,
)
from sens_async.core.responses import Response

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState


def gateway_is_ahead(clock, seconds: float) -> Response:
    return refused(401, "200", date=formatdate(clock.time() + seconds, usegmt=True))


def no_connection():
    raise ConnectFailed("refused")


REFUSALS = {
    "throttled": lambda _: refused(429, "410", retry_after="3"),
    "over the rate": lambda _: refused(429),
    "signed at a wrong time": lambda clock: gateway_is_ahead(clock, 600),
    "bad": lambda _: refused(400),
    "too large": lambda _: refused(413, "430"),
}
refusals = pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS.keys())


# -- what was on the wire when it was stopped


@pytest.fixture
def stopped_first(clock, refuse):
    """A transport that refuses the first request after a second, and then accepts."""
    transport = Scripted(
        lambda _: refuse(clock) if len(transport.requests) == 1 else accepted(), seconds=1.0
    )
    return transport


@refusals
@pytest.mark.parametrize("how", ["cancel", "timeout", "close"])
async def test_a_batch_refused_after_the_run_was_stopped_is_not_sent_again(
    how, stopped_first, clock
):
    people, report = numbers(100), BulkReport()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with session_over(stopped_first, clock=clock) as session:
        timeout = 0.5 if how == "timeout" else None
        running = asyncio.create_task(
            session.send_many(people, "안녕", report=report, timeout=timeout)
        )
        await asyncio.sleep(0.2)
        if how == "cancel":
            running.cancel()
        elif how == "close":
            await session.aclose()
        await asyncio.wait({running})
        assert loop.time() - began == pytest.approx(1.0)
        await asyncio.sleep(60)

    check(report, stopped_first, people)
    assert report.counts == {NOT_SENT: 100}
    assert all(outcome.attempts == 1 for outcome in report.outcomes)
    assert len(stopped_first.requests) == 1


@refusals
async def test_a_batch_refused_after_its_stream_was_stopped_is_not_sent_again(stopped_first, clock):
    async with session_over(stopped_first, clock=clock) as session:
        async with session.send_stream(numbers(100), "안녕") as stream:
            await asyncio.sleep(0.2)
            stream.stop()
            outcomes = [outcome async for outcome in stream]
        await asyncio.sleep(60)

    assert {outcome.state for outcome in outcomes} == {NOT_SENT}
    assert len(outcomes) == 100
    assert len(stopped_first.requests) == 1


@refusals
@pytest.mark.parametrize("how", ["cancel", "timeout", "close"])
async def test_a_send_refused_after_it_was_called_back_is_not_sent_again(
    how, stopped_first, clock, caplog
):
    async with session_over(stopped_first, clock=clock) as session:
        timeout = 0.5 if how == "timeout" else None
        sending = asyncio.create_task(session.send("01012345678", "안녕", timeout=timeout))
        await asyncio.sleep(0.2)
        if how == "cancel":
            sending.cancel()
        elif how == "close":
            await session.aclose()
        await asyncio.wait({sending})
        await asyncio.sleep(60)

    assert len(stopped_first.requests) == 1
    if how == "close":
        assert sending.exception().outcome.state in {NOT_SENT, REJECTED}
    else:
        assert "unattended send to 010-****-5678 failed" in caplog.text


async def test_a_connection_that_failed_after_the_stop_is_not_tried_again(clock):
    transport = Scripted(lambda _: no_connection(), seconds=1.0, marks=False)
    people, report = numbers(100), BulkReport()
    async with session_over(transport, clock=clock) as session:
        running = asyncio.create_task(session.send_many(people, "안녕", report=report))
        await asyncio.sleep(0.2)
        running.cancel()
        await asyncio.wait({running})
        await asyncio.sleep(60)

    assert report.counts == {NOT_SENT: 100}
    assert len(transport.requests) == 1


async def test_what_was_stopped_and_accepted_all_the_same_is_told(clock):
    transport, people, report = Scripted(seconds=1.0), numbers(1_000), BulkReport()
    async with session_over(transport, clock=clock) as session:
        running = asyncio.create_task(session.send_many(people, "안녕", report=report))
        await asyncio.sleep(0.2)
        running.cancel()
        await asyncio.wait({running})

    check(report, transport, people[: len(report)])
    assert report.counts[ACCEPTED] == 100 * len(transport.requests)


# -- outages


async def test_a_run_that_an_outage_stopped_ends_at_once(clock):
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def answer(_):
        now = loop.time() - began
        if now < 0.15:
            return accepted()
        return refused(400) if now < 0.35 else Response(503)

    pause = 10.0
    settings = Settings(rate_limit=None, retry=RetryPolicy(outage_pause=pause))
    transport, people = Scripted(answer, seconds=0.1), numbers(6_000)
    async with session_over(transport, settings=settings, clock=clock) as session:
        report = await session.send_many(people, "안녕")

    check(report, transport, people)
    assert report.stopped_by is not None
    assert loop.time() - began < 2 * pause


async def test_a_run_stopped_during_an_outage_ends_at_once(clock):
    loop = asyncio.get_running_loop()
    settings = Settings(rate_limit=None, retry=RetryPolicy(outage_pause=3600.0))
    transport, people = Scripted(lambda _: Response(503), seconds=0.1), numbers(6_000)
    async with session_over(transport, settings=settings, clock=clock) as session:
        began = loop.time()
        report = await session.send_many(people, "안녕", timeout=5.0)

    assert loop.time() - began == pytest.approx(5.0, abs=0.5)
    check(report, transport, people)
    assert set(report.counts) == {UNKNOWN, NOT_SENT}


# -- refusals without end


@pytest.mark.parametrize("count", [1, 100, 3_000])
async def test_a_gateway_whose_clock_swings_does_not_make_a_run_sign_for_ever(count, clock):
    def answer(_):
        return gateway_is_ahead(clock, 600 if len(transport.requests) % 2 else -600)

    transport, people = Scripted(answer), numbers(count)
    async with session_over(transport, clock=clock) as session, asyncio.timeout(600):
        report = await session.send_many(people, "안녕")

    check(report, transport, people)
    assert report.counts == {NOT_SENT: count}
    assert isinstance(report.stopped_by, AuthenticationFailed)
    sent = [tuple(request) for request in transport.requests]
    assert max(map(sent.count, set(sent))) <= 4  # once, and three signatures more


async def test_a_gateway_whose_clock_swings_does_not_make_a_send_sign_for_ever(clock):
    def answer(_):
        return gateway_is_ahead(clock, 600 if len(transport.requests) % 2 else -600)

    transport = Scripted(answer)
    async with session_over(transport, clock=clock) as session, asyncio.timeout(600):
        with pytest.raises(AuthenticationFailed) as caught:
            await session.send("01012345678", "안녕")
        assert len(transport.requests) <= 4
        with pytest.raises(AuthenticationFailed):
            await session.upload(jpeg())
        assert len(transport.requests) <= 8

    assert caught.value.outcome.state is NOT_SENT


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
async def test_a_gateway_in_another_millennium_is_not_believed(date, clock):
    transport, people = Scripted(lambda _: refused(401, "200", date=date)), numbers(3)
    async with session_over(transport, clock=clock) as session:
        report = await session.send_many(people, "안녕")
        assert session.signer.offset == 0.0

    assert report.counts == {NOT_SENT: 3}
    assert len(transport.requests) == 1
    assert report.outcomes[0].attempted_at.year == 2025


async def requests_when_all_is_refused(clock, status: int, code: str | None) -> int:
    transport, people = Scripted(lambda _: refused(status, code), seconds=0.1), numbers(3_000)
    async with session_over(transport, clock=clock) as session:
        report = await session.send_many(people, "안녕")
    check(report, transport, people)
    assert set(report.counts) <= {NOT_SENT, REJECTED}
    assert report.stopped_by is not None
    return len(transport.requests)


async def test_too_large_requests_cost_no_more_than_bad_ones(clock):
    bad = await requests_when_all_is_refused(clock, 400, None)
    assert bad <= 16
    for status, code in ((413, "430"), (413, None), (415, None), (422, None)):
        assert await requests_when_all_is_refused(clock, status, code) <= bad


async def test_what_is_too_large_is_halved_and_all_go(clock):
    def answer(given):
        return refused(413, "430") if len(given) > 50 else accepted()

    transport, people = Scripted(answer, seconds=0.1), numbers(3_000)
    async with session_over(transport, clock=clock) as session:
        report = await session.send_many(people, "안녕")

    check(report, transport, people)
    assert report.counts == {ACCEPTED: 3_000}
    assert len(transport.requests) <= 30 * 3 + 5 * 4


# -- closing


@pytest.mark.parametrize("wrong", ["5", -1, float("nan"), float("inf"), True, [], object()])
async def test_a_wrong_time_to_close_leaves_the_session_usable(wrong, clock):
    transport = Scripted()
    session = session_over(transport, clock=clock)
    with pytest.raises(InvalidMessage, match="timeout must be seconds"):
        await session.aclose(wrong)

    await session.send("01012345678", "안녕")
    await session.aclose(5)
    with pytest.raises(SessionClosed):
        await session.send("01012345678", "안녕")


@pytest.mark.parametrize("wrong", ["5", -1, 0, float("nan"), float("inf"), True, []])
async def test_a_wrong_time_limit_sends_nothing(wrong, clock):
    transport = Scripted()
    async with session_over(transport, clock=clock) as session:
        with pytest.raises(InvalidMessage, match="timeout must be seconds"):
            await session.send("01012345678", "안녕", timeout=wrong)
        with pytest.raises(InvalidMessage, match="timeout must be seconds"):
            await session.send_many(numbers(3), "안녕", timeout=wrong)
        with pytest.raises(InvalidMessage, match="timeout must be seconds"):
            session.send_stream(numbers(3), "안녕", timeout=wrong)
        await asyncio.sleep(60)

    assert transport.requests == []


async def test_a_session_may_be_closed_without_any_patience(clock):
    transport = Scripted(seconds=10.0)
    session = session_over(transport, clock=clock)
    sending = asyncio.create_task(session.send("01012345678", "안녕"))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(1):
        await session.aclose(0)
    with pytest.raises(SensError) as caught:
        await sending
    assert caught.value.outcome.state is UNKNOWN
