"""A list of recipients: read from a CSV or given as numbers, one row at a time.

Nothing here is held in memory: a file is scanned once when it is opened, so that whatever is
wrong with it is said before anybody is sent to, and then read again row by row. An empty line
is no row. A row without a number is one, and gets its `REJECTED` outcome like any other.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import attrs

from sens_async.cli.columns import is_number_name, looks_like_number, number_columns
from sens_async.cli.dialect import (
    DELIMITERS,
    InvalidTable,
    guess_delimiter,
    guess_encoding,
    read_records,
)
from sens_async.cli.escaping import unescape
from sens_async.models import Recipient

__all__ = ["OWN_PREFIX", "InvalidTable", "Row", "Table", "read_csv"]

OWN_PREFIX = "sens_"
"""Begins the names of the columns that results add; they are left out when read again."""

_SAMPLE_RECORDS = 100
_TABS = {"tab": "\t", "\\t": "\t"}

Records = Callable[[], Iterator[tuple[int, list[str]]]]


class Row(NamedTuple):
    """One recipient of a list.

    Attributes:
        place: Its row as a spreadsheet counts them: from 1, with the header and empty rows.
        cells: What the row says, without columns of our own.
        recipient: The same, ready to be sent to.
    """

    place: int
    cells: list[str]
    recipient: Recipient


@attrs.frozen(kw_only=True)
class Table:
    """A list whose shape is known; `rows()` reads it.

    Attributes:
        name: What to call it in messages.
        header: The columns' names; positions ("1", "2", …) where the file has none.
        number_column: Index of the phone numbers.
        key_column: Index of the caller's own ids, or None.
        size: How many rows there are.
        overlong: Place of the first row that has more cells than the header, or None.
        encoding: The file's, or "" for numbers that were given.
        delimiter: Likewise.
        has_header: Whether the names come from the file.
    """

    name: str
    header: tuple[str, ...]
    number_column: int
    key_column: int | None = None
    size: int
    overlong: int | None = None
    encoding: str = ""
    delimiter: str = ""
    has_header: bool = False
    _records: Records = attrs.field(repr=False)

    @classmethod
    def of_numbers(cls, numbers: Sequence[str]) -> Self:
        """Make a list of one column out of numbers."""

        def records() -> Iterator[tuple[int, list[str]]]:
            return ((place, [number]) for place, number in enumerate(numbers, 1))

        return cls(
            name="numbers", header=("to",), number_column=0, size=len(numbers), records=records
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """What a text can name; nothing where numbers were given."""
        return tuple(filter(None, self.header)) if self.encoding else ()

    def rows(self) -> Iterator[Row]:
        """Read the list from its beginning.

        Raises:
            InvalidTable: The file is not what it was when it was opened.
        """
        fields = [(self.header.index(name), name) for name in self.fields]
        for place, cells in self._records():
            size = len(cells)
            recipient = Recipient(
                cells[self.number_column].strip() if self.number_column < size else "",
                fields={name: cells[index] for index, name in fields if index < size},
                key=self._key(cells),
            )
            yield Row(place, cells, recipient)

    def _key(self, cells: Sequence[str]) -> str | None:
        if self.key_column is None or self.key_column >= len(cells):
            return None
        return cells[self.key_column] or None


def read_csv(
    path: Path,
    *,
    number_column: str | None = None,
    key_column: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    has_header: bool | None = None,
) -> Table:
    """Find out how a CSV is written and which of its columns holds the numbers.

    Args:
        path: The file.
        number_column: Name or position (from 1) of the numbers; None finds it by its name
            (`phone`, `to`, `휴대폰`, `전화번호`, …), else by its contents.
        key_column: Name or position of the caller's own ids.
        encoding: A codec's name; None tells UTF-8, UTF-16 with a mark and CP949 apart.
        delimiter: None finds `,`, `;`, tab or `|`; `"tab"` is one, too.
        has_header: Whether the first row names the columns; None decides by whether it holds
            something like a phone number.

    Returns:
        The list, every row of which has been looked at once.

    Raises:
        InvalidTable: The file is unreadable, empty or in doubt.
    """
    try:
        encoding = encoding or guess_encoding(path)
        delimiter = _TABS.get(delimiter or "", delimiter) or guess_delimiter(path, encoding)
        return _Layout(path, encoding, delimiter, has_header).table(number_column, key_column)
    except OSError as error:
        raise InvalidTable(f"{path.name} cannot be read: {error.strerror}") from error
    except LookupError as error:
        raise InvalidTable(f"{encoding!r} is no encoding: utf-8, utf-16 or cp949") from error


class _Layout:
    """The names and positions of a file's columns, as they stand in the file."""

    def __init__(self, path: Path, encoding: str, delimiter: str, has_header: bool | None) -> None:
        if len(delimiter) != 1:
            allowed = ", ".join(map(repr, DELIMITERS))
            raise InvalidTable(f"{delimiter!r} is no delimiter: one of {allowed}")
        self.path = path
        self.encoding = encoding
        self.delimiter = delimiter
        sample = [cells for _, cells in islice(self._read(), _SAMPLE_RECORDS + 1)]
        if not sample:
            raise InvalidTable(f"{path.name} is empty")
        if has_header is None:
            has_header = _is_header(sample[0])
        self.has_header = has_header
        self.sample = sample[has_header:]
        self.names = self._names(sample)

    def table(self, number_column: str | None, key_column: str | None) -> Table:
        number = self._number_column(number_column)
        key = None if key_column is None else self._position(key_column)
        own = {i for i, name in enumerate(self.names) if name.startswith(OWN_PREFIX)}
        if own & {number, key}:
            name = self.names[number if number in own else key or 0]
            raise InvalidTable(
                f"{self.path.name}: {name} is a column of results, not of recipients"
            )
        self._refuse_twins()
        kept = [index for index in range(len(self.names)) if index not in own]
        size, width, overlong = self._scan()
        added = [""] * (width - len(self.names))
        return Table(
            name=self.path.name,
            header=(*(self.names[index] for index in kept), *added),
            number_column=kept.index(number),
            key_column=None if key is None else kept.index(key),
            size=size,
            overlong=overlong,
            encoding=self.encoding,
            delimiter=self.delimiter,
            has_header=self.has_header,
            records=lambda: self._without(own),
        )

    def _read(self) -> Iterator[tuple[int, list[str]]]:
        return read_records(self.path, self.encoding, self.delimiter)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        return islice(self._read(), int(self.has_header), None)

    def _without(self, own: set[int]) -> Iterator[tuple[int, list[str]]]:
        for place, cells in self._rows():
            kept = (unescape(cell) for i, cell in enumerate(cells) if i not in own)
            yield place, [*kept] if own else cells

    def _scan(self) -> tuple[int, int, int | None]:
        """Rows, the widest one's cells, and the first place with more cells than the header."""
        size, widest, overlong, names = 0, len(self.names), None, len(self.names)
        for place, cells in self._rows():
            size += 1
            if len(cells) > names and any(cells[names:]):
                overlong = overlong or place
                widest = max(widest, len(cells))
        return size, widest, overlong

    def _names(self, sample: Sequence[Sequence[str]]) -> list[str]:
        if self.has_header:
            names = [name.strip() for name in sample[0]]
            is_result = any(name.startswith(OWN_PREFIX) for name in names)
            return [*map(unescape, names)] if is_result else names
        return [str(position) for position in range(1, max(map(len, sample)) + 1)]

    def _refuse_twins(self) -> None:
        seen: set[str] = set()
        for name in filter(None, self.names):
            if name in seen:
                raise InvalidTable(f"{self.path.name}: two columns are called {name!r}")
            seen.add(name)

    def _number_column(self, given: str | None) -> int:
        if given is not None:
            return self._position(given)
        found = number_columns(self.names if self.has_header else None, self.sample)
        if len(found) == 1:
            return found[0]
        doubt = "may hold the numbers" if found else "none of which is known to hold the numbers"
        columns = self._listed([self.names[index] for index in found] or self.names)
        raise InvalidTable(
            f"{self.path.name} has the columns {columns}, {doubt}: give --number-column"
        )

    def _position(self, given: str) -> int:
        if given in self.names:
            return self.names.index(given)
        if given.isdecimal() and 1 <= int(given) <= len(self.names):
            return int(given) - 1
        raise InvalidTable(
            f"{self.path.name} has no column {given!r}, it has {self._listed(self.names)}"
        )

    def _listed(self, names: Iterable[str]) -> str:
        return ", ".join(name or '""' for name in names)


def _is_header(cells: Sequence[str]) -> bool:
    return any(map(is_number_name, cells)) or not any(map(looks_like_number, cells))
