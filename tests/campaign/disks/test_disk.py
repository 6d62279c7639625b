"""The failing disk itself, shown with plain SQLite."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from campaign.disks.disk import Disk

pytestmark = pytest.mark.real_time

WRITER = """
import itertools, sqlite3, sys

path, synchronous, checkpoint, first = sys.argv[1:]
try:
    ledger = sqlite3.connect(path, isolation_level=None)
    ledger.execute("PRAGMA journal_mode=WAL")
    ledger.execute(f"PRAGMA synchronous={synchronous}")
    ledger.execute(f"PRAGMA wal_autocheckpoint={checkpoint}")
    ledger.execute("CREATE TABLE IF NOT EXISTS note (n INTEGER PRIMARY KEY, text TEXT)")
    for n in itertools.count(int(first)):
        ledger.execute("INSERT INTO note VALUES (?, ?)", (n, "x" * 700))
        print(n, flush=True)
except sqlite3.Error as error:
    print(error.sqlite_errorname, flush=True)
"""
"""Commits one row after the other, and says so of each."""

WAL_PAGES = 1000
"""SQLite's own pages of log between two checkpoints; the writers here do not get so far."""


class Written:
    """A database on a disk, with a writer that says what it has committed.

    Attributes:
        path: The file.
        said: Every row that a writer said was committed, in order.
    """

    def __init__(self, disk: Disk, *, synchronous: str = "FULL", checkpoint: int = WAL_PAGES):
        self.path = disk.path / "ledger.db"
        self.said: list[int] = []
        self._disk = disk
        self._settings = (synchronous, str(checkpoint))
        self._writer = None

    async def write(self, rows: int) -> None:
        """Start a writer, and return when it has committed at least so many rows more."""
        first = len(self.said)
        self._writer = await self._disk.start(
            "-c", WRITER, str(self.path), *self._settings, str(max(self.said, default=-1) + 1)
        )
        while len(self.said) < first + rows:
            self.said.append(int(await self._writer.stdout.readline()))

    async def rest(self) -> str:
        """Hear the writer out; what stopped it, or nothing if it was killed."""
        out, err = await self._writer.communicate()
        assert not err, err.decode()
        *rows, end = out.decode().split("\n")
        if rows and not rows[-1].isdecimal():
            end = rows.pop()
        self.said += map(int, rows)
        return end

    def rows(self) -> list[int]:
        """What the file holds now; it is in order."""
        with closing(sqlite3.connect(self.path)) as ledger:
            assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            try:
                return [n for (n,) in ledger.execute("SELECT n FROM note ORDER BY n")]
            except sqlite3.OperationalError:
                return []  # the table is lost


@pytest.mark.parametrize("checkpoint", [4, WAL_PAGES])
@pytest.mark.parametrize("torn", [None, 1, 2, 3])
async def test_what_was_committed_with_full_sync_survives_a_loss_of_power(disk, checkpoint, torn):
    written = Written(disk, checkpoint=checkpoint)
    chance = None if torn is None else Random(torn)

    for _ in range(3):
        await written.write(rows=30)
        await disk.lose_power(chance)
        await written.rest()

        # The last row may have been synced, and the power lost before it could be told.
        rows = written.rows()
        assert rows[: len(written.said)] == written.said
        assert len(rows) <= len(written.said) + 1
        disk.settle()
        written.said = rows


async def test_what_was_committed_with_normal_sync_can_be_lost_with_the_power(disk):
    written = Written(disk, synchronous="NORMAL")
    await written.write(rows=30)
    await disk.lose_power()
    await written.rest()

    assert written.rows() == []


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
async def test_what_was_committed_survives_a_killed_process_on_a_disk_with_power(disk, synchronous):
    written = Written(disk, synchronous=synchronous)
    await written.write(rows=30)
    await disk.kill()
    await written.rest()

    assert written.rows()[: len(written.said)] == written.said


async def test_a_file_that_the_test_put_there_survives_once_it_is_settled(disk):
    (disk.path / "kept").write_bytes(b"kept")
    disk.settle()
    (disk.path / "lost").write_bytes(b"lost")

    await disk.lose_power()

    assert [file.name for file in disk.path.iterdir()] == ["kept"]


NAMES = """
import os, sys
from pathlib import Path

disk = Path(sys.argv[1])

def put(name, text, *, synced):
    with open(disk / name, "w+") as file:
        file.write(text)
        file.flush()
        if synced:
            os.fsync(file.fileno())

put("synced", "1", synced=True)
put("synced-and-changed", "1", synced=True)
put("synced-and-changed", "2", synced=False)
put("never-synced", "1", synced=False)
put("removed", "1", synced=True)
(disk / "removed").unlink()
put("draft", "2", synced=True)
put("replaced", "1", synced=True)
(disk / "draft").rename(disk / "replaced")
put("draft", "2", synced=False)
put("replaced-by-unsynced", "1", synced=True)
(disk / "draft").rename(disk / "replaced-by-unsynced")
print("done", flush=True)
"""


async def test_files_last_as_they_were_synced_renamed_and_removed(disk):
    worker = await disk.start("-c", NAMES, str(disk.path))
    out, err = await worker.communicate()
    assert (out, err) == (b"done\n", b"")

    await disk.lose_power()

    kept = {file.name: file.read_text(encoding="ascii") for file in disk.path.iterdir()}
    assert kept == {"synced": "1", "synced-and-changed": "1", "replaced": "2"}


async def stopped_by(written: Written) -> str:
    """What stops a writer that could write; all it has said is there all the same."""
    end = await written.rest()
    assert written.rows()[: len(written.said)] == written.said
    return end


async def test_a_full_disk_stops_the_writer(disk):
    written = Written(disk)
    await written.write(rows=10)
    disk.fill()

    assert await stopped_by(written) == "SQLITE_FULL"

    disk.mend()
    await written.write(rows=10)


@pytest.mark.parametrize(
    ("left", "end"),
    [(0, "SQLITE_FULL"), (20_000, "SQLITE_IOERR_SHMSIZE"), (100_000, "SQLITE_FULL")],
)
async def test_a_disk_can_be_small_from_the_start(disk, left, end):
    disk.fill(left=left)
    worker = await disk.start("-c", WRITER, str(disk.path / "ledger.db"), "FULL", "4", "0")
    out, err = await worker.communicate()

    assert (out.decode().split()[-1], err) == (end, b"")
    assert sum(map(len, snapshot(disk.path).values())) <= left


async def test_a_disk_that_became_read_only_stops_the_writer(disk):
    written = Written(disk)
    await written.write(rows=10)
    disk.make_read_only()

    assert await stopped_by(written) == "SQLITE_IOERR_WRITE"


async def test_a_read_only_disk_is_not_written(disk):
    written = Written(disk)
    await written.write(rows=10)
    await disk.kill()
    disk.make_read_only()
    before = snapshot(disk.path)

    worker = await disk.start("-c", WRITER, str(written.path), "FULL", "4", "10")
    out, err = await worker.communicate()

    assert (out, err) == (b"SQLITE_READONLY\n", b"")
    assert snapshot(disk.path) == before


async def test_a_failed_sync_stops_the_writer(disk):
    written = Written(disk)
    await written.write(rows=10)
    disk.break_syncs()

    assert await written.rest() == "SQLITE_IOERR_FSYNC"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}
