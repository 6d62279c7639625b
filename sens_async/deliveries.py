"""What the service says of a message it accepted: where it is, and how it ended."""

from datetime import datetime
from enum import StrEnum

import attrs

from sens_async.core.phone import mask
from sens_async.core.result_codes import ResultCode, explain
from sens_async.models import ContentType, MessageType

__all__ = ["Delivery", "DeliveryEnd", "DeliveryStatus", "PendingDelivery"]

_DELIVERED = "0"
_SUCCESS, _FAIL = "success", "fail"


class DeliveryStatus(StrEnum):
    """How far a message is (SENS API: Get message, `status`)."""

    READY = "READY"
    """It waits: in a queue, or for its reserved time."""
    PROCESSING = "PROCESSING"
    """It was handed on, and there is no report yet."""
    COMPLETED = "COMPLETED"
    """There is a report. Not: it arrived; see `Delivery.is_delivered`."""


class DeliveryEnd(StrEnum):
    """How a message ended that was followed; see `SensSession.track`."""

    DELIVERED = "DELIVERED"
    """It reached the handset."""
    FAILED = "FAILED"
    """It finally did not; its `Delivery` says why."""
    COMPLETED = "COMPLETED"
    """The service calls it completed and does not say how."""
    CANCELED = "CANCELED"
    """Its reservation was cancelled: it never went out."""
    NOT_SENT = "NOT_SENT"
    """Its reservation ended without sending it (FAIL, STALE or SKIP)."""


@attrs.frozen(kw_only=True, repr=False)
class Delivery:
    """One message to one number, as the service knows it.

    Which fields the service gives varies with its age and the message's state: whatever it leaves
    out is None, and words that are not known stay as they came.

    Attributes:
        message_id: The service's id of this one message.
        request_id: The service's id of the request it belongs to.
        number: The number it goes to, as the service writes it.
        sender: The number it comes from.
        type: What it was sent as.
        content_type: Advertisement or not.
        country_code: Digits.
        subject: Of an LMS or MMS.
        content: The text as it was asked for, also where delivery truncated it.
        status: How far it is.
        code: The result code once there is one; "0" is delivered.
        status_name: `"success"` or `"fail"` once it is completed.
        message: The service's words for the result; their language is not promised.
        telco: The carrier, such as `"SKT"` or `"ETC"`; there is no published list.
        requested_at: When it was asked for (KST, whole seconds).
        completed_at: When the report came (KST, whole seconds).
        file_ids: Of an MMS's pictures, where the service tells.
        key: The caller's own id of the recipient, where the library knows it.
        index: The recipient's place in the run's input, where the library knows it.
    """

    message_id: str | None = None
    request_id: str | None = None
    number: str
    sender: str | None = None
    type: MessageType | str | None = None
    content_type: ContentType | str | None = None
    country_code: str | None = None
    subject: str | None = None
    content: str | None = None
    status: DeliveryStatus | str | None = None
    code: str | None = None
    status_name: str | None = None
    message: str | None = None
    telco: str | None = None
    requested_at: datetime | None = None
    completed_at: datetime | None = None
    file_ids: tuple[str, ...] = ()
    key: str | None = None
    index: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether its result is known and will not change."""
        return self.status == DeliveryStatus.COMPLETED

    @property
    def is_delivered(self) -> bool:
        """Whether it reached the handset.

        Neither this nor `is_failed` is true before the message is completed, nor where the
        service calls it completed and does not say how.
        """
        return self.is_final and self._verdict == _SUCCESS

    @property
    def is_failed(self) -> bool:
        """Whether it finally did not reach the handset; `result` says why."""
        return self.is_final and self._verdict == _FAIL

    @property
    def result(self) -> ResultCode | None:
        """The result code explained, or None while there is none."""
        return None if self.code is None else explain(self.code)

    def is_to(self, number: str) -> bool:
        """Whether it goes to this number.

        Args:
            number: Digits, as they were given to the service. Whether it writes a number abroad
                with its country code is not documented; both are taken.
        """
        code = self.country_code
        return self.number == number or (code is not None and self.number == code + number)

    @property
    def end(self) -> DeliveryEnd | None:
        """How it ended, or None while it is not final."""
        if not self.is_final:
            return None
        if self.is_delivered:
            return DeliveryEnd.DELIVERED
        return DeliveryEnd.FAILED if self.is_failed else DeliveryEnd.COMPLETED

    @property
    def _verdict(self) -> str | None:
        if self.status_name is not None:
            return self.status_name.lower()
        if self.code is None:
            return None
        return _SUCCESS if self.code == _DELIVERED else _FAIL

    def __repr__(self) -> str:
        parts = [self.message_id or "?", mask(self.number), self.status or "?"]
        if self.code is not None:
            parts.append(self.code)
        if self.telco is not None:
            parts.append(self.telco)
        if self.subject is not None:
            parts.append(f"subject=<{len(self.subject)} characters>")
        if self.content is not None:
            parts.append(f"content=<{len(self.content)} characters>")
        return f"<Delivery {' '.join(parts)}>"


def _shown(number: str | None) -> str:
    return "None" if number is None else mask(number)


@attrs.frozen(kw_only=True)
class PendingDelivery:
    """A message that is followed and whose result is not known; see `Tracking.pending`.

    Attributes:
        request_id: The accepted request it belongs to.
        number: The number it goes to. None stands for whoever else a request may name: where
            only its id was given, that is not known before its list has settled.
        key: The caller's own id of the recipient, or None.
        index: The recipient's place in the run's input, or None.
        status: How far it was when it was last listed; None if it was not, or without a status.
    """

    request_id: str
    number: str | None = attrs.field(default=None, repr=_shown)
    key: str | None = None
    index: int | None = None
    status: DeliveryStatus | str | None = None
