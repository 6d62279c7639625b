"""The service's charset: what it holds, what texts take in it, and what to write instead.

Texts are EUC-KR (SENS API: Send messages, `content`); which EUC-KR is not documented. All sizes
here are those of code page 949 (CP949), where every Hangul syllable takes two bytes. Python's
`euc_kr` is never counted with: it writes the syllables that KS X 1001 lacks as eight bytes.
"""

import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import attrs

from sens_async.core.suggestions import suggest
from sens_async.errors import UnencodableText

__all__ = [
    "CODEC",
    "Charset",
    "Encoded",
    "Unencodable",
    "UnencodableCharacter",
    "cp949_only",
    "encode",
    "encode_all",
    "examine",
    "is_extended",
    "truncate",
]

CODEC: Final = "cp949"
_EXTENDED_BYTES: Final = bytes(range(0xA1, 0x100))


class Charset(StrEnum):
    """Which EUC-KR the service is taken to mean."""

    CP949 = "cp949"
    """Microsoft's: all 11,172 Hangul syllables."""
    KS_X_1001 = "ks_x_1001"
    """The strict one: 2,350 syllables, so not `뷁` or `햏`."""


class Unencodable(StrEnum):
    """What to do with a character the charset lacks."""

    REFUSE = "refuse"
    REPLACE = "replace"
    """Write what comes closest, else a question mark."""
    DROP = "drop"


@attrs.frozen
class UnencodableCharacter:
    """A character the charset lacks.

    Attributes:
        character: Composed (NFC), if the text spells it as a letter and its marks.
        position: Its index in the text as it was given.
        suggestion: What to write instead, `""` to leave it out, None where nothing comes close.
        field: `"content"` or `"subject"`.
    """

    character: str
    position: int
    suggestion: str | None
    field: str = "content"


class Encoded(NamedTuple):
    """A text the charset holds.

    Attributes:
        text: As it will go out.
        size_bytes: What it takes.
        cp949_only: Whether it holds characters that CP949 has and KS X 1001 lacks.
    """

    text: str
    size_bytes: int
    cp949_only: bool


class Examined(NamedTuple):
    """A text, character by character.

    Attributes:
        pieces: One for each character, composed to what the charset holds where that is possible;
            a character that was composed into its predecessor leaves an empty piece.
        unencodable: The pieces, by index, that the charset does not hold.
    """

    pieces: list[str]
    unencodable: dict[int, UnencodableCharacter]


def encode(
    text: str,
    *,
    charset: Charset = Charset.CP949,
    unencodable: Unencodable = Unencodable.REFUSE,
    field: str = "content",
) -> Encoded:
    """Bring a text to what the charset holds.

    What can be encoded stays exactly as it is. The rest is composed first (text typed on macOS
    may come with Hangul in pieces), which changes no meaning and is never refused.

    Args:
        text: After rendering.
        charset: Which EUC-KR.
        unencodable: What to do with a character that cannot be encoded even so.
        field: `"content"` or `"subject"`, for the error.

    Raises:
        UnencodableText: There is such a character and it is to be refused.
    """
    encoded = _encode_as_is(text, charset)
    if encoded is not None:
        return encoded
    pieces, culprits = examine(text, charset=charset, field=field)
    if culprits and unencodable == Unencodable.REFUSE:
        raise _refusal(culprits[min(culprits)], charset)
    for index, culprit in culprits.items():
        instead = culprit.suggestion if culprit.suggestion is not None else "?"
        pieces[index] = "" if unencodable == Unencodable.DROP else instead
    mended = "".join(pieces)
    size_bytes = len(mended.encode(CODEC))
    return Encoded(mended, size_bytes, cp949_only([mended]))


def encode_all(texts: Sequence[str], *, charset: Charset = Charset.CP949) -> list[int] | None:
    """Measure many texts at once, if all of them can be encoded as they are.

    Returns:
        The size of each in bytes, or None if some text wants the slower look of `encode`.
    """
    joined = "\0".join(texts)
    try:
        raw = joined.encode(CODEC)
    except UnicodeEncodeError:
        return None
    if charset == Charset.KS_X_1001 and is_extended(joined, raw):
        return None
    # No byte of a two-byte character is a NUL; a NUL in a text makes one part too many.
    sizes = list(map(len, raw.split(b"\0")))
    return sizes if len(sizes) == len(texts) else [len(text.encode(CODEC)) for text in texts]


def cp949_only(texts: Sequence[str]) -> bool:
    """Whether a text holds a character that CP949 has and KS X 1001 lacks.

    Costs as much as `encode_all`: one encoding of everything, 11 us for 100 texts of 45 letters.
    """
    joined = "".join(texts)
    return is_extended(joined, joined.encode(CODEC, "replace"))


def examine(text: str, *, charset: Charset = Charset.CP949, field: str = "content") -> Examined:
    """Look at a text character by character; for texts that do not encode as they are."""
    pieces: list[str] = []
    culprits: dict[int, UnencodableCharacter] = {}

    def holds(some: str) -> bool:
        return _encode_as_is(some, charset) is not None

    last = -1
    for position, character in enumerate(text):
        pieces.append(character)
        if holds(character):
            last = position
            continue
        composed = unicodedata.normalize("NFC", pieces[last] + character) if last >= 0 else ""
        if len(composed) == 1:
            pieces[position] = ""
        else:
            alone = unicodedata.normalize("NFC", character)
            composed, last = alone if holds(alone) else character, position
        pieces[last] = composed
        culprits.pop(last, None)
        if not holds(composed):
            suggestion = suggest(composed, holds)
            culprits[last] = UnencodableCharacter(composed, last, suggestion, field)
    return Examined(pieces, culprits)


def truncate(text: str, limit_bytes: int) -> str:
    """Give the longest beginning, in whole characters, that takes at most `limit_bytes`."""
    raw = text.encode(CODEC, "replace")
    # A character cut in two leaves an incomplete byte at the end, which is ignored.
    return text[: len(raw[:limit_bytes].decode(CODEC, "ignore"))]


def _encode_as_is(text: str, charset: Charset) -> Encoded | None:
    try:
        raw = text.encode(CODEC)
    except UnicodeEncodeError:
        return None
    extended = is_extended(text, raw)
    if extended and charset == Charset.KS_X_1001:
        return None
    return Encoded(text, len(raw), extended)


def is_extended(text: str, raw: bytes) -> bool:
    """Whether CP949 bytes go beyond KS X 1001.

    There, both bytes of a character are 0xA1 or more, so that a lower byte is an ASCII character,
    of which there are as many as one-byte characters. Any other low byte is CP949's own.
    """
    one_byte_characters = 2 * len(text) - len(raw)
    return len(raw.translate(None, _EXTENDED_BYTES)) > one_byte_characters


def _refusal(culprit: UnencodableCharacter, charset: Charset) -> UnencodableText:
    character, suggestion = culprit.character, culprit.suggestion
    if suggestion is None:
        advice = "nothing comes close to it"
    else:
        advice = f"write {suggestion!r} instead" if suggestion else "leave it out"
    return UnencodableText(
        f"{culprit.field} holds {character!r} (U+{ord(character):04X}) at index "
        f"{culprit.position}, which {charset} does not; {advice}",
        field=culprit.field,
        character=character,
        position=culprit.position,
        suggestion=suggestion,
    )
