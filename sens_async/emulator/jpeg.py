"""The size of a JPEG, read from its frame header."""

__all__ = ["dimensions"]

START, END = b"\xff\xd8", 0xD9
START_OF_SCAN = 0xDA
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15; C4, C8 and CC lie among them and are tables and an extension."""
BARE_MARKERS = frozenset(range(0xD0, 0xD9)) | {0x01}
"""Markers that no length follows."""


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, or None if `data` is not a JPEG.

    Source: ITU-T T.81, annex B.
    """
    if not data.startswith(START):
        return None
    at = len(START)
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in BARE_MARKERS:
            at += 2
            continue
        if marker in {END, START_OF_SCAN}:
            return None
        length = int.from_bytes(data[at + 2 : at + 4])
        if marker in FRAME_MARKERS:
            return _frame(data[at + 4 : at + 2 + length])
        if length < 2:
            return None
        at += 2 + length
    return None


def _frame(header: bytes) -> tuple[int, int] | None:
    """Sample precision, then height and width in two bytes each."""
    if len(header) < 6:
        return None
    height, width = int.from_bytes(header[1:3]), int.from_bytes(header[3:5])
    return (width, height) if width and height else None
