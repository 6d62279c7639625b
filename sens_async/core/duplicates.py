"""Who was given what before: the same text goes to the same number once."""

from collections.abc import Sequence

import orjson

from sens_async.core.entries import Entries, Record, entries_of
from sens_async.core.message import Message
from sens_async.core.rows import Rows

__all__ = ["Seen"]

_LONGEST_FIELDS = 64
"""Bytes of a recipient's fields, on average, up to which they are kept instead of a hash."""


class Seen:
    """What one run's recipients were given so far.

    Where all get the same text their numbers tell them apart. Where texts differ, hashes of number
    and text do; in a run of a million recipients the chance that any two of 64 bits collide is
    about one in thirty million. But as long as no number has come twice, nobody needs the hashes:
    the fields are kept, and hashed only once a number does come again.

    Args:
        message: What they are given where they bring nothing of their own.
    """

    def __init__(self, message: Message) -> None:
        self._message = message
        self._keys: set[int] = set()
        self._numbers: set[int] = set()
        self._records: list[Record] = []
        self._has_hashed = False

    def sift(self, rows: Rows) -> tuple[list[int] | None, bool]:
        """Take note of the next recipients.

        Returns:
            The positions of those who were not given the same before, or None if nobody was;
            and whether it is certain that no number stands twice among them.
        """
        if isinstance(rows.entries, Entries) and self._is_first(rows, rows.entries):
            return None, True
        self._hash_all()
        keys, tell_numbers = self._keys_of(rows)
        if self._keys.isdisjoint(keys):
            before = len(self._keys)
            self._keys.update(keys)
            if len(self._keys) == before + len(keys):
                return None, tell_numbers
            first: dict[int, int] = {}
            for row, key in enumerate(keys):
                first.setdefault(key, row)
            return list(first.values()), False
        kept: list[int] = []
        for row, key in enumerate(keys):
            if key not in self._keys:
                self._keys.add(key)
                kept.append(row)
        return kept, False

    def _is_first(self, rows: Rows, entries: Entries) -> bool:
        """Whether none of these numbers has come before, as none has so far."""
        if self._has_hashed:
            return False
        record = entries.record()
        if len(record.values) > _LONGEST_FIELDS * len(rows):
            return False
        numbers = _as_integers(rows.numbers)
        if not self._numbers.isdisjoint(numbers):
            return False
        before = len(self._numbers)
        self._numbers.update(numbers)
        if len(self._numbers) != before + len(numbers):
            return False
        self._records.append(record)
        return True

    def _hash_all(self) -> None:
        """Go over to hashes, if that is not done yet."""
        for record in self._records:
            self._keys.update(map(hash, record.entries()))
        self._has_hashed = True
        self._numbers, self._records = set(), []

    def _keys_of(self, rows: Rows) -> tuple[list[int], bool]:
        """Give what tells one message to one person from another.

        Returns:
            One key for each, and whether keys differ exactly as the numbers do.
        """
        if rows.entries is not None:
            return list(map(hash, rows.entries)), False
        if not rows.has_texts and rows.titles is None:
            return _as_integers(rows.numbers), True
        message = self._message
        texts, titles = rows.texts_of(message), rows.titles_of(message)
        call = message.text, message.title or ""
        keys = _as_integers(rows.numbers)
        entries = entries_of(rows.numbers, texts)
        for row, (entry, text, title) in enumerate(zip(entries, texts, titles, strict=True)):
            if (text, title) != call:
                # As the key of its entry is, if it comes again in a chunk that has entries.
                keys[row] = hash(entry if title == call[1] else (entry, title))
        return keys, False


def _as_integers(numbers: Sequence[str]) -> list[int]:
    """Read digits so that numbers which differ only in their zeros differ, too.

    An integer takes half the memory of a string, and JSON's reader makes a hundred of them in a
    third of the time that `int` takes.
    """
    return list(orjson.loads(f"[1{',1'.join(numbers)}]")) if numbers else []
