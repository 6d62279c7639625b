"""One function per operation: values in, a `Request` out.

A request's target is built once and is the very string that is signed and sent; it is plain
visible ASCII, whatever the service id holds.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

import orjson

from sens_async.errors import ConfigError, InvalidQuery

__all__ = [
    "BEFORE_TEXT",
    "MESSAGES_PER_REQUEST",
    "OPT_OUTS_PER_PAGE",
    "OPT_OUTS_PER_REQUEST",
    "Request",
    "Service",
    "addressed",
    "checked_id",
    "entered",
    "of_message",
    "of_reservation",
    "opt_outs",
    "opted_out",
    "send_body",
    "send_head",
    "upload_body",
    "worded",
]

MESSAGES_PER_REQUEST = 100
"""Recipients one request may name (SENS API: Send messages, `messages`)."""

OPT_OUTS_PER_PAGE = 100
"""The most numbers a page of the opt-out list may have (SENS API: List unsubscribes)."""

OPT_OUTS_PER_REQUEST = 1000
"""The most numbers one request may add or remove (SENS API: Create, Delete unsubscribes)."""

BEFORE_TEXT = '","content":"'
"""Between the digits of a recipient and a text of its own."""

_NEXT = '"},{"to":"'
_ENCODED_COLON = re.compile("%3a", re.IGNORECASE)


class Request(NamedTuple):
    """One HTTP exchange that is to be made.

    Attributes:
        method: In upper case.
        target: Path and query, as signed and as sent.
        body: JSON in UTF-8, or empty.
    """

    method: str
    target: str
    body: bytes = b""


class Service:
    """The request targets of one SMS service.

    Attributes:
        service_id: As the caller gave it.
        messages: Target of sending and listing.
        files: Target of uploading.
        reservations: What the targets of single reservations begin with.
        unsubscribes: Target of reading and changing the opt-out list.
    """

    __slots__ = ("files", "messages", "reservations", "service_id", "unsubscribes")

    def __init__(self, service_id: str) -> None:
        """Check and encode a service id.

        Args:
            service_id: The console's `ncp:sms:kr:…` name. Colons stay as they are (the service
                takes `:` and `%3A` alike, so an id given with `%3A` keeps those); anything that
                is not a letter, digit, `-`, `.`, `_`, `~` or colon is percent-encoded.

        Raises:
            ConfigError: It is empty, or would lead the path elsewhere.
        """
        if type(service_id) is not str or not service_id.strip():
            raise ConfigError("service_id is empty; it looks like 'ncp:sms:kr:123456789012:name'")
        forbidden = re.search(r"[/\\?#\x00-\x1f\x7f]|\s|%(?!3[Aa])", service_id)
        if forbidden or set(service_id) == {"."}:
            what = repr(forbidden[0]) if forbidden else repr(service_id)
            raise ConfigError(
                f"service_id holds {what}, which would change the request's path; "
                "it looks like 'ncp:sms:kr:123456789012:name'"
            )
        try:
            service_id.encode()
        except UnicodeEncodeError:
            raise ConfigError("service_id holds half a character (a lone surrogate)") from None
        parts = _ENCODED_COLON.split(service_id)
        colons = [*_ENCODED_COLON.findall(service_id), ""]
        encoded = "".join(
            quote(part, safe=":") + colon for part, colon in zip(parts, colons, strict=True)
        )
        self.service_id = service_id
        self.messages = f"/sms/v2/services/{encoded}/messages"
        self.files = f"/sms/v2/services/{encoded}/files"
        self.reservations = f"/sms/v2/services/{encoded}/reservations"
        self.unsubscribes = f"/sms/v2/services/{encoded}/unsubscribes"


def send_head(envelope: Mapping[str, object], content: str, subject: str | None) -> bytes:
    """Encode what all recipients of a request share (SENS API: Send messages, request body).

    Args:
        envelope: `type`, `contentType`, `countryCode`, `from` and, when reserved, `reserveTime`
            and `reserveTimeZone`, under their wire names.
        content: The default text; required by the service even if no recipient uses it.
        subject: The default subject, or None to leave it out.
    """
    body = {**envelope, "content": content}
    if subject is not None:
        body["subject"] = subject
    return orjson.dumps(body)[:-1]


def send_body(head: bytes, messages: bytes, file_ids: Sequence[str] = ()) -> bytes:
    """Put a request to send together.

    Args:
        head: From `send_head` or `entered`.
        messages: A JSON array, from `addressed`, `worded` or `entered`.
        file_ids: Uploaded pictures, in the order in which they are to be shown.
    """
    files = b""
    if file_ids:
        files = b',"files":' + orjson.dumps([{"fileId": file_id} for file_id in file_ids])
    return b"".join((head, b',"messages":', messages, files, b"}"))


def addressed(numbers: Sequence[str]) -> bytes:
    """Encode recipients who all get the default text; digits need no escaping."""
    return f'[{{"to":"{_NEXT.join(numbers)}"}}]'.encode("ascii")


def worded(numbers: Sequence[str], own: Mapping[str, tuple[Sequence[str], str]]) -> bytes:
    """Encode recipients with words of their own.

    Args:
        numbers: Digits.
        own: `content` or `subject`, each with one text for each recipient and the request's
            default, which is not repeated.
    """
    rows = [{"to": number} for number in numbers]
    for field, (texts, default) in own.items():
        for row, text in zip(rows, texts, strict=True):
            if text != default:
                row[field] = text
    return orjson.dumps(rows)


def entered(
    envelope: Mapping[str, object], entries: Sequence[str], subject: str | None
) -> tuple[bytes, bytes]:
    """Encode a request of entries; see `sens_async.core.entries`.

    Args:
        envelope: See `send_head`.
        entries: One for each recipient. The first one's text is the request's default.
        subject: See `send_head`.

    Returns:
        Head and messages, for `send_body`.
    """
    first, text = entries[0].split(BEFORE_TEXT, 1)
    head = orjson.dumps(envelope if subject is None else {**envelope, "subject": subject})
    messages = _NEXT.join([first, *entries[1:]]).encode()
    return b'%b,"content":"%b"' % (head[:-1], text.encode()), b'[{"to":"%b"}]' % messages


def upload_body(name: str, data: bytes) -> bytes:
    """Encode a request to upload a picture (SENS API: Upload attachment, request body).

    Args:
        name: At most 40 characters, ending in `.jpg` or `.jpeg`.
        data: The bytes of the JPEG.
    """
    return orjson.dumps({"fileName": name, "fileBody": b64encode(data).decode("ascii")})


def checked_id(text: object, name: str) -> str:
    """Give an id of the service, which is opaque, if it can be one.

    Raises:
        InvalidQuery: It is no str or empty, or cannot be written in a request.
    """
    if not isinstance(text, str) or not text.strip():
        what = "empty" if isinstance(text, str) else f"no str but {type(text).__name__}"
        raise InvalidQuery(f"{name} is {what}; give it as the service did")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidQuery(f"{name} holds half a character (a lone surrogate)") from None
    return text


def of_message(service: Service, message_id: str) -> Request:
    """Ask for one message (SENS API: Get message)."""
    return Request("GET", f"{service.messages}/{_segment(message_id, 'message_id')}")


def of_reservation(service: Service, reserve_id: str, *, cancels: bool = False) -> Request:
    """Ask for the state of a reservation, or to cancel it (SENS API: reservations)."""
    target = f"{service.reservations}/{_segment(reserve_id, 'reserve_id')}"
    return Request("DELETE", target) if cancels else Request("GET", f"{target}/reserve-status")


def opt_outs(
    service: Service, *, number: str | None, since: int | None, until: int | None, page: int
) -> Request:
    """Ask for a page of the opt-out list (SENS API: List unsubscribes).

    Args:
        service: Whose.
        number: Digits, or None for all.
        since: Milliseconds since the epoch, by registration, or None.
        until: The same.
        page: From 0.
    """
    fields = {
        "clientTelNo": number,
        "startTime": since,
        "endTime": until,
        "pageIndex": page,
        "pageSize": OPT_OUTS_PER_PAGE,
    }
    pairs = [f"{name}={value}" for name, value in fields.items() if value is not None]
    return Request("GET", f"{service.unsubscribes}?{'&'.join(pairs)}")


def opted_out(service: Service, method: str, numbers: Sequence[str]) -> Request:
    """Ask to add (`POST`) or remove (`DELETE`) numbers: a bare array, also in a DELETE."""
    body = orjson.dumps([{"clientTelNo": number} for number in numbers])
    return Request(method, service.unsubscribes, body)


def _segment(text: str, name: str) -> str:
    """Write an id as one segment of a path, whatever it holds."""
    if checked_id(text, name).strip(".") == "":
        raise InvalidQuery(f"{name} is {text!r}, which would lead the path elsewhere")
    return quote(text, safe="")
