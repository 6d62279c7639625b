"""The two databases a ledger can be in, and what differs between them."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    JSON,
    URL,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Select,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    event,
    func,
    literal,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeEngine

from sens_async.campaign.errors import LedgerError
from sens_async.campaign.ownership import Ownership
from sens_async.campaign.tally import Tally
from sens_async.clock import Clock

__all__ = ["Engine", "PostgresEngine", "SqliteEngine", "engine_of"]

T = TypeVar("T")

_BUSY_SECONDS = 5.0
"""How long a file that somebody else has locked is waited for."""

_PATIENCE_SECONDS = 60.0
"""How long a server may take to answer before it counts as gone."""

_LOCK = 0x73656E73
"""The advisory lock of transactions that must see each other: `sens`."""

_is_postgres = re.compile(r"postgres(ql)?(\+\w+)?:").match

_TO_POSTGRES = {"postgres", "postgresql", "postgresql+asyncpg"}


class Engine(Protocol):
    """A database.

    Attributes:
        sql: SQLAlchemy's engine.
        name: The database for a person, without its password.
        writes_alone: Whether one process at a time writes, so that whoever wrote before is dead.
    """

    sql: AsyncEngine
    name: str
    writes_alone: bool

    def prepare(self) -> None:
        """Make the database's place, if it can be made."""
        ...

    async def ready(self, writer: AsyncConnection) -> None:
        """Make a new connection one that writes."""
        ...

    async def at_once(self, writer: AsyncConnection, work: Callable[[Connection], T]) -> T:
        """Do some work of a few statements, in as few steps as the database allows.

        Each may be a transaction of its own; all are durable when this returns.
        """
        ...

    async def lock(self, connection: AsyncConnection) -> None:
        """Begin a transaction that comes wholly before or after others that begin so."""
        ...

    def own(self) -> None:
        """Take the right to write.

        Raises:
            LedgerBusy: Another process has it.
        """
        ...

    def release(self) -> None:
        """Give the right to write back."""
        ...

    def recall(self) -> int:
        """Give how many requests the database is known to have noted, at least."""
        ...

    def remember(self, requests: int) -> None:
        """Keep for `recall` how many it has noted."""
        ...

    def now(self) -> ColumnElement[float]:
        """Give the time by which leases are measured, seconds since the epoch."""
        ...

    def rows(self, name: str, columns: Sequence[tuple[str, TypeEngine[Any]]]) -> FromClause:
        """Give a table of values that a statement brings along.

        Args:
            name: Also of the parameter: a JSON array of objects.
            columns: Names and types.
        """
        ...

    def skipping_locked(self, rows: Select[Any]) -> Select[Any]:
        """Leave out rows that another transaction is about to change, and lock the others."""
        ...


def engine_of(url: str | os.PathLike[str], clock: Clock) -> Engine:
    """Give the engine of a URL or path.

    Raises:
        LedgerError: It is neither a file nor a database that can hold a ledger.
    """
    text = os.fspath(url)
    if "://" not in text:
        if _is_postgres(text):
            raise LedgerError("a PostgreSQL ledger's URL begins with postgresql://")
        return SqliteEngine(Path(text), clock)
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError):
        raise LedgerError("the ledger's URL cannot be read; see the README for examples") from None
    if parsed.drivername in _TO_POSTGRES:
        return PostgresEngine(parsed.set(drivername="postgresql+asyncpg"))
    if parsed.drivername in {"sqlite", "sqlite+aiosqlite"} and parsed.database:
        return SqliteEngine(Path(parsed.database), clock)
    raise LedgerError(
        f"a ledger is a file, or postgresql://user@host/database, not {parsed.drivername}://"
    )


