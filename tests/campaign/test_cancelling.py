"""Cancelled campaigns: who is not sent to yet never is, and nobody else is touched."""

import asyncio

import pytest
from session_helpers import numbers

from sens_async import OutcomeState, Recipient
from sens_async.campaign import CampaignConflict, Ledger, LedgerBusy

TEXT = "안녕하세요"


async def test_who_is_not_sent_to_never_is(ledger: Ledger, sens, emulator):
    people = [*numbers(250), "no number"]
    campaign = await ledger.plan(sens, "one", people, TEXT)
    status = await campaign.cancel()
    assert status.counts == {OutcomeState.SKIPPED: 250, OutcomeState.REJECTED: 1}
    assert status.is_finished
    assert (status.batches, status.planned_by_type) == (0, {})
    assert (await campaign.run(sens, guarantee="at_least_once")).counts == status.counts
    assert not emulator.admissions
    told = [one async for one in campaign.report()]
    assert [one.index for one in told] == list(range(251))
    assert told[0].error == "RunStopped: the campaign was cancelled before their turn"
    await campaign.purge()


async def test_keys_are_free_again(ledger, sens):
    people = [Recipient(number, key=number) for number in numbers(150)]
    await (await ledger.plan(sens, "one", people, TEXT)).cancel()
    again = await ledger.plan(sens, "two", people, TEXT, skip_known_keys=True)
    assert (await again.run(sens)).counts == {OutcomeState.ACCEPTED: 150}


async def test_who_may_have_been_sent_to_is_still_looked_up(ledger, sens, emulator):
    emulator.fail("drop", requests=2, accept=True)
    campaign = await ledger.plan(sens, "one", numbers(300), TEXT)
    running = asyncio.create_task(campaign.run(sens))
    while len(emulator.requests) < 2:  # noqa: ASYNC110 - the emulator tells nobody
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})
    before = await campaign.status()
    status = await campaign.cancel()
    assert status.counts[OutcomeState.UNKNOWN] == before.counts[OutcomeState.UNKNOWN] > 0
    assert status.counts[OutcomeState.SKIPPED] == before.counts[OutcomeState.NOT_SENT]
    assert status.settles_at is not None
    assert (await campaign.reconcile(sens)).is_finished


async def test_who_was_to_be_sent_to_again_stays_unknown(ledger, sens, emulator):
    emulator.fail("drop", requests=1, accept=True)
    emulator.fail(404, endpoint="list", body="")
    campaign = await ledger.plan(sens, "one", numbers(3), TEXT, guarantee="at_least_once")
    running = asyncio.create_task(
        campaign.run(sens, watch=lambda s: s.possible_duplicates and running.cancel())
    )
    await asyncio.wait({running})
    status = await campaign.status()
    assert (status.counts, status.unproven) == ({OutcomeState.UNKNOWN: 3}, 0)
    status = await campaign.cancel()
    assert (status.counts, status.unproven) == ({OutcomeState.UNKNOWN: 3}, 3)


async def test_not_while_it_is_run(ledger, open_session, emulator):
    sens, enough = await open_session(max_in_flight=2), asyncio.Event()
    campaign = await ledger.plan(sens, "one", numbers(3_000), TEXT)
    running = asyncio.create_task(campaign.run(sens, watch=lambda s: s.in_flight and enough.set()))
    await enough.wait()
    with pytest.raises(CampaignConflict, match="is being run: stop that first"):
        await campaign.cancel()
    assert (await running).counts == {OutcomeState.ACCEPTED: 3_000}


async def test_not_while_another_process_has_the_file(sqlite_url, sens, clock):
    async with Ledger.open(sqlite_url, clock=clock) as ledger:
        await ledger.plan(sens, "one", numbers(3), TEXT)
        async with Ledger.open(sqlite_url, clock=clock) as other:
            with pytest.raises(LedgerBusy):
                await (await other.campaign("one")).cancel()
