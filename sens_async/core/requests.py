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

from sens_async.errors import ConfigError

__all__ = [
    "BEFORE_TEXT",
    "MESSAGES_PER_REQUEST",
    "NEXT_RECIPIENT",
    "Request",
    "Service",
    "addressed",
    "entered",
    "send_body",
    "send_head",
    "upload_body",
    "worded",
]

MESSAGES_PER_REQUEST = 100
"""Recipients one request may name (SENS API: Send messages, `messages`)."""

BEFORE_TEXT = '","content":"'
"""Between the digits of a recipient and a text of its own."""

NEXT_RECIPIENT = '"},{"to":"'
"""Between a recipient and the next."""

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
    """

    __slots__ = ("files", "messages", "service_id")

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
    return f'[{{"to":"{NEXT_RECIPIENT.join(numbers)}"}}]'.encode("ascii")


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
    envelope: Mapping[str, object], text: str, entries: str, subject: str | None
) -> tuple[bytes, bytes]:
    """Encode a request of entries; see `sens_async.core.entries.joined`.

    Args:
        envelope: See `send_head`.
        text: The default text as JSON, without its quotes.
        entries: All of them.
        subject: See `send_head`.

    Returns:
        Head and messages, for `send_body`.
    """
    head = orjson.dumps(envelope if subject is None else {**envelope, "subject": subject})
    messages = f'[{{"to":"{entries}"}}]'.encode()
    return b'%b,"content":"%b"' % (head[:-1], text.encode()), messages


def upload_body(name: str, data: bytes) -> bytes:
    """Encode a request to upload a picture (SENS API: Upload attachment, request body).

    Args:
        name: At most 40 characters, ending in `.jpg` or `.jpeg`.
        data: The bytes of the JPEG.
    """
    return orjson.dumps({"fileName": name, "fileBody": b64encode(data).decode("ascii")})
