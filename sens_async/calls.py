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

__all__ = [
    "Call",
    "ContentTypeName",
    "StatusName",
    "StatusWord",
    "TypeName",
    "check_skipping",
    "check_timeout",
]

TypeName = Literal["SMS", "LMS", "MMS"]
ContentTypeName = Literal["COMM", "AD"]
StatusWord = Literal["READY", "PROCESSING", "COMPLETED"]
StatusName = Literal["success", "fail"]


def check_timeout(timeout: float | None, *, allows_zero: bool = False) -> None:
    """Refuse what is no time to wait.

    Args:
        timeout: Seconds, or None for no limit.
        allows_zero: Whether 0 means something.

    Raises:
        InvalidMessage: It is neither None nor such a number.
    """
    if timeout is None or (allows_zero and timeout == 0):
        return
    if type(timeout) not in {int, float} or not 0 < timeout < float("inf"):
        raise InvalidMessage(f"timeout must be seconds above 0, or None, got {timeout!r}")


def _pictures(images: Sequence[Image]) -> tuple[Image, ...]:
    """Keep what the list holds now: a caller may go on to use it."""
    given: object = images
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise TypeError(f"images must be a list of pictures, got {type(given).__name__}")
    return tuple(given)


@attrs.frozen(eq=False, repr=False)
class Call:
    """What `send`, `send_many` and `send_stream` have in common; see `SensSession.send`."""

    content: str | None
    subject: str | None
    type: MessageType | TypeName | None
    images: tuple[Image, ...] = attrs.field(converter=_pictures)
    content_type: ContentType | ContentTypeName
    country_code: str
    sender: str | None
    reserve_at: datetime | None

    def compile(self, rules: Rules, sender: str | None, now: float | None) -> Message:
        """Check everything that does not depend on a recipient.

        Args:
            rules: How texts are treated.
            sender: Where the call names none.
            now: Seconds since the epoch; None for not looking whether this is the time to send it.

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
        if now is not None:
            message.check_time(now)
        return message


def check_skipping(call: Call, skip_unsubscribed: bool) -> None:
    """Refuse to leave out who has opted out of something else: opting out is of advertisements.

    Raises:
        InvalidMessage: It is asked for, and the call is no advertisement.
    """
    if not isinstance(skip_unsubscribed, bool):
        raise InvalidMessage(f"skip_unsubscribed must be True or False, got {skip_unsubscribed!r}")
    if skip_unsubscribed and str(call.content_type).upper() != ContentType.AD:
        raise InvalidMessage(
            "skip_unsubscribed is for advertisements: numbers opt out of those only; "
            f'give content_type="AD" (it is {str(call.content_type)!r})'
        )
