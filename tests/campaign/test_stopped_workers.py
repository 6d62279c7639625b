"""A worker that is stopped around an intent and goes on when its signature is long invalid."""

from signal import SIGSTOP

import pytest
from campaign.judging import judge
from campaign.kill_worker import BUSY
from campaign.killing import trial

pytestmark = pytest.mark.real_time

POINTS = ["after commit of intents", "between intent and send", "before send"]


@pytest.mark.parametrize("point", POINTS)
async def test_the_owner_of_a_file_is_stopped(tmp_path, point):
    async with trial(str(tmp_path / "ledger.db"), tmp_path, batches=20, faults=()) as it:
        stopped = it.start(it.fate(f"run: {point}", SIGSTOP))
        await it.last_word()
        assert await it.live() == BUSY
        await it.settling()
        await it.wake(stopped)
        await it.finish()
        await judge(it)
    # What was only intended is intended anew; what was about to be written is refused.
    assert it.arrivals.too_late or point == "after commit of intents"


@pytest.mark.parametrize("point", POINTS)
async def test_one_of_several_workers_is_stopped(postgres_url, tmp_path, point):
    async with trial(postgres_url, tmp_path, batches=20, faults=()) as it:
        stopped = it.start(it.fate(f"run: {point}", SIGSTOP))
        await it.last_word()
        await it.finish()
        assert it.emulator.admissions.total == it.orders.people - len(it.emulator.refuse_numbers)
        await it.wake(stopped)
        await judge(it)
    assert it.arrivals.too_late or point == "after commit of intents"
