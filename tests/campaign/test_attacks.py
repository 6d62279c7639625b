"""What adversaries have found: each test is one way in which a campaign was once led astray."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from session_helpers import numbers, of_endpoint

from sens_async import AdRuleViolated, ConfigError, OutcomeState, Recipient
from sens_async.campaign import CampaignConflict, Ledger, LedgerBusy, LedgerError
from sens_async.core.schedule import KST, from_epoch

TEXT = "안녕하세요"


class TestPurgedCampaigns:
    @pytest.mark.parametrize("guarantee", ["effectively_once", "at_least_once"])
    async def test_what_was_left_alone_is_not_taken_up(
        self, ledger: Ledger, sens, emulator, guarantee
    ):
        emulator.fail("drop", requests=1)
        campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
        assert (await campaign.run(sens)).unproven == 3
        await campaign.purge()
        status = await campaign.run(sens, guarantee=guarantee)
        assert (status.counts, status.unproven) == ({OutcomeState.UNKNOWN: 3}, 3)
        assert len(of_endpoint(emulator, "messages")) == 1

    async def test_purging_and_taking_up_at_once_is_one_or_the_other(self, ledger, sens, emulator):
        emulator.fail("drop", requests=1)
        campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
        await campaign.run(sens)
        running = asyncio.create_task(campaign.run(sens, guarantee="effectively_once"))
        purging = asyncio.create_task(campaign.purge())
        status = await running
        try:
            await purging
        except CampaignConflict:
            assert status.counts == {OutcomeState.ACCEPTED: 3}
        else:
            assert status.unproven == 3
            assert not emulator.admissions

    async def test_nothing_is_asked_about_them(self, ledger, sens, emulator, clock):
        campaign = await ledger.plan(sens, "one", numbers(300), TEXT)
        await campaign.run(sens)
        await campaign.purge()
        requests, began = len(emulator.requests), clock.time()
        assert (await campaign.track(sens)).ends == {}
        assert len(emulator.requests) == requests
        assert clock.time() - began < 60


async def test_haste_for_one_campaign_is_none_for_another(ledger, sens, emulator):
    one = await ledger.plan(sens, "one", numbers(100), TEXT, guarantee="effectively_once")
    two = await ledger.plan(sens, "two", numbers(100, 5_000), TEXT)
    emulator.fail("late", requests=1, delay=280)
    await one.run(sens, wait=False)
    assert (await two.run(sens, settle=0)).is_finished
    assert (await one.run(sens)).counts == {OutcomeState.ACCEPTED: 100}
    await asyncio.sleep(400)
    assert max(map(len, emulator.admissions.values())) == 1


async def test_a_plan_that_was_killed_keeps_nobody_from_being_sent_to(ledger, sens):
    people = [Recipient(number, key=number) for number in numbers(30_000)]

    async def source():
        for person in people:
            yield person
        # As if its process had died long ago: what it has written is out of its reach.
        async with ledger.storage.writing() as connection:
            for table, number in (("key", "batch_id"), ("people", "batch_id"), ("batch", "id")):
                await connection.exec_driver_sql(
                    f"UPDATE sens_{table} SET {number} = {number} + {9 << 32}"
                )
            await connection.exec_driver_sql(
                "UPDATE sens_campaign SET id = id + 9, lease_until = 0"
            )

    with pytest.raises(CampaignConflict):
        await ledger.plan(sens, "one", source(), TEXT)
    campaign = await ledger.plan(sens, "two", people[:100], TEXT, skip_known_keys=True)
    assert (await campaign.status()).counts == {OutcomeState.NOT_SENT: 100}


async def test_a_ledger_that_is_closed_is_let_go_of(sqlite_url, open_session, emulator, clock):
    sens = await open_session(max_in_flight=2)
    async with Ledger.open(sqlite_url, clock=clock) as ledger:
        campaign = await ledger.plan(sens, "one", numbers(5_000), TEXT)
        enough = asyncio.Event()
        running = asyncio.create_task(
            campaign.run(
                sens, watch=lambda s: s.counts[OutcomeState.ACCEPTED] > 500 and enough.set()
            )
        )
        await enough.wait()
    with pytest.raises(LedgerError, match="closed"):
        await running
    with pytest.raises(LedgerError, match="closed"):
        await campaign.status()
    assert len(emulator.admissions) < 5_000
    async with Ledger.open(sqlite_url, clock=clock) as ledger:
        campaign = await ledger.campaign("one")
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 5_000}
    assert max(map(len, emulator.admissions.values())) == 1


async def test_a_reserved_campaign_goes_on_when_its_time_has_come(ledger, sens, emulator, clock):
    at = from_epoch(clock.time()).astimezone(KST) + timedelta(hours=1)
    emulator.fail("drop", requests=1, accept=True)
    for wait in (False, True):
        campaign = await ledger.plan(sens, "one", numbers(3), TEXT, reserve_at=at)
        status = await campaign.run(sens, wait=wait)
        await asyncio.sleep(4_000)
    assert status.counts == {OutcomeState.ACCEPTED: 3}


async def test_errors_of_the_ledger_name_no_secret_and_no_text(postgres_url, open_session, clock):
    with pytest.raises(LedgerError) as failed:
        async with Ledger.open("postgresql://me@127.0.0.1:1/x?password=hidden", clock=clock):
            pass
    assert "hidden" not in str(failed.value)
    sens = await open_session()
    async with Ledger.open(postgres_url, clock=clock) as ledger:
        await ledger.storage.write(
            lambda to: to.exec_driver_sql("ALTER TABLE sens_campaign DROP COLUMN content")
        )
        with pytest.raises(LedgerError, match="content") as failed:
            await ledger.plan(sens, "one", numbers(1), "비밀")
    assert "비밀" not in str(failed.value)


async def test_whatever_can_be_sent_can_be_kept(ledger, open_session, emulator):
    sens = await open_session(unencodable="replace")
    content, subject = "안녕 {n}\0 \ud800", "제목\0 \ud800"
    people = [Recipient("010-0000-0001", fields={"n": "\0 \udfff"}, key="\0")]
    for _ in range(2):
        campaign = await ledger.plan(sens, "one", people, content, subject=subject)
    assert (campaign.content, campaign.subject) == (content, subject)
    with pytest.raises(CampaignConflict, match="content is another text"):
        await ledger.plan(sens, "one", people, "안녕 {n}\0 \ud801", subject=subject)
    assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 1}
    assert [one.key async for one in campaign.report()] == ["\0"]


async def test_whatever_sens_says_can_be_kept(ledger, sens, emulator):
    emulator.fail(400, body='{"errorMessage": "no \\u0000 more"}')
    campaign = await ledger.plan(sens, "one", numbers(1), TEXT)
    assert (await campaign.run(sens)).counts == {OutcomeState.REJECTED: 1}
    assert [one.error async for one in campaign.report()] == [
        "BadRequest: refused with 400: no   more"
    ]


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
async def test_a_file_that_is_gone_is_written_to_no_more(
    sqlite_url, open_session, emulator, clock, how
):
    sens, file = await open_session(max_in_flight=2), Path(sqlite_url)

    def lose_it(status):
        if status.counts[OutcomeState.ACCEPTED] and not file.with_suffix(".old").exists():
            file.rename(file.with_suffix(".old"))
            if how == "replaced":
                file.write_bytes(file.with_suffix(".old").read_bytes())

    async with Ledger.open(sqlite_url, clock=clock) as ledger:
        campaign = await ledger.plan(sens, "one", numbers(20_000), TEXT)
        with pytest.raises(LedgerError, match="was moved, replaced or deleted while it was in use"):
            await campaign.run(sens, watch=lose_it)
    assert len(emulator.admissions) < 20_000


async def test_a_file_has_one_owner_whatever_it_is_called(sqlite_url, sens, clock):
    link = Path(sqlite_url).with_name("link.db")
    async with Ledger.open(sqlite_url, clock=clock) as ledger:
        campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
        link.symlink_to(sqlite_url)
        async with Ledger.open(link, clock=clock) as other:
            with pytest.raises(LedgerBusy):
                await (await other.campaign("one")).run(sens)
        assert (await campaign.run(sens)).is_finished


async def test_what_may_not_go_out_now_is_no_attempt(ledger, sens, emulator):
    campaign = await ledger.plan(sens, "one", numbers(3), "(광고) 할인", content_type="AD")
    await asyncio.sleep(12 * 3_600)  # 21:39
    status = await campaign.run(sens)
    assert isinstance(status.stopped_by, AdRuleViolated)
    assert [one.attempts async for one in campaign.report()] == [0, 0, 0]
    assert not of_endpoint(emulator, "messages")


@pytest.mark.parametrize("states", ["ACCEPTED", ["sent"], [None]])
async def test_a_report_is_of_outcomes(ledger, sens, states):
    campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
    with pytest.raises(ConfigError, match="states are some of"):
        campaign.report(states)


async def test_a_report_may_be_left_in_the_middle(tmp_path):
    program = f"""
import asyncio
from sens_async.campaign import Ledger
from sens_async.emulator import Emulator

async def main():
    async with Emulator() as emulator, emulator.session() as sens:
        async with Ledger.open({str(tmp_path / "ledger.db")!r}) as ledger:
            numbers = [f"010{{i:08}}" for i in range(50_000)]
            campaign = await ledger.plan(sens, "one", numbers, "hi")
            async for outcome in campaign.report():
                break

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", program, stderr=subprocess.PIPE
    )
    assert await process.communicate() == (None, b"")
