"""Columns: recipients of a chunk of input, side by side."""

from collections.abc import Sequence

import attrs

from sens_async.core.entries import Entries, texts_in
from sens_async.core.message import Message

__all__ = ["Rows"]


@attrs.define(eq=False, repr=False)
class Rows:
    """Recipients that have passed every check so far.

    Attributes:
        indexes: Their places in the input.
        items: What the caller gave for each.
        numbers: Digits.
        titles: Final subjects ("" for none), or None if all get the call's own.
        sizes: Bytes of the texts, or None if they matter no more.
        entries: Numbers and final texts as JSON (see `sens_async.core.entries`), or None.
    """

    indexes: Sequence[int]
    items: Sequence[object]
    numbers: list[str]
    _texts: list[str] | None = None
    titles: list[str] | None = None
    sizes: list[int] | None = None
    entries: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def texts(self) -> list[str] | None:
        """Final texts, or None if all get the call's own; read out of `entries` on demand."""
        return self._texts if self.entries is None else texts_in(self.entries)

    @property
    def has_texts(self) -> bool:
        """Whether they have texts of their own."""
        return self._texts is not None or self.entries is not None

    def keep(self, positions: Sequence[int]) -> "Rows":
        """Give some of them."""
        return Rows(
            [self.indexes[i] for i in positions],
            [self.items[i] for i in positions],
            [self.numbers[i] for i in positions],
            None if self._texts is None else [self._texts[i] for i in positions],
            None if self.titles is None else [self.titles[i] for i in positions],
            None if self.sizes is None else [self.sizes[i] for i in positions],
            _kept(self.entries, positions),
        )

    def cut(self, start: int, stop: int) -> "Rows":
        """Give a stretch of neighbours: all columns by slicing."""
        return Rows(
            self.indexes[start:stop],
            self.items[start:stop],
            self.numbers[start:stop],
            None if self._texts is None else self._texts[start:stop],
            None if self.titles is None else self.titles[start:stop],
            None if self.sizes is None else self.sizes[start:stop],
            None if self.entries is None else self.entries[start:stop],
        )

    def with_column(self, field: str, texts: list[str]) -> "Rows":
        """Give them with another column of `"content"` or `"subject"`."""
        if field == "content":
            return attrs.evolve(self, texts=texts)
        return attrs.evolve(self, titles=texts)

    def texts_of(self, message: Message) -> Sequence[str]:
        """Give everybody's text, the call's own where they have none."""
        texts = self.texts
        return texts if texts is not None else [message.text or ""] * len(self)

    def titles_of(self, message: Message) -> Sequence[str]:
        """Give everybody's subject, the call's own where they have none; "" for no subject."""
        return self.titles if self.titles is not None else [message.title or ""] * len(self)

    @classmethod
    def join(cls, parts: "Sequence[Rows]", message: Message) -> "Rows":
        """Put pieces together, in order."""
        if len(parts) == 1:
            return parts[0]
        indexes = [index for part in parts for index in part.indexes]
        first, last = indexes[0], indexes[-1]
        texts = titles = entries = None
        if all(part.entries is not None for part in parts):
            entries = [entry for part in parts for entry in part.entries or ()]
        elif any(part.has_texts for part in parts):
            texts = [text for part in parts for text in part.texts_of(message)]
        if any(part.titles is not None for part in parts):
            titles = [title for part in parts for title in part.titles_of(message)]
        return cls(
            range(first, last + 1) if last - first + 1 == len(indexes) else indexes,
            [item for part in parts for item in part.items],
            [number for part in parts for number in part.numbers],
            texts,
            titles,
            entries=entries,
        )


def _kept(entries: Sequence[str] | None, positions: Sequence[int]) -> Sequence[str] | None:
    if entries is None:
        return None
    if isinstance(entries, Entries):
        return entries.keep(positions)
    return [entries[i] for i in positions]
