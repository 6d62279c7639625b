"""What a send asks for, read from its JSON and checked field by field.

Source: SENS API, "Send messages". The rules that the documentation leaves open follow
`EmulatorOptions`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import attrs

from sens_async.emulator import charset
from sens_async.emulator.answers import Refused
from sens_async.emulator.options import EmulatorOptions

__all__ = ["LIMITS", "MAX_RECIPIENTS", "SUBJECT_LIMIT", "Envelope", "read"]

MAX_RECIPIENTS = 100
SUBJECT_LIMIT = 40
LIMITS = {"SMS": 90, "LMS": 2000, "MMS": 2000}
"""Bytes of content by type."""

HOME = "82"
HOME_ZONE = "Asia/Seoul"
NOTICE = timedelta(minutes=10)
"""How far ahead a reservation has to be."""

_RESERVE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII)
_NUMBER = (
    r"01[016789]\d{7,8}"  # mobile
    r"|050\d{8,9}"  # safe numbers
    r"|02\d{7,8}|0[3-9]\d{7,9}"  # landlines and internet telephones
)
_KOREAN_NUMBER = re.compile(_NUMBER, re.ASCII)
_KOREAN_NUMBERS = re.compile(rf"(?>(?:{_NUMBER}) )*+", re.ASCII)


@attrs.frozen(kw_only=True)
class Envelope:
    """A readable send: what all recipients share, and their numbers with what is their own.

    Attributes:
        type: What it goes out as: an MMS without files is an LMS.
        subject: For all who have none of their own; None on an SMS, which has no subject.
        contents: One for each recipient, or None if all get `content`.
        subjects: One for each recipient, or None if all get `subject`.
        reserve_at: When it goes out, as `YYYY-MM-DDTHH:MM:SS` with offset, or None for now.
        reserve_zone: The zone that `reserveTime` was given in.
        unencodable: Positions of recipients whose text the charset does not hold.
        bad_numbers: Positions of recipients whose number cannot be a telephone's.
    """

    type: str
    content_type: str
    country_code: str
    sender: str
    subject: str | None
    content: str
    numbers: tuple[str, ...]
    contents: Sequence[str] | None
    subjects: Sequence[str | None] | None
    file_ids: tuple[str, ...]
    reserve_at: str | None
    reserve_zone: str
    unencodable: frozenset[int]
    bad_numbers: frozenset[int]

    @property
    def leaves_at(self) -> float | None:
        """When a reserved message goes out, seconds since the epoch; None for now."""
        if self.reserve_at is None:
            return None
        return datetime.fromisoformat(self.reserve_at).timestamp()


def read(payload: object, options: EmulatorOptions, now: float) -> Envelope:
    """Read a send request's body.

    Args:
        payload: The parsed JSON.
        options: What to refuse.
        now: The gateway's clock, seconds since the epoch.

    Raises:
        Refused: With 400, naming the field.
    """
    if not isinstance(payload, dict):
        raise Refused("the body has to be a JSON object")
    body = cast("Mapping[str, object]", payload)
    kind = (_text(body, "type") or "").upper()
    if kind not in LIMITS:
        raise Refused("type has to be SMS, LMS or MMS")
    content_type = _text(body, "contentType") or "COMM"
    if content_type not in {"COMM", "AD"}:
        raise Refused("contentType has to be COMM or AD")
    country_code = _text(body, "countryCode") or HOME
    if not _digits(country_code):
        raise Refused("countryCode has to be digits")
    if country_code != HOME and kind != "SMS":
        raise Refused("countryCode other than 82 is for SMS only")
    content = _text(body, "content")
    if content is None:
        raise Refused("content is required")
    sender = _number(_text(body, "from"), "from")
    items = _items(body)
    numbers = _numbers(items, options)
    contents = cast("Sequence[str] | None", _overrides(items, "content", content))
    subject, subjects = None, None
    if kind != "SMS":
        subject = _text(body, "subject")
        subjects = _overrides(items, "subject", subject)
    file_ids = _file_ids(body) if kind == "MMS" else ()
    kind = "LMS" if kind == "MMS" and not file_ids else kind
    reserve_at, reserve_zone = _reservation(body, now)
    if options.too_long == "refuse":
        _refuse_too_long(kind, contents or [content], subjects or [subject])
    return Envelope(
        type=kind,
        content_type=content_type,
        country_code=country_code,
        sender=sender,
        subject=subject,
        content=content,
        numbers=numbers,
        contents=contents,
        subjects=subjects,
        file_ids=file_ids,
        reserve_at=reserve_at,
        reserve_zone=reserve_zone,
        unencodable=_unencodable(contents or [content], subjects or [subject], numbers, options),
        bad_numbers=_bad_numbers(numbers, options) if country_code == HOME else frozenset(),
    )


def _text(body: Mapping[str, object], name: str) -> str | None:
    """A field that is text, or absent or null, which is the same."""
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise Refused(f"{name} has to be a string")


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _number(text: str | None, name: str) -> str:
    if text is None:
        raise Refused(f"{name} is required")
    if not _digits(text):
        raise Refused(f"{name} has to be digits only")
    return text


def _items(body: Mapping[str, object]) -> list[Mapping[str, object]]:
    items = body.get("messages")
    if not isinstance(items, list) or not items:
        raise Refused("messages is required")
    if len(items) > MAX_RECIPIENTS:
        raise Refused(f"messages has {len(items)} items, at most {MAX_RECIPIENTS} are allowed")
    if not all(isinstance(item, dict) for item in items):
        raise Refused("messages has to be a list of objects")
    return items


def _numbers(items: list[Mapping[str, object]], options: EmulatorOptions) -> tuple[str, ...]:
    numbers = [item.get("to") for item in items]
    for i, number in enumerate(numbers):
        if not (isinstance(number, str) and number.isdigit() and number.isascii()):
            raise Refused(f"messages[{i}].to has to be digits only")
    if options.duplicate_to == "refuse" and len(set(numbers)) < len(numbers):
        raise Refused("messages has the same number twice")
    return cast("tuple[str, ...]", tuple(numbers))


def _overrides(
    items: list[Mapping[str, object]], name: str, default: str | None
) -> list[str | None] | None:
    """The text of each recipient, or None if none has one of its own."""
    own = [item.get(name) for item in items]
    if own.count(None) == len(own):
        return None
    for i, text in enumerate(own):
        if text is None:
            own[i] = default
        elif not isinstance(text, str):
            raise Refused(f"messages[{i}].{name} has to be a string")
    return cast("list[str | None]", own)


def _file_ids(body: Mapping[str, object]) -> tuple[str, ...]:
    files = body.get("files")
    if files is None:
        return ()
    if not isinstance(files, list):
        raise Refused("files has to be a list")
    ids = [item.get("fileId") if isinstance(item, dict) else None for item in files]
    if not all(isinstance(file_id, str) and file_id for file_id in ids):
        raise Refused("files has to be a list of objects with a fileId")
    return cast("tuple[str, ...]", tuple(ids))


def _reservation(body: Mapping[str, object], now: float) -> tuple[str | None, str]:
    """When it goes out, with offset, and the zone's name."""
    text, name = _text(body, "reserveTime"), _text(body, "reserveTimeZone") or HOME_ZONE
    if text is None:
        return None, name
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a plain name, or a folder of names
        raise Refused("reserveTimeZone has to be a name of the time zone database") from None
    moment = _minute(text)
    if moment is None:
        raise Refused("reserveTime has to be a time as YYYY-MM-DD HH:mm")
    moment = moment.replace(tzinfo=zone)
    if moment.timestamp() < now + NOTICE.total_seconds():
        raise Refused("reserveTime has to be at least 10 minutes ahead")
    return moment.isoformat(), name


