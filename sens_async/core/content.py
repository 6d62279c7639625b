"""Texts as the service weighs them: limits, the type that fits, the label of advertisements.

`sens_async.core.charset` says what a text takes; its names are given here, too.
"""

from enum import StrEnum
from typing import Final

import attrs

from sens_async.core.charset import (
    Charset,
    Encoded,
    Unencodable,
    UnencodableCharacter,
    cp949_only,
    encode,
    encode_all,
    examine,
    truncate,
)
from sens_async.models import MessageType

__all__ = [
    "LONG_LIMIT",
    "SMS_LIMIT",
    "SUBJECT_LIMIT",
    "Charset",
    "Encoded",
    "Measurement",
    "TooLong",
    "Unencodable",
    "UnencodableCharacter",
    "choose_type",
    "cp949_only",
    "encode",
    "encode_all",
    "has_ad_label",
    "limit_of",
    "measure",
    "truncate",
]

SMS_LIMIT: Final = 90
"""Bytes of an SMS (SENS API: Send messages, `content`)."""
LONG_LIMIT: Final = 2000
"""Bytes of an LMS's or MMS's text (SENS API: Send messages, `content`)."""
SUBJECT_LIMIT: Final = 40
"""Bytes of a subject (SENS API: Send messages, `subject`)."""

_AD_LABEL: Final = "(광고)"


class TooLong(StrEnum):
    """What to do with a text that takes more bytes than its type holds."""

    REFUSE = "refuse"
    TRUNCATE = "truncate"
    """Cut it after the last whole character that fits, as the service would."""


@attrs.frozen(kw_only=True)
class Measurement:
    """What a text would be.

    Attributes:
        text: The content as it would go out, without the characters that cannot be encoded.
        size_bytes: What `text` takes.
        subject_bytes: What the subject takes, counted alike; 0 if there is none.
        type: What it would be sent as, or None if content or subject is too long for any.
        limit_bytes: What `type` holds; without a type, what the longest type holds.
        unencodable: Characters of content and subject that cannot be encoded, in order.
        cp949_only: Characters that CP949 has and KS X 1001 lacks, each once.
    """

    text: str = attrs.field(repr=lambda text: f"<{len(text)} characters>")
    size_bytes: int
    subject_bytes: int
    type: MessageType | None
    limit_bytes: int
    unencodable: tuple[UnencodableCharacter, ...]
    cp949_only: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether there is a type that holds it; `unencodable` is another matter."""
        return self.type is not None


def measure(
    content: str,
    *,
    subject: str | None = None,
    images: int = 0,
    charset: Charset | str = Charset.CP949,
) -> Measurement:
    """Say what a text would be, without sending it: for pages where texts are written.

    Args:
        content: After rendering.
        subject: Of an LMS or MMS; None or `""` for none.
        images: How many pictures go with it.
        charset: Which EUC-KR.

    Raises:
        TypeError: `content` or `subject` is no str.
        ValueError: There is no such charset.
    """
    for name, given in (("content", content), ("subject", "" if subject is None else subject)):
        if not isinstance(given, str):
            raise TypeError(f"{name} must be str, got {type(given).__name__}")
    charset = Charset(charset)
    text, culprits = _without_unencodable(content, charset, "content")
    title, more_culprits = _without_unencodable(subject or "", charset, "subject")
    size_bytes = encode(text, charset=charset).size_bytes
    subject_bytes = encode(title, charset=charset).size_bytes
    chosen = choose_type(size_bytes, bool(subject), images > 0)
    fits = size_bytes <= limit_of(chosen) and subject_bytes <= SUBJECT_LIMIT
    return Measurement(
        text=text,
        size_bytes=size_bytes,
        subject_bytes=subject_bytes,
        type=chosen if fits else None,
        limit_bytes=limit_of(chosen) if fits else LONG_LIMIT,
        unencodable=culprits + more_culprits,
        cp949_only=tuple(c for c in dict.fromkeys(text + title) if cp949_only([c])),
    )


def choose_type(size_bytes: int, has_subject: bool, has_images: bool) -> MessageType:
    """Give the cheapest type for a text; one that is too long is an LMS or MMS all the same."""
    if has_images:
        return MessageType.MMS
    if has_subject or size_bytes > SMS_LIMIT:
        return MessageType.LMS
    return MessageType.SMS


def limit_of(type: MessageType) -> int:  # noqa: A002 - the service's word
    """Give the bytes of text that a type holds."""
    return SMS_LIMIT if type is MessageType.SMS else LONG_LIMIT


def has_ad_label(subject: str | None, content: str) -> bool:
    """Whether an advertisement begins with its label (Network Act, article 50).

    The label is `(광고)` to the letter, at the start of the subject or of the content, after white
    space at most. Full-width parentheses and spaces inside are not taken: the law's guide counts
    altered labels as none.

    Args:
        subject: As it goes out, or None.
        content: As it goes out.
    """
    return any(text.lstrip().startswith(_AD_LABEL) for text in (subject or "", content))


def _without_unencodable(
    text: str, charset: Charset, field: str
) -> tuple[str, tuple[UnencodableCharacter, ...]]:
    if encode_all([text], charset=charset) is not None:
        return text, ()
    pieces, culprits = examine(text, charset=charset, field=field)
    for index in culprits:
        pieces[index] = ""
    return "".join(pieces), tuple(culprits.values())