class SqliteEngine:
    """A file on a local disk: durable at every commit, written by one process at a time."""

    writes_alone = True

    def __init__(self, path: Path, clock: Clock) -> None:
        if path.name in {"", ":memory:"} or path.is_dir():
            raise LedgerError(f"a ledger must outlive its process: {str(path)!r} is no file")
        self.name = str(path)
        path = path.resolve()  # whatever it is called, it has one lock
        self._path = path
        self._clock = clock
        self._ownership = Ownership(path)
        self._tally = Tally(path)
        self.sql = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path)),
            connect_args={"timeout": _BUSY_SECONDS},
            hide_parameters=True,
            max_overflow=-1,  # a report holds its connection for as long as it is read
        )
        event.listen(self.sql.sync_engine, "connect", _configure)
        event.listen(self.sql.sync_engine, "begin", _begin)
        self._direct = create_engine(
            URL.create("sqlite", database=str(path)),
            connect_args={"timeout": _BUSY_SECONDS},
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
        )
        event.listen(self._direct, "connect", _configure)
        self._thread = ThreadPoolExecutor(1, "sens-async ledger")
        self._file: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Make an empty file that nobody else may read, if there is none."""
        try:
            self._path.touch(0o600, exist_ok=False)
        except FileExistsError:
            return
        self._tally.forget()

    async def ready(self, writer: AsyncConnection) -> None:
        """Have a transaction begin with its first change."""
        self._file = self._identity()
        await writer.execution_options(writes=True)
        await writer.run_sync(_begins_with_a_change)

    async def at_once(
        self,
        writer: AsyncConnection,  # noqa: ARG002 - has no transaction while this has one
        work: Callable[[Connection], T],
    ) -> T:
        """Do some work in a thread, each statement as a transaction of its own.

        Each step there waits until the busy event loop lets it go on. The async driver has seven
        for a transaction of one statement, and BEGIN and COMMIT are two.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._do, work)

    def _do(self, work: Callable[[Connection], T]) -> T:
        if self._identity() != self._file:  # what is written to it now, nobody would find
            raise LedgerError(f"{self.name} was moved, replaced or deleted while it was in use")
        with self._direct.connect() as connection:
            return work(connection)

    def _identity(self) -> tuple[int, int] | None:
        """Tell the file from others; None if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    async def lock(self, connection: AsyncConnection) -> None:
        """Begin at once."""
        await connection.exec_driver_sql("BEGIN IMMEDIATE")

    def own(self) -> None:
        """Take the file's lock; see `Engine`."""
        self._ownership.take()

    def release(self) -> None:
        """Give the lock back."""
        self._thread.shutdown()
        self._direct.dispose()
        self._ownership.release()

    def recall(self) -> int:
        """See `Engine`."""
        return self._tally.read()

    def remember(self, requests: int) -> None:
        """See `Engine`."""
        self._tally.write(requests)

    def now(self) -> ColumnElement[float]:
        """Give the session's time: there is one machine."""
        return literal(self._clock.time())

    def rows(self, name: str, columns: Sequence[tuple[str, TypeEngine[Any]]]) -> FromClause:
        """See `Engine`."""
        each = func.json_each(bindparam(name, type_=Text)).table_valued("value", name="each")
        values = (
            func.json_extract(each.c.value, f"$.{one}", type_=kind).label(one)
            for one, kind in columns
        )
        return select(*values).select_from(each).subquery(name)

    def skipping_locked(self, rows: Select[Any]) -> Select[Any]:
        """Nobody else can write."""
        return rows


class PostgresEngine:
    """A database that several processes and machines may share."""

    writes_alone = False

    def __init__(self, url: URL) -> None:
        import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - of an extra

        if "@" in (url.host or ""):
            raise LedgerError("the ledger's URL has an @ too many: in a password it is written %40")
        self.name = url.set(query={}).render_as_string(hide_password=True)  # may hold one, too
        options = {"sslmode" if name == "ssl" else name: url.query[name] for name in url.query}
        dsn = url.set(drivername="postgresql", query=options)
        dsn_text = dsn.render_as_string(hide_password=False)
        patience = {"timeout": _PATIENCE_SECONDS, "command_timeout": _PATIENCE_SECONDS}
        connect = partial(asyncpg.connect, dsn_text, **patience)
        self.sql = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(_connected, connect),
            isolation_level="READ COMMITTED",  # a database may have another default
            hide_parameters=True,
            pool_pre_ping=True,
            max_overflow=-1,
        )

    def prepare(self) -> None:
        """Nothing to do: the database is there or it is not."""

    async def ready(self, writer: AsyncConnection) -> None:
        """Any connection can write."""

    async def at_once(self, writer: AsyncConnection, work: Callable[[Connection], T]) -> T:
        """See `Engine`."""
        async with writer.begin():
            return await writer.run_sync(work)

    async def lock(self, connection: AsyncConnection) -> None:
        """See `Engine`; `CREATE TABLE IF NOT EXISTS` fails if two do it at once."""
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))

    def own(self) -> None:
        """Everybody may write: claims are leases."""

    def release(self) -> None:
        """See `own`."""

    def recall(self) -> int:
        """Nothing: a server watches over its own files."""
        return 0

    def remember(self, requests: int) -> None:
        """See `recall`."""

    def now(self) -> ColumnElement[float]:
        """Give the database's time: machines differ."""
        return cast(func.extract("epoch", func.clock_timestamp()), Double)

    def rows(self, name: str, columns: Sequence[tuple[str, TypeEngine[Any]]]) -> FromClause:
        """See `Engine`."""
        document = cast(bindparam(name, type_=Text), JSON)
        each = func.json_to_recordset(document).table_valued(
            *(column(one, kind) for one, kind in columns)
        )
        return each.render_derived(name=name, with_types=True)

    def skipping_locked(self, rows: Select[Any]) -> Select[Any]:
        """See `Engine`."""
        return rows.with_for_update(skip_locked=True)


async def _connected(connect: Callable[[], Awaitable[Any]]) -> Any:
    """Connect by the URL as asyncpg reads it: it knows the options that hosts of servers give."""
    try:
        connection = await connect()
    except (TypeError, ValueError, OverflowError) as error:
        raise LedgerError(f"the ledger's URL cannot be used: {error}") from error
    if await connection.fetchval("SHOW synchronous_commit") == "off":
        await connection.execute("SET synchronous_commit TO on")  # or an intent is not durable
    return connection


def _configure(connection: Any, _: object) -> None:
    connection.isolation_level = None  # reading has a BEGIN, too, which Python does not give
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _begin(connection: Any) -> None:
    if not connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql("BEGIN")


def _begins_with_a_change(connection: Connection) -> None:
    connection.connection.dbapi_connection.isolation_level = "IMMEDIATE"  # type: ignore[union-attr]
