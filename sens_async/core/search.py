"""From what a caller looks for to the list calls that find it."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import TypedDict, TypeVar

from sens_async.core.listing import Listing
from sens_async.core.message import KOREA
from sens_async.core.phone import normalize, normalize_sender
from sens_async.core.requests import checked_id
from sens_async.core.schedule import from_epoch
from sens_async.core.windows import BY_COMPLETION, BY_REQUEST, as_window, windows
from sens_async.deliveries import DeliveryStatus
from sens_async.errors import InvalidQuery
from sens_async.models import ContentType, MessageType

__all__ = ["search"]

E = TypeVar("E", bound=StrEnum)


class _Filters(TypedDict):
    message_id: str | None
    type: MessageType | None
    content_type: ContentType | None
    country_code: str | None
    status: DeliveryStatus | None
    status_name: str | None
    sender: str | None
    to: str | None


def search(  # noqa: D417 - the rest is explained once, at `SensSession.messages`
    now: float,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    completed_since: datetime | None = None,
    completed_until: datetime | None = None,
    request_id: str | None = None,
    message_id: str | None = None,
    type: MessageType | str | None = None,  # noqa: A002 - the service's word
    content_type: ContentType | str | None = None,
    country_code: str | None = None,
    status: DeliveryStatus | str | None = None,
    status_name: str | None = None,
    sender: str | None = None,
    to: str | None = None,
) -> Iterator[Listing]:
    """Check what is looked for, and give the list calls for it, earliest window first.

    Args:
        now: Seconds since the epoch; where a window without an end ends.

    Raises:
        InvalidQuery: Naming what is wrong.
        InvalidRecipient: `to` is no phone number.
        ConfigError: `sender` is no phone number.
    """
    by_request = since is not None or until is not None
    by_completion = completed_since is not None or completed_until is not None
    if by_request + by_completion + (request_id is not None) != 1:
        raise InvalidQuery(
            "give one of since, completed_since and request_id (a message by its id alone is "
            "found by message())"
        )
    if status_name not in (None, "success", "fail"):
        raise InvalidQuery(f"status_name must be 'success' or 'fail', got {status_name!r}")
    filters = _Filters(
        message_id=None if message_id is None else checked_id(message_id, "message_id"),
        type=_member(MessageType, type, "type"),
        content_type=_member(ContentType, content_type, "content_type"),
        country_code=None if country_code is None else _country(country_code),
        status=_member(DeliveryStatus, status, "status"),
        status_name=status_name,
        sender=None if sender is None else normalize_sender(sender),
        to=None if to is None else normalize(to, country_code or KOREA),
    )
    if request_id is not None:
        return iter([Listing(request_id=checked_id(request_id, "request_id"), **filters)])
    if by_request:
        start, end, names = since, until, ("since", "until")
    else:
        start, end, names = completed_since, completed_until, ("completed_since", "completed_until")
    if start is None:
        raise InvalidQuery(f"{names[1]} wants {names[0]}, too")
    whole = as_window(start, from_epoch(now) if end is None else end, names=names)
    if by_request:
        return (Listing(requested=part, **filters) for part in windows(whole, BY_REQUEST))
    return (Listing(completed=part, **filters) for part in windows(whole, BY_COMPLETION))


def _country(code: object) -> str:
    if not isinstance(code, str) or not (code.isascii() and code.isdigit()):
        raise InvalidQuery(f"country_code must be digits, such as {KOREA!r}, got {code!r}")
    return code


def _member(kind: type[E], value: object, name: str) -> E | None:
    if value is None:
        return None
    known = kind.__members__.get(value.upper()) if isinstance(value, str) else None
    if known is None:
        allowed = ", ".join(repr(str(member)) for member in kind)
        raise InvalidQuery(f"{name} must be one of {allowed}, got {value!r}")
    return known
