"""Parts of a user's own that keep no promise: nobody is sent to twice, nothing hangs."""

import asyncio
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime

import pytest
from scripted import Scripted, needs_eager_tasks, refused, session_over
from session_helpers import check, jpeg, numbers, of_endpoint
from virtual_time import VirtualClock

from sens_async import (
    BulkReport,
    ConnectFailed,
    ConnectionLost,
    OutcomeState,
    RateLimit,
    RequestTimeout,
    RetryPolicy,
    SendTimeout,
    SensError,
    SessionClosed,
    Settings,
    UploadedFile,
)
from sens_async import transport as transport_module
from sens_async.emulator import Emulator

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState

QUICK = Settings(rate_limit=None, retry=RetryPolicy(backoff=0.01, pause=0.01))
SECONDS = 600.0
"""Far more than anything here takes: what is over it hangs."""


def raising(make):
    """An answer to a request that was taken, and then something is raised."""

    def answer(_):
        raise make()

    return answer


async def run_of(session, people, **call) -> BulkReport:
    """A run's report, complete whatever it raises."""
    report = BulkReport()
    run = asyncio.create_task(session.send_many(people, "안녕", report=report, **call))
    ended, _ = await asyncio.wait({run}, timeout=SECONDS)
    assert ended
    if not run.cancelled():
        run.exception()
    return report


async def failure_of(session, **call) -> SensError:
    with pytest.raises(SensError) as caught:
        async with asyncio.timeout(SECONDS):
            await session.send("01012345678", "안녕", **call)
    return caught.value


# -- transports

ANYTHING = {
    "connect failed": lambda: ConnectFailed("x"),
    "lost": lambda: ConnectionLost("x"),
    "timeout": lambda: RequestTimeout("x"),
    "value": lambda: ValueError("x"),
    "reset": lambda: ConnectionResetError("x"),
    "sens": lambda: SensError("x"),
    "closed": lambda: SessionClosed("x"),
    "too late": lambda: SendTimeout("x"),
    "python's timeout": TimeoutError,
    "cancelled": asyncio.CancelledError,
}
anything = pytest.mark.parametrize("make", ANYTHING.values(), ids=ANYTHING.keys())


@anything
async def test_what_a_transport_raises_after_the_mark_leaves_a_run_unknown(make, clock):
    transport = Scripted(raising(make))
    async with session_over(transport, settings=QUICK, clock=clock) as session:
        report = await run_of(session, numbers(3))

    assert {outcome.state for outcome in report.outcomes} == {UNKNOWN}
    assert all(outcome.error.may_have_been_sent for outcome in report.outcomes)
    assert not any(outcome.error.is_retryable for outcome in report.outcomes)
    assert [outcome.attempts for outcome in report.outcomes] == [1, 1, 1]
    assert len(transport.requests) == 1


@anything
async def test_what_a_transport_raises_after_the_mark_leaves_a_send_unknown(make, clock):
    transport = Scripted(raising(make))
    async with session_over(transport, settings=QUICK, clock=clock) as session:
        error = await failure_of(session)

    assert error.outcome.state is UNKNOWN
    assert error.may_have_been_sent
    assert not error.is_retryable
    assert len(transport.requests) == 1


@pytest.mark.parametrize("make", list(ANYTHING.values())[1:-1], ids=list(ANYTHING)[1:-1])
async def test_without_a_mark_only_a_failure_to_connect_proves_anything(make, clock):
    transport = Scripted(raising(make), marks=False)
    async with session_over(transport, settings=QUICK, clock=clock) as session:
        report = await run_of(session, numbers(3))
        error = await failure_of(session)

    assert {outcome.state for outcome in report.outcomes} == {UNKNOWN}
    assert error.outcome.state is UNKNOWN
    assert len(transport.requests) == 2


async def test_a_failure_to_connect_before_the_mark_is_tried_again(clock):
    transport = Scripted(raising(lambda: ConnectFailed("x")), marks=False)
    async with session_over(transport, settings=QUICK, clock=clock) as session:
        report = await run_of(session, numbers(3))

    assert {outcome.state for outcome in report.outcomes} == {NOT_SENT}
    assert len(transport.requests) == QUICK.retry.max_attempts


async def test_an_answer_without_a_mark_is_no_reason_to_send_again(clock):
    transport = Scripted(marks=False)
    async with session_over(transport, settings=QUICK, clock=clock) as session:
        report = await run_of(session, numbers(250))

    assert {outcome.state for outcome in report.outcomes} <= {ACCEPTED, UNKNOWN}
    check(report, transport, numbers(250))


async def test_an_aiohttp_that_never_marks_is_told_loudly_and_sends_nobody_twice(
    monkeypatch, clock
):
    async def plain(self, writer, _):
        await writer.write(self._value)

    monkeypatch.setattr(transport_module._Body, "write_with_length", plain)
    people = numbers(3)
    async with Emulator(clock=clock) as emulator, emulator.session(settings=QUICK) as session:
        report = BulkReport()
        with pytest.raises(RuntimeError, match="please report it"):
            await session.send_many(people, "안녕", report=report)
        check(report, emulator, people)
        assert {outcome.state for outcome in report.outcomes} == {UNKNOWN}

        error = await failure_of(session)
        assert error.outcome.state is UNKNOWN
        assert error.may_have_been_sent
    assert emulator.admissions.total == 4


