"""What to write instead of a character that the service's charset lacks."""

import unicodedata
from collections.abc import Callable
from typing import Final

__all__ = ["suggest"]

_LOOK_ALIKES: Final = {
    **dict.fromkeys("•‧∙⋅・", "·"),
    **dict.fromkeys("‚‛‹›", "'"),
    **dict.fromkeys("„‟«»", '"'),
    **dict.fromkeys("\u2028\u2029\x85", "\n"),
    "〜": "～",
    "−": "-",
    "⁄": "/",
    "⋯": "…",
    "₩": "￦",
    "¥": "￥",
    "£": "￡",
    "¢": "￠",
    "¬": "￢",
    "¦": "|",
    "¯": "￣",
    "©": "(C)",
    "ﾞ": "″",
    "ﾟ": "°",
    "❤": "♥",
    "⭐": "★",
    "➡": "→",
    "⬅": "←",
    "⬆": "↑",
    "⬇": "↓",
    # The only three whose canonical equal CP949 holds in their stead.
    "\u00c5": "\u212b",
    "\u90ce": "\uf92c",
    "\u96b8": "\uf9b8",
}
_BY_CATEGORY: Final = {"Zs": " ", "Pd": "-", "Cf": "", "Cc": "", "Mn": "", "Me": ""}
"""Spaces, dashes; and what nobody sees alone: format and control characters, marks."""


def suggest(character: str, holds: Callable[[str], bool]) -> str | None:
    """Find what comes close to a character.

    Args:
        character: One that the charset lacks.
        holds: Whether the charset holds a text.

    Returns:
        A text the charset holds, `""` to leave the character out, or None if nothing comes close.
    """
    likeness = _likeness(character)
    if likeness is not None:
        return likeness
    compatible = unicodedata.normalize("NFKC", character)
    if holds(compatible):
        return compatible
    letters = ""
    for letter in unicodedata.normalize("NFKD", character):
        likeness = letter if holds(letter) else _likeness(letter)
        if likeness is None:
            return None
        letters += likeness
    return letters


def _likeness(character: str) -> str | None:
    known = _LOOK_ALIKES.get(character)
    return known if known is not None else _BY_CATEGORY.get(unicodedata.category(character))
