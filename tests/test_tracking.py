"""Tracking: how much is asked at once, behind what, and what a session over any transport shows."""

import asyncio
import gc
import weakref

import orjson
import pytest
from asked import NOTHING, Asked, page, row, said
from scripted import refused, session_over

from sens_async import (
    BadRequest,
    BulkReport,
    ConfigError,
    DeliveryEnd,
    NotFound,
    OutcomeState,
    PermissionDenied,
)
from sens_async.core.responses import Response
from sens_async.outcomes import OutcomeBatch

NUMBERS = [f"010{i:08d}" for i in range(2500)]


def report_of(numbers, size=100) -> BulkReport:
    """The report of a run whose requests were all accepted, the last first."""
    report = BulkReport()
    for start in reversed(range(0, len(numbers), size)):
        part = numbers[start : start + size]
        places = range(start, start + len(part))
        report.add(OutcomeBatch(OutcomeState.ACCEPTED, places, part, part, request_id=f"r{start}"))
    return report


async def test_eight_are_asked_at_once_and_each_once(clock):
    in_flight, most = 0, 0

    async def answer(request) -> Response:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await clock.sleep(0.1)
        in_flight -= 1
        start = int(request.target.partition("requestId=r")[2].partition("&")[0])
        return page(*map(row, NUMBERS[start : start + 100]))

    transport = Asked(answer)
    async with session_over(transport, clock=clock) as sens:
        tracking = sens.track(report_of(NUMBERS))
        told = [delivery.index async for delivery in tracking]
    assert sorted(told) == list(range(2500))
    assert most == 8
    assert len(transport.requests) == 25
    assert all(target.endswith("&pageSize=100") for target in transport.targets)


async def test_pending_is_in_the_order_of_the_input(clock):
    async with session_over(Asked([]), clock=clock) as sens:
        tracking = sens.track(report_of(NUMBERS[:250]))
        assert [pending.index for pending in tracking.pending] == list(range(250))


async def test_pages_of_a_long_list_are_all_read(clock):
    numbers = NUMBERS[:250]
    pages = [
        page(*map(row, numbers[:100]), hasMore=True, nextToken="a"),
        page(*map(row, numbers[100:200]), hasMore=True, nextToken="b"),
        page(*map(row, numbers[200:])),
    ]
    async with session_over(Asked(pages * 2), clock=clock) as sens:
        tracking = sens.track("r")
        assert [delivery.number async for delivery in tracking] == numbers
    assert tracking.counts == {DeliveryEnd.DELIVERED: 250}


async def test_rows_before_a_lost_page_are_good(clock):
    answers = [
        page(*map(row, NUMBERS[:100]), hasMore=True, nextToken="a"),
        Response(502),
        page(*map(row, NUMBERS[:150])),
    ]
    transport = Asked(answers)
    async with session_over(transport, clock=clock) as sens:
        tracking = sens.track(report_of(NUMBERS[:150], size=150))
        told = [await anext(tracking) for _ in range(100)]
        assert tracking.last_error.status == 502
        assert len(transport.requests) == 2
        told += [delivery async for delivery in tracking]
    assert [delivery.number for delivery in told] == NUMBERS[:150]


@pytest.mark.parametrize(
    "unknown", [NOTHING, said({"errorMessage": "no"}, 400), said({"errorMessage": "no"}, 404)]
)
async def test_a_request_that_is_not_reserved_is_looked_up_once(clock, unknown):
    def answer(request):
        if "reserve-status" in request.target:
            return unknown
        late = clock.monotonic() < began + 600
        return page(row(status="READY")) if late else page(row())

    began = clock.monotonic()
    transport = Asked(answer)
    async with session_over(transport, clock=clock) as sens:
        told = [delivery.status async for delivery in sens.track(report_of(["01000000001"]))]
    assert told == ["READY", "COMPLETED"]
    assert len([request for request in transport.requests if "reservations" in request.target]) == 1


@pytest.mark.parametrize(("status", "error"), [(400, BadRequest), (404, NotFound)])
async def test_a_refusal_of_the_list_is_raised(clock, status, error):
    refusal = Response(status, orjson.dumps({"errorMessage": "no such service"}))
    async with session_over(Asked([refusal]), clock=clock) as sens:
        with pytest.raises(error):
            await anext(sens.track("r"))


async def test_two_who_iterate_share_what_comes(clock):
    async with session_over(Asked([page(*map(row, NUMBERS[:10]))]), clock=clock) as sens:
        tracking = sens.track(report_of(NUMBERS[:10]))
        told = await asyncio.gather(*(anext(tracking) for _ in range(10)))
    assert [delivery.number for delivery in told] == NUMBERS[:10]


async def test_whatever_a_clock_of_ones_own_raises_is_raised(clock):
    class Broken:
        time, monotonic = clock.time, clock.monotonic

        async def sleep(self, seconds):
            raise ConfigError("out of order")

    async with session_over(Asked([NOTHING]), clock=Broken()) as sens:
        with pytest.raises(ConfigError, match="out of order"):
            await anext(sens.track("r"))


async def test_a_tracking_that_has_failed_is_let_go_of(clock):
    """At once, not when the garbage collector comes by: it may follow a million."""
    gc.disable()
    try:
        async with session_over(Asked(lambda _: refused(403)), clock=clock) as sens:
            tracking = sens.track(report_of(NUMBERS))
            with pytest.raises(PermissionDenied):
                await anext(tracking)
            await asyncio.sleep(0)
            failed = weakref.ref(tracking)
            del tracking
            assert failed() is None
    finally:
        gc.enable()