# -- limiters


class OwnLimiter:
    """A limiter of a user's own that does as it is told."""

    def __init__(self, acquire=None, pause=None) -> None:
        self._acquire = acquire
        self._pause = pause

    async def acquire(self, recipients, lane) -> None:
        if self._acquire is not None:
            await self._acquire()

    def pause(self, seconds) -> None:
        if self._pause is not None:
            self._pause()


async def swallow_cancellation() -> None:
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(5)


async def cancel_itself() -> None:
    raise asyncio.CancelledError


async def break_down() -> None:
    raise ValueError("the limiter broke")


@pytest.mark.parametrize("how", ["cancel", "timeout", "close"])
async def test_a_limiter_that_swallows_a_cancellation_lets_no_withdrawn_send_out(how, clock):
    transport = Scripted()
    session = session_over(transport, limiter=OwnLimiter(swallow_cancellation), clock=clock)
    timeout = 1.0 if how == "timeout" else None
    sending = asyncio.create_task(session.send("01012345678", "안녕", timeout=timeout))
    await asyncio.sleep(0.1)
    if how == "cancel":
        sending.cancel()
    elif how == "close":
        await session.aclose()
    await asyncio.wait({sending})
    await asyncio.sleep(60)
    await session.aclose()

    assert transport.requests == []
    assert sending.cancelled() or sending.exception().outcome.state is NOT_SENT


@pytest.mark.parametrize("how", ["cancel", "timeout", "close"])
async def test_a_limiter_that_swallows_a_cancellation_lets_no_stopped_run_out(how, clock):
    transport, people, report = Scripted(), numbers(500), BulkReport()
    session = session_over(transport, limiter=OwnLimiter(swallow_cancellation), clock=clock)
    timeout = 1.0 if how == "timeout" else None
    running = asyncio.create_task(session.send_many(people, "안녕", report=report, timeout=timeout))
    await asyncio.sleep(0.1)
    if how == "cancel":
        running.cancel()
    elif how == "close":
        await session.aclose()
    await asyncio.wait({running})
    await session.aclose()

    assert transport.requests == []
    check(report, transport, people)
    assert report.counts == {NOT_SENT: 500}


@pytest.mark.parametrize("acquire", [cancel_itself, break_down])
async def test_a_limiter_that_raises_sends_nothing_and_loses_nobody(acquire, clock):
    transport, people = Scripted(), numbers(300)
    async with session_over(transport, limiter=OwnLimiter(acquire), clock=clock) as session:
        report = await run_of(session, people)
        with pytest.raises((SendTimeout, ValueError)) as caught:
            await session.send("01012345678", "안녕")

    check(report, transport, people[: len(report)])  # a cancelled run takes no more
    assert set(report.counts) == {NOT_SENT}
    assert transport.requests == []
    assert not getattr(caught.value, "may_have_been_sent", False)


async def test_a_limiter_that_cannot_pause_loses_nobody(clock):
    def broken() -> None:
        raise ValueError("no pause")

    transport, people = Scripted(lambda _: refused(429, "410")), numbers(300)
    async with session_over(transport, limiter=OwnLimiter(None, broken), clock=clock) as session:
        report = BulkReport()
        with pytest.raises(ValueError, match="no pause"):
            await session.send_many(people, "안녕", report=report)
    check(report, transport, people)
    assert len(transport.requests) <= 4


# -- stores


class OwnStore:
    """An attachment store of a user's own that does as it is told."""

    def __init__(self, get=None, put=None, lease=nullcontext) -> None:
        self._get = get
        self._put = put
        self._lease = lease

    async def get(self, key):
        found = self._get() if self._get is not None else None
        return await found if asyncio.iscoroutine(found) else found

    async def put(self, key, file) -> None:
        if self._put is not None:
            self._put()

    async def drop(self, key) -> None:
        pass

    def lease(self, key):
        return self._lease()


def broken():
    raise ValueError("the store broke")


@asynccontextmanager
async def broken_at_its_end():
    yield
    raise ValueError("the lease broke")


@asynccontextmanager
async def without_end():
    await asyncio.sleep(3600)
    yield


def held(**attributes):
    """A store that gives a file with odd attributes for every picture."""
    file = {"file_id": "F", "expires_at": datetime(2099, 1, 1, tzinfo=UTC), **attributes}
    return OwnStore(lambda: UploadedFile(**file))


NONSENSE = {
    "it raises": OwnStore(broken, broken),
    "a dict": OwnStore(lambda: {"file_id": "F"}),
    "text": OwnStore(lambda: "F"),
    "no time zone": held(expires_at=datetime(2099, 1, 1)),  # noqa: DTZ001 - that is the point
    "no time": held(expires_at=None),
    "no id": held(file_id=None),
    "a number as id": held(file_id=5),
    "expired for ever": held(expires_at=datetime.min.replace(tzinfo=UTC)),
    "leases raise": OwnStore(lease=broken),
    "leases end badly": OwnStore(lease=broken_at_its_end),
}


