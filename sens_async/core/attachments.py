"""Rules for pictures: what the service takes, under which name, and for how long.

Source: SENS API, "Upload attachment".
"""

import base64
import binascii
import hashlib
import re
from datetime import datetime, timedelta

from sens_async.core.jpeg import jpeg_info, without_app1
from sens_async.errors import InvalidAttachment
from sens_async.models import UploadedFile

__all__ = [
    "EXPIRY_MARGIN",
    "MAX_BYTES",
    "MAX_HEIGHT",
    "MAX_NAME",
    "MAX_PIXELS",
    "MAX_SALT",
    "MAX_SOURCE_BYTES",
    "MAX_WIDTH",
    "as_it_is",
    "decode_data_url",
    "digest",
    "is_fresh",
    "salt_at",
    "upload_name",
    "why_not",
]

MAX_BYTES = 300_000
"""Of a JPEG before Base64. The page says 300 kbyte; 1,000 or 1,024, before or after Base64, is
unconfirmed, and clients read it as the JPEG's own size: this is the smaller of their readings."""

MAX_WIDTH, MAX_HEIGHT = 1500, 1440
"""In pixels. The page says 1500 x 1440; that the first is the width is our reading, unconfirmed,
and so is whether 1440 x 1500 would be taken."""

MAX_NAME = 40
"""Characters of `fileName`. That `.jpg` counts is assumed, being the smaller reading."""

MAX_SOURCE_BYTES = 25_000_000
"""Of a picture that is to be converted. Ours: larger than what cameras and editors write."""

MAX_PIXELS = 25_000_000
"""Of a picture that is to be converted. Ours: decoded it takes some 100 MB, and a small file can
claim far more (a decompression bomb)."""

EXPIRY_MARGIN = 3600.0
"""Seconds before `expireTime` at which a picture is uploaded anew. A message may wait that long
in retries and at the service, or this machine's clock be wrong; files live for days (2 by the
page's sample, 6 by its text), so that it costs next to nothing."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SALT_DIGITS = 3
MAX_SALT: int = len(_DIGITS) ** _SALT_DIGITS - 1
"""The largest salt that a name of `MAX_NAME` characters has room for."""

_DATA_URL = re.compile(r"data:[^,]*?(;base64)?,", re.IGNORECASE)


def why_not(data: bytes) -> str | None:
    """Say why a picture cannot go out unchanged, or None if it can."""
    try:
        info = jpeg_info(data)
    except InvalidAttachment as error:
        return str(error)
    if info.width > MAX_WIDTH or info.height > MAX_HEIGHT:
        size = f"{info.width} x {info.height}"
        return f"{size} pixels, at most {MAX_WIDTH} x {MAX_HEIGHT} are allowed"
    if len(data) > MAX_BYTES:
        return f"{len(data)} bytes, at most {MAX_BYTES} are allowed"
    if info.orientation != 1:
        return "it lies on its side or mirrored, as its EXIF data says, and has to be turned"
    if info.has_exif:
        return "it carries EXIF or XMP data, which may tell where it was taken"
    return None


def as_it_is(data: bytes) -> bytes | None:
    """Give the JPEG to upload where that takes no decoding.

    Returns:
        `data` itself if it can go out unchanged; `data` less its EXIF and XMP and what follows
        its end (where phones put more pictures with EXIF of their own) if that will do; None if
        it has to be decoded, be it only to be turned upright.
    """
    if why_not(data) is None:
        return data
    try:
        info = jpeg_info(data)
    except InvalidAttachment:
        return None
    if not info.has_exif or info.orientation != 1:
        return None
    stripped = without_app1(data)
    return stripped if why_not(stripped) is None else None


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def upload_name(digest: str, salt: int = 0) -> str:
    """Derive the `fileName` of a picture.

    The service takes a file of the same *name and size* for the same file and answers with the
    one it has, so that a name must stand for its bytes. A salt gives the same bytes another name,
    where the file behind the first is of no use any more.

    Args:
        digest: SHA-256 of the bytes in hexadecimal.
        salt: From 0, which means none, to `MAX_SALT`.
    """
    if not 0 <= salt <= MAX_SALT:
        raise ValueError(f"salt must lie between 0 and {MAX_SALT}, got {salt}")
    letters = ""
    while salt:
        salt, last = divmod(salt, len(_DIGITS))
        letters = _DIGITS[last] + letters
    return f"{digest[:32]}-{letters}.jpg" if letters else f"{digest[:32]}.jpg"


def salt_at(now: datetime) -> int:
    """Choose the salt of this minute.

    Two processes that need one in the same minute agree and upload one file; the next process,
    or the same one restarted, does not meet the names of the last. They come again after 32 days,
    when the service has long forgotten the file (SENS API: Upload attachment, "6 days").
    """
    return 1 + int(now.timestamp() // 60) % MAX_SALT


def is_fresh(file: UploadedFile, now: datetime, needed_until: datetime, margin: float) -> bool:
    """Whether a file can be used again: it lives `margin` seconds past both times."""
    return file.expires_at - timedelta(seconds=margin) >= max(now, needed_until)


def decode_data_url(text: str) -> bytes:
    """Give the bytes of a `data:image/...;base64,...` URL; its media type is not believed.

    Raises:
        InvalidAttachment: It is not such a URL, is empty, or holds more than
            `MAX_SOURCE_BYTES`. The text never contains the data.
    """
    head = _DATA_URL.match(text)
    if head is None:
        raise InvalidAttachment("the data: URL has no comma before its data")
    if head[1] is None:
        raise InvalidAttachment("the data: URL is not Base64; write data:image/jpeg;base64,...")
    encoded = "".join(text[head.end() :].split())
    if len(encoded) // 4 * 3 > MAX_SOURCE_BYTES + 2:
        raise InvalidAttachment(
            f"the data: URL holds more than the {MAX_SOURCE_BYTES} bytes allowed"
        )
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidAttachment("the data: URL is not valid Base64 after its comma") from None
    if not data:
        raise InvalidAttachment("the data: URL is empty after its comma")
    return data
