"""What a campaign says, as it is kept: the same for every process that runs it."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import attrs

from sens_async.calls import Call
from sens_async.campaign.states import Guarantee
from sens_async.core.batch import Envelope
from sens_async.core.message import Message, Rules
from sens_async.core.schedule import Reservation
from sens_async.models import ContentType, MessageType

__all__ = ["Letter", "checked_name", "departure", "reservation_of", "same_name"]

_LONGEST_NAME = 200


@attrs.frozen(kw_only=True)
class Letter:
    """The names of columns of the campaign's row, and what they hold.

    Attributes:
        text: The content as it goes out, where that is the same for everybody; else None.
        title: The subject, the same.
        skips: What is left out besides duplicates: words, joined by blanks.
        pictures: SHA-256 of each, in order; not a column.
    """

    service_id: str
    guarantee: Guarantee
    content: str | None
    subject: str | None
    text: str | None
    title: str | None
    type: str | None
    content_type: str
    country_code: str
    sender: str
    reserve_at: str | None
    reserve_zone: str | None
    duplicates: str
    skips: str
    pictures: tuple[str, ...]

    @classmethod
    def of(
        cls,
        call: Call,
        message: Message,
        *,
        service_id: str,
        guarantee: Guarantee,
        duplicates: str,
        skips: Sequence[str],
        pictures: Sequence[str],
    ) -> "Letter":
        """Take down a call."""
        reservation = message.reservation
        return cls(
            service_id=service_id,
            guarantee=guarantee,
            content=call.content,
            subject=call.subject or None,
            text=message.text,
            title=message.title,
            type=None if message.type is None else message.type.value,
            content_type=message.content_type.value,
            country_code=message.country_code,
            sender=message.sender,
            reserve_at=None if reservation is None else reservation.at.isoformat(),
            reserve_zone=None if reservation is None else reservation.zone,
            duplicates=duplicates,
            skips=" ".join(skips),
            pictures=tuple(pictures),
        )

    @classmethod
    def read(cls, row: Mapping[str, object], pictures: Sequence[str]) -> "Letter":
        """Read a campaign's row."""
        names = [field.name for field in attrs.fields(cls) if field.name != "pictures"]
        values = {name: row[name] for name in names}
        values["guarantee"] = Guarantee(str(row["guarantee"]))
        return cls(**values, pictures=tuple(pictures))  # type: ignore[arg-type]

    @property
    def columns(self) -> dict[str, object]:
        """What the campaign's row holds of it."""
        return attrs.asdict(self, filter=lambda field, _: field.name != "pictures")

    @property
    def reservation(self) -> Reservation | None:
        """When it is to go out; None for at once."""
        return reservation_of(self.reserve_at, self.reserve_zone)

    def message(self, rules: Rules) -> Message:
        """Give what a run checks before each request; the texts are in the batches."""
        return Message.compile(
            None,
            type=None if self.pictures else self.type,
            content_type=self.content_type,
            country_code=self.country_code,
            sender=self.sender,
            reservation=self.reservation,
            pictures=len(self.pictures),
            rules=rules,
        )

    def envelope(self, kind: str, *, has_subject: bool) -> Envelope:
        """Give what the recipients of a request share."""
        return Envelope(
            MessageType(kind),
            ContentType(self.content_type),
            self.country_code,
            self.sender,
            self.reservation,
            has_subject,
            bool(self.pictures),
        )

    def differences(self, other: "Letter") -> list[str]:
        """Name what another one has otherwise; texts are not repeated, they may be personal."""
        told = []
        for field in attrs.fields(Letter):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine == theirs or field.name in {"text", "title"}:
                continue
            if field.name in {"content", "subject"}:
                told.append(f"{field.name} is another text")
            elif field.name == "pictures":
                told.append(f"there are other pictures ({len(mine)} planned, {len(theirs)} given)")
            else:
                was, now = (str(one) if isinstance(one, str) else one for one in (mine, theirs))
                told.append(f"{field.name} was {was!r} and is {now!r}")
        return told


def reservation_of(at: str | None, zone: str | None) -> Reservation | None:
    """Give the reservation of a campaign's row; None if there is none."""
    if at is None or zone is None:
        return None
    minute = datetime.fromisoformat(at).astimezone(ZoneInfo(zone))
    return Reservation(minute, f"{minute:%Y-%m-%d %H:%M}", zone)


def departure(intent_ms: int, reservation: Reservation | None) -> float:
    """Give when a request goes out, at the earliest: seconds since the epoch.

    Args:
        intent_ms: Its signature time, milliseconds since the epoch.
        reservation: Its campaign's.
    """
    signed_at = intent_ms / 1_000
    return signed_at if reservation is None else max(signed_at, reservation.at.timestamp())


def checked_name(name: object) -> str:
    """Give a campaign's name, if it can be one, so that names which look alike are one.

    Raises:
        ValueError: It is empty, too long, or holds what cannot be seen.
    """
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
        raise ValueError(f"a campaign's name is text of 1 to {_LONGEST_NAME} characters: {name!r}")
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"a campaign's name is printable, without blanks around it: {name!r}")
    return same_name(name)


def same_name(name: str) -> str:
    """Write a name in one way: a Mac takes 한글 apart."""
    return unicodedata.normalize("NFC", name)
