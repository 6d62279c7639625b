"""How many requests a ledger's file has noted, kept beside it as well.

SQLite takes a damaged log for one that ends there, and an old copy of a file for the file itself.
Either is a ledger in good order without its newest intents, from which people would be sent to
again. The tally is written behind the ledger and never waited for: it may say less, never more.
"""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Tally"]

_DIGITS = 20


class Tally:
    """A number in a file.

    Args:
        ledger: The file beside which it is kept.

    Attributes:
        path: Its own file.
    """

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(f"{ledger.name}.tally")

    def read(self) -> int:
        """Give the number; 0 if there is none."""
        try:
            return int(self.path.read_bytes())
        except (OSError, ValueError):
            return 0

    def write(self, number: int) -> None:
        """Put a number in the place of the last one, if that can be done."""
        with suppress(OSError):
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(handle, b"%0*d" % (_DIGITS, number))
            finally:
                os.close(handle)

    def forget(self) -> None:
        """There is no number any more."""
        with suppress(OSError):
            self.path.unlink()
