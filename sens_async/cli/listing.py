"""Records as they come, for machines: one JSON document, or a CSV; none is kept in memory."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape as plain

from sens_async.cli.console import count, make_console
from sens_async.cli.csv_file import CsvFile, check_outputs
from sens_async.cli.documents import is_utf8
from sens_async.cli.escaping import escape, escape_number

__all__ = ["CsvListing", "JsonListing", "Record"]

Record = Mapping[str, str | bool | None]
"""What is told of one thing, by name; the same names in JSON and CSV."""

_NUMBERS = frozenset({"number", "sens_number", "sender", "to"})


class JsonListing:
    """One JSON document on standard output whose first field grows, a record on each line."""

    def __init__(self, name: str) -> None:
        """Prepare a document; nothing is printed before the first record, or the end.

        Args:
            name: Of the field that holds the records.
        """
        self._name = name
        self._is_ascii = not is_utf8(sys.stdout)
        self._count = 0

    def add(self, record: Record) -> None:
        """Print a record."""
        begin = ",\n    " if self._count else f"{{\n  {self._dumped(self._name)}: [\n    "
        self._count += 1
        sys.stdout.write(begin + self._dumped(record))

    def end(self, rest: Mapping[str, object]) -> None:
        """Print the fields after the records."""
        begin = "\n  ]" if self._count else f"{{\n  {self._dumped(self._name)}: []"
        fields = [f",\n  {self._dumped(name)}: {self._dumped(rest[name])}" for name in rest]
        sys.stdout.write(f"{begin}{''.join(fields)}\n}}\n")

    def _dumped(self, value: object) -> str:
        return json.dumps(value, ensure_ascii=self._is_ascii)


class CsvListing:
    """Records as a CSV, in a file that does not exist yet, or on standard output.

    On standard output it is without a mark of its encoding, for other programs to read.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, overwrite: bool = False) -> None:
        """Begin it.

        Args:
            path: Where; `-` is standard output.
            columns: The records' names.
            overwrite: Whether what was there before may go.

        Raises:
            InvalidOutput: It cannot, or must not, be written there.
        """
        self._columns = columns
        self._file: CsvFile | None = None
        if str(path) != "-":
            check_outputs([path], inputs=[], overwrite=overwrite)
            self._file = CsvFile(path, columns)
        else:
            self._writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL, lineterminator="\n")
            self._writer.writerow(columns)

    @property
    def is_broken(self) -> bool:
        """Whether the disk took no more."""
        return self._file is not None and self._file.failure is not None

    def add(self, record: Record) -> None:
        """Write a record."""
        cells = [_cell(name, record[name]) for name in self._columns]
        if self._file is not None:
            self._file.add(cells)
        else:
            self._writer.writerow(cells)

    def end(self, *, is_whole: bool) -> None:
        """Give the file its name, and say on standard error where it is.

        Args:
            is_whole: Whether nothing is missing in it, as far as it could be written.
        """
        if self._file is None:
            return
        self._file.commit()
        file, console = self._file, make_console(to_stderr=True)
        rows = f"{count(file.rows)} {'row' if file.rows == 1 else 'rows'}"
        if not is_whole or file.failure is not None:
            rows += ", incomplete 불완전"
        console.print(f"[soft]→[/] {plain(str(file.place))} [soft]({rows})[/]", soft_wrap=True)
        if file.failure is not None:
            why = file.failure.strerror or file.failure
            console.print(f"[bad]error 오류[/] the file could not be written: {why}")

    def discard(self) -> None:
        """Remove the file: nothing was asked."""
        if self._file is not None:
            self._file.discard()


def _cell(name: str, value: str | bool | None) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not value:
        return ""
    return escape_number(value) if name in _NUMBERS else escape(value)
