"""The service's lists and reservations, read into values.

Apart from what sending reads: a program that only sends does not wait for it.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import cache, partial
from operator import eq
from typing import Any, TypeVar, get_args

import attrs
import orjson
from cattrs import Converter

from sens_async.core import wire
from sens_async.core.wire import MISFITS, misfit, optional_text, register
from sens_async.deliveries import Delivery, DeliveryStatus
from sens_async.models import ContentType, MessageType, Unsubscribe

__all__ = ["Page", "ReservationAnswer", "read", "read_all"]

T = TypeVar("T")


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


def _word(value: Any, kind: Any) -> StrEnum | str | None:
    """Read a word of the service: known in any case, or kept as it came."""
    text = optional_text(value, kind)
    if not text:
        return None
    known: type[StrEnum] = get_args(kind)[0]
    return known.__members__.get(text.upper(), text)


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
    converter = wire.converter().copy()
    lenient: dict[Any, Callable[[Any, Any], object]] = {
        int | None: _lenient_number,
        bool | None: _yes_or_no,
        tuple[str, ...]: _file_ids,
        tuple[Delivery, ...]: lambda value, _: _rows(value, Delivery),
        MessageType | str | None: _word,
        ContentType | str | None: _word,
        DeliveryStatus | str | None: _word,
    }
    for kind, hook in lenient.items():
        converter.register_structure_hook_func(partial(eq, kind), hook)
    for answer in (Delivery, Page, ReservationAnswer, Unsubscribe):
        register(converter, answer, names=_WIRE_NAMES.get(answer, {}), omitted=_OURS)
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
    try:
        parsed = orjson.loads(body)
        if kind is Page and not (isinstance(parsed, dict) and _ENVELOPE & parsed.keys()):
            raise TypeError("no envelope of a list")
        return _converter().structure(parsed, kind)
    except MISFITS as cause:
        raise misfit(kind, cause) from cause


def read_all(body: bytes, kind: type[T]) -> tuple[T, ...]:
    """Read a JSON body that is a bare array.

    Raises:
        ValueError: It is not JSON, or not an array of that shape.
    """
    try:
        parsed = orjson.loads(body)
        if parsed is None:
            raise TypeError("null instead of a list")
        return _rows(parsed, kind)
    except MISFITS as cause:
        raise misfit(kind, cause) from cause
