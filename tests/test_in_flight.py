"""`max_in_flight`: a number, or as many as the rate limit and the latency ask for."""

import pytest
from scripted import Scripted, session_over
from session_helpers import numbers

from sens_async import OutcomeState, RateLimit, Settings
from sens_async.core.rate import MOST_IN_FLIGHT


async def run(clock, transport, recipients: int, **settings) -> float:
    """Give the seconds that a run takes."""
    settings = Settings(**settings)
    async with session_over(transport, settings=settings, clock=clock) as sens:
        report = await sens.send_many(numbers(recipients), "안녕하세요", duplicates="send")
    assert report.counts == {OutcomeState.ACCEPTED: recipients}
    return report.elapsed


async def test_a_slow_service_gets_as_many_as_keep_the_rate(clock):
    transport = Scripted(seconds=1.0)
    seconds = await run(
        clock, transport, 50_000, rate_limit=RateLimit(requests=100), max_in_flight=None
    )

    assert 100 <= transport.most_in_flight <= 134
    assert seconds < 500 / 100 + 5.0


async def test_a_number_bounds_the_rate_where_it_is_too_small(clock):
    transport = Scripted(seconds=1.0)
    seconds = await run(
        clock, transport, 50_000, rate_limit=RateLimit(requests=100), max_in_flight=32
    )

    assert transport.most_in_flight == 32
    assert seconds > 500 / 32


async def test_a_fast_service_gets_few(clock):
    """Fewer in flight are fewer that an outage leaves unknown."""
    transport = Scripted(seconds=0.01)
    async with session_over(transport, settings=Settings(max_in_flight=None), clock=clock) as sens:
        await sens.send_many(numbers(10_000), "안녕하세요")
        assert sens.queue.max_in_flight == 4


async def test_a_window_has_an_end(clock):
    transport = Scripted(seconds=10.0)
    rate = RateLimit(requests=1000)
    await run(clock, transport, 100_000, rate_limit=rate, max_in_flight=None)

    assert transport.most_in_flight == MOST_IN_FLIGHT


async def test_runs_side_by_side_share_a_window(clock):
    import asyncio

    transport = Scripted(seconds=1.0)
    settings = Settings(rate_limit=RateLimit(requests=50), max_in_flight=None)
    async with session_over(transport, settings=settings, clock=clock) as sens:
        reports = await asyncio.gather(
            *(sens.send_many(numbers(10_000, 10_000 * i), "안녕하세요") for i in range(3))
        )
    elapsed = [report.elapsed for report in reports]

    assert transport.most_in_flight <= 67
    assert max(elapsed) == pytest.approx(min(elapsed), rel=0.2), "all three went on together"
