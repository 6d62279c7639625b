"""What an answer says: accepted, refused for sure, or not to be known.

Only a 202 with a readable request id is an acceptance. A refusal is believed when its status
belongs to those the service answers before it does anything (429; or 400, 401, 403, 404, 413,
415, 422) *and* its body is an error of the gateway or of SENS: a 4xx without one came from
somebody in between. Everything else leaves open whether the message went out.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from sens_async.core.phone import mask
from sens_async.core.wire import SendAnswer, UploadAnswer, read
from sens_async.errors import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    SensError,
    ServiceUnavailable,
    UnreadableResponse,
)

__all__ = [
    "Response",
    "gateway_time",
    "http_date",
    "read_failure",
    "read_send",
    "read_upload",
    "refusal",
    "retry_after",
    "served_at",
    "unreadable",
]

_EXCERPT = 200
_LONGEST_NUMBER = 15
_REFUSALS = frozenset({400, 401, 403, 404, 413, 415, 422})

_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    413: BadRequest,
    415: BadRequest,
    422: BadRequest,
    429: RateLimited,
}
_BY_CODE: Mapping[tuple[int, str], type[ApiError]] = {
    (401, "210"): PermissionDenied,
    (429, "400"): QuotaExceeded,
}
"""Codes of the API gateway that mean something else than their status does (its error page)."""

_HINTS: Mapping[type[ApiError] | None, str] = {
    AuthenticationFailed: "; are the access key and the secret key right?",
    PermissionDenied: "; is service_id right, and do the keys have a right to it?",
    NotFound: "; is service_id right?",
}


class Response(NamedTuple):
    """A complete answer.

    Attributes:
        status: The HTTP status.
        body: The whole body.
        date: The `Date` header, or None.
        retry_after: The `Retry-After` header, or None.
        location: The `Location` header, or None.
    """

    status: int
    body: bytes = b""
    date: str | None = None
    retry_after: str | None = None
    location: str | None = None


class _ErrorBody(NamedTuple):
    code: str | None
    message: str


def read_send(response: Response) -> SendAnswer | SensError:
    """Read the answer to a request to send.

    Returns:
        The acceptance, or the error that says what is known; its `may_have_been_sent` is False
        only where the service provably refused.
    """
    if response.status != 202:
        return read_failure(response)
    try:
        answer = read(response.body, SendAnswer)
    except ValueError as cause:
        return unreadable(response, f"a 202 without a readable request id ({cause})")
    if answer.status_name == "fail":
        return unreadable(response, "a 202 whose statusName is 'fail'")
    return answer


def read_upload(response: Response) -> UploadAnswer | SensError:
    """Read the answer to an upload; uploading is safe to repeat whatever it says."""
    if not 200 <= response.status < 300:
        return read_failure(response)
    try:
        return read(response.body, UploadAnswer)
    except ValueError as cause:
        return unreadable(response, f"an upload answer without fileId and expireTime ({cause})")


def read_failure(response: Response) -> SensError:
    """Give the error for an answer that is not the hoped-for success."""
    status = response.status
    body = _error_body(response.body)
    code = (body.code if body is not None else None) or ""
    kind = _BY_CODE.get((status, code)) or _BY_STATUS.get(status)
    if 300 <= status < 400:
        text = f"answered with a redirect ({status}) to {_excerpt(response.location or 'nowhere')}"
        return _api_error(ApiError, f"{text}; is base_url right?", response, body)
    if status == 429 or (status in _REFUSALS and body is not None):
        text = f"refused {_describe(status, body)}{_HINTS.get(kind, '')}"
        return _api_error(kind or ApiError, text, response, body)
    if status >= 500:
        text = f"failed {_describe(status, body)}"
        return _api_error(ServiceUnavailable, text, response, body, may_have_been_sent=True)
    return unreadable(response, f"a {status} that does not come from SENS")


def refusal(response: Response, what: str) -> ApiError:
    """Give the error that a 4xx means, also where it came without a body that proves its origin.

    Args:
        response: The answer.
        what: Begins the error's text, for example "there is no such message".
    """
    body = _error_body(response.body)
    kind = _BY_STATUS.get(response.status, ApiError)
    return _api_error(kind, f"{what}: refused {_describe(response.status, body)}", response, body)


def gateway_time(response: Response) -> float | None:
    """Give the gateway's clock (seconds since the epoch) where it refused a signature.

    Only a 401 with the gateway's own body counts: any machine in between has a clock too.
    """
    if response.status != 401 or not _is_gateway(_json(response.body)):
        return None
    return http_date(response.date)


def served_at(response: Response) -> float | None:
    """Give the `Date` of an answer in seconds since the epoch, or None."""
    return http_date(response.date)


def retry_after(response: Response, now: float) -> float | None:
    """Give the seconds that an answer asks to wait, or None.

    Args:
        response: Its `Retry-After` is a number of seconds or an HTTP date, which is taken
            relative to its own `Date` where there is one.
        now: Seconds since the epoch.
    """
    text = response.retry_after
    if text is None:
        return None
    try:
        return max(0.0, float(int(text.strip()[:_LONGEST_NUMBER])))
    except ValueError:
        until = http_date(text)
    if until is None:
        return None
    asked_at = http_date(response.date)
    return max(0.0, until - (now if asked_at is None else asked_at))


def _api_error(
    kind: type[ApiError],
    text: str,
    response: Response,
    body: _ErrorBody | None,
    *,
    may_have_been_sent: bool = False,
) -> ApiError:
    return kind(
        text,
        status=response.status,
        code=None if body is None else body.code,
        body_excerpt=_excerpt(response.body),
        may_have_been_sent=may_have_been_sent,
    )


def unreadable(response: Response, what: str) -> UnreadableResponse:
    """Give the error for an answer that cannot be what it should be, or came from elsewhere."""
    return UnreadableResponse(
        f"the answer was {what}",
        status=response.status,
        body_excerpt=_excerpt(response.body),
        may_have_been_sent=True,
    )


def _describe(status: int, body: _ErrorBody | None) -> str:
    code = f", code {body.code}" if body and body.code else ""
    said = f": {_excerpt(body.message)}" if body and body.message else ""
    return f"with {status}{code}{said}"


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _is_gateway(parsed: Any) -> bool:
    return isinstance(parsed, dict) and isinstance(parsed.get("error"), dict)


def _error_body(body: bytes) -> _ErrorBody | None:
    """Read an error body: the gateway's, or either shape of SENS; None for anything else."""
    parsed = _json(body)
    if not isinstance(parsed, dict):
        return None
    if _is_gateway(parsed):
        inner = parsed["error"]
        if "errorCode" not in inner and "message" not in inner:
            return None
        return _ErrorBody(_as_text(inner.get("errorCode")), _as_text(inner.get("message")) or "")
    for name in ("errorMessage", "message", "errors", "error"):
        if parsed.get(name):
            return _ErrorBody(None, _as_text(parsed[name]) or "")
    return None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # nested deeper than it writes
        return None


def http_date(text: str | None) -> float | None:
    """Read a `Date` header (seconds since the epoch); None if it is none."""
    try:
        time = None if text is None else parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if time is None:
        return None
    # "-0000" is universal time of an unknown place; the parser then names no zone.
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _excerpt(body: bytes | str) -> str:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    text = "".join(char if char.isprintable() else " " for char in text[: 4 * _EXCERPT])
    return re.sub(r"\+?\(?\d[\d\-. ()]{7,}\d", lambda match: mask(match[0]), text)[:_EXCERPT]
