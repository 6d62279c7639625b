"""What can have happened to a database's file before it is opened: damage, and locks of others."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

__all__ = ["cut_off", "locked", "log_of", "make_another_file", "overwrite", "overwrite_log"]


def log_of(database: Path) -> Path:
    """The write-ahead log beside a database."""
    return database.with_name(database.name + "-wal")


def make_another_file(database: Path) -> None:
    """Put something else in a database's place, of the size of several pages."""
    database.write_text("number,name\n" + "010-0000-0000,Hong\n" * 2000, encoding="ascii")


def overwrite(database: Path) -> None:
    """Overwrite the middle half of a database with noise; its header stays as it was."""
    _overwrite_half(database)


def overwrite_log(database: Path) -> None:
    """Overwrite the middle half of a database's log with noise."""
    _overwrite_half(log_of(database))


def cut_off(database: Path) -> None:
    """Leave the first half of a database."""
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])


@contextmanager
def locked(database: Path, *, also_for_reading: bool = False) -> Iterator[None]:
    """Hold a database locked against every other process, for writing at least."""
    mode = "EXCLUSIVE" if also_for_reading else "NORMAL"
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute(f"PRAGMA locking_mode={mode}")
        other.execute("BEGIN EXCLUSIVE")
        yield


def _overwrite_half(file: Path) -> None:
    data = bytearray(file.read_bytes())
    begin, length = len(data) // 4, len(data) // 2
    data[begin : begin + length] = Random(1).randbytes(length)
    file.write_bytes(data)
