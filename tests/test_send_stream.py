"""`send_stream`: outcomes as they come, back-pressure, and every way to leave it."""

import asyncio
import gc
import tracemalloc
from itertools import count

import pytest
from session_helpers import OPEN, Taken, Yes, check, jpeg, numbers, of_endpoint

from sens_async import (
    AuthenticationFailed,
    BulkReport,
    Credentials,
    OutcomeState,
    RateLimit,
    Recipient,
    RunStopped,
    SendTimeout,
    SensSession,
    SessionClosed,
    Settings,
    Timeouts,
)
from sens_async.emulator import Emulator

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState


class SourceBroke(Exception):
    pass


@pytest.fixture
async def emulator(clock):
    async with Emulator(clock=clock) as emulator:
        yield emulator


@pytest.fixture
async def sens(emulator):
    async with emulator.session(settings=OPEN) as session:
        yield session


def within(max_in_flight: int, **settings) -> Settings:
    return Settings(rate_limit=None, max_in_flight=max_in_flight, **settings)


def endless() -> Taken:
    return Taken(f"010{i:08d}" for i in count())


def report_of(batches) -> BulkReport:
    """A report of what a stream gave, so that it can be checked like one."""
    report = BulkReport()
    for batch in batches:
        report.add(batch)
    return report


# -- iterating


@pytest.mark.parametrize("is_async", [False, True])
async def test_everyone_s_outcome_comes_once(emulator, sens, is_async):
    source = Taken([*numbers(1000), "bad", "010-0000-0000", Recipient("01099999999", key="k")])
    source = source.slowly() if is_async else source

    async with sens.send_stream(source, "안녕") as stream:
        outcomes = [outcome async for outcome in stream]

    assert sorted(outcome.index for outcome in outcomes) == list(range(1003))
    assert stream.counts == {ACCEPTED: 1001, REJECTED: 1, SKIPPED: 1}
    assert stream.stopped_by is None
    assert [outcome.key for outcome in outcomes if outcome.key] == ["k"]
    assert emulator.admissions.total == 1001


async def test_batches_are_the_same_outcomes(emulator, sens):
    items = [*numbers(1000), "bad"]

    async with sens.send_stream(items, "안녕") as stream:
        batches = [batch async for batch in stream.batches()]

    check(report_of(batches), emulator, items)
    assert len(batches) == 11


async def test_an_empty_source_ends_at_once(sens):
    async with sens.send_stream([], "안녕") as stream:
        assert [outcome async for outcome in stream] == []


async def test_outcomes_come_as_they_become_known(emulator, clock):
    limit = Settings(rate_limit=RateLimit(requests=1), max_in_flight=4)
    async with emulator.session(settings=limit) as sens:
        began = clock.monotonic()
        async with sens.send_stream(numbers(500), "안녕") as stream:
            seen = [
                (len(batch), round(clock.monotonic() - began)) async for batch in stream.batches()
            ]

    assert seen == [(100, second) for second in range(5)]


async def test_nothing_is_sent_before_the_stream_is_entered(emulator, sens):
    source = Taken(numbers(10))
    stream = sens.send_stream(source, "안녕")
    await asyncio.sleep(5)

    assert not source.taken
    assert [outcome.state async for outcome in stream] == [ACCEPTED] * 10


async def test_iterating_goes_without_entering(emulator, sens):
    states = [outcome.state async for outcome in sens.send_stream(numbers(250), "안녕")]

    assert states == [ACCEPTED] * 250


async def test_pictures_go_with_a_stream(emulator, sens):
    async with sens.send_stream(numbers(250), "안녕", images=[jpeg()]) as stream:
        states = [outcome.state async for outcome in stream]

    assert states == [ACCEPTED] * 250
    assert len(of_endpoint(emulator, "files")) == 1


async def test_repr_shows_counts(sens):
    async with sens.send_stream(numbers(250), "안녕") as stream:
        _ = [outcome async for outcome in stream]

    assert repr(stream) == "<OutcomeStream: ACCEPTED 250>"


