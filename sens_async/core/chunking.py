"""Split any list of recipients into batches: at most 100, one envelope, no number twice."""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import orjson

from sens_async.core.batch import Batch, Envelope
from sens_async.core.composing import Composer, Group
from sens_async.core.content import limit_of
from sens_async.core.entries import entries_of
from sens_async.core.message import Message, Rules
from sens_async.core.phone import mask
from sens_async.core.requests import MESSAGES_PER_REQUEST
from sens_async.core.rows import Rows
from sens_async.errors import DuplicateRecipient, SensError, Unsubscribed
from sens_async.models import MessageType, OutcomeState
from sens_async.outcomes import OutcomeBatch

__all__ = ["Chunker", "Chunking", "Fed"]

HOLD = 1.0
"""Seconds that recipients of a slow source wait for others to fill their request."""

_SHELF = 4
"""Requests of one envelope filled side by side: only numbers that come again need a second."""


class Fed(NamedTuple):
    """What came of feeding some recipients.

    Attributes:
        batches: Complete requests.
        settled: Outcomes of those who go into none.
    """

    batches: list[Batch]
    settled: list[OutcomeBatch]


class Chunker:
    """The rules by which a session splits lists.

    Attributes:
        rules: How texts are treated.
    """

    __slots__ = ("rules",)

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def open(self, message: Message, *, skip_duplicates: bool = True) -> "Chunking":
        """Begin to split one run's recipients.

        Args:
            message: What they are sent.
            skip_duplicates: Whether a number that comes again with the same final text is left
                out. Costs 60 to 85 bytes a recipient until the run's end (a set of integers, which
                doubles when it is three fifths full).
        """
        return Chunking(message, skip_duplicates=skip_duplicates)

    def __repr__(self) -> str:
        return f"<Chunker {self.rules}>"


class _Request:
    """A request being filled."""

    __slots__ = ("held_since", "numbers", "rows")

    def __init__(self, now: float) -> None:
        self.held_since = now
        self.numbers: set[str] = set()
        self.rows: list[Rows] = []

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, rows: Rows) -> None:
        self.rows.append(rows)
        self.numbers.update(rows.numbers)


