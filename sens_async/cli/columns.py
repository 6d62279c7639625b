"""Which column of a list holds the phone numbers."""

import re
import unicodedata
from collections.abc import Sequence

from sens_async.core import phone
from sens_async.errors import InvalidRecipient

__all__ = ["is_number", "is_number_name", "looks_like_number", "number_columns"]

_NUMBER_NAMES = frozenset({
    "to",
    "phone",
    "phonenumber",
    "phoneno",
    "number",
    "mobile",
    "mobilephone",
    "mobilenumber",
    "mobileno",
    "cell",
    "cellphone",
    "tel",
    "telephone",
    "recipient",
    "hp",
    "휴대폰",
    "휴대폰번호",
    "휴대전화",
    "휴대전화번호",
    "핸드폰",
    "핸드폰번호",
    "전화",
    "전화번호",
    "연락처",
    "수신번호",
    "수신자번호",
    "수신자",
    "받는번호",
    "받는사람번호",
    "모바일",
})  # fmt: skip
_BETWEEN_WORDS = re.compile(r"[\s_\-./()]+")
_PUNCTUATION = re.compile(r"[\s\-‐-―().·+]+")


def is_number_name(header: str) -> bool:
    """Whether a column of this name holds phone numbers; case, width and spaces do not matter."""
    name = unicodedata.normalize("NFKC", header).casefold()
    return _BETWEEN_WORDS.sub("", name) in _NUMBER_NAMES


def looks_like_number(cell: str) -> bool:
    """Whether a cell could be a phone number of some country: 8 to 15 digits and punctuation."""
    digits = _PUNCTUATION.sub("", unicodedata.normalize("NFKC", cell))
    return digits.isdecimal() and 8 <= len(digits) <= 15


def is_number(cell: str) -> bool:
    """Whether a cell is a Korean phone number, or one that names its country with `+`."""
    try:
        phone.normalize(cell)
    except InvalidRecipient:
        return cell.lstrip().startswith(("+", "＋")) and looks_like_number(cell)
    return True


def number_columns(header: Sequence[str] | None, sample: Sequence[Sequence[str]]) -> list[int]:
    """The columns that may hold the numbers: by name, else by what most of their cells hold.

    Args:
        header: The names, or None if the file has none.
        sample: The first records, without the header.

    Returns:
        Their indexes; exactly one if there is no doubt.
    """
    named = [index for index, name in enumerate(header or ()) if is_number_name(name)]
    if named:
        return named
    width = max(map(len, sample), default=0)
    columns = [[cells[index] for cells in sample if index < len(cells)] for index in range(width)]
    filled = [[cell for cell in column if cell.strip()] for column in columns]
    return [
        index
        for index, column in enumerate(filled)
        if column and sum(map(is_number, column)) * 2 > len(column)
    ] or [0] * (width == 1)
