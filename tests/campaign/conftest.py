"""Ledgers on every engine, and an emulator and sessions on the test's virtual clock."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import asyncpg
import pytest
from virtual_time import VirtualClock, hold_for_databases

from sens_async import SensSession, Settings
from sens_async.campaign import Ledger
from sens_async.emulator import Emulator, EmulatorOptions

# Windows has neither SIGKILL nor SIGSTOP.
collect_ignore = (
    ["test_kills.py", "test_kill_controls.py", "test_stopped_workers.py"]
    if sys.platform == "win32"
    else []
)

POSTGRES = os.environ.get("SENS_TEST_POSTGRES", "postgresql://postgres@127.0.0.1/postgres")
"""A server on which databases may be made."""


@pytest.fixture(autouse=True)
def _databases_take_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_for_databases(monkeypatch)


async def _on_server(statement: str, url: str = POSTGRES) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres() -> None:
    """Skip, or fail where services are required, unless a PostgreSQL server answers."""
    try:
        asyncio.run(_on_server("SELECT 1"))
    except (OSError, asyncpg.PostgresError) as error:
        if os.environ.get("SENS_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(f"no PostgreSQL server at {POSTGRES}: {error}")


@pytest.fixture(scope="session")
def postgres_database(postgres: None) -> Iterator[str]:
    """A database of this process's own."""
    name = f"sens_test_{uuid4().hex[:12]}"
    asyncio.run(_on_server(f"CREATE DATABASE {name}"))
    yield f"{POSTGRES.rpartition('/')[0]}/{name}"
    asyncio.run(_on_server(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """An empty database."""
    statement = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    asyncio.run(_on_server(statement, postgres_database))
    return postgres_database


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    """The path of a file that is not there yet."""
    return str(tmp_path / "campaigns.db")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty place for a ledger, on every engine."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes what the test has opened, last opened first."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def open_ledger(stack: AsyncExitStack, url: str, clock: VirtualClock) -> Callable:
    """Open the ledger at `url`, or at another."""

    async def open_ledger(at: str = url) -> Ledger:
        return await stack.enter_async_context(Ledger.open(at, clock=clock))

    return open_ledger


@pytest.fixture
async def ledger(open_ledger) -> Ledger:
    """An empty ledger."""
    return await open_ledger()


@pytest.fixture
async def emulator(stack: AsyncExitStack, clock: VirtualClock) -> Emulator:
    """An emulator that keeps bodies."""
    options = EmulatorOptions(keep_bodies=True)
    return await stack.enter_async_context(Emulator(clock=clock, options=options))


@pytest.fixture
async def open_session(stack: AsyncExitStack, emulator: Emulator) -> Callable:
    """Open a session on the emulator, without a rate limit unless one is given."""

    async def open_session(**settings) -> SensSession:
        settings.setdefault("rate_limit", None)
        return await stack.enter_async_context(emulator.session(settings=Settings(**settings)))

    return open_session


@pytest.fixture
async def sens(open_session) -> SensSession:
    """A session on the emulator."""
    return await open_session()