# -- back-pressure


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_consumer_that_stops_reading_pauses_the_run(emulator, is_async):
    source = endless()
    async with (
        emulator.session(settings=within(2)) as sens,
        sens.send_stream(source.slowly() if is_async else source, "안녕") as stream,
    ):
        await anext(stream)
        await asyncio.sleep(60)
        requests, taken = len(emulator.requests), len(source.taken)
        await asyncio.sleep(600)

        assert len(emulator.requests) == requests, "the run went on"
        assert requests <= 8
        assert len(source.taken) == taken <= 1200

        for _ in range(3000):
            await anext(stream)

    assert len(emulator.requests) > requests
    assert emulator.admissions.total == stream.counts[ACCEPTED]


async def test_sending_while_reading_does_not_block_at_one_slot(emulator, clock):
    async with emulator.session(settings=within(1)) as sens:
        async with asyncio.timeout(600):
            async with sens.send_stream(numbers(1000), "안녕") as stream:
                async for outcome in stream:
                    if outcome.index % 50 == 0:
                        await sens.send("01099999999", f"{outcome.index}번째")

    assert len(emulator.admissions["01099999999"]) == 20
    assert stream.counts == {ACCEPTED: 1000}


async def test_a_run_inside_a_stream_does_not_block_at_one_slot(emulator):
    async with emulator.session(settings=within(1)) as sens:
        async with asyncio.timeout(600):
            async with sens.send_stream(numbers(500), "안녕") as stream:
                async for batch in stream.batches():
                    others = [f"011{outcome.number[3:]}" for outcome in batch]
                    report = await sens.send_many(others, "또 안녕")
                    assert report.counts == {ACCEPTED: 100}

    assert len(emulator.admissions) == 1000


# -- leaving


@pytest.mark.parametrize("is_async", [False, True])
async def test_breaking_out_stops_the_run(emulator, is_async):
    source = endless()
    async with emulator.session(settings=within(4)) as sens:
        async with sens.send_stream(source.slowly() if is_async else source, "안녕") as stream:
            async for outcome in stream:
                if outcome.index >= 1000:
                    break

        requests = len(emulator.requests)
        assert stream.counts.total() >= len(source.taken) - 1
        assert stream.counts[ACCEPTED] == emulator.admissions.total
        assert isinstance(stream.stopped_by, RunStopped)
        assert sens.queue.in_flight == sens.queue.waiting == 0
        await asyncio.sleep(60)

    assert len(emulator.requests) == requests


async def test_leaving_waits_for_what_is_on_the_wire(emulator, clock):
    emulator.fail("late", delay=10.0)
    async with emulator.session(settings=within(4)) as sens:
        async with sens.send_stream(endless(), "안녕") as stream:
            await asyncio.sleep(3)
        assert stream.counts[ACCEPTED] == 400

    assert stream.counts[ACCEPTED] == emulator.admissions.total
    assert stream.counts[UNKNOWN] == 0


async def test_cancelling_who_leaves_makes_what_is_on_the_wire_unknown(emulator, sens, clock):
    emulator.fail("late", delay=10.0)

    async def use():
        async with sens.send_stream(endless(), "안녕") as stream:
            streams.append(stream)
            await asyncio.sleep(3600)

    streams = []
    using = asyncio.create_task(use())
    await asyncio.sleep(3)
    using.cancel()  # leaves the block
    await asyncio.sleep(3)
    assert not using.done()
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using

    assert streams[0].counts[ACCEPTED] == 400
    assert streams[0].counts[UNKNOWN] == 0


async def test_cancelling_twice_who_leaves_does_not_wait(emulator, sens, clock):
    emulator.fail("late", delay=10.0)

    async def use():
        async with sens.send_stream(endless(), "안녕") as stream:
            streams.append(stream)
            await asyncio.sleep(3600)

    streams = []
    using = asyncio.create_task(use())
    await asyncio.sleep(3)
    began = clock.monotonic()
    for _ in range(3):
        using.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await using

    assert clock.monotonic() - began < 0.1
    assert streams[0].counts[UNKNOWN] == 400