@pytest.mark.parametrize("store", NONSENSE.values(), ids=NONSENSE.keys())
async def test_a_store_that_gives_nonsense_costs_an_upload(store, clock):
    async with Emulator(clock=clock) as emulator:
        session = emulator.session(settings=QUICK, attachment_store=store)
        async with session, asyncio.timeout(SECONDS):
            receipt = await session.send("01012345678", "안녕", images=[jpeg()])
            report = await session.send_many(numbers(150), "안녕", images=[jpeg()])

    assert receipt.type == "MMS"
    assert report.counts == {ACCEPTED: 150}
    assert of_endpoint(emulator, "files")


async def test_a_file_that_never_expires_is_used(clock):
    store = held(expires_at=datetime.max.replace(tzinfo=UTC))
    transport = Scripted()
    async with session_over(transport, attachment_store=store, clock=clock) as session:
        await session.send("01012345678", "안녕", images=[jpeg()])

    assert [body["files"] for body in transport.bodies] == [[{"fileId": "F"}]]


async def endless():
    await asyncio.sleep(3600)


@pytest.mark.parametrize("store", [OwnStore(endless), OwnStore(lease=without_end)])
async def test_a_store_that_hangs_is_given_up_at_the_timeout(store, clock):
    transport, people = Scripted(), numbers(150)
    async with asyncio.timeout(60):
        async with session_over(transport, attachment_store=store, clock=clock) as session:
            with pytest.raises(SendTimeout):
                await session.send("01012345678", "안녕", images=[jpeg()], timeout=1)
            report = await session.send_many(people, "안녕", images=[jpeg()], timeout=1)

    check(report, transport, people)
    assert report.counts == {NOT_SENT: 150}


# -- tasks that begin at once


@pytest.fixture
async def eager_tasks():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)


@needs_eager_tasks
@pytest.mark.parametrize("seconds", [None, 0.0, 0.1])
@pytest.mark.parametrize("count", [99, 350, 3_000])
async def test_eager_tasks_keep_to_the_slots_and_lose_nobody(eager_tasks, count, seconds, clock):
    transport, people = Scripted(seconds=seconds), numbers(count)
    settings = Settings(rate_limit=None, max_in_flight=4)
    async with session_over(transport, settings=settings, clock=clock) as session:
        report = await run_of(session, iter(people))

    check(report, transport, people)
    assert report.counts == {ACCEPTED: count}
    assert transport.most_in_flight <= 4
    assert seconds != 0.1 or transport.most_in_flight == min(4, -(-count // 100))


@needs_eager_tasks
@pytest.mark.parametrize("ends", [False, True])
async def test_eager_tasks_read_async_sources(eager_tasks, ends, clock):
    async def source():
        for number in people:
            if not ends:
                await asyncio.sleep(0)
            yield number

    transport, people = Scripted(seconds=0.1), numbers(1_050)
    async with session_over(transport, clock=clock) as session:
        report = await run_of(session, source())

    check(report, transport, people)
    assert report.counts == {ACCEPTED: 1_050}


@needs_eager_tasks
async def test_an_eager_stream_holds_its_source_back(eager_tasks, clock):
    taken = []

    def source():
        for number in numbers(20_000):
            taken.append(number)
            yield number

    settings = Settings(rate_limit=None, max_in_flight=2)
    async with (
        session_over(Scripted(), settings=settings, clock=clock) as session,
        session.send_stream(source(), "안녕") as stream,
    ):
        await anext(stream)
        await asyncio.sleep(1)
        assert len(taken) <= 1_000


class TickingClock(VirtualClock):
    """Moves on a little whenever it is looked at, as real ones do."""

    def monotonic(self) -> float:
        asyncio.get_running_loop().advance(2e-5)
        return super().monotonic()


@needs_eager_tasks
@pytest.mark.parametrize("rate", [100, 1_000, 20_000])
@pytest.mark.parametrize("make_clock", [VirtualClock, TickingClock])
async def test_eager_tasks_get_their_turns_of_the_rate_limit(eager_tasks, rate, make_clock):
    settings = Settings(rate_limit=RateLimit(requests=rate))
    loop, clock = asyncio.get_running_loop(), make_clock()
    transport = Scripted(seconds=None)
    async with session_over(transport, settings=settings, clock=clock) as session:
        began = loop.time()
        async with asyncio.timeout(SECONDS):
            for _ in range(150):
                await session.send("01012345678", "안녕")
            await asyncio.gather(*(session.send("01012345678", "안녕") for _ in range(150)))

    assert len(transport.requests) == 300
    assert loop.time() - began == pytest.approx(300 / rate, abs=0.5)


@needs_eager_tasks
async def test_eager_tasks_work_over_sockets(eager_tasks, clock):
    people = numbers(500)
    async with Emulator(clock=clock) as emulator, emulator.session(settings=QUICK) as session:
        report = await session.send_many(people, "안녕", images=[jpeg()])
        check(report, emulator, people)

    assert report.counts == {ACCEPTED: 500}
    assert len(emulator.uploads) == 1