def _minute(text: str) -> datetime | None:
    if not _RESERVE_TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # the 31st of February
        return None


def _refuse_too_long(kind: str, contents: Sequence[str], subjects: Sequence[str | None]) -> None:
    limit = LIMITS[kind]
    if max(map(charset.size, contents)) > limit:
        raise Refused(f"content takes more than {limit} bytes")
    if max(charset.size(subject or "") for subject in subjects) > SUBJECT_LIMIT:
        raise Refused(f"subject takes more than {SUBJECT_LIMIT} bytes")


def _unencodable(
    contents: Sequence[str],
    subjects: Sequence[str | None],
    numbers: Sequence[str],
    options: EmulatorOptions,
) -> frozenset[int]:
    """Positions of the recipients whose content or subject the charset does not hold.

    A list of one text is shared by all: what is wrong with it is wrong for everyone.
    """
    bad: frozenset[int] = frozenset()
    for texts in (contents, [subject or "" for subject in subjects]):
        found = charset.unencodable_at(texts)
        bad |= frozenset(range(len(numbers))) if found and len(texts) == 1 else found
    if bad and options.unencodable == "refuse":
        raise Refused("a text has characters that EUC-KR does not hold")
    return bad


def _bad_numbers(numbers: Sequence[str], options: EmulatorOptions) -> frozenset[int]:
    """Positions of the numbers that no Korean telephone can have."""
    if _KOREAN_NUMBERS.fullmatch(" ".join(numbers) + " "):
        return frozenset()
    bad = frozenset(i for i, number in enumerate(numbers) if not _KOREAN_NUMBER.fullmatch(number))
    if bad and options.bad_number == "refuse":
        raise Refused(f"messages[{min(bad)}].to is no telephone number")
    return bad
