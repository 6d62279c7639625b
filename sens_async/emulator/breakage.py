"""What a request that meets a fault gets to see, as a value."""

from collections.abc import Mapping

import attrs
import orjson

from sens_async.emulator.answers import (
    GATEWAY_ERRORS,
    Answer,
    gateway_error,
    json_answer,
    rendered,
    service_error,
)
from sens_async.emulator.faults import Fault, FaultKind

__all__ = ["broken_answer", "torn_bytes"]

GATEWAY_KINDS = {
    FaultKind.THROTTLE: "410",
    FaultKind.RATE: "420",
    FaultKind.QUOTA: "400",
    FaultKind.UNAUTHORIZED: "200",
    FaultKind.TOO_LARGE: "430",
}
GATEWAY_STATUSES = {
    status: code for code, (status, *_) in reversed(GATEWAY_ERRORS.items()) if code != "400"
}
"""The code a status usually comes with; 429 is taken as throttling, not as a used-up quota."""

HTML = b"<!doctype html><title>Sign in</title><p>Please sign in to use this network."
GARBAGE = b"this is not HTTP\r\n\r\n"
HALF_HEAD = b"HTTP/1.1 202 Acc"


def broken_answer(fault: Fault, success: object, *, location: str, shape: str) -> Answer:
    """The complete answer of a fault that answers with one.

    Args:
        fault: Of a kind that does not break the connection.
        success: What an accepted request is answered with: parsed JSON, None for no body.
        location: Where a redirect leads.
        shape: The body shape of the service's own errors.
    """
    answer = _answer(fault, success, location, shape)
    if fault.retry_after is not None and answer.status in {429, 503}:
        answer = attrs.evolve(answer, headers={"Retry-After": fault.retry_after})
    return answer


def _answer(fault: Fault, success: object, location: str, shape: str) -> Answer:
    if fault.kind in GATEWAY_KINDS:
        return gateway_error(GATEWAY_KINDS[fault.kind])
    match fault.kind:
        case FaultKind.TOO_MANY:
            return Answer(429)
        case FaultKind.REDIRECT:
            return Answer(307, headers={"Location": location})
        case FaultKind.HTML:
            return Answer(fault.status, _body(fault) or HTML, "text/html;charset=UTF-8")
        case FaultKind.NO_ID:
            ids = {"requestId", "fileId"}
            known = {k: v for k, v in _fields(success).items() if k not in ids}
            return json_answer(_success_status(fault), known)
        case FaultKind.FAIL_STATUS:
            return json_answer(202, {**_fields(success), "statusName": "fail"})
        case FaultKind.FORBIDDEN:
            return service_error(403, "no access to this serviceId", shape)
        case FaultKind.BAD_REQUEST:
            return service_error(400, "bad request", shape)
        case FaultKind.STATUS:
            return _status(fault, shape)
    raise ValueError(f"{fault.kind} has no complete answer")


def _status(fault: Fault, shape: str) -> Answer:
    body = _body(fault)
    if body is not None:
        return Answer(fault.status, body)
    if fault.status in GATEWAY_STATUSES:
        return gateway_error(GATEWAY_STATUSES[fault.status])
    if fault.status == 403:
        return service_error(403, "no access to this serviceId", shape)
    return Answer(fault.status)


def _body(fault: Fault) -> bytes | None:
    return fault.body.encode() if isinstance(fault.body, str) else fault.body


def _fields(success: object) -> Mapping[str, object]:
    assert isinstance(success, dict)  # these faults are for endpoints that answer with an object
    return success


def _success_status(fault: Fault) -> int:
    return {"messages": 202, "cancel": 204, "remove_unsubscribes": 204}.get(fault.endpoint, 200)


def torn_bytes(fault: Fault, success: object, now: float) -> bytes:
    """What is written before the connection is closed; empty for a plain close."""
    match fault.kind:
        case FaultKind.HALF:
            body = b"" if success is None else orjson.dumps(success)
            whole = rendered(Answer(_success_status(fault), body), now)
            return whole[: len(whole) - len(body) // 2] if body else whole[: len(whole) // 2]
        case FaultKind.HALF_HEAD:
            return HALF_HEAD
        case FaultKind.GARBAGE:
            return GARBAGE
    return b""
