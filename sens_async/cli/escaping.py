"""Cells that a spreadsheet must not take for formulas.

An apostrophe goes before whatever would start one: at the beginning of a cell (OWASP ASVS 1.2.10,
CWE-1236), and inside it after what starts a cell or a row where another delimiter than ours is
usual. Quotes do not help there: a quote counts only where a cell begins. One goes, too, before
what already is so escaped, so that reading takes back exactly what writing added.
"""

import re

__all__ = ["escape", "escape_number", "unescape"]

_BEGINNING = r"""(\A|[;|\t\r\n]"*)"""
_FORMULA = r"(?='*[=+\-@\t\r\n\0＝＋－＠])"
_risky = re.compile(_BEGINNING + _FORMULA)
_escaped = re.compile(_BEGINNING + "'" + _FORMULA)


def escape(cell: str) -> str:
    """Make a cell harmless to open in a spreadsheet."""
    return _risky.sub(r"\1'", cell) if _risky.search(cell) else cell


def unescape(cell: str) -> str:
    """Take back what `escape` added."""
    return _escaped.sub(r"\1", cell)


def escape_number(cell: str) -> str:
    """Make a phone number harmless, and still readable as the same number, without its `+`."""
    if not cell.startswith(("+", "＋")):
        return escape(cell)
    rest = cell[1:].lstrip()
    return escape(rest if rest.startswith(("82", "８２")) else f"00{rest}")
