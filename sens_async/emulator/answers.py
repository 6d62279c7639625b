"""Answers as the service and the gateway before it write them.

Sources: SENS API, "Overview" (bodies and statuses of the service); API Gateway, "Error handling"
(its own codes). Where the zones disagree, `EmulatorOptions.error_shape` chooses.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate
from http import HTTPStatus

import attrs
import orjson

__all__ = [
    "KST",
    "Answer",
    "Refused",
    "gateway_error",
    "json_answer",
    "korean_second",
    "korean_time",
    "rendered",
    "service_error",
]

KST = timezone(timedelta(hours=9), "KST")

GATEWAY_ERRORS = {
    "100": (400, "Bad Request Exception", "The request cannot be read."),
    "200": (401, "Authentication Failed", "Invalid authentication information."),
    "210": (401, "Permission Denied", "No permission for this call."),
    "300": (404, "Not Found Exception", "URL not found."),
    "400": (429, "Quota Exceeded", "The quota is used up."),
    "410": (429, "Throttle Limited", "Too many requests at once."),
    "420": (429, "Rate Limited", "Too many requests in a second."),
    "430": (413, "Request Entity Too Large", "The request body is too large."),
    "500": (503, "Endpoint Error", "The endpoint could not be reached."),
    "510": (504, "Endpoint Timeout", "The endpoint did not answer in time."),
    "900": (500, "Unexpected Error", "An unexpected error occurred."),
}
"""Code to status, message and the emulator's `details`, which vary on the gateway."""


@attrs.frozen
class Answer:
    """A complete HTTP answer.

    Attributes:
        status: The HTTP status.
        body: Its bytes; empty where the service answers with none.
        content_type: The header's whole value.
        headers: Further headers.
    """

    status: int
    body: bytes = b""
    content_type: str = "application/json;charset=UTF-8"
    headers: Mapping[str, str] = attrs.field(factory=dict)


class Refused(Exception):
    """The request is not taken.

    Attributes:
        status: The HTTP status.
        code: The gateway's error code, or None if the service refuses.
        reason: What is wrong, for the body.
    """

    def __init__(self, reason: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason

    def answer(self, shape: str) -> Answer:
        """The refusal as the gateway, or the service in the given body shape, writes it."""
        if self.code is not None:
            return gateway_error(self.code, self.reason)
        return service_error(self.status, self.reason, shape)


def json_answer(status: int, value: object) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, orjson.dumps(value))


def gateway_error(code: str, details: str = "") -> Answer:
    """An answer of the API gateway, which never let the request through to the service."""
    status, message, usual = GATEWAY_ERRORS[code]
    error = {"errorCode": code, "message": message, "details": details or usual}
    return json_answer(status, {"error": error})


def service_error(status: int, reason: str, shape: str = "errors") -> Answer:
    """A refusal of the service itself."""
    name = HTTPStatus(status).phrase
    if shape == "error":
        return json_answer(status, {"status": status, "error": name, "message": reason})
    return json_answer(status, {"status": status, "errors": name, "errorMessage": reason})


def korean_time(at: float) -> str:
    """The time as send and upload write it: Korean, in milliseconds, without an offset."""
    moment = datetime.fromtimestamp(at, UTC).astimezone(KST).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")


def korean_second(at: float) -> str:
    """The time as lists write it: Korean, cut to the second, with a space, without an offset."""
    return korean_time(at)[:19].replace("T", " ")


def rendered(answer: Answer, now: float) -> bytes:
    """The answer as bytes on the wire, dated by the given clock."""
    head = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        "Date": formatdate(now, usegmt=True),
        **answer.headers,
    }
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
