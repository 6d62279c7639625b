"""What adversaries have found about plans: each test is one way in which one once went wrong."""

import asyncio
import unicodedata

import asyncpg
import pytest
from session_helpers import numbers
from sqlalchemy import event, select

from sens_async import OutcomeState, Recipient
from sens_async.campaign import CampaignConflict, CampaignNotFound
from sens_async.campaign.leases import LEASE_SECONDS
from sens_async.campaign.schema import campaigns

TEXT = "안녕하세요"
ON_A_SERVER = pytest.mark.parametrize("url", ["postgres"], indirect=True)


async def cancelled_at_a_commit(ledger, sens, *, when_all_is_read):
    """Plan, and cancel that while it commits: what is begun, or what makes it a campaign."""
    is_read = False

    async def source():
        nonlocal is_read
        for number in numbers(3):
            yield number
        is_read = True

    def commits(_):
        if is_read or not when_all_is_read:
            planning.cancel()

    planning = asyncio.create_task(ledger.plan(sens, "one", source(), TEXT))
    engine = ledger.storage.engine.sql.sync_engine
    event.listen(engine, "commit", commits)
    with pytest.raises(asyncio.CancelledError):
        await planning
    event.remove(engine, "commit", commits)


async def test_a_plan_that_is_complete_is_not_forgotten_since_it_was_cancelled(
    ledger, sens, emulator
):
    await cancelled_at_a_commit(ledger, sens, when_all_is_read=True)
    campaign = await ledger.campaign("one")
    assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 3}
    again = await ledger.plan(sens, "one", numbers(3), TEXT)
    assert (await again.run(sens)).counts == {OutcomeState.ACCEPTED: 3}
    assert {len(one) for one in emulator.admissions.values()} == {1}


async def test_a_plan_that_is_cancelled_when_it_begins_holds_no_name(ledger, sens):
    await cancelled_at_a_commit(ledger, sens, when_all_is_read=False)
    with pytest.raises(CampaignNotFound):
        await ledger.campaign("one")
    assert (await ledger.plan(sens, "one", numbers(3), TEXT)).recipients == 3


@pytest.mark.real_time
@ON_A_SERVER
async def test_a_plan_that_is_completed_at_this_moment_is_not_taken(ledger, postgres_url, sens):
    await ledger.plan(sens, "one", numbers(3), TEXT)
    owner = await asyncpg.connect(postgres_url)
    await owner.execute("UPDATE sens_campaign SET is_planned = false, lease_until = 0")
    completing = owner.transaction()
    await completing.start()
    await owner.execute("UPDATE sens_campaign SET is_planned = true")

    taking = asyncio.create_task(ledger.plan(sens, "one", numbers(3), TEXT))
    purging = asyncio.create_task(ledger.purge())
    await asyncio.wait({taking, purging}, timeout=0.3)
    await completing.commit()
    with pytest.raises(CampaignConflict):
        await taking
    await purging
    assert (await (await ledger.campaign("one")).status()).counts == {OutcomeState.NOT_SENT: 3}
    await owner.close()


@ON_A_SERVER
async def test_a_slow_source_keeps_its_name(ledger, sens):
    async def source():
        yield "010-0000-0001"
        held = await lease()
        await asyncio.sleep(LEASE_SECONDS)
        assert await lease() > held

    async def lease():
        async with ledger.storage.reading() as connection:
            return await connection.scalar(select(campaigns.c.lease_until))

    assert (await ledger.plan(sens, "one", source(), TEXT)).recipients == 1


@ON_A_SERVER
async def test_one_of_many_has_the_name(ledger, open_ledger, sens):
    others = [await open_ledger() for _ in range(3)]
    plans = [one.plan(sens, "one", numbers(3), TEXT) for one in (ledger, *others)]
    ends = await asyncio.gather(*plans, return_exceptions=True)
    assert {type(end).__name__ for end in ends} <= {"Campaign", "CampaignConflict"}
    assert (await ledger.campaign("one")).recipients == 3


async def test_nobody_is_left_out_for_a_plan_that_fails(ledger, sens):
    people = [Recipient(number, key=number) for number in numbers(30_000)]
    has_looked, may_fail = asyncio.Event(), asyncio.Event()

    async def failing():
        for person in people:
            yield person
        has_looked.set()
        await may_fail.wait()
        raise OSError("the list broke off")

    first = asyncio.create_task(ledger.plan(sens, "one", failing(), TEXT))
    await has_looked.wait()
    second = await ledger.plan(sens, "two", people, TEXT, skip_known_keys=True)
    may_fail.set()
    with pytest.raises(OSError, match="broke off"):
        await first
    assert (await second.status()).counts == {OutcomeState.NOT_SENT: 30_000}


async def test_names_that_look_alike_are_one(ledger, sens):
    names = [unicodedata.normalize(form, "가을 Café") for form in ("NFC", "NFD")]
    assert names[0] != names[1]
    planned = [await ledger.plan(sens, name, numbers(3), TEXT) for name in names]
    assert {campaign.name for campaign in planned} == {names[0]}
    assert (await ledger.campaign(names[1])).name == names[0]
    for name in ("가을 ", " 가을", "가을\t"):
        with pytest.raises(ValueError, match="without blanks around it"):
            await ledger.plan(sens, name, numbers(3), TEXT)


async def test_fields_are_the_same_in_any_order(ledger, sens):
    for fields in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        person = Recipient("010-0000-0001", fields=fields)
        assert await ledger.plan(sens, "one", [person], "{a}{b}")
