"""Personalised texts as JSON, a batch in a few passes of C.

A template is compiled once into the JSON of one recipient, an *entry*: `N","content":"T`, the
digits and the escaped text with what stands between them. A batch's entries are rendered by one
join. What may be wrong with them is asked of all their fields at once: one encoding in CP949 says
whether the charset holds them, how long they are, and whether one of them needs escaping. Whoever
is not plain goes the careful way, recipient by recipient.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Final, NamedTuple, cast

import orjson

from sens_async.core.charset import CODEC, Charset, is_extended
from sens_async.core.content import SMS_LIMIT
from sens_async.core.requests import BEFORE_TEXT
from sens_async.core.template import Template, written

__all__ = ["EntryTemplate", "Filled", "entries_of", "texts_in"]

_NOT_PLAIN: Final = bytes(range(0x20)) + b'"\\'
"""Bytes that JSON escapes; none of them is the second of a CP949 character."""
_FEWEST_DIGITS: Final = 9
"""Of a Korean number; only those are written here."""


class Filled(NamedTuple):
    """Recipients' entries.

    Attributes:
        entries: One for each.
        sizes: Bytes of each text; or of one that speaks for all, where that is enough to know
            what type they are.
        cp949_only: Whether a text holds characters that CP949 has and KS X 1001 lacks.
    """

    entries: list[str]
    sizes: list[int]
    cp949_only: bool


class EntryTemplate:
    """A template on its way into the JSON of requests to Korean numbers; made by `of`.

    Args:
        template: With at least one field.
        charset: Which EUC-KR.
        longest: The most bytes a text may take.
    """

    __slots__ = (
        "_charset",
        "_fixed",
        "_fixed_bytes",
        "_fixed_length",
        "_is_extended",
        "_longest",
        "_names",
        "_telling",
    )

    def __init__(self, template: Template, *, charset: Charset, longest: int) -> None:
        raw = template.literal.encode(CODEC)
        escaped = [_escape(literal) for literal in template.literals]
        self._charset = charset
        self._longest = longest
        self._names = template.names
        self._telling = 0
        self._fixed = (BEFORE_TEXT + escaped[0], *escaped[1:])
        self._fixed_bytes = len(raw)
        self._is_extended = is_extended(template.literal, raw)
        self._fixed_length = sum(map(len, self._fixed)) + _FEWEST_DIGITS

    @classmethod
    def of(cls, template: Template, *, charset: Charset, longest: int) -> "EntryTemplate | None":
        """Compile a template, unless every text made of it wants a careful look.

        The literals must say something, so that no text is empty, and the charset must hold them.
        """
        fixed = template.literal
        if template.is_literal or not fixed.strip():
            return None
        try:
            entries = cls(template, charset=charset, longest=longest)
        except UnicodeEncodeError:
            return None
        return None if charset is Charset.KS_X_1001 and entries._is_extended else entries

    def fill(self, numbers: Sequence[str], rows: Sequence[Mapping[str, object]]) -> Filled | None:
        """Write everybody's entry.

        Args:
            numbers: Digits, one for each.
            rows: Their fields.

        Returns:
            None if somebody's fields want a careful look, or if so many have the same fields
            that their common text is better written once.
        """
        try:
            columns = [[row[name] for row in rows] for name in self._names]
        except LookupError:
            return None
        values: list[str] = []
        for column in columns:
            values += cast("list[str]", column)
        try:
            joined = "\0".join(values)
        except TypeError:  # not all of them is text
            return self._fill_written(numbers, columns)
        try:
            raw = joined.encode(CODEC)
        except UnicodeEncodeError:
            return None
        if len(raw) - len(raw.translate(None, _NOT_PLAIN)) != len(values) - 1:
            return None
        cp949_only = self._is_extended or is_extended(joined, raw)
        if (cp949_only and self._charset is Charset.KS_X_1001) or not self._differ(columns):
            return None
        entries = self._render(numbers, cast("list[list[str]]", columns))
        sizes = self._sizes(max(map(len, entries)), raw, len(rows))
        return None if max(sizes) > self._longest else Filled(entries, sizes, cp949_only)

    def _fill_written(
        self, numbers: Sequence[str], columns: Sequence[list[object]]
    ) -> Filled | None:
        """Write entries with fields that are not all text."""
        texts = [written(column) for column in columns]
        if None in texts:
            return None
        rows = [dict(zip(self._names, row, strict=True)) for row in zip(*texts, strict=True)]
        return self.fill(numbers, rows)

    def _differ(self, columns: Sequence[Sequence[object]]) -> bool:
        """Whether some field differs for nearly everybody, and so do the texts."""
        for place in (self._telling, *range(len(columns))):
            column = columns[place]
            if 4 * len(set(column)) >= 3 * len(column):
                self._telling = place  # it will be that one again
                return True
        return False

    def _render(self, numbers: Sequence[str], columns: Sequence[Sequence[str]]) -> list[str]:
        pieces: list[Iterable[str]] = [numbers]
        for fixed, column in zip(self._fixed, columns, strict=False):
            pieces += repeat(fixed), column
        pieces.append(repeat(self._fixed[-1]))
        return list(map("".join, zip(*pieces, strict=False)))

    def _sizes(self, longest_entry: int, raw: bytes, count: int) -> list[int]:
        """Say how long the texts are, no more exactly than the type of all of them needs."""
        at_most = self._fixed_bytes + 2 * (longest_entry - self._fixed_length)
        is_one_type = at_most <= SMS_LIMIT or self._fixed_bytes > SMS_LIMIT
        if is_one_type and at_most <= self._longest:
            return [at_most]
        lengths = list(map(len, raw.split(b"\0")))
        columns = [lengths[start : start + count] for start in range(0, len(lengths), count)]
        return [self._fixed_bytes + size for size in map(sum, zip(*columns, strict=True))]


def entries_of(numbers: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Give the entries of recipients with texts of their own."""
    return [
        f"{number}{BEFORE_TEXT}{text}"
        for number, text in zip(numbers, map(_escape, texts), strict=True)
    ]


def texts_in(entries: Sequence[str]) -> list[str]:
    """Give the texts of entries, as they are without JSON."""
    escaped = [entry.partition(BEFORE_TEXT)[2] for entry in entries]
    return list(orjson.loads('["' + '","'.join(escaped) + '"]'))


def _escape(text: str) -> str:
    return orjson.dumps(text)[1:-1].decode()