async def test_an_exception_in_the_block_stops_the_run_and_goes_on(emulator, sens):
    source = endless()

    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with sens.send_stream(source, "안녕") as stream:
            async for _ in stream:
                1 / 0  # noqa: B018

    assert stream.counts.total() == len(source.taken)
    assert stream.counts[ACCEPTED] == emulator.admissions.total


@pytest.mark.parametrize("is_async", [False, True])
async def test_stop_ends_the_iteration_after_what_is_left(emulator, sens, is_async):
    source = endless()
    indexes = []

    async with sens.send_stream(source.slowly() if is_async else source, "안녕") as stream:
        async for outcome in stream:
            indexes.append(outcome.index)
            if outcome.index == 500:
                stream.stop()

    assert sorted(indexes) == list(range(len(indexes)))
    assert len(indexes) >= len(source.taken) - 1
    assert stream.counts.total() == len(indexes)
    assert stream.counts[ACCEPTED] == emulator.admissions.total


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_stream_may_be_left_or_stopped_before_it_has_begun(emulator, sens, is_async):
    def source():
        sources.append(endless())
        return sources[-1].slowly() if is_async else sources[-1]

    sources = []
    async with asyncio.timeout(600):
        async with sens.send_stream(source(), "안녕"):
            pass
        async with sens.send_stream(source(), "안녕") as stream:
            stream.stop()
            states = {outcome.state async for outcome in stream}
        never = sens.send_stream(source(), "안녕")
        await never.aclose()

    assert states <= {NOT_SENT}
    assert [len(source.taken) for source in sources] == [0, 0, 0]
    assert not emulator.requests


async def test_a_stream_that_was_stopped_before_it_was_entered_is_empty(emulator, sens):
    source = endless()
    stream = sens.send_stream(source, "안녕")
    stream.stop()

    assert [outcome async for outcome in stream] == []
    assert isinstance(stream.stopped_by, RunStopped)
    assert not source.taken
    assert not emulator.requests


async def test_closing_twice_and_reading_after_closing_is_harmless(emulator, sens):
    async with sens.send_stream(numbers(500), "안녕") as stream:
        await anext(stream)
        await stream.aclose()
        await stream.aclose()

        assert [outcome async for outcome in stream] == []

    assert stream.counts.total() <= 500


async def test_a_reader_that_is_cancelled_loses_nothing(emulator):
    limit = Settings(rate_limit=RateLimit(requests=1), max_in_flight=2)
    batches = []
    async with (
        emulator.session(settings=limit) as sens,
        sens.send_stream(numbers(1000), "안녕") as stream,
    ):
        while stream.counts.total() < 1000:
            try:
                async with asyncio.timeout(0.3):
                    batches.append(await anext(stream.batches()))
            except TimeoutError:
                continue
        batches.extend([batch async for batch in stream.batches()])

    check(report_of(batches), emulator, numbers(1000))


# -- what ends a stream


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_source_that_breaks_raises_after_everyone_s_outcome(emulator, sens, is_async):
    def broken():
        yield from numbers(450)
        raise SourceBroke

    source, indexes = Taken(broken()), []
    with pytest.raises(SourceBroke):  # noqa: PT012
        async with sens.send_stream(source.slowly() if is_async else source, "안녕") as stream:
            async for outcome in stream:
                indexes.append(outcome.index)  # noqa: PERF401 - kept when it raises

    assert sorted(indexes) == list(range(450))
    assert isinstance(stream.stopped_by, RunStopped)


