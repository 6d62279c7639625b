"""The damage done by `damage.py`, and what plain SQLite says to it."""

import sqlite3
from contextlib import closing

import pytest
from campaign.disks.damage import (
    cut_off,
    locked,
    log_of,
    make_another_file,
    overwrite,
    overwrite_log,
)

ROWS = 2000


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as ledger:
        ledger.execute("PRAGMA journal_mode=WAL")
        ledger.execute("CREATE TABLE note (n INTEGER PRIMARY KEY, text TEXT)")
        ledger.execute("BEGIN")
        ledger.executemany("INSERT INTO note VALUES (?, ?)", ((n, "x" * 100) for n in range(ROWS)))
        ledger.execute("COMMIT")
    return path


def read(database):
    with closing(sqlite3.connect(database, timeout=0)) as ledger:
        return ledger.execute("SELECT count(text) FROM note").fetchone()[0]


def write(database):
    with closing(sqlite3.connect(database, timeout=0)) as ledger, ledger:
        ledger.execute("UPDATE note SET text = 'y'")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (make_another_file, "file is not a database"),
        (overwrite, "database disk image is malformed"),
        (cut_off, "database disk image is malformed"),
    ],
)
def test_sqlite_notices_a_damaged_file_where_it_is_read(database, damage, says):
    assert read(database) == ROWS
    damage(database)

    with pytest.raises(sqlite3.DatabaseError, match=says):
        read(database)


def test_sqlite_takes_a_damaged_log_for_one_that_ends_there(database):
    # What a killed process leaves: the database, and a log that nobody has moved into it.
    with closing(sqlite3.connect(database, isolation_level=None)) as ledger:
        for n in range(ROWS, ROWS + 20):
            ledger.execute("INSERT INTO note VALUES (?, ?)", (n, "x" * 100))
        left = {file: file.read_bytes() for file in (database, log_of(database))}
    for file, data in left.items():
        file.write_bytes(data)
    overwrite_log(database)

    assert ROWS < read(database) < ROWS + 20


@pytest.mark.parametrize("also_for_reading", [False, True])
def test_a_database_is_locked_for_others(database, also_for_reading):
    with locked(database, also_for_reading=also_for_reading):
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            write(database)
        if also_for_reading:
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                read(database)
        else:
            assert read(database) == ROWS

    write(database)