class Chunking:
    """One run's recipients on their way into requests."""

    def __init__(self, message: Message, *, skip_duplicates: bool) -> None:
        self._message = message
        self._composer = Composer(message)
        self._seen: set[int] | None = set() if skip_duplicates else None
        self._opted_out: AbstractSet[str] = frozenset()
        self._open: dict[Envelope, list[_Request]] = {}
        self._envelopes: dict[tuple[MessageType, bool], Envelope] = {}
        self._skipped: list[OutcomeBatch] = []
        self._full: list[Batch] = []

    @property
    def taken(self) -> int:
        """How many recipients were fed so far."""
        return self._composer.taken

    @property
    def cp949_only_seen(self) -> bool:
        """Whether a text held a character that CP949 has and KS X 1001 lacks."""
        return self._composer.cp949_only_seen

    @property
    def is_holding(self) -> bool:
        """Whether anybody waits in a request that is not full."""
        return any(self._open.values())

    def feed(self, items: Sequence[object], now: float) -> Fed:
        """Take in the next recipients, in order.

        Args:
            items: Strings and `Recipient`s; anything else gets its outcome, too.
            now: Seconds on any clock that never goes back; see `due`.
        """
        groups = self._composer.compose(items)
        if self._opted_out:
            groups = [self._without_opted_out(group) for group in groups]
        # All that could fail comes before anybody has a place, and so an outcome to come.
        fresh = [(self._envelope(group), self._without_duplicates(group)) for group in groups]
        for envelope, (rows, are_unique) in fresh:
            if rows:
                self._place(envelope, rows, now, are_unique=are_unique)
        fed = Fed(self._full, self._composer.rejected + self._skipped)
        self._full, self._skipped, self._composer.rejected = [], [], []
        return fed

    def alone(self, item: object) -> Batch | OutcomeBatch:
        """Give the batch of one recipient who is all there is, or its refusal."""
        groups = self._composer.compose([item])
        if not groups:
            return self._composer.rejected[0]
        return self._batch(self._envelope(groups[0]), groups[0].rows)

    def flush(self) -> list[Batch]:
        """Give what is left as batches that may not be full: the source has ended."""
        return self._take(lambda _: True)

    def due(self, now: float) -> list[Batch]:
        """Give the batches that have waited for more recipients long enough.

        Args:
            now: Seconds on the clock given to `feed`.
        """
        return self._take(lambda request: now >= request.held_since + HOLD)

    def leave_out(self, numbers: AbstractSet[str]) -> None:
        """Skip these numbers from now on: they have opted out."""
        self._opted_out = numbers

    def forget(self) -> None:
        """Let go of what tells duplicates and who has opted out: the run is over."""
        self._seen = None
        self._opted_out = frozenset()

    def _without_opted_out(self, group: Group) -> Group:
        rows = group.rows
        if self._opted_out.isdisjoint(rows.numbers):
            return group
        kept: list[int] = []
        for row, number in enumerate(rows.numbers):
            if number in self._opted_out:
                error = Unsubscribed(f"{mask(number)} has opted out of advertisements")
                self._skip(rows.keep([row]), group.type, error)
            else:
                kept.append(row)
        return group._replace(rows=rows.keep(kept))

    def _without_duplicates(self, group: Group) -> tuple[Rows, bool]:
        """Leave out who was given the same before.

        Returns:
            The others, and whether no number stands twice among them.
        """
        rows = group.rows
        if self._seen is None:
            return rows, _are_unique(rows.numbers)
        keys, tell_numbers = self._keys(rows)
        fresh = set(keys)
        if len(fresh) == len(rows) and self._seen.isdisjoint(fresh):
            self._seen |= fresh
            return rows, tell_numbers or _are_unique(rows.numbers)
        kept: list[int] = []
        keys, _ = self._keys(rows)  # once more: they may come as an iterator
        for row, key in enumerate(keys):
            if key in self._seen:
                one = rows.keep([row])
                error = DuplicateRecipient(f"{mask(one.numbers[0])} was already given this text")
                self._skip(one, group.type, error)
            else:
                self._seen.add(key)
                kept.append(row)
        rows = rows.keep(kept)
        return rows, _are_unique(rows.numbers)

    def _skip(self, one: Rows, kind: MessageType, error: SensError) -> None:
        self._skipped.append(
            OutcomeBatch(
                OutcomeState.SKIPPED, one.indexes, one.items, one.numbers, kind, error=error
            )
        )

    def _keys(self, rows: Rows) -> tuple[Iterable[int], bool]:
        """Give what tells one message to one person from another.

        Where texts differ the key is a hash of 64 bits: in a run of a million recipients the
        chance that any two collide is about one in thirty million.

        Returns:
            One key for each, and whether keys differ exactly as the numbers do.
        """
        if rows.entries is not None:
            return map(hash, rows.entries), False
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

    def _place(self, envelope: Envelope, rows: Rows, now: float, *, are_unique: bool) -> None:
        requests = self._open.setdefault(envelope, [])
        if are_unique and not requests and len(rows) == MESSAGES_PER_REQUEST:
            self._full.append(self._batch(envelope, rows))
            return
        if not are_unique or any(not r.numbers.isdisjoint(rows.numbers) for r in requests):
            for row in range(len(rows)):
                self._place_one(envelope, requests, rows.cut(row, row + 1), now)
            return
        start = 0
        while start < len(rows):
            if not requests:
                requests.append(_Request(now))
            stop = start + MESSAGES_PER_REQUEST - len(requests[0])
            requests[0].add(rows.cut(start, stop))
            start = stop
            self._take_if_full(envelope, requests, requests[0])

    def _place_one(
        self, envelope: Envelope, requests: list[_Request], row: Rows, now: float
    ) -> None:
        number = row.numbers[0]
        request = next((r for r in requests if number not in r.numbers), None)
        if request is None:
            if len(requests) == _SHELF:
                self._full.append(self._filled(envelope, requests.pop(0)))
            request = _Request(now)
            requests.append(request)
        request.add(row)
        self._take_if_full(envelope, requests, request)

    def _take_if_full(
        self, envelope: Envelope, requests: list[_Request], request: _Request
    ) -> None:
        if len(request) == MESSAGES_PER_REQUEST:
            requests.remove(request)
            self._full.append(self._filled(envelope, request))

    def _take(self, is_wanted: Callable[[_Request], bool]) -> list[Batch]:
        taken: list[Batch] = []
        for envelope, requests in self._open.items():
            wanted = [request for request in requests if is_wanted(request)]
            taken.extend(self._filled(envelope, request) for request in wanted)
            requests[:] = [request for request in requests if request not in wanted]
        return taken

    def _envelope(self, group: Group) -> Envelope:
        key = group.type, group.has_subject
        envelope = self._envelopes.get(key)
        if envelope is None:
            message = self._message
            envelope = self._envelopes[key] = Envelope(
                group.type,
                message.content_type,
                message.country_code,
                message.sender,
                message.reservation,
                group.has_subject,
                message.pictures > 0,
            )
        return envelope

    def _filled(self, envelope: Envelope, request: _Request) -> Batch:
        return self._batch(envelope, Rows.join(request.rows, self._message))

    def _batch(self, envelope: Envelope, rows: Rows) -> Batch:
        message = self._message
        return Batch(
            envelope,
            rows.indexes,
            rows.items,
            rows.numbers,
            rows.texts if rows.entries is None else None,
            rows.titles if envelope.has_subject else None,
            self._default_text(envelope) if rows.has_texts else message.text,
            message.title if envelope.has_subject else None,
            rows.entries,
        )

    def _default_text(self, envelope: Envelope) -> str | None:
        """Give the call's own text if a request of this type can hold it as its default."""
        message = self._message
        return message.text if message.text_bytes <= limit_of(envelope.type) else None


def _are_unique(numbers: Sequence[str]) -> bool:
    return len(set(numbers)) == len(numbers)


def _as_integers(numbers: Sequence[str]) -> list[int]:
    """Read digits so that numbers which differ only in their zeros differ, too.

    An integer takes half the memory of a string, and JSON's reader makes a hundred of them in a
    third of the time that `int` takes.
    """
    return list(orjson.loads(f"[1{',1'.join(numbers)}]")) if numbers else []