async def test_what_dooms_the_run_stops_taking(emulator, clock):
    source = endless()
    keys = Credentials(emulator.access_key, "wrong")
    async with (
        emulator.session(settings=OPEN, credentials=keys) as sens,
        sens.send_stream(source, "안녕") as stream,
    ):
        states = {outcome.state async for outcome in stream}

    assert states == {NOT_SENT}
    assert isinstance(stream.stopped_by, AuthenticationFailed)
    assert len(source.taken) == stream.counts.total() < 5000


async def test_a_stream_that_is_over_time_ends(emulator, clock):
    limit = Settings(rate_limit=RateLimit(requests=1), max_in_flight=2)
    began = clock.monotonic()
    async with (
        emulator.session(settings=limit) as sens,
        sens.send_stream(endless(), "안녕", timeout=9.5) as stream,
    ):
        states = {outcome.state async for outcome in stream}

    assert clock.monotonic() - began == pytest.approx(9.5, abs=0.1)
    assert states == {ACCEPTED, NOT_SENT}
    assert isinstance(stream.stopped_by, SendTimeout)


@pytest.mark.parametrize("is_async", [False, True])
async def test_closing_the_session_ends_a_stream_that_nobody_reads(emulator, is_async):
    source = endless()
    session = emulator.session(settings=within(2))
    stream = session.send_stream(source.slowly() if is_async else source, "안녕")
    await anext(stream)  # without `async with`, and never read again
    await asyncio.sleep(60)

    async with asyncio.timeout(600):
        await session.aclose()

    assert isinstance(stream.stopped_by, SessionClosed)
    assert stream.counts.total() >= len(source.taken) - 1
    assert stream.counts[ACCEPTED] == emulator.admissions.total


@pytest.mark.parametrize("is_async", [False, True])
async def test_closing_the_session_in_the_block_ends_the_iteration(emulator, is_async):
    source = endless()
    session = emulator.session(settings=within(2))
    indexes = []
    async with asyncio.timeout(600):
        async with session.send_stream(source.slowly() if is_async else source, "안녕") as stream:
            async for outcome in stream:
                indexes.append(outcome.index)
                if outcome.index == 300:
                    closing = asyncio.create_task(session.aclose())
        await closing

    assert sorted(indexes) == list(range(len(indexes)))
    assert len(indexes) >= len(source.taken) - 1
    assert isinstance(stream.stopped_by, SessionClosed)


async def test_a_stream_is_not_entered_after_its_session_was_closed(emulator):
    session = emulator.session(settings=OPEN)
    stream = session.send_stream(numbers(3), "안녕")
    await session.aclose()

    with pytest.raises(SessionClosed, match="closed"):
        async with stream:
            pass


async def test_a_hanging_service_holds_a_stream_no_longer_than_its_timeout(emulator, clock):
    emulator.fail("hang")
    began = clock.monotonic()
    async with (
        emulator.session(settings=within(4, timeouts=Timeouts(total=7.0))) as sens,
        sens.send_stream(numbers(400), "안녕") as stream,
    ):
        states = [outcome.state async for outcome in stream]

    assert states == [UNKNOWN] * 400
    assert clock.monotonic() - began == pytest.approx(7, abs=0.5)


# -- memory


@pytest.mark.real_time
async def test_a_million_recipients_take_flat_memory():
    people = 1_000_000

    async def everyone():
        for i in range(people):
            yield f"010{i:08d}"

    transport = Yes()
    session = SensSession(
        Credentials("access", "secret"),
        service_id="ncp:sms:kr:1:a",
        sender="0212345678",
        settings=OPEN,
        transport=transport,
    )
    async with session:
        await session.send_many(numbers(1000), "안녕하세요")
        gc.collect()
        tracemalloc.start(1)
        try:
            seen = 0
            async with session.send_stream(everyone(), "안녕하세요", duplicates="send") as stream:
                async for batch in stream.batches():
                    seen += len(batch)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert stream.counts == {ACCEPTED: people}
    assert seen == people
    assert transport.requests == people // 100 + 10
    assert not transport.is_closed
    assert peak < 30e6, f"peak growth {peak / 1e6:.1f} MB"
