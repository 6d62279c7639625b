"""A campaign whose workers are killed again and again: nobody twice, nobody forgotten.

`nox -s endurance` runs it over 2,000 batches, with hundreds of kills; here it is short.
"""

import os

import pytest
from campaign.judging import judge, sent_twice
from campaign.killing import ANYWHERE, RUNNING, trial

from sens_async.models import OutcomeState

pytestmark = pytest.mark.real_time

BATCHES = int(os.environ.get("SENS_KILLS", "60"))
"""Of three recipients each."""

ENOUGH = 200 if BATCHES >= 2_000 else 10
"""Kills at least; at most half as many as batches."""


async def test_nobody_is_sent_to_twice_and_nobody_is_lost(tmp_path):
    async with trial(str(tmp_path / "ledger.db"), tmp_path, batches=BATCHES) as it:
        await it.live_through(kills=BATCHES // 2)
        await judge(it)
    assert it.kills.total() >= ENOUGH
    if BATCHES >= 2_000:
        assert min(it.kills[point] for point in (*RUNNING, ANYWHERE)) >= 5


async def test_several_workers_are_killed_at_one_campaign(postgres_url, tmp_path):
    async with trial(postgres_url, tmp_path, batches=BATCHES) as it:
        await it.live_through(workers=3, kills=BATCHES // 2)
        await judge(it)
    assert it.kills.total() >= ENOUGH


async def test_at_most_once_leaves_alone_what_is_not_found(tmp_path):
    ledger = str(tmp_path / "ledger.db")
    async with trial(ledger, tmp_path, batches=40, guarantee="at_most_once") as it:
        await it.live_through(kills=20)
        counts = await judge(it)
    assert counts[OutcomeState.UNKNOWN]


async def test_at_least_once_says_who_was_sent_to_twice(tmp_path):
    ledger, late = str(tmp_path / "ledger.db"), [("late", {"delay": 1.0}, 0.3)]
    async with trial(ledger, tmp_path, batches=40, guarantee="at_least_once", faults=late) as it:
        await it.live_through(kills=20)
        await judge(it)
        assert sent_twice(it.emulator.admissions)
