"""The service's JSON, read into values by one configured cattrs converter.

Names are camelCase on the wire and snake_case here; that is written once. Values of the wrong
type are refused, not coerced: a `requestId` of null must not become the id "None".
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from operator import eq
from typing import Any, TypeVar

import attrs
import orjson
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from sens_async.core.schedule import parse_time

__all__ = [
    "MISFITS",
    "SendAnswer",
    "UploadAnswer",
    "converter",
    "misfit",
    "optional_text",
    "read",
    "register",
]

T = TypeVar("T")

MISFITS = (KeyError, TypeError, AttributeError, RecursionError)
"""What structuring raises where a body has not the wanted shape."""
NO_NAMES: Mapping[str, str] = {}


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


def optional_text(value: Any, _: object) -> str | None:
    """Read text that may be missing, or a number where text is documented."""
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
def converter() -> Converter:
    """Make the converter when the first answer comes: it costs a tenth of importing the library."""
    made = Converter(detailed_validation=False)
    made.register_structure_hook(str, _text)
    made.register_structure_hook(datetime, _time)
    lenient: dict[Any, Callable[[Any, Any], object]] = {
        str | None: optional_text,
        datetime | None: _lenient_time,
    }
    for kind, hook in lenient.items():
        made.register_structure_hook_func(partial(eq, kind), hook)
    for answer in (SendAnswer, UploadAnswer):
        register(made, answer)
    return made


def register(
    made: Converter, kind: type, *, names: Mapping[str, str] = NO_NAMES, omitted: Sequence[str] = ()
) -> None:
    """Have a converter read one more kind of value.

    Args:
        made: From `converter`.
        kind: An attrs class.
        names: Names on the wire of those fields whose name is not ours in camelCase.
        omitted: Fields that the service knows nothing of.
    """
    fields = {
        field.name: override(
            rename=names.get(field.name, _camel(field.name)), omit=field.name in omitted
        )
        for field in attrs.fields(kind)
    }
    made.register_structure_hook(kind, make_dict_structure_fn(kind, made, **fields))  # type: ignore[arg-type]


def read(body: bytes, kind: type[T]) -> T:
    """Read a JSON body into a value.

    Raises:
        ValueError: It is not JSON, or not of that shape.
    """
    try:
        return converter().structure(orjson.loads(body), kind)
    except MISFITS as cause:
        raise misfit(kind, cause) from cause


def misfit(kind: type, cause: BaseException) -> ValueError:
    """Give the error for what does not fit."""
    why = "nested too deep" if isinstance(cause, RecursionError) else repr(cause)
    return ValueError(f"not a {kind.__name__}: {why}")
