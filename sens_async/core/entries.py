"""Personalised texts as JSON: an *entry* is one recipient's, `N","content":"T`.

A batch's entries are mostly needed together, as the body of a request. They are kept as columns,
the numbers and each field, until somebody asks for one, and written by one join.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import NamedTuple, overload

import orjson

from sens_async.core.charset import CODEC
from sens_async.core.requests import BEFORE_TEXT, NEXT_RECIPIENT

__all__ = ["Entries", "Record", "entries_of", "joined", "texts_in"]


class Record(NamedTuple):
    """Entries in as little memory as they can be written from again.

    Attributes:
        fixed: See `Entries`.
        numbers: Joined by line feeds.
        values: The fields in CP949, which gives back every character it takes; column after
            column, joined by NUL.
    """

    fixed: Sequence[str]
    numbers: bytes
    values: bytes

    def entries(self) -> "Entries":
        """Give them back."""
        numbers = self.numbers.decode().split("\n")
        values = self.values.decode(CODEC).split("\0")
        size = len(numbers)
        columns = [values[start : start + size] for start in range(0, len(values), size)]
        return Entries(self.fixed, numbers, columns, self.values)


class Entries(Sequence[str]):
    """The entries of recipients who get one template's texts.

    Args:
        fixed: What stands behind the number, between the fields, and behind the last, as JSON;
            one more than there are fields.
        numbers: Digits, one for each.
        columns: For each place of the template, everybody's field; plain text, which JSON does
            not escape.
        values: See `Record`; None if they are not joined yet.
    """

    __slots__ = ("_columns", "_fixed", "_numbers", "_values")

    def __init__(
        self,
        fixed: Sequence[str],
        numbers: Sequence[str],
        columns: Sequence[Sequence[str]],
        values: bytes | None = None,
    ) -> None:
        self._fixed = fixed
        self._numbers = numbers
        self._columns = columns
        self._values = values

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> "Entries": ...
    def __getitem__(self, position: int | slice) -> "str | Entries":
        if isinstance(position, slice):
            columns = [column[position] for column in self._columns]
            return Entries(self._fixed, self._numbers[position], columns)
        pieces = _frame(self._fixed)
        pieces[0] = self._numbers[position]
        pieces[2::2] = [column[position] for column in self._columns]
        return "".join(pieces)

    def __iter__(self) -> Iterator[str]:
        return map("".join, self._pieces())

    def __repr__(self) -> str:
        return f"<{len(self)} entries>"

    def keep(self, positions: Iterable[int]) -> "Entries":
        """Give some of them."""
        places = list(positions)
        columns = [[column[i] for i in places] for column in self._columns]
        return Entries(self._fixed, [self._numbers[i] for i in places], columns)

    def record(self) -> Record:
        """Give what they can be written from again."""
        values = self._values
        if values is None:
            values = "\0".join(chain.from_iterable(self._columns)).encode(CODEC)
        return Record(self._fixed, "\n".join(self._numbers).encode("ascii"), values)

    def joined(self) -> tuple[str, str]:
        """Give what the body of a request is made of; see the function `joined`."""
        last = self._fixed[-1]
        pieces = _frame(self._fixed)
        pieces[-1] = last + NEXT_RECIPIENT
        width = len(pieces)
        pieces *= len(self._numbers)
        pieces[::width] = self._numbers
        for place, column in enumerate(self._columns):
            pieces[2 + 2 * place :: width] = column
        pieces[-1] = last
        default = "".join([*pieces[1 : width - 1], last]).removeprefix(BEFORE_TEXT)
        pieces[1:width] = [NEXT_RECIPIENT] if len(self._numbers) > 1 else []
        return default, "".join(pieces)

    def _pieces(self) -> Iterable[tuple[str, ...]]:
        """Give what each of them is joined of."""
        pieces: list[Iterable[str]] = [self._numbers] * (2 * len(self._fixed))
        pieces[1::2] = map(repeat, self._fixed)
        pieces[2::2] = self._columns
        return zip(*pieces, strict=False)


def joined(entries: Sequence[str]) -> tuple[str, str]:
    """Give what the body of a request is made of.

    Returns:
        The text of the first recipient, which can be the default; and all entries one after the
        other, the first one's without its text.
    """
    if isinstance(entries, Entries):
        return entries.joined()
    first, text = entries[0].split(BEFORE_TEXT, 1)
    return text, NEXT_RECIPIENT.join([first, *entries[1:]])


def entries_of(numbers: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Give the entries of recipients with texts of their own."""
    return [
        f"{number}{BEFORE_TEXT}{orjson.dumps(text)[1:-1].decode()}"
        for number, text in zip(numbers, texts, strict=True)
    ]


def texts_in(entries: Sequence[str]) -> list[str]:
    """Give the texts of entries, as they are without JSON."""
    escaped = [entry.partition(BEFORE_TEXT)[2] for entry in entries]
    return list(orjson.loads('["' + '","'.join(escaped) + '"]'))


def _frame(fixed: Sequence[str]) -> list[str]:
    """Give the pieces of one entry, its number and fields left empty."""
    pieces = [""] * (2 * len(fixed))
    pieces[1::2] = fixed
    return pieces
