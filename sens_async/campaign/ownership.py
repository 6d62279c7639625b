"""One process at a time writes a ledger's file: an advisory lock beside it, freed by any death."""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from sens_async.campaign.errors import LedgerBusy, LedgerError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["Ownership"]


class Ownership:
    """The right to write a file; held until `release`, or until the process ends.

    Args:
        path: The file; the lock is another file beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._ledger = path
        self._file: IO[str] | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds it."""
        return self._file is not None

    def take(self) -> None:
        """Take it, if it is not held.

        Raises:
            LedgerBusy: Another process, or another `Ledger` of this one, holds it.
            LedgerError: The lock's file cannot be written.
        """
        if self._file is not None:
            return
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LedgerError(f"{self._path} cannot be written: {error.strerror}") from error
        file = os.fdopen(handle, "r+", encoding="utf-8")
        try:
            _lock(file)
        except OSError:
            with file:
                owner = file.read().strip() or "another process"
            raise LedgerBusy(
                f"{self._ledger} is in use by {owner}; one process at a time may write it "
                "(PostgreSQL can be shared)",
                is_retryable=True,
            ) from None
        with suppress(OSError):  # it only helps to find the owner
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        self._file = file

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
            self._file = None


if sys.platform == "win32":

    def _lock(file: IO[str]) -> None:
        file.seek(1 << 30)  # beyond what is read: Windows forbids reading what is locked
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
