"""Many waits of one length end in time, on one timer."""

import asyncio

import pytest

from sens_async.deadlines import Deadlines


async def wait(deadlines: Deadlines, seconds: float) -> str:
    with deadlines.start():
        await asyncio.sleep(seconds)
    return "done"


async def test_a_wait_ends_when_its_time_is_over(clock):
    began = clock.monotonic()
    with pytest.raises(TimeoutError):
        await wait(Deadlines(2.0), 60.0)

    assert clock.monotonic() - began == pytest.approx(2.0)


async def test_a_long_wait_ends_within_a_second_after(clock):
    await clock.sleep(0.4)
    began = clock.monotonic()
    with pytest.raises(TimeoutError):
        await wait(Deadlines(30.0), 60.0)

    assert 30.0 <= clock.monotonic() - began < 31.0
    assert clock.monotonic() % 1 == pytest.approx(0.0, abs=1e-6)


async def test_what_ends_in_time_is_left_alone(clock):
    assert await wait(Deadlines(2.0), 1.9) == "done"
    await clock.sleep(10.0)


async def test_each_wait_has_its_own_time(clock):
    deadlines = Deadlines(2.0)
    began = clock.monotonic()
    ended = {}

    async def one(name: str, start: float, seconds: float) -> None:
        await asyncio.sleep(start)
        try:
            await wait(deadlines, seconds)
        except TimeoutError:
            ended[name] = clock.monotonic() - began

    await asyncio.gather(one("a", 0.0, 9.0), one("b", 0.5, 1.0), one("c", 1.0, 9.0))

    assert ended == {"a": pytest.approx(2.0), "c": pytest.approx(3.0)}


async def test_a_cancellation_stays_one(clock):
    task = asyncio.create_task(wait(Deadlines(2.0), 60.0))
    await clock.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_at_the_same_moment_wins(clock):
    deadlines = Deadlines(2.0)
    task = asyncio.create_task(wait(deadlines, 60.0))
    await clock.sleep(0.0)
    asyncio.get_running_loop().call_later(2.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_after_a_timeout_the_task_is_not_being_cancelled(clock):
    with pytest.raises(TimeoutError):
        await wait(Deadlines(2.0), 60.0)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    async with asyncio.timeout(1.0):  # which looks at the same count
        await clock.sleep(0.5)


async def test_a_thousand_waits_cost_one_timer(clock, monkeypatch):
    loop = asyncio.get_running_loop()
    made = []
    call_at = loop.call_at

    def counted(when, callback, *args, **kwargs):
        made.append(callback)
        return call_at(when, callback, *args, **kwargs)

    event = asyncio.Event()
    deadlines = Deadlines(30.0)

    async def one() -> None:
        with deadlines.start():
            await event.wait()

    monkeypatch.setattr(loop, "call_at", counted)
    tasks = [asyncio.create_task(one()) for _ in range(1000)]
    await asyncio.sleep(0)
    event.set()
    await asyncio.gather(*tasks)

    assert len(made) == 1


async def test_no_timer_is_left_when_nobody_waits(clock):
    """A forgotten timer would keep what it points to alive, and wake an idle loop."""
    await wait(Deadlines(30.0), 1.0)
    scheduled = [h for h in asyncio.get_running_loop()._scheduled if not h.cancelled()]

    assert scheduled == []


def test_a_deadline_needs_a_task():
    loop = asyncio.new_event_loop()
    try:
        failures = []

        def start() -> None:
            try:
                Deadlines(1.0).start()
            except RuntimeError as error:
                failures.append(str(error))
            loop.stop()

        loop.call_soon(start)
        loop.run_forever()
    finally:
        loop.close()

    assert failures == ["a deadline needs a task"]
