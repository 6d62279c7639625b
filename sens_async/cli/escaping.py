"""Cells that a spreadsheet must not take for formulas.

An apostrophe goes before a cell whose first character would start one (OWASP ASVS 1.2.10,
CWE-1236), and before one that already is so escaped, so that reading takes back exactly what
writing added.
"""

import re

__all__ = ["escape", "escape_number", "unescape"]

_RISKY = re.compile(r"'*[=+\-@\t\r\n\0＝＋－＠]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n\0＝＋－＠]")


def escape(cell: str) -> str:
    """Make a cell harmless to open in a spreadsheet."""
    return f"'{cell}" if _RISKY.match(cell) else cell


def unescape(cell: str) -> str:
    """Take back what `escape` added."""
    return cell[1:] if _ESCAPED.match(cell) else cell


def escape_number(cell: str) -> str:
    """Make a phone number harmless, and still readable as the same number, without its `+`."""
    if not cell.startswith(("+", "＋")):
        return escape(cell)
    rest = cell[1:].lstrip()
    return escape(rest if rest.startswith(("82", "８２")) else f"00{rest}")
