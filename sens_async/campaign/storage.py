"""Transactions of a ledger, and what goes wrong with them said in one way."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.engines import Engine
from sens_async.campaign.errors import LedgerError
from sens_async.campaign.schema import SCHEMA_VERSION, batches, ledgers, metadata

__all__ = ["Storage", "to_its_end"]

T = TypeVar("T")

_CLASS = re.compile(r"<class '[^']*'>:?")
"""What SQLAlchemy puts before a driver's words."""

_FRESH_SECONDS = 5.0
"""How long a connection to a server that was not used is believed to be one."""

_ARGUMENT = re.compile(r"(invalid input for query argument \$\d+): .*")
"""What asyncpg says of a value that it cannot send, and then the value, which may be personal."""


class Storage:
    """A ledger's database, open.

    Args:
        engine: Which.

    Attributes:
        engine: As given.
        secret: What the ledger's hashes are keyed with.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.secret = b""
        self._writer: AsyncConnection | None = None
        self._writing = asyncio.Lock()
        self._requests = 0
        self._is_closed = False
        self._fresh_until = 0.0

    async def open(self) -> None:
        """Find the ledger in the database, or make one in an empty database.

        Raises:
            LedgerError: There is something else, another version, or no database.
            LedgerBusy: There is nothing yet, and another process is about to make it.
        """
        try:
            self.engine.prepare()
        except OSError as error:
            raise LedgerError(f"{self.engine.name} cannot be made: {error.strerror}") from error
        if not await self._read_header():
            self.engine.own()
            self._compare(0)
            async with self.writing() as connection:
                await self.engine.lock(connection)
                if not await connection.run_sync(
                    lambda sync: inspect(sync).has_table(ledgers.name)
                ):
                    await connection.run_sync(metadata.create_all)
                    made = {"version": SCHEMA_VERSION, "secret": secrets.token_bytes(32)}
                    await connection.execute(ledgers.insert().values(made))
            await self._read_header()

    async def _read_header(self) -> bool:
        async with self.reading() as connection:
            names = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
            if ledgers.name not in names:
                if self.engine.writes_alone and names:
                    raise LedgerError(f"{self.engine.name} is a database, but no ledger")
                return False
            header = (await connection.execute(select(ledgers.c.version, ledgers.c.secret))).one()
        if header.version != SCHEMA_VERSION:
            age = "newer" if header.version > SCHEMA_VERSION else "older"
            raise LedgerError(
                f"{self.engine.name} was made by {age} sens-async: its schema is version "
                f"{header.version}, this one reads version {SCHEMA_VERSION}"
            )
        self.secret = header.secret
        return True

    def token(self, batch_id: int, intent_ms: int) -> str:
        """Name one request of a batch, so that it is told from all others; see `Evidence`.

        A session that has seen its answer knows it by this, also where the ledger could not be
        told.
        """
        return f"{self.secret[:8].hex()}/{batch_id}/{intent_ms}"

    async def aclose(self) -> None:
        """Close all connections, once what is being written is, and give up the right to write.

        Whoever still uses the ledger is refused from now on.
        """
        self._is_closed = True
        try:
            async with self._writing:
                writer, self._writer = self._writer, None
                if writer is not None:
                    await writer.close()
            await self.engine.sql.dispose()
        finally:
            self.engine.release()

    async def forget(self) -> None:
        """Have what was overwritten gone from the disk, too, as far as that is ours to do."""
        if self.engine.writes_alone:
            async with self._told("written"), self.engine.sql.connect() as connection:
                alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await alone.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One consistent look.

        Raises:
            LedgerError: It failed.
        """
        self._check_open()
        async with self._told("read"), self.engine.sql.connect() as connection:
            yield connection

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do some work in one transaction, durable when this returns.

        Cancellation: waits for the transaction's end first, so that nothing is half done.

        Raises:
            LedgerError: See `writing`.
        """

        async def written() -> T:
            async with self.writing() as connection:
                return await work(connection)

        return await to_its_end(written())

    async def at_once(self, work: Callable[[Connection], T]) -> T:
        """Do some work of a few statements, durable when this returns; see `Engine.at_once`.

        Raises:
            LedgerError: One of them failed, or may have; those before it may be written.
        """

        async def done() -> T:
            async with self._writing, self._told("written"):
                return await self.engine.at_once(await self._ready(), work)

        return await to_its_end(done())

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, durable when this ends; one at a time in a process.

        Raises:
            LedgerError: It failed, and nothing of it was written; or, where the connection broke
                at its end, it is not known whether it was.
            LedgerBusy: Another process owns the file.
        """
        async with self._writing, self._told("written"):
            writer = await self._ready()
            async with writer.begin():
                yield writer

    async def _ready(self) -> AsyncConnection:
        """Give a connection that may write."""
        self._check_open()
        self.engine.own()
        now = asyncio.get_running_loop().time()
        if self._writer is not None and not self.engine.writes_alone and now > self._fresh_until:
            await self._try(self._writer)
        if self._writer is None or self._writer.closed or self._writer.invalidated:
            self._writer = await self._begin()
        self._fresh_until = now + _FRESH_SECONDS
        return self._writer

    async def _try(self, writer: AsyncConnection) -> None:
        """See whether a server still listens; it may have hung up meanwhile."""
        try:
            await writer.exec_driver_sql("SELECT 1")
            await writer.rollback()
        except (SQLAlchemyError, OSError):
            self._writer = None
            await writer.invalidate()
            await writer.close()

    def noted(self, requests: int) -> None:
        """Remember that so many requests more were noted durably."""
        if requests:
            self._requests += requests
            self.engine.remember(self._requests)

    async def _begin(self) -> AsyncConnection:
        """Connect to write, if what was written before is there."""
        writer = await self.engine.sql.connect()
        try:
            if self.engine.writes_alone and self.secret:  # else there are no tables yet
                noted = select(func.coalesce(func.sum(batches.c.attempts), 0))
                self._requests = int((await writer.execute(noted)).scalar_one())
                self._compare(self._requests)
                await writer.rollback()
            await self.engine.ready(writer)
        except BaseException:
            await writer.close()
            raise
        return writer

    def _compare(self, requests: int) -> None:
        known = self.engine.recall()
        if requests < known:
            raise LedgerError(
                f"{self.engine.name} is damaged, or an older copy: of {known:,} requests that were "
                f"made from it, it knows {requests:,}. Who was sent to would be sent to again; to "
                f"use it all the same, remove {self.engine.name}.tally"
            )

    def _check_open(self) -> None:
        if self._is_closed:  # a new connection would take the file again, and keep it
            raise LedgerError(f"{self.engine.name} was closed by this process")

    @asynccontextmanager
    async def _told(self, what: str) -> AsyncIterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._explained(error, what) from error
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise LedgerError(f"{self.engine.name} cannot be {what}: {reason}") from error

    def _explained(self, error: SQLAlchemyError, what: str) -> LedgerError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        lines = str(cause).splitlines() or [""]
        reason = _ARGUMENT.sub(r"\1", _CLASS.sub("", lines[0])).strip() or type(cause).__name__
        return LedgerError(f"{self.engine.name} cannot be {what}: {reason}")


async def to_its_end(work: Coroutine[None, None, T]) -> T:
    """Do something to its end, and only then be cancelled, however often that is asked for."""
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        if not task.cancelled():
            task.exception()  # whoever cancelled is not interested
        raise cancellation
    return task.result()
