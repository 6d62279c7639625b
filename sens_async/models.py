"""The values users hand in and get back."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Self

import attrs

from sens_async.core.phone import mask

__all__ = [
    "ContentType",
    "MessageType",
    "OutcomeState",
    "Receipt",
    "Recipient",
    "Reservation",
    "ReservationStatus",
    "Unsubscribe",
    "UploadedFile",
]


class _Word(StrEnum):
    """A word that is counted often: `Enum` would compute its hash in Python."""

    __hash__ = str.__hash__


class _AnyCase(_Word):
    """The service's words, taken in any case, as it took them once itself."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None


class MessageType(_AnyCase):
    """What a message is billed and delivered as (SENS API: Send messages, `type`)."""

    SMS = "SMS"
    """At most 90 bytes of text, no subject, no pictures."""
    LMS = "LMS"
    """At most 2,000 bytes of text and a subject of 40."""
    MMS = "MMS"
    """An LMS with pictures."""


class ContentType(_AnyCase):
    """Whether a message is an advertisement (SENS API: Send messages, `contentType`)."""

    COMM = "COMM"
    """An ordinary message."""
    AD = "AD"
    """An advertisement: needs the `(광고)` label and, at night, the recipient's consent."""


class OutcomeState(_Word):
    """What is known of one recipient's message."""

    ACCEPTED = "ACCEPTED"
    """SENS took it and gave a request id. Delivery is another matter."""
    REJECTED = "REJECTED"
    """Refused, here or by SENS, for a cause that lies in this recipient or text."""
    SKIPPED = "SKIPPED"
    """Left out on purpose."""
    NOT_SENT = "NOT_SENT"
    """Provably not accepted: safe to give again."""
    UNKNOWN = "UNKNOWN"
    """May have been accepted: giving it again may send it twice."""


class ReservationStatus(_AnyCase):
    """Where a reservation is (SENS API: Get reservation status, `reserveStatus`)."""

    READY = "READY"
    """It waits; only now can it be cancelled."""
    PROCESSING = "PROCESSING"
    """It is being sent."""
    CANCELED = "CANCELED"
    """It was cancelled: nothing was sent, and nothing will be."""
    FAIL = "FAIL"
    """Sending failed."""
    DONE = "DONE"
    """It was handed on; what arrived is learnt from its deliveries."""
    STALE = "STALE"
    """It timed out."""
    SKIP = "SKIP"
    """The service it belongs to does not exist any more."""


_UNFINISHED = frozenset({ReservationStatus.READY, ReservationStatus.PROCESSING})


@attrs.define(repr=False)
class Recipient:
    """One phone number and what is particular to it.

    Bad data raises nothing here: it becomes this recipient's `REJECTED` outcome.

    Attributes:
        to: The phone number, in any usual spelling.
        content: This recipient's text, taken literally, or None for the call's `content`.
        subject: This recipient's subject, taken literally, or None for the call's `subject`.
        fields: Values for the template fields of the call's `content` and `subject`.
        key: The caller's own id. Never sent, always given back with the outcome.
    """

    to: str
    content: str | None = None
    subject: str | None = None
    fields: Mapping[str, object] = attrs.field(factory=dict)
    key: str | None = None

    def __repr__(self) -> str:
        parts = [mask(self.to)]
        if self.content is not None:
            parts.append(f"content=<{len(str(self.content))} characters>")
        if self.subject is not None:
            parts.append(f"subject=<{len(str(self.subject))} characters>")
        if self.fields:
            given: object = self.fields
            size = len(given) if isinstance(given, Mapping) else "?"
            parts.append(f"fields=<{size}>")
        if self.key is not None:
            parts.append(f"key={self.key!r}")
        return f"Recipient({', '.join(parts)})"


@attrs.frozen(kw_only=True)
class Receipt:
    """SENS accepted one recipient's message; whether it arrives is learnt later.

    Attributes:
        request_id: The service's id of the request; also the id of a reservation.
        requested_at: The service's time of acceptance (KST), or None if it gave none readable.
        number: The number it was sent to, digits only.
        type: What it was sent as.
        reserve_at: The minute at which a reserved message goes out, else None.
        attempts: How many requests it took, this one included.
    """

    request_id: str
    requested_at: datetime | None
    number: str = attrs.field(repr=mask)
    type: MessageType
    reserve_at: datetime | None = None
    attempts: int = 1


@attrs.frozen(kw_only=True)
class UploadedFile:
    """A picture the service holds, ready to be named in a message.

    Attributes:
        file_id: The service's handle.
        expires_at: When the service forgets it (KST).
        name: The name it was uploaded under, derived from its bytes.
        size_bytes: The size of the JPEG that was uploaded.
        digest: SHA-256 of the uploaded bytes in hexadecimal, or "" if the caller made this value.
    """

    file_id: str
    expires_at: datetime
    name: str = ""
    size_bytes: int = 0
    digest: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class Reservation:
    """A request that the service keeps until its time.

    Attributes:
        reserve_id: The request id that sending it gave.
        status: Where it is; a word that is not known stays as it came.
        reserve_at: When it is to go out (KST), or None if the service gave no readable time.
        zone: The time zone it was asked for in, such as `"Asia/Seoul"`.
    """

    reserve_id: str
    status: ReservationStatus | str
    reserve_at: datetime | None = None
    zone: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more will become of it; False for a word that is not known."""
        return isinstance(self.status, ReservationStatus) and self.status not in _UNFINISHED

    @property
    def is_cancellable(self) -> bool:
        """Whether it still waits."""
        return self.status is ReservationStatus.READY


@attrs.frozen(kw_only=True)
class Unsubscribe:
    """A number that has opted out of advertisements.

    Attributes:
        number: As the service writes it.
        registered_at: Since when (KST), or None if the service gave no readable time.
        how: `"C"` by a call to the 080 number, `"M"` by hand in the console or through the API;
            anything else as it came.
    """

    number: str = attrs.field(repr=mask)
    registered_at: datetime | None = None
    how: str | None = None

    @property
    def is_manual(self) -> bool:
        """Whether it was entered by hand, not by the recipient's call."""
        return self.how == "M"
