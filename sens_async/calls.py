"""What a caller asked for, as it was given."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import attrs

from sens_async.core.message import Message, Rules
from sens_async.core.schedule import Reservation
from sens_async.errors import InvalidMessage
from sens_async.models import ContentType, MessageType
from sens_async.pictures import Image

__all__ = ["Call", "ContentTypeName", "TypeName", "check_timeout"]

TypeName = Literal["SMS", "LMS", "MMS"]
ContentTypeName = Literal["COMM", "AD"]


def check_timeout(timeout: float | None) -> None:
    """Refuse what is no time to wait.

    Raises:
        InvalidMessage: It is neither None nor a number of seconds above 0.
    """
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and 0 < timeout < float("inf")):
        raise InvalidMessage(f"timeout must be seconds above 0, or None, got {timeout!r}")


@attrs.frozen
class Call:
    """What `send`, `send_many` and `send_stream` have in common; see `SensSession.send`."""

    content: str | None
    subject: str | None
    type: MessageType | TypeName | None
    images: Sequence[Image] = attrs.field()
    content_type: ContentType | ContentTypeName
    country_code: str
    sender: str | None
    reserve_at: datetime | None

    @images.validator
    def _check_images(self, _: object, value: object) -> None:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise TypeError(f"images must be a list of pictures, got {type(value).__name__}")

    def compile(self, rules: Rules, sender: str | None, now: float) -> Message:
        """Check everything that does not depend on a recipient.

        Args:
            rules: How texts are treated.
            sender: Where the call names none.
            now: Seconds since the epoch.

        Raises:
            ConfigError: There is no sender, or it is no number.
            InvalidMessage: Naming what is wrong.
        """
        message = Message.compile(
            self.content,
            subject=self.subject,
            type=self.type,
            content_type=self.content_type,
            country_code=self.country_code,
            sender=self.sender if self.sender is not None else sender,
            reservation=None if self.reserve_at is None else Reservation.of(self.reserve_at),
            pictures=len(self.images),
            rules=rules,
        )
        message.check_time(now)
        return message
