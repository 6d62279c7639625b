"""The kill test with one safeguard taken away at a time: each time somebody is sent to twice.

A test that also passes without what it tests shows nothing.
"""

import shutil
from signal import SIGSTOP

import pytest
from campaign.judging import sent_twice
from campaign.killing import trial

pytestmark = pytest.mark.real_time

LOST_ANSWERS = (("drop", {"accept": True}, 0.5),)
LATE = (("late", {"delay": 1.2}, 0.5),)
"""Accepted after its sender has given it up, and before its signature has become invalid."""


async def test_intents_that_are_not_durable(tmp_path):
    ledger, sabotage = str(tmp_path / "ledger.db"), "intents that are not durable"
    async with trial(ledger, tmp_path, batches=40, sabotage=sabotage, faults=()) as it:
        for _ in range(5):
            await it.live(it.fate("run: before answer", chance=0.3))
        await it.finish()
        assert sent_twice(it.emulator.admissions)


async def test_no_time_to_settle(tmp_path):
    for seed in range(1, 7):  # a machine that is busy may ask so late that all is listed
        ledger = str(tmp_path / f"{seed}.db")
        # So few that SENS is asked as soon as the last has been given up.
        async with trial(ledger, tmp_path, batches=12, seed=seed, settle=0.0, faults=LATE) as it:
            await it.finish()
            await it.nothing_is_late()
            if sent_twice(it.emulator.admissions):
                return
    pytest.fail("nobody was sent to twice")


async def test_blind_retry(tmp_path):
    ledger, sabotage = str(tmp_path / "ledger.db"), "blind retry"
    async with trial(ledger, tmp_path, batches=40, sabotage=sabotage, faults=LOST_ANSWERS) as it:
        await it.live()
        assert sent_twice(it.emulator.admissions)


@pytest.mark.parametrize("sabotage", [None, "signing at send time"])
async def test_a_worker_is_stopped_behind_its_intent(tmp_path, sabotage):
    """Another one, with a copy of the file, waits until the request can be believed absent."""
    ledger, copy = str(tmp_path / "ledger.db"), str(tmp_path / "copy.db")
    async with trial(ledger, tmp_path, batches=1, sabotage=sabotage, faults=()) as it:
        stopped = it.start(it.fate("run: between intent and send", SIGSTOP))
        await it.last_word()
        for end in ("", "-wal"):
            shutil.copy(ledger + end, copy + end)
        await it.elsewhere(copy).finish()
        await it.wake(stopped)
        assert bool(sent_twice(it.emulator.admissions)) == (sabotage is not None)


@pytest.mark.parametrize("sabotage", [None, "signing at send time"])
async def test_one_of_several_workers_is_stopped_behind_its_intent(
    postgres_url, tmp_path, sabotage
):
    async with trial(postgres_url, tmp_path, batches=20, sabotage=sabotage, faults=()) as it:
        stopped = it.start(it.fate("run: between intent and send", SIGSTOP))
        await it.last_word()
        await it.finish()
        await it.wake(stopped)
        assert bool(sent_twice(it.emulator.admissions)) == (sabotage is not None)
