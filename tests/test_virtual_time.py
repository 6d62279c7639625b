"""The test bed itself: what the other tests rely on."""

import asyncio
import sys
import threading
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from virtual_time import EPOCH, VirtualClock, VirtualLoop

pytest_plugins = ["pytester"]


async def test_an_hour_takes_no_time(clock):
    started = time.perf_counter()

    await asyncio.sleep(3600)

    assert clock.time() == EPOCH + 3600
    assert time.perf_counter() - started < 1


async def test_timers_fire_at_their_times_and_in_their_order(clock):
    seen = []

    async def note(delay):
        await asyncio.sleep(delay)
        seen.append((delay, clock.time() - EPOCH))

    await asyncio.gather(*(note(delay) for delay in (30, 0.5, 3600, 0.25)))

    assert seen == [(0.25, 0.25), (0.5, 0.5), (30, 30), (3600, 3600)]


async def test_wall_clock_can_be_wrong_without_touching_the_monotonic_one(clock):
    before = clock.monotonic()

    clock.offset = -600

    assert clock.time() == EPOCH - 600
    assert clock.monotonic() == before


async def test_a_socket_pair_in_one_loop_obeys_virtual_timeouts():
    """A handler that takes a minute, a client that waits half of it: a hundred times."""

    async def handle(request):
        await asyncio.sleep(60 if request.query else 10)
        return web.Response(text="done")

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        for _ in range(100):
            started = loop.time()
            async with session.post(url, data=b"x" * 20_000) as response:
                assert await response.text() == "done"
            assert loop.time() - started == pytest.approx(10)

            started = loop.time()
            with pytest.raises(TimeoutError):
                await session.post(url, params={"slow": "1"}, data=b"x" * 20_000)
            assert loop.time() - started == pytest.approx(30, abs=1)
    await runner.cleanup()


async def test_work_in_a_thread_holds_the_clock():
    release = threading.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(0.005, release.set)
    started = loop.time()

    async with asyncio.timeout(20):
        assert await asyncio.to_thread(release.wait, 10)

    assert loop.time() - started < 5


async def test_closing_the_default_executor_does_not_run_into_its_time_limit():
    await asyncio.to_thread(time.monotonic)


async def test_another_process_is_reached_in_real_time():
    loop = asyncio.get_running_loop()
    loop.real_time = True

    async with asyncio.timeout(30):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('ready')", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()

    assert out.strip() == b"ready"


@pytest.mark.real_time
async def test_a_marked_test_runs_on_an_ordinary_loop():
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)


async def test_unmarked_tests_run_on_the_virtual_loop():
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
    assert VirtualClock().time() == EPOCH


def test_a_test_that_leaves_a_task_running_fails(pytester):
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(
        """
        import asyncio

        async def test_forgets():
            asyncio.create_task(asyncio.sleep(3600), name="forgotten")
        """
    )

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*tasks left running*forgotten*"])


def test_a_loop_that_nothing_will_wake_says_so(monkeypatch):
    monkeypatch.setattr("virtual_time.PATIENCE_SECONDS", 0.01)

    with (
        pytest.raises(RuntimeError, match="deadlock"),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        runner.run(asyncio.Event().wait())
