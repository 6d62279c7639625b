"""Phone numbers: how they are shown, and how they are brought to the service's form.

The service takes digits only (SENS API: Send messages, `to` and `from`). What a Korean number can
be is read from the national numbering plan; only what no subscriber can have is refused.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from sens_async.errors import ConfigError, InvalidRecipient

__all__ = ["mask", "normalize", "normalize_all", "normalize_sender"]

_KOREA: Final = "82"

_DOMESTIC: Final = (
    "(?:010[0-9]{8}"
    "|01[16-9][0-9]{7,8}"
    "|050[0-9]{8,9}"
    "|02[0-9]{7,8}"
    "|0(?:3[1-3]|4[1-4]|5[1-5]|6[1-4]|[78]0)[0-9]{7,8})"
)
_ALLOWED: Final = (
    "010 (11 digits), 011 and 016 to 019 (10 or 11), 050 (11 or 12), 02 (9 or 10), "
    "other area codes, 070 and 080 (10 or 11)"
)
_is_domestic: Final = re.compile(_DOMESTIC).fullmatch
_are_domestic: Final = re.compile(f"(?:{_DOMESTIC}\n)*+{_DOMESTIC}").fullmatch
_are_mobile: Final = re.compile(r"(?:010[0-9]{8}\n)*+010[0-9]{8}").fullmatch
"""What nearly all recipients have; a pattern without alternatives costs half."""
_is_business_line: Final = re.compile("1[568][0-9]{6}").fullmatch
_is_float: Final = re.compile("[0-9]+[.]0").fullmatch

_RESTORABLE: Final = 9
"""Digits a number without its zero must have: eight may be a Seoul number without the 02."""
_SHORTEST_ABROAD: Final = 4
_LONGEST: Final = 15
"""Digits of a number with its country code (ITU-T E.164)."""

_SHOWN_TAIL: Final = 4
_PUNCTUATION: Final = frozenset("().·（）．−")
_RANGES: Final = frozenset("〜〰")
"""Dashes by category; yet `02-123-4567〜8` is two numbers, as with a slash."""
_IGNORED_CATEGORIES: Final = frozenset({"Pd", "Cf"})
"""Dashes, and the invisible marks that address books put around numbers."""


def mask(number: object) -> str:
    """Show enough of a number to recognise it: `010-****-5678`.

    At most the first three and the last four digits are visible, of a short number fewer. For
    `repr`, logs and error texts: takes any object, and shows only the type of what is no str.
    """
    if not isinstance(number, str):
        return f"<{type(number).__name__}>"
    digits = "".join(filter(str.isdecimal, number))
    if 10 <= len(digits) <= _LONGEST:
        return f"{digits[:3]}-****-{digits[-_SHOWN_TAIL:]}"
    if 8 <= len(digits) < 10:
        return f"****-{digits[-_SHOWN_TAIL:]}"
    return "****"


def normalize(number: object, country_code: str = _KOREA) -> str:
    """Bring a recipient's number to the service's form.

    Dashes, spaces, parentheses, dots and invisible marks of all kinds are dropped; full-width and
    other decimal digits become ASCII. A Korean number may come with `+82`, `82` or `0082`, with
    its zero after that or not, without the zero that a spreadsheet dropped, and with the `.0` of a
    spreadsheet's float.

    Abroad, only `+` or `00` and the country code are taken off. Whether the service wants a
    number's leading zero there is not documented: it is kept where it was written.

    Args:
        number: In any usual spelling.
        country_code: Digits; whose numbers are meant (SENS API: Send messages, `countryCode`).

    Returns:
        ASCII digits: 9 to 12, starting with 0, in Korea; elsewhere at least 4, and at most 15
        together with the country code.

    Raises:
        InvalidRecipient: It is no str, no number, or a number of another country.
    """
    written = _read(number)
    if country_code != _KOREA:
        return _abroad(written, country_code)
    found = _subscriber(written)
    if _is_domestic(found):
        return found
    if _is_business_line(found.removeprefix("0")):
        why = "is a business line (15xx, 16xx, 18xx), which can send and cannot receive"
    else:
        count = len(written.removeprefix("+"))
        why = f"is no Korean phone number ({count} digits); allowed are {_ALLOWED}"
    raise InvalidRecipient(f"{mask(number)} {why}")


def normalize_sender(number: object) -> str:
    """Bring the calling number to the service's form; it may be a business line (15xx-xxxx), too.

    Raises:
        ConfigError: It is no Korean number; the text names `sender`.
    """
    try:
        found = _subscriber(_read(number))
    except InvalidRecipient as error:
        raise ConfigError(f"sender {error}") from None
    business = found.removeprefix("0")
    if _is_business_line(business):
        return business
    if _is_domestic(found):
        return found
    raise ConfigError(
        f"sender {mask(number)} is no Korean phone number; "
        f"allowed are {_ALLOWED}, 15xx, 16xx and 18xx (8 digits)"
    )


def normalize_all(numbers: Sequence[str]) -> list[str] | None:
    """Bring many Korean numbers to the service's form at once, if they are nearly there.

    Args:
        numbers: Recipients' numbers; those that want no more than dropping ASCII hyphens pass.

    Returns:
        What `normalize` gives for each, `numbers` itself if it is a list with nothing to change;
        or None if some number wants the slower look of `normalize`.
    """
    joined = "\n".join(numbers)
    # A number with a line break inside would pass for two.
    if joined.count("\n") != len(numbers) - 1:
        return None
    if _are_mobile(joined) or _are_domestic(joined):
        return numbers if isinstance(numbers, list) else list(numbers)
    bare = joined.replace("-", "")
    return bare.split("\n") if _are_mobile(bare) or _are_domestic(bare) else None


def _read(number: object) -> str:
    """Give the digits, after a `+` if one was written."""
    if not isinstance(number, str):
        raise InvalidRecipient(
            f"{mask(number)} is no str; give the number as text such as '010-1234-5678'"
        )
    bare = number.replace("-", "").replace(" ", "")
    if bare.isascii() and bare.isdigit():
        return bare
    if _is_float(bare):
        return bare[:-2]
    written = ""
    for position, character in enumerate(number):
        if character.isdecimal():
            written += str(unicodedata.decimal(character))
        elif character in "+＋" and not written:
            written = "+"
        elif not _is_punctuation(character):
            raise InvalidRecipient(
                f"{mask(number)} holds {character!r} at index {position}; "
                "allowed are digits, spaces, dashes, dots, parentheses and a leading +"
            )
    return written


def _is_punctuation(character: str) -> bool:
    if character in _RANGES:
        return False
    return (
        character in _PUNCTUATION
        or character.isspace()
        or unicodedata.category(character) in _IGNORED_CATEGORIES
    )


def _subscriber(written: str) -> str:
    """Give a Korean number with its zero; it need not exist."""
    digits = written
    if written.startswith(("+", "00")):
        digits = written.removeprefix("+").removeprefix("00")
        if not digits.startswith(_KOREA):
            raise _of_another_country(written, _KOREA)
    if digits.startswith(_KOREA):
        digits = digits.removeprefix(_KOREA)
        return digits if digits.startswith("0") else "0" + digits
    if len(digits) >= _RESTORABLE and not digits.startswith("0"):
        return "0" + digits
    return digits


def _abroad(written: str, country_code: str) -> str:
    number = written
    if written.startswith(("+", "00")):
        number = written.removeprefix("+").removeprefix("00")
        if not number.startswith(country_code):
            raise _of_another_country(written, country_code)
        number = number.removeprefix(country_code)
    most = _LONGEST - len(country_code)
    if number.startswith("00") or not _SHORTEST_ABROAD <= len(number) <= most:
        raise InvalidRecipient(
            f"{mask(written)} is no phone number under country_code {country_code!r} "
            f"({len(number)} digits); allowed are {_SHORTEST_ABROAD} to {most} digits "
            "that do not begin with 00"
        )
    return number


def _of_another_country(written: str, country_code: str) -> InvalidRecipient:
    return InvalidRecipient(
        f"{mask(written)} begins with the code of another country than country_code "
        f"{country_code!r}; give it with its own country_code"
    )
