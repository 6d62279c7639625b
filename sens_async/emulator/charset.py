"""EUC-KR as the emulator reads it: Microsoft's code page 949, two bytes for all Hangul.

The documentation says EUC-KR and not which; `euc_kr` of Python would give `뷁` eight bytes.
"""

from collections.abc import Sequence

__all__ = ["cut", "size", "unencodable_at"]


def size(text: str) -> int:
    """Bytes the text takes; a character the charset lacks counts as the `?` put in its place."""
    return len(text.encode("cp949", "replace"))


def cut(text: str, limit: int) -> str:
    """The longest beginning of `text` in whole characters that takes at most `limit` bytes.

    A text with characters the charset lacks comes back whole: it is not going out anyway.
    """
    if 2 * len(text) <= limit:
        return text
    try:
        encoded = text.encode("cp949")
    except UnicodeEncodeError:
        return text
    if len(encoded) <= limit:
        return text
    # The lead byte of a character cut in two is incomplete at the end, and ignored.
    return encoded[:limit].decode("cp949", "ignore")


def unencodable_at(texts: Sequence[str]) -> frozenset[int]:
    """Positions of the texts that hold a character the charset lacks."""
    try:
        "".join(texts).encode("cp949")
    except UnicodeEncodeError:
        return frozenset(i for i, text in enumerate(texts) if not _encodes(text))
    return frozenset()


def _encodes(text: str) -> bool:
    try:
        text.encode("cp949")
    except UnicodeEncodeError:
        return False
    return True
