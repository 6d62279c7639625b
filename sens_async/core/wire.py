"""The service's JSON, read into values by one configured cattrs converter.

Names are camelCase on the wire and snake_case here; that is written once. Values of the wrong
type are refused, not coerced: a `requestId` of null must not become the id "None".
"""

from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import attrs
import orjson
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from sens_async.core.schedule import parse_time

__all__ = ["SendAnswer", "UploadAnswer", "read"]

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


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _text(value: Any, _: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _optional_text(value: Any, _: object) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _time(value: Any, _: object) -> datetime:
    return parse_time(value)


def _lenient_time(value: Any, _: object) -> datetime | None:
    """Read a time that is only informative: an odd one must not make an acceptance unreadable."""
    try:
        return parse_time(value)
    except (TypeError, ValueError):
        return None


@cache
def _converter() -> Converter:
    """Make the converter when the first answer comes: it costs a tenth of importing the library."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(datetime, _time)
    converter.register_structure_hook_func(lambda kind: kind == str | None, _optional_text)
    converter.register_structure_hook_func(lambda kind: kind == datetime | None, _lenient_time)
    for kind in (SendAnswer, UploadAnswer):
        renames = {field.name: override(rename=_camel(field.name)) for field in attrs.fields(kind)}
        converter.register_structure_hook(
            kind,
            make_dict_structure_fn(kind, converter, **renames),  # type: ignore[arg-type]
        )
    return converter


def read(body: bytes, kind: type[T]) -> T:
    """Read a JSON body into a value.

    Raises:
        ValueError: It is not JSON, or not of that shape.
    """
    try:
        return _converter().structure(orjson.loads(body), kind)
    except (KeyError, TypeError, AttributeError, RecursionError) as cause:
        why = "nested too deep" if isinstance(cause, RecursionError) else repr(cause)
        raise ValueError(f"not a {kind.__name__}: {why}") from cause
