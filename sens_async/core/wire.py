"""The service's JSON, read into values by one configured cattrs converter.

Names are camelCase on the wire and snake_case here; that is written once. Values of the wrong
type are refused, not coerced: a `requestId` of null must not become the id "None".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from functools import cache, partial
from operator import eq
from typing import Any, TypeVar, get_args

import attrs
import orjson
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from sens_async.core.schedule import parse_time
from sens_async.deliveries import Delivery, DeliveryStatus
from sens_async.models import ContentType, MessageType, Unsubscribe

__all__ = ["Page", "ReservationAnswer", "SendAnswer", "UploadAnswer", "read", "read_all"]

T = TypeVar("T")


@attrs.define
class SendAnswer:
    """Answer to a request to send (SENS API: Send messages, response body)."""

    request_id: str
    request_time: datetime | None = None
    status_code: str | None = None
    status_name: str | None = None


@attrs.frozen
class UploadAnswer:
    """Answer to an upload (SENS API: Upload attachment, response body)."""

    file_id: str
    expire_time: datetime


@attrs.frozen
class Page:
    """Answer to a request for a list (SENS API: List messages, response body).

    Attributes:
        messages: The rows; there may be none, also while a request is reserved.
        status_code: Of the query, or of the request that was asked for; not of a delivery.
        status_name: `"success"`, `"reserved"` or `"fail"`, of the same.
        page_index: Number of this page, where the service counts.
        has_more: Whether another page exists; None if the service does not say.
        next_token: What to ask for it with, or None.
    """

    messages: tuple[Delivery, ...] = ()
    status_code: str | None = None
    status_name: str | None = None
    page_index: int | None = None
    has_more: bool | None = None
    next_token: str | None = None


@attrs.frozen
class ReservationAnswer:
    """Answer to the question for a reservation (SENS API: Get reservation status)."""

    reserve_status: str
    reserve_id: str | None = None
    reserve_time: str | None = None
    reserve_time_zone: str | None = None


_WIRE_NAMES: dict[type, dict[str, str]] = {
    Delivery: {
        "number": "to",
        "sender": "from",
        "code": "statusCode",
        "message": "statusMessage",
        "telco": "telcoCode",
        "requested_at": "requestTime",
        "completed_at": "completeTime",
        "file_ids": "files",
    },
    Unsubscribe: {
        "number": "clientTelNo",
        "registered_at": "registerTime",
        "how": "registerType",
    },
}
"""Where our name is not the service's."""
_OURS = ("key", "index")
"""Fields of values that the service knows nothing of."""
_ENVELOPE = {"messages", "statusCode", "statusName"}
"""What makes an object the answer to a list; without any of it, anybody may have written it."""


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _text(value: Any, _: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _optional_text(value: Any, _: object) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _word(value: Any, kind: Any) -> StrEnum | str | None:
    """Read a word of the service: known in any case, or kept as it came."""
    text = _optional_text(value, kind)
    if not text:
        return None
    known: type[StrEnum] = get_args(kind)[0]
    return known.__members__.get(text.upper(), text)


def _time(value: Any, _: object) -> datetime:
    return parse_time(value)


def _lenient_time(value: Any, _: object) -> datetime | None:
    """Read a time that is only informative: an odd one must not make an acceptance unreadable."""
    try:
        return parse_time(value)
    except (TypeError, ValueError):
        return None


def _lenient_number(value: Any, _: object) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _yes_or_no(value: Any, _: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _file_ids(value: Any, _: object) -> tuple[str, ...]:
    """Read the ids of `[{"fileId": …, "name": …}]`; a file without one is passed over."""
    files = value if isinstance(value, list) else []
    ids = [file.get("fileId") for file in files if isinstance(file, dict)]
    return tuple(text for text in ids if isinstance(text, str))


@cache
def _converter() -> Converter:
    """Make the converter when the first answer comes: it costs a tenth of importing the library."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(datetime, _time)
    lenient: dict[Any, Callable[[Any, Any], object]] = {
        str | None: _optional_text,
        int | None: _lenient_number,
        bool | None: _yes_or_no,
        datetime | None: _lenient_time,
        tuple[str, ...]: _file_ids,
        tuple[Delivery, ...]: lambda value, _: _rows(value, Delivery),
        MessageType | str | None: _word,
        ContentType | str | None: _word,
        DeliveryStatus | str | None: _word,
    }
    for kind, hook in lenient.items():
        converter.register_structure_hook_func(partial(eq, kind), hook)
    for kind in (SendAnswer, UploadAnswer, Page, Delivery, ReservationAnswer, Unsubscribe):
        names = _WIRE_NAMES.get(kind, {})
        fields = {
            field.name: override(
                rename=names.get(field.name, _camel(field.name)), omit=field.name in _OURS
            )
            for field in attrs.fields(kind)
        }
        converter.register_structure_hook(
            kind,
            make_dict_structure_fn(kind, converter, **fields),  # type: ignore[arg-type]
        )
    return converter


def _rows(value: Any, kind: type[T]) -> tuple[T, ...]:
    """Read a list of objects; a missing one is empty."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    structure = _converter().get_structure_hook(kind)
    return tuple(structure(row, kind) for row in value)


def read(body: bytes, kind: type[T]) -> T:
    """Read a JSON body into a value.

    Raises:
        ValueError: It is not JSON, or not of that shape.
    """
    with _as_value_error(kind):
        parsed = orjson.loads(body)
        if kind is Page and not (isinstance(parsed, dict) and _ENVELOPE & parsed.keys()):
            raise TypeError("no envelope of a list")
        return _converter().structure(parsed, kind)


def read_all(body: bytes, kind: type[T]) -> tuple[T, ...]:
    """Read a JSON body that is a bare array.

    Raises:
        ValueError: It is not JSON, or not an array of that shape.
    """
    with _as_value_error(kind):
        parsed = orjson.loads(body)
        if parsed is None:
            raise TypeError("null instead of a list")
        return _rows(parsed, kind)


@contextmanager
def _as_value_error(kind: type) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError, RecursionError) as cause:
        why = "nested too deep" if isinstance(cause, RecursionError) else repr(cause)
        raise ValueError(f"not a {kind.__name__}: {why}") from cause
