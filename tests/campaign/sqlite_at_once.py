"""SQLite without threads, and without waiting for the disk.

A thread answers after some turns of the loop, so which of two tasks goes on first is up to chance.
It also takes most of the time that a small ledger needs, as the disk does.
"""

import asyncio
from collections.abc import Callable

import aiosqlite.core
import pytest

from sens_async.campaign import engines

__all__ = ["use_sqlite_at_once"]


class _Queue:
    """Stands in for the queue of a connection's thread."""

    def put_nowait(self, job: tuple[asyncio.Future[object], Callable[[], object]]) -> None:
        future, work = job
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever asked is told, as by the thread
            future.set_exception(error)


class _Thread:
    """Stands in for a connection's thread, which has nothing to do."""

    daemon = True

    def __init__(self, **_: object) -> None:
        pass

    def start(self) -> None:
        pass


def _configure(connection: object, record: object, configure=engines._configure) -> None:
    configure(connection, record)
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()


def use_sqlite_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have connections that are opened from now on work so."""
    monkeypatch.setattr(aiosqlite.core, "SimpleQueue", _Queue)
    monkeypatch.setattr(aiosqlite.core, "Thread", _Thread)
    monkeypatch.setattr(engines, "_configure", _configure)
