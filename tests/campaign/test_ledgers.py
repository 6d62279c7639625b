"""Ledgers themselves: where they may be, who may write, and what is left of people in them."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from session_helpers import jpeg, numbers
from sqlalchemy import select, update

from sens_async import OutcomeState, Recipient
from sens_async.campaign import (
    CampaignConflict,
    CampaignNotFound,
    Ledger,
    LedgerBusy,
    LedgerError,
)
from sens_async.campaign.schema import SCHEMA_VERSION, batches, campaigns, ledgers, people

TEXT = "안녕하세요"


async def rows(campaign):
    return [outcome async for outcome in campaign.report()]


class TestOpening:
    async def test_what_was_written_is_there_again(self, url, sens, clock):
        async with Ledger.open(url, clock=clock) as ledger:
            first = await ledger.plan(sens, "one", numbers(300), TEXT)
            assert (await first.run(sens)).is_finished
        async with Ledger.open(url, clock=clock) as ledger:
            campaign = await ledger.campaign("one")
            assert (await campaign.status()).counts == {OutcomeState.ACCEPTED: 300}
            assert campaign.planned_at == first.planned_at

    @pytest.mark.parametrize("age", ["newer", "older"])
    async def test_another_version_is_refused(self, url, clock, age):
        other = SCHEMA_VERSION + (1 if age == "newer" else -1)
        async with Ledger.open(url, clock=clock) as ledger:
            await ledger.storage.write(lambda to: to.execute(update(ledgers).values(version=other)))
        with pytest.raises(LedgerError, match=f"{age} sens-async: its schema is version {other}"):
            async with Ledger.open(url, clock=clock):
                pass

    @pytest.mark.parametrize(
        "url",
        [
            "mysql://root:hidden@127.0.0.1/test",
            "http://127.0.0.1/",
            "sqlite://",
            ":memory:",
            "",
            "postgresql://me:hidden@127.0.0.1:abc/x",
            "postgres:hidden@127.0.0.1/x",
            "postgresql:/me:hidden@127.0.0.1/x",
        ],
    )
    async def test_a_ledger_must_outlive_its_process(self, url):
        with pytest.raises(LedgerError) as failed:
            async with Ledger.open(url):
                pass
        assert "hidden" not in str(failed.value)

    async def test_there_must_be_a_folder(self, tmp_path):
        with pytest.raises(LedgerError, match="No such file or directory"):
            async with Ledger.open(tmp_path / "nowhere" / "campaigns.db"):
                pass

    async def test_a_folder_is_no_ledger(self, tmp_path):
        with pytest.raises(LedgerError, match="is no file"):
            async with Ledger.open(tmp_path):
                pass

    async def test_another_database_is_left_alone(self, sqlite_url):
        with sqlite3.connect(sqlite_url) as other:
            other.execute("CREATE TABLE precious (a)")
        other.close()
        with pytest.raises(LedgerError, match="is a database, but no ledger"):
            async with Ledger.open(sqlite_url):
                pass
        with sqlite3.connect(sqlite_url) as other:
            names = other.execute("SELECT name FROM sqlite_master").fetchall()
        other.close()
        assert names == [("precious",)]

    async def test_a_file_of_something_else_is_left_alone(self, sqlite_url):
        other = Path(sqlite_url)
        other.write_text("이름,전화번호\n" * 100, encoding="utf-8")  # noqa: ASYNC240
        before = other.read_bytes()  # noqa: ASYNC240
        with pytest.raises(LedgerError, match="not a database"):
            async with Ledger.open(sqlite_url):
                pass
        assert other.read_bytes() == before  # noqa: ASYNC240

    async def test_no_server_is_a_clear_error(self):
        with pytest.raises(LedgerError, match=r"postgresql\+asyncpg://me:\*\*\*@127.0.0.1:9/x"):
            async with Ledger.open("postgresql://me:secret@127.0.0.1:9/x"):
                pass

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ("@127.0.0.1/x?sslmode=rather", "sslmode"),
            ("@127.0.0.1/x?ssl=rather", "sslmode"),
            ("@127.0.0.1:99999/x", "port must be 0-65535"),
            ("@secret@127.0.0.1/x", "in a password it is written %40"),
        ],
    )
    async def test_a_url_of_a_server_that_cannot_be_used_is_told(self, change, match):
        with pytest.raises(LedgerError, match=match) as failed:
            async with Ledger.open(f"postgresql://me:hidden{change}"):
                pass
        assert "hidden" not in str(failed.value)
        assert "secret" not in str(failed.value)

    @pytest.mark.parametrize(
        "options",
        ["sslmode=prefer&application_name=shop", "ssl=disable&options=-cstatement_timeout%3D60s"],
    )
    async def test_a_url_may_have_the_options_of_hosted_servers(self, postgres_url, options):
        async with Ledger.open(f"{postgres_url}?{options}") as ledger:
            assert await ledger.list() == []

    @pytest.mark.parametrize(
        ("option", "match"),
        [
            ("colour=red", 'unrecognized configuration parameter "colour"'),
            ("sslmode=require", "rejected SSL upgrade"),
        ],
    )
    async def test_what_a_server_does_not_know_is_told(self, postgres_url, option, match):
        with pytest.raises(LedgerError, match=match):
            async with Ledger.open(f"{postgres_url}?{option}"):
                pass

    async def test_a_url_and_a_path_are_one_place(self, sqlite_url, sens, clock):
        async with Ledger.open(f"sqlite:///{sqlite_url}", clock=clock) as ledger:
            await ledger.plan(sens, "one", numbers(1), TEXT)
        async with Ledger.open(Path(sqlite_url), clock=clock) as ledger:
            assert [campaign.name for campaign in await ledger.list()] == ["one"]


async def test_several_may_make_it_at_once(postgres_url, clock):
    async def use():
        async with Ledger.open(postgres_url, clock=clock) as ledger:
            return await ledger.list()

    assert await asyncio.gather(*(use() for _ in range(6))) == [[]] * 6


async def test_many_may_read_at_once(ledger, sens):
    campaign = await ledger.plan(sens, "one", numbers(500), TEXT)
    async with AsyncExitStack() as stack:
        for _ in range(25):
            half_read = await stack.enter_async_context(aclosing(campaign.report()))
            assert (await anext(half_read)).index == 0
        assert (await campaign.run(sens)).is_finished


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
async def test_nobody_else_can_read_the_files(sqlite_url, sens, clock):
    old = os.umask(0)
    try:
        async with Ledger.open(sqlite_url, clock=clock) as ledger:
            campaign = await ledger.plan(sens, "one", numbers(300), TEXT)
            await campaign.run(sens)
            files = list(Path(sqlite_url).parent.iterdir())
            assert {file.name.removeprefix("campaigns.db") for file in files} >= {"", "-wal"}
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(old)


async def test_every_commit_is_on_the_disk(sqlite_url, clock):
    async with Ledger.open(sqlite_url, clock=clock) as ledger, ledger.storage.writing() as to:
        assert (await to.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"
        assert (await to.exec_driver_sql("PRAGMA synchronous")).scalar() == 2


class TestOwnership:
    async def test_one_writes_and_others_read(self, sqlite_url, sens, clock):
        async with Ledger.open(sqlite_url, clock=clock) as owner:
            campaign = await owner.plan(sens, "one", numbers(250), TEXT)
            async with Ledger.open(sqlite_url, clock=clock) as other:
                seen = await other.campaign("one")
                assert (await seen.status()).counts == {OutcomeState.NOT_SENT: 250}
                assert len(await rows(seen)) == 250
                for verb in (seen.run, seen.reconcile):
                    with pytest.raises(LedgerBusy, match=f"in use by process {os.getpid()} on "):
                        await verb(sens)
                with pytest.raises(LedgerBusy):
                    await other.plan(sens, "two", numbers(1), TEXT)
                await campaign.run(sens)
                assert (await seen.status()).counts == {OutcomeState.ACCEPTED: 250}
        async with Ledger.open(sqlite_url, clock=clock) as after:
            await after.plan(sens, "two", numbers(1), TEXT)

    async def test_a_dead_owner_owns_nothing(self, sqlite_url, sens, clock):
        code = (
            "import asyncio, os, sys\n"
            "from sens_async.campaign import Ledger\n"
            "async def main():\n"
            "    async with Ledger.open(sys.argv[1]) as ledger:\n"
            "        ledger.storage.engine.own()\n"
            "        os.kill(os.getpid(), 9)\n"
            "asyncio.run(main())\n"
        )
        subprocess.run(  # noqa: ASYNC221 - it is over at once
            [sys.executable, "-c", code, sqlite_url], check=False
        )
        async with Ledger.open(sqlite_url, clock=clock) as ledger:
            await ledger.plan(sens, "one", numbers(1), TEXT)

    async def test_many_processes_may_share_a_server(self, postgres_url, sens, clock, emulator):
        async with (
            Ledger.open(postgres_url, clock=clock) as one,
            Ledger.open(postgres_url, clock=clock) as two,
            emulator.session() as other,
        ):
            here = await one.plan(sens, "one", numbers(3_000), TEXT)
            there = await two.campaign("one")
            await asyncio.gather(here.run(sens), there.run(other))
            assert (await here.status()).counts == {OutcomeState.ACCEPTED: 3_000}
            assert {len(admitted) for admitted in emulator.admissions.values()} == {1}


class TestPurging:
    async def test_nothing_personal_is_left(self, url, sens, clock, emulator):
        people = [
            Recipient(number, fields={"이름": "김민서민서"}, key="customer-4711")
            for number in numbers(150)
        ]
        people += ["010-55-비밀", Recipient("010-0000-0001", content="다른글다른글")]
        async with Ledger.open(url, clock=clock) as ledger:
            campaign = await ledger.plan(sens, "one", people, "{이름}님", images=[jpeg("x" * 50)])
            assert (await campaign.run(sens)).is_finished
            before = await rows(campaign)
            await campaign.purge()
            after = await rows(campaign)
            found = await ledger.campaign("one")
            assert found.purged_at is not None
        for old, new in zip(before, after, strict=True):
            assert (new.index, new.state, new.type) == (old.index, old.state, old.type)
            assert (new.request_id, new.error) == (old.request_id, old.error)
            assert (new.number, new.to, new.key) == (None, None, None)
        if not url.startswith("postgres"):
            folder = Path(url).parent
            data = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
            for secret in (
                "01000000001",
                "김민서민서",
                "다른글다른글",
                "customer-4711",
                "비밀",
                "xxxxx",
            ):
                assert secret.encode() not in data, secret

    async def test_who_is_not_sent_to_yet_is_not_forgotten(self, ledger, sens):
        campaign = await ledger.plan(sens, "one", numbers(150), TEXT)
        with pytest.raises(CampaignConflict, match="150 recipients are not sent to or unknown"):
            await campaign.purge()

    async def test_old_campaigns_go_together(self, ledger, sens, clock):
        for name in ("old", "open"):
            campaign = await ledger.plan(sens, name, numbers(10), name)
            if name == "old":
                await campaign.run(sens)
        await asyncio.sleep(timedelta(days=91).total_seconds())
        young = await ledger.plan(sens, "young", numbers(10), TEXT)
        await young.run(sens)
        assert await ledger.purge() == ["old"]
        assert await ledger.purge() == []
        assert (await ledger.campaign("young")).purged_at is None

    async def test_plans_that_were_interrupted_go_too(self, url, sens, clock):
        async with Ledger.open(url, clock=clock) as ledger:
            await ledger.plan(sens, "one", numbers(10), TEXT)

            async def interrupt(connection):  # as a process does that is killed
                await connection.execute(update(campaigns).values(is_planned=False, lease_until=0))

            await ledger.storage.write(interrupt)
            await asyncio.sleep(timedelta(days=91).total_seconds())
            assert await ledger.purge() == []
            async with ledger.storage.reading() as connection:
                for table in (campaigns, batches, people):
                    assert not (await connection.execute(select(table))).all()

    async def test_a_purged_name_is_taken(self, ledger, sens):
        campaign = await ledger.plan(sens, "one", numbers(10), TEXT)
        await campaign.run(sens)
        await campaign.purge()
        with pytest.raises(CampaignConflict, match="was run and purged"):
            await ledger.plan(sens, "one", numbers(10), TEXT)
        assert (await (await ledger.campaign("one")).run(sens)).is_finished

    async def test_keys_stay_known(self, ledger, sens):
        people = [Recipient("010-1234-5678", key="order-1")]
        campaign = await ledger.plan(sens, "one", people, TEXT)
        await campaign.run(sens)
        await campaign.purge()
        again = await ledger.plan(sens, "two", people, TEXT, skip_known_keys=True)
        assert (await again.status()).counts == {OutcomeState.SKIPPED: 1}


async def test_an_unknown_name_is_told(ledger):
    with pytest.raises(CampaignNotFound, match="'one' is not in the ledger "):
        await ledger.campaign("one")


async def test_a_damaged_ledger_is_told(ledger, sens):
    campaign = await ledger.plan(sens, "one", numbers(250), TEXT)

    async def lose(connection):
        await connection.exec_driver_sql("DELETE FROM sens_batch WHERE size = 50")

    await ledger.storage.write(lose)
    with pytest.raises(LedgerError, match="damaged"):
        await rows(campaign)
