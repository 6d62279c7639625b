"""Commands that ask are ended early: nothing is left behind, and machines can read the rest."""

import asyncio
import json
import signal

import pytest

pytestmark = pytest.mark.real_time


@pytest.fixture
def interrupted(sens, emulator, environ):
    """Run a command whose question gets no answer, and end it once it has asked."""

    async def interrupted(number, *arguments):
        for endpoint in ("list", "message", "reservation", "cancel", "add_unsubscribes"):
            emulator.fail("hang", endpoint=endpoint)
        process = await sens.start(*arguments, environ=environ)
        async with asyncio.timeout(30):
            while not emulator.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        process.send_signal(number)
        return await sens.finish(process)

    return interrupted


async def test_a_polite_kill_is_as_good_as_ctrl_c(interrupted, tmp_path):
    result = await interrupted(signal.SIGTERM, "messages", "--csv", tmp_path / "out.csv")

    assert (result.code, result.err) == (130, "")
    assert not [*tmp_path.iterdir()]
