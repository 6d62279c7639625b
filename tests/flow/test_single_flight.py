"""Joining concurrent calls of one key."""

import asyncio
import gc

import pytest

from sens_async.errors import InvalidAttachment, SessionClosed
from sens_async.flow.single_flight import SingleFlight


class Upload:
    """Work that takes a second, and counts how often it was begun, finished and cancelled."""

    def __init__(self, result="file"):
        self.result = result
        self.begun = self.finished = self.cancelled = 0

    async def __call__(self):
        self.begun += 1
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.finished += 1
        if isinstance(self.result, Exception):
            raise self.result
        return f"{self.result}{self.begun}"


@pytest.fixture
async def flights():
    flights = SingleFlight("upload")
    yield flights
    await flights.aclose()


def start(flights, key, work, count=1):
    return [asyncio.create_task(flights.do(key, work)) for _ in range(count)]


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_hundred_calls_of_one_key_are_one(flights):
    upload = Upload()

    results = await asyncio.gather(*start(flights, "a", upload, 100))

    assert results == ["file1"] * 100
    assert upload.begun == 1


async def test_keys_do_not_wait_for_each_other(flights, clock):
    started = clock.monotonic()

    await asyncio.gather(*(flights.do(key, Upload()) for key in "abc"))

    assert clock.monotonic() - started == pytest.approx(1)


async def test_nothing_is_remembered(flights):
    upload = Upload()

    assert [await flights.do("a", upload) for _ in range(3)] == ["file1", "file2", "file3"]
    assert repr(flights) == "<SingleFlight upload in_flight=0>"


async def test_a_call_in_the_moment_the_work_ended_starts_anew(flights):
    async def at_once():
        return next(numbers)

    numbers = iter(range(10))
    first = start(flights, "a", at_once)[0]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert await flights.do("a", at_once) == 1
    assert await first == 0


async def test_a_cancelled_leader_does_not_fail_its_followers(flights):
    upload = Upload()
    leader, *followers = start(flights, "a", upload, 3)
    await asyncio.sleep(0.5)

    leader.cancel()

    assert await asyncio.gather(*followers) == ["file1"] * 2
    assert leader.cancelled()
    assert upload.cancelled == 0


async def test_work_nobody_waits_for_is_cancelled(flights):
    upload = Upload()
    tasks = start(flights, "a", upload, 3)
    await asyncio.sleep(0.5)

    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await turns()

    assert (upload.begun, upload.cancelled, upload.finished) == (1, 1, 0)


async def test_one_who_comes_after_all_have_gone_gets_a_new_call(flights):
    upload = Upload()
    task = start(flights, "a", upload)[0]
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])

    assert await flights.do("a", upload) == "file2"


async def test_each_waiter_gets_a_copy_of_the_error_with_its_cause(flights):
    error = InvalidAttachment("not a JPEG")
    error.__cause__ = OSError("truncated")
    tasks = start(flights, "a", Upload(error), 3)

    errors = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(each) for each in errors] == [InvalidAttachment] * 3
    assert [str(each) for each in errors] == ["not a JPEG"] * 3
    assert {each.__cause__ for each in errors} == {error.__cause__}
    assert len({id(each) for each in (error, *errors)}) == 4


async def test_an_error_that_cannot_be_copied_is_raised_itself(flights):
    class Awkward(Exception):
        def __init__(self, one, two):
            super().__init__(one)

    error = Awkward(1, 2)

    with pytest.raises(Awkward) as caught:
        await flights.do("a", Upload(error))

    assert caught.value is error


async def test_an_error_nobody_waits_for_is_not_complained_about(flights):
    async def fail_when_cancelled():
        try:
            await asyncio.sleep(10)
        finally:
            raise OSError("on the way out")

    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, info: complaints.append(info))
    task = start(flights, "a", fail_when_cancelled)[0]
    await turns()
    task.cancel()
    await asyncio.wait([task])
    await turns()
    del task
    gc.collect()

    assert complaints == []


async def test_work_that_cancels_itself_ends_as_cancelled(flights):
    async def give_up():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await flights.do("a", give_up)


async def test_closing_cancels_the_work_and_tells_its_waiters():
    flights = SingleFlight("upload")
    upload = Upload()
    tasks = start(flights, "a", upload, 2)
    await asyncio.sleep(0.5)

    await flights.aclose()

    assert upload.cancelled == 1
    for task in tasks:
        with pytest.raises(SessionClosed, match="before its upload was done"):
            await task
    with pytest.raises(SessionClosed):
        await flights.do("a", upload)
