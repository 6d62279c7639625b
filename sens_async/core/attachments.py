"""Rules for pictures: what the service takes, under which name, and for how long.

Sources: SENS API, "Upload attachment"; for the JPEG format ITU-T T.81, annex B, and for the
orientation of a photograph the EXIF 2.3 standard.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs

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
    "JpegInfo",
    "as_it_is",
    "decode_data_url",
    "digest",
    "is_fresh",
    "jpeg_info",
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

_START = b"\xff\xd8"
_END = 0xD9
_SCAN = 0xDA
_APP1 = 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""C4, C8 and CC lie among the frame headers and are tables and an extension."""
_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}
"""Markers that no length follows."""
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker that ends the coded data: not a stuffed byte, a restart or a fill byte."""

_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_LONG = 4

_KNOWN_BEGINNINGS = {
    b"\x89PNG": "a PNG",
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\x00": "a TIFF",
    b"MM\x00*": "a TIFF",
    b"%PDF": "a PDF",
    b"<": "markup, perhaps SVG or an HTML page",
}

_DATA_URL = re.compile(r"data:[^,]*?(;base64)?,", re.IGNORECASE)


@attrs.frozen
class JpegInfo:
    """What the markers of a JPEG say.

    Attributes:
        width: In pixels, as stored: before the orientation is applied.
        height: In pixels, as stored.
        has_exif: Whether it carries an APP1 segment: EXIF or XMP, in which cameras write where
            and with what a photograph was taken.
        orientation: EXIF's number, from 1 (upright; also where none is given) to 8.
    """

    width: int
    height: int
    has_exif: bool = False
    orientation: int = 1


def jpeg_info(data: bytes) -> JpegInfo:
    """Read a JPEG's markers up to its end; its coded data is not decoded.

    Raises:
        InvalidAttachment: It is not a JPEG, or is cut off or damaged.
    """
    size: tuple[int, int] | None = None
    orientation: int | None = None
    has_scan = has_exif = False
    for marker, start, end in _segments(data):
        if marker in _FRAMES and size is None:
            size = _frame_size(data[start + 4 : end])
        elif marker == _SCAN:
            has_scan = True
        elif marker == _APP1:
            has_exif = True
            if orientation is None and data.startswith(_EXIF, start + 4):
                orientation = _read_orientation(data[start + 4 + len(_EXIF) : end])
    if size is None or not has_scan:
        raise InvalidAttachment("a damaged JPEG: it holds no picture")
    return JpegInfo(*size, has_exif, orientation or 1)


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
    kept = [data[start:end] for marker, start, end in _segments(data) if marker != _APP1]
    stripped = _START + b"".join(kept)
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


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Walk a JPEG after its first marker: (marker, start, end), coded data with its scan."""
    if not data.startswith(_START):
        raise InvalidAttachment(f"not a JPEG: {_beginning(data)}")
    at = len(_START)
    while True:
        while data.startswith(b"\xff\xff", at):
            at += 1
        marker = data[at + 1] if at + 1 < len(data) else None
        if marker is None:
            raise _cut_off()
        if data[at] != 0xFF or marker == 0x00:
            raise InvalidAttachment(f"a damaged JPEG: no marker at byte {at}")
        end = at + 2 if marker == _END or marker in _BARE else _segment_end(data, at)
        if marker == _SCAN:
            following = _AFTER_SCAN.search(data, end)
            if following is None:
                raise _cut_off()
            end = following.start()
        yield marker, at, end
        if marker == _END:
            return
        at = end


def _segment_end(data: bytes, at: int) -> int:
    length = int.from_bytes(data[at + 2 : at + 4])
    end = at + 2 + length
    if at + 4 > len(data) or end > len(data):
        raise _cut_off()
    if length < 2:
        raise InvalidAttachment(f"a damaged JPEG: a segment of {length} bytes at byte {at}")
    return end


def _frame_size(header: bytes) -> tuple[int, int]:
    """Sample precision in one byte, then height and width in two each."""
    height, width = int.from_bytes(header[1:3]), int.from_bytes(header[3:5])
    if len(header) < 5 or not width or not height:
        raise InvalidAttachment("a damaged JPEG: its header gives no size")
    return width, height


def _read_orientation(tiff: bytes) -> int:
    """Read tag 0x0112 of the first directory; 1 where there is none that can be read."""
    if tiff[:2] not in {b"II", b"MM"}:
        return 1
    big = tiff[:2] == b"MM"

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "big" if big else "little")

    directory = number(4, 4)
    first = directory + 2
    for entry in range(first, min(first + 12 * number(directory, 2), len(tiff)), 12):
        if number(entry, 2) == _ORIENTATION:
            value = number(entry + 8, 4 if number(entry + 2, 2) == _LONG else 2)
            return value if 1 <= value <= 8 else 1
    return 1


def _beginning(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "it begins like a WebP"
    if data[4:8] == b"ftyp":
        return "it begins like a HEIC, an AVIF or a video"
    for beginning, name in _KNOWN_BEGINNINGS.items():
        if data.startswith(beginning):
            return f"it begins like {name}"
    return f"it begins with {data[:4].hex(' ')}"


def _cut_off() -> InvalidAttachment:
    return InvalidAttachment("a damaged JPEG: it is cut off")
