"""Looks into a ledger past the library: what is durable, in plain SQL."""

import asyncio
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Protocol

import asyncpg

_INTENT = """
    SELECT count(*) FROM sens_batch
    WHERE intent_ms = {} AND (id & 4294967295) = {} AND state <> 'PLANNED'
"""
_OUT = """
    SELECT coalesce(max(out), 0) FROM (
        SELECT count(*) AS out FROM sens_batch WHERE state = 'INFLIGHT' GROUP BY owner
    ) AS each_owner
"""


class Probe(Protocol):
    """A second look at a ledger."""

    async def has_intent(self, timestamp_ms: int, first: int) -> bool:
        """Whether it is durable that a request is made, now, for a batch.

        Args:
            timestamp_ms: When the request was signed.
            first: The place in the campaign's input of its first recipient.
        """
        ...

    async def in_flight(self) -> int:
        """How many requests of one worker may be out, of the worker with the most."""
        ...

    async def aclose(self) -> None:
        """Let go of the ledger."""
        ...


class SqliteProbe:
    """Reads a copy, so that whoever opens the file next finds it as the dead left it.

    Only where the owner is alive is the file itself read: the last to close it would tidy it up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def has_intent(self, timestamp_ms: int, first: int) -> bool:
        try:
            with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as ledger:
                return self._count(ledger, _INTENT.format(timestamp_ms, first)) > 0
        except sqlite3.OperationalError:  # its owner has died meanwhile, and nobody may write to it
            return self._copy(_INTENT.format(timestamp_ms, first)) > 0

    async def in_flight(self) -> int:
        return self._copy(_OUT)

    async def aclose(self) -> None:
        """Nothing is kept open."""

    def _copy(self, question: str) -> int:
        if not self._path.exists():
            return 0
        with tempfile.TemporaryDirectory() as folder:
            for end in ("", "-wal"):
                file = self._path.with_name(self._path.name + end)
                if file.exists():
                    shutil.copy(file, folder)
            with closing(sqlite3.connect(Path(folder) / self._path.name)) as ledger:
                return self._count(ledger, question)

    @staticmethod
    def _count(ledger: sqlite3.Connection, question: str) -> int:
        is_there = "SELECT count(*) FROM sqlite_master WHERE name = 'sens_batch'"
        if not ledger.execute(is_there).fetchone()[0]:
            return 0
        return ledger.execute(question).fetchone()[0]


class PostgresProbe:
    """Reads what is committed, over a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def has_intent(self, timestamp_ms: int, first: int) -> bool:
        return await self._count(_INTENT.format(timestamp_ms, first)) > 0

    async def in_flight(self) -> int:
        return await self._count(_OUT)

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _count(self, question: str) -> int:
        async with self._one_at_a_time:
            if self._connection is None:
                self._connection = await asyncpg.connect(self._url)
            try:
                return await self._connection.fetchval(question)
            except asyncpg.UndefinedTableError:
                return 0


def probe_of(ledger: str) -> Probe:
    """Make the probe of a ledger's URL or file."""
    if ledger.startswith("postgresql"):
        return PostgresProbe(ledger.replace("+asyncpg", ""))
    return SqliteProbe(Path(ledger))
