"""A disk that loses power, is full, read-only or broken, below processes started on it.

    worker = await disk.start("worker.py", str(disk.path / "ledger.db"))
    await worker.stdout.readline()
    disk.fill()                 # from here on nothing fits any more
    await disk.lose_power()     # kills the worker; what it had not synced is gone

What holds this up is `volatile_disk.c`, loaded into the processes; this one sees an ordinary folder.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from random import Random

__all__ = ["SECTOR", "Disk"]

SECTOR = 512
"""Bytes that a disk writes as a whole."""

OUTPUT_LIMIT = 1 << 20
"""Bytes of output that a worker may be ahead of its reader."""


class Disk:
    """A folder whose files last as long as they were synced.

    Args:
        library: The compiled `volatile_disk.c`.
        folder: An empty folder for the disk, and for what is kept about it.

    Attributes:
        path: The disk's own folder.
    """

    def __init__(self, library: Path, folder: Path) -> None:
        self.path = folder.resolve() / "disk"
        self._library = library
        self._state = folder.resolve() / "state"
        self._durable = self._state / "durable"
        self._workers: list[asyncio.subprocess.Process] = []
        self.path.mkdir()
        self._durable.mkdir(parents=True)

    @property
    def environ(self) -> dict[str, str]:
        """Variables that put a Python process on this disk."""
        return {
            "LD_PRELOAD": str(self._library),
            "VOLATILE_DISK": str(self.path),
            "VOLATILE_DISK_STATE": str(self._state),
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Run Python on the disk, with pipes for its output and errors."""
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env={**os.environ, **self.environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=OUTPUT_LIMIT,
        )
        self._workers.append(worker)
        return worker

    async def kill(self) -> None:
        """Kill what runs on the disk (SIGKILL); what it had written stays, synced or not."""
        for worker in self._workers:
            if worker.returncode is None:
                worker.kill()
            await worker.wait()

    async def aclose(self) -> None:
        """Kill what runs on the disk, and let go of its pipes."""
        await self.kill()
        for worker in self._workers:
            await worker.communicate()

    async def lose_power(self, torn: Random | None = None) -> None:
        """Kill what runs on the disk, and leave of its files what was synced.

        Args:
            torn: Chooses sectors of what was not synced that got to the disk all the same, as on
                one that writes in an order of its own. None for none of them.
        """
        await self.kill()
        written = _contents(self.path)
        for name in written:
            (self.path / name).unlink()
        for name, synced in _contents(self._durable).items():
            shutil.copy(self._durable / name, self.path)  # the mode, too
            if torn is not None:
                (self.path / name).write_bytes(_mixed(synced, written.get(name, b""), torn))
        self.settle()

    def settle(self) -> None:
        """Make durable whatever is on the disk, such as files that the test itself put there."""
        shutil.rmtree(self._durable)
        shutil.copytree(self.path, self._durable)

    def fill(self, *, left: int = 0) -> None:
        """Leave so many bytes on the disk; files may be written over, and grow by no more."""
        used = sum(map(len, _contents(self.path).values()))
        self._order("capacity", str(used + left))

    def make_read_only(self) -> None:
        """Refuse whatever would change the disk, as a file system mounted read-only."""
        self._order("read_only")

    def break_syncs(self) -> None:
        """Fail every sync; nothing more becomes durable."""
        self._order("sync_fails")

    def mend(self) -> None:
        """Call off what was ordered: there is space, and the disk can be written and synced."""
        for order in ("capacity", "read_only", "sync_fails"):
            (self._state / order).unlink(missing_ok=True)

    def _order(self, name: str, text: str = "") -> None:
        draft = self._state / "order"
        draft.write_text(text, encoding="ascii")
        draft.rename(self._state / name)  # a worker never reads half of it


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _mixed(synced: bytes, written: bytes, torn: Random) -> bytes:
    size = max(len(synced), torn.randint(0, len(written)))
    choices = (synced.ljust(size, b"\0"), (written + synced[len(written) :])[:size])
    return b"".join(torn.choice(choices)[at : at + SECTOR] for at in range(0, size, SECTOR))
