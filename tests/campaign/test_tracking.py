"""What carriers report of a campaign, learnt slowly and kept."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from session_helpers import numbers, of_endpoint

from sens_async import ConfigError, PermissionDenied, Settings
from sens_async.campaign import Ledger
from sens_async.core.schedule import from_epoch

TEXT = "안녕하세요"
DELIVERED, FAILED = "DELIVERED", "FAILED"


async def rows(campaign):
    return [outcome async for outcome in campaign.report()]


@pytest.fixture
async def people() -> list[str]:
    return [*numbers(250), "010-1900-3001", "010-1900-3003"]


async def test_everybodys_end_is_learnt_and_kept(ledger: Ledger, sens, people, clock):
    campaign = await ledger.plan(sens, "one", people, TEXT)
    await campaign.run(sens)
    status = await campaign.track(sens)
    assert status.ends == {DELIVERED: 250, FAILED: 2}
    assert status.codes == {"3001": 1, "3003": 1}
    told = await rows(campaign)
    assert [one.end for one in told] == [DELIVERED] * 250 + [FAILED] * 2
    assert [one.code for one in told[-2:]] == ["3001", "3003"]
    assert all(one.completed_at is not None for one in told)
    again = await campaign.status()
    assert again.ends == status.ends


async def test_what_is_known_is_not_asked_again(ledger, sens, people, emulator):
    campaign = await ledger.plan(sens, "one", people, TEXT)
    await campaign.run(sens)
    await campaign.track(sens)
    asked = len(of_endpoint(emulator, "list"))
    assert (await campaign.track(sens)).ends.total() == 252
    assert len(of_endpoint(emulator, "list")) == asked


async def test_questions_keep_their_rate(ledger, sens, emulator, clock):
    campaign = await ledger.plan(sens, "one", numbers(2_000), TEXT)
    await campaign.run(sens)
    began = clock.monotonic()
    await campaign.track(sens, rate=2.0)
    asked = [one.at for one in of_endpoint(emulator, "list")]
    assert clock.monotonic() - began >= 10
    assert all(b - a >= 0.499 for a, b in pairwise(asked))


async def test_time_out_keeps_what_was_learnt(ledger, sens, people, clock):
    campaign = await ledger.plan(sens, "one", people, TEXT)
    await campaign.run(sens)
    status = await campaign.track(sens, timeout=0.5)
    assert status.ends.total() < 252
    assert (await campaign.track(sens)).ends.total() == 252


async def test_faults_are_passed_over_and_told_if_they_do_not_pass(ledger, sens, people, emulator):
    campaign = await ledger.plan(sens, "one", people, TEXT)
    await campaign.run(sens)
    emulator.fail("drop", endpoint="list", requests="1-3")
    emulator.fail(503, endpoint="list", requests="4-30")
    emulator.fail("forbidden", endpoint="list", requests="31")
    with pytest.raises(PermissionDenied):
        await campaign.track(sens)
    assert (await campaign.track(sens)).ends.total() == 252


async def test_a_reserved_campaign_is_tracked_after_its_time(ledger, sens, clock, emulator):
    at = from_epoch(clock.time()) + timedelta(hours=2)
    campaign = await ledger.plan(sens, "one", numbers(150), TEXT, reserve_at=at)
    await campaign.run(sens)
    status = await campaign.track(sens)
    assert status.ends == {DELIVERED: 150}
    assert min(one.at for one in of_endpoint(emulator, "list")) >= at.timestamp()


async def test_a_cancelled_reservation_ends_so(ledger, sens, clock):
    at = from_epoch(clock.time()) + timedelta(hours=2)
    campaign = await ledger.plan(sens, "one", numbers(150), TEXT, reserve_at=at)
    await campaign.run(sens)
    for request_id in {one.request_id for one in await rows(campaign)}:
        await sens.reservations.cancel(request_id)
    assert (await campaign.track(sens)).ends == {"CANCELED": 150}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # a day is long
async def test_what_never_ends_is_left_after_a_day(ledger, stack, clock, emulator):
    sens = await stack.enter_async_context(emulator.session(settings=Settings(rate_limit=None)))
    campaign = await ledger.plan(sens, "one", ["010-1900-0000", *numbers(3)], TEXT)
    emulator.fail(404, endpoint="list", body="")
    await campaign.run(sens)
    began = clock.time()
    status = await campaign.track(sens)
    assert status.ends.total() == 0
    assert 86_400 <= clock.time() - began < 100_000


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
async def test_a_rate_must_be_one(ledger, sens, rate):
    campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
    with pytest.raises(ConfigError, match="rate must be"):
        await campaign.track(sens, rate=rate)


async def test_tracking_may_be_cancelled(ledger, sens, people):
    campaign = await ledger.plan(sens, "one", people, TEXT)
    await campaign.run(sens)
    tracking = asyncio.create_task(campaign.track(sens, rate=0.1))
    await asyncio.sleep(15)
    tracking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tracking
    assert (await campaign.track(sens)).ends.total() == 252
