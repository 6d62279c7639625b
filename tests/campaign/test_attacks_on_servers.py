"""What adversaries have found about PostgreSQL: one test for each way in which it stumbles."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest
from campaign.conftest import POSTGRES
from session_helpers import numbers
from sqlalchemy import text

from sens_async import OutcomeState
from sens_async.campaign import Ledger, LedgerError, engines, storage

pytestmark = pytest.mark.real_time

TEXT = "안녕하세요"


async def test_what_a_database_is_by_default_does_not_weaken_a_ledger(postgres_url, clock):
    name = postgres_url.rpartition("/")[2]
    server = await asyncpg.connect(postgres_url)
    await server.execute(
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    )
    await server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    try:
        async with Ledger.open(postgres_url, clock=clock) as ledger:
            for transaction in (ledger.storage.reading, ledger.storage.writing):
                async with transaction() as connection:
                    isolation = await connection.scalar(text("SHOW transaction_isolation"))
                    commits = await connection.scalar(text("SHOW synchronous_commit"))
                assert (isolation, commits) == ("read committed", "on")
    finally:
        await server.execute(f"ALTER DATABASE {name} RESET ALL")
        await server.close()


async def test_a_server_may_hang_up_while_nothing_is_written(postgres_url, sens, monkeypatch):
    monkeypatch.setattr(storage, "_FRESH_SECONDS", 0)
    async with Ledger.open(postgres_url) as ledger:
        campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
        server = await asyncpg.connect(POSTGRES)
        await server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
            postgres_url.rpartition("/")[2],
        )
        await server.close()
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 3}


async def test_a_server_that_answers_no_more_ends_the_run(postgres_url, open_session, monkeypatch):
    monkeypatch.setattr(engines, "_PATIENCE_SECONDS", 0.5)
    sens = await open_session(max_in_flight=2)
    async with _swallowing(postgres_url) as (url, swallow), Ledger.open(url) as ledger:
        campaign = await ledger.plan(sens, "one", numbers(5_000), TEXT)
        running = asyncio.create_task(
            campaign.run(sens, watch=lambda s: s.counts[OutcomeState.ACCEPTED] and swallow.set())
        )
        with pytest.raises(LedgerError, match="TimeoutError"):
            await asyncio.wait_for(running, 20)
    async with Ledger.open(postgres_url) as ledger:
        status = await (await ledger.campaign("one")).status()
    assert 0 < status.counts[OutcomeState.NOT_SENT] < 5_000


@asynccontextmanager
async def _swallowing(url):
    """Give the URL of a way to the server, and an event that lets everything vanish in it."""
    swallow, writers = asyncio.Event(), []

    async def pass_on(reader, writer):
        writers.append(writer)
        while data := await reader.read(65_536):
            if not swallow.is_set():
                writer.write(data)
        writer.close()

    async def connected(reader, writer):
        there = await asyncio.open_connection("127.0.0.1", 5432)
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield url.replace("127.0.0.1", f"127.0.0.1:{port}"), swallow
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.1)


async def test_two_workers_may_split_into_equal_parts(postgres_url, open_session, emulator):
    first, second = await open_session(), await open_session()
    async with Ledger.open(postgres_url) as a, Ledger.open(postgres_url) as b:
        for k in range(5):
            people, bad = numbers(30, k * 1_000), f"0109{k:07d}"
            emulator.refuse_numbers |= {bad}
            one = await a.plan(first, f"a{k}", [people[0], bad, *people[1:10], people[20]], TEXT)
            two = await b.plan(second, f"b{k}", [people[0], bad, *people[11:19], people[20]], TEXT)
            await asyncio.gather(one.run(first), two.run(second))
            for campaign, sens in ((one, first), (two, second)):
                assert (await campaign.run(sens)).is_finished
