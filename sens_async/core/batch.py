"""A batch: the recipients of one request, and how it is written on the wire."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import attrs

from sens_async.core.entries import joined, texts_in
from sens_async.core.evidence import Evidence
from sens_async.core.requests import addressed, entered, send_body, send_head, worded
from sens_async.core.schedule import Reservation
from sens_async.errors import SensError
from sens_async.models import ContentType, MessageType, OutcomeState
from sens_async.outcomes import OutcomeBatch

__all__ = ["Batch", "Envelope"]

T = TypeVar("T")


@attrs.frozen(cache_hash=True, repr=False)
class Envelope:
    """What all recipients of one request have in common (SENS API: Send messages).

    Attributes:
        has_subject: Whether they have a subject at all; a default subject would reach those
            who have none, so the two kinds never share a request.
        has_files: Whether pictures go with it.
    """

    type: MessageType
    content_type: ContentType
    country_code: str
    sender: str
    reservation: Reservation | None
    has_subject: bool
    has_files: bool
    wire: dict[str, str] = attrs.field(init=False, eq=False)
    """The envelope's own fields under their wire names."""
    _heads: dict[tuple[str, str | None], bytes] = attrs.field(init=False, eq=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        wire = {
            "type": self.type.value,
            "contentType": self.content_type.value,
            "countryCode": self.country_code,
            "from": self.sender,
        }
        if self.reservation is not None:
            wire["reserveTime"] = self.reservation.time
            wire["reserveTimeZone"] = self.reservation.zone
        object.__setattr__(self, "wire", wire)

    def head(self, text: str, title: str | None) -> bytes:
        """Encode what all recipients share, and remember it for the next request."""
        head = self._heads.get((text, title))
        if head is None:
            self._heads.clear()
            head = self._heads[text, title] = send_head(self.wire, text, title)
        return head


@attrs.define(eq=False, repr=False)
class Batch:
    """At most 100 recipients of one envelope, no number twice.

    Attributes:
        envelope: What they share.
        indexes: Their places in the input.
        recipients: What the caller gave for each.
        numbers: Digits, one for each.
        texts: One for each; None if all get `default_text`, or have `entries`.
        titles: Subjects, one for each, or None if all get `default_title`.
        default_text: The call's own text as it goes out, if it fits this envelope; else None.
        default_title: The call's own subject; else None.
        entries: Numbers and texts as JSON (see `sens_async.core.entries`), or None.
        attempts: Requests that carried these recipients so far.
        attempted_at: Signature time of the last of them, seconds since the epoch, or None.
        file_ids: Of the pictures that the last of them named.
        token: Names the last of them where somebody was told of it already; else "".
    """

    envelope: Envelope
    indexes: Sequence[int]
    recipients: Sequence[object]
    numbers: Sequence[str]
    texts: Sequence[str] | None
    titles: Sequence[str] | None
    default_text: str | None
    default_title: str | None
    entries: Sequence[str] | None = None
    attempts: int = 0
    attempted_at: float | None = None
    file_ids: Sequence[str] = ()
    token: str = ""

    def __len__(self) -> int:
        return len(self.numbers)

    def body(self, file_ids: Sequence[str] = ()) -> bytes:
        """Encode the request; the text most of them share is written once.

        Args:
            file_ids: Uploaded pictures, in order.
        """
        self.file_ids = file_ids
        if self.entries is not None:
            written = entered(self.envelope.wire, *joined(self.entries), self.default_title)
            return send_body(*written, file_ids)
        text, title = self.default_text, self.default_title
        if self.texts is None and self.titles is None:
            head = self.envelope.head(text or "", title)
            return send_body(head, addressed(self.numbers), file_ids)
        own: dict[str, tuple[Sequence[str], str]] = {}
        if self.texts is not None:
            text = _most_shared(self.texts, text)
            own["content"] = self.texts, text
        if self.titles is not None:
            title = _most_shared(self.titles, title)
            own["subject"] = self.titles, title
        head = send_head(self.envelope.wire, text or "", title)
        return send_body(head, worded(self.numbers, own), file_ids)

    @property
    def final_texts(self) -> Sequence[str]:
        """The texts as they go out: one for each, or a single one if all get the default."""
        if self.entries is not None:
            return texts_in(self.entries)
        return [self.default_text or ""] if self.texts is None else self.texts

    @property
    def final_titles(self) -> Sequence[str]:
        """The subjects as they go out, "" for none: one for each, or a single one for all."""
        return [self.default_title or ""] if self.titles is None else self.titles

    def release(self) -> None:
        """Take note that its attempt was refused: nothing of it is out."""

    def evidence(self, token: str, *, is_final: bool = True) -> Evidence | None:
        """Give what it takes to recognise its last attempt; None if there was none.

        Args:
            token: See `Evidence`.
            is_final: See `Evidence`.
        """
        if self.attempted_at is None:
            return None
        envelope = self.envelope
        return Evidence(
            token=token,
            numbers=tuple(self.numbers),
            texts=tuple(self.final_texts),
            titles=tuple(self.final_titles),
            type=envelope.type,
            content_type=envelope.content_type,
            country_code=envelope.country_code,
            sender=envelope.sender,
            signed_at=self.attempted_at,
            reserve_at=envelope.reservation.at if envelope.reservation else None,
            file_ids=tuple(self.file_ids),
            is_final=is_final,
        )

    def part(self, positions: range | Sequence[int]) -> "Batch":
        """Give a batch of some of these recipients."""
        return Batch(
            self.envelope,
            _some(self.indexes, positions),
            _some(self.recipients, positions),
            _some(self.numbers, positions),
            None if self.texts is None else _some(self.texts, positions),
            None if self.titles is None else _some(self.titles, positions),
            self.default_text,
            self.default_title,
            None if self.entries is None else _some(self.entries, positions),
            self.attempts,
            self.attempted_at,
        )

    def settled(
        self,
        state: OutcomeState,
        *,
        error: SensError | None = None,
        request_id: str | None = None,
        requested_at: datetime | None = None,
        evidence: Evidence | None = None,
    ) -> OutcomeBatch:
        """Give everybody's outcome: the same for all."""
        return OutcomeBatch(
            state,
            self.indexes,
            self.recipients,
            self.numbers,
            self.envelope.type,
            request_id,
            error,
            self.attempts,
            self.attempted_at,
            requested_at,
            evidence,
        )

    def __repr__(self) -> str:
        return f"<Batch of {len(self)} {self.envelope.type}>"


def _most_shared(texts: Sequence[str], call: str | None) -> str:
    """Choose a request's default: what most share; where nobody shares, the call's own."""
    if len(set(texts)) == len(texts):
        return texts[0] if call is None else call
    return Counter(texts).most_common(1)[0][0]


def _some(column: Sequence[T], positions: range | Sequence[int]) -> Sequence[T]:
    if isinstance(positions, range) and positions.step == 1:
        return column[positions.start : positions.stop]  # indexes that are a range stay one
    return [column[i] for i in positions]
