"""A CSV that grows beside its place and takes its name when it is over.

It is readable by its owner alone. Rows are handed to the disk whole: where it takes no more, the
file ends with the last row that fitted, says why in `failure`, and nothing is raised.
"""

import csv
import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from sens_async.cli.escaping import escape

__all__ = ["CsvFile", "InvalidOutput", "check_outputs"]

_ROWS_AT_ONCE = 100


class InvalidOutput(ValueError):
    """A file that results cannot, or must not, be written to."""


def check_outputs(
    outputs: Iterable[Path | None], *, inputs: Iterable[Path], overwrite: bool
) -> None:
    """Refuse to write over what is read or was there before, or two results into one file.

    Args:
        outputs: Where results are to go; None for none.
        inputs: Files that are read.
        overwrite: Whether what was there before may go.

    Raises:
        InvalidOutput: A place occurs twice, or is a directory or device, or has no directory,
            or is taken.
    """
    taken = {os.path.realpath(path): f"{path} is read from" for path in inputs}
    wanted = [path for path in outputs if path is not None]
    for path in wanted:
        real = os.path.realpath(path)
        if real in taken:
            raise InvalidOutput(f"{taken[real]}: results need a file of their own")
        is_strange = path.exists() and not path.is_file()
        if is_strange or not path.absolute().parent.is_dir():
            raise InvalidOutput(f"{path} is no file in an existing directory")
        taken[real] = f"{path} is given twice"
    if old := [str(path) for path in wanted if path.exists() and not overwrite]:
        verb = "exists" if len(old) == 1 else "exist"
        raise InvalidOutput(f"{' and '.join(old)} {verb} already: give --overwrite to replace")


class _Lines(list[str]):
    """What a CSV writer writes, a row each."""

    write = list.append


class CsvFile:
    """One CSV in UTF-8, with a mark so that Excel knows it.

    Attributes:
        path: Where it was wanted.
        place: Where it is.
        rows: How many are in it.
        failure: Why it could not be written to its end, or None.
    """

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        """Begin a file.

        Args:
            path: Where it will be once `commit` was called.
            header: The columns' names.

        Raises:
            InvalidOutput: It cannot be written.
        """
        self.path = path
        self.rows = -1  # the header is none
        self.failure: OSError | None = None
        self._lines = _Lines(["\ufeff"])
        self._writer = csv.writer(self._lines, quoting=csv.QUOTE_ALL)
        try:
            handle, name = tempfile.mkstemp(".part", f".{path.name}.", path.absolute().parent)
        except OSError as error:
            raise InvalidOutput(f"{path} cannot be written: {error.strerror}") from error
        self.place = Path(name)
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._writer.writerow(map(escape, header))
        self._lines[:] = ["".join(self._lines)]
        self._flush()
        if self.failure is not None:
            self.discard()
            raise InvalidOutput(f"{path} cannot be written: {self.failure.strerror}")

    def add(self, cells: Iterable[str]) -> None:
        """Write one row of cells that are harmless already, if the file is not broken."""
        if self.failure is not None:
            return
        self._writer.writerow(cells)
        if len(self._lines) >= _ROWS_AT_ONCE:
            self._flush()

    def commit(self) -> None:
        """Give the file its name; nothing in it is lost if the power fails after this."""
        self._flush()
        for step in (self._sync, self._file.close, self._rename):
            try:
                step()
            except OSError as error:
                self.failure = self.failure or error

    def discard(self) -> None:
        """Remove what was written."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.place.unlink()

    def _flush(self) -> None:
        if self.failure is not None:
            return
        lines = [line.encode(errors="backslashreplace") for line in self._lines]
        self._lines.clear()
        begin, data, done = self._file.tell(), b"".join(lines), 0
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError as error:
            self.failure = error
        end = 0
        for line in lines:
            if end + len(line) > done:
                break
            end += len(line)
            self.rows += 1
        if end < done:
            with suppress(OSError):
                self._file.truncate(begin + end)

    def _sync(self) -> None:
        os.fsync(self._file.fileno())

    def _rename(self) -> None:
        self.place.replace(self.path)
        self.place = self.path
