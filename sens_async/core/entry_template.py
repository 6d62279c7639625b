"""A template on its way into the JSON of whole batches, in a few passes of C.

It is compiled once into the JSON of one recipient. What may be wrong with a batch is asked of all
fields at once: one encoding in CP949 says whether the charset holds them, how long they are, and
whether one of them needs escaping. Whoever is not plain goes the careful way, recipient by
recipient.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

import orjson

from sens_async.core.charset import CODEC, Charset, is_extended
from sens_async.core.content import SMS_LIMIT
from sens_async.core.entries import Entries
from sens_async.core.requests import BEFORE_TEXT
from sens_async.core.template import Template, written

__all__ = ["EntryTemplate", "Filled"]

_NOT_PLAIN: Final = bytes(range(0x20)) + b'"\\'
"""Bytes that JSON escapes; none of them is the second of a CP949 character."""


class Filled(NamedTuple):
    """Recipients' entries.

    Attributes:
        entries: One for each.
        sizes: Bytes of each text; or of one that speaks for all, where that is enough to know
            what type they are.
        cp949_only: Whether a text holds characters that CP949 has and KS X 1001 lacks.
    """

    entries: Entries
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
        "_is_extended",
        "_longest",
        "_most",
        "_names",
        "_short_fields",
        "_telling",
    )

    def __init__(self, template: Template, *, charset: Charset, longest: int) -> None:
        raw = template.literal.encode(CODEC)
        escaped = [orjson.dumps(literal)[1:-1].decode() for literal in template.literals]
        self._charset = charset
        self._longest = longest
        self._names = template.names
        self._telling = 0
        self._fixed = (BEFORE_TEXT + escaped[0], *escaped[1:])
        self._fixed_bytes = len(raw)
        self._is_extended = is_extended(template.literal, raw)
        limit = min(longest, SMS_LIMIT) if len(raw) <= SMS_LIMIT else longest
        most = max(0, limit - len(raw)) // len(self._names)
        self._most = len(raw) + most * len(self._names)
        self._short_fields = re.compile(rb"[^\0]{0,%d}+(?:\0[^\0]{0,%d}+)*+" % (most, most))

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
        sizes = self._sizes(raw, len(rows))
        if max(sizes) > self._longest:
            return None
        entries = Entries(self._fixed, numbers, cast("list[list[str]]", columns), raw)
        return Filled(entries, sizes, cp949_only)

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

    def _sizes(self, raw: bytes, count: int) -> list[int]:
        """Say how long the texts are, no more exactly than the type of all of them needs."""
        if self._short_fields.fullmatch(raw):
            return [self._most]
        lengths = list(map(len, raw.split(b"\0")))
        columns = [lengths[start : start + count] for start in range(0, len(lengths), count)]
        return [self._fixed_bytes + size for size in map(sum, zip(*columns, strict=True))]
