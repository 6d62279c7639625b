"""The markers of a JPEG: its size, its orientation and where it ends; nothing is decoded.

Sources: ITU-T T.81, annex B; for the orientation of a photograph the EXIF 2.3 standard.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from sens_async.errors import InvalidAttachment

__all__ = ["JpegInfo", "jpeg_info", "without_app1"]

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


class JpegInfo(NamedTuple):
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


def without_app1(data: bytes) -> bytes:
    """Give a JPEG without its EXIF and XMP, and without what follows its end.

    Raises:
        InvalidAttachment: It is not a JPEG, or is cut off or damaged.
    """
    kept = [data[start:end] for marker, start, end in _segments(data) if marker != _APP1]
    return _START + b"".join(kept)


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
