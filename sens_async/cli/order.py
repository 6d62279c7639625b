"""What is to be sent, as the command's options say it."""

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

import attrs

from sens_async.cli.table import InvalidTable, Table
from sens_async.core.message import Message, Rules
from sens_async.core.schedule import KST, Reservation, parse_time
from sens_async.core.template import Template
from sens_async.errors import ConfigError
from sens_async.models import ContentType, MessageType

__all__ = ["Order", "check_columns", "read_time"]

_begins_with_minute = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d").match


@attrs.frozen(kw_only=True)
class Order:
    """What is to be sent; the names are those of `SensSession.send_many`."""

    content: str
    subject: str | None
    type: MessageType | None
    images: Sequence[Path]
    content_type: ContentType
    country_code: str
    sender: str | None
    reserve_at: datetime | None
    duplicates: Literal["skip", "send"]
    rate: float | None = None
    max_in_flight: int = 32

    @classmethod
    def read(
        cls,
        *,
        content: str,
        subject: str | None,
        type_: MessageType | None,
        images: Sequence[Path] | None,
        content_type: ContentType,
        country_code: str,
        sender: str | None,
        reserve_at: str | None,
        duplicates: str,
        rate: float | None = None,
        max_in_flight: int = 32,
    ) -> Self:
        """Read the options as they were given; the sender is else that of the environment.

        Raises:
            ConfigError: The time is none, or what to do with duplicates is not said.
        """
        if duplicates not in {"skip", "send"}:
            raise ConfigError(f"--duplicates is skip or send, not {duplicates!r}")
        return cls(
            content=content,
            subject=subject,
            type=type_,
            images=images or (),
            content_type=content_type,
            country_code=country_code,
            sender=sender or os.environ.get("SENS_SENDER") or None,
            reserve_at=read_time(reserve_at),
            duplicates="skip" if duplicates == "skip" else "send",
            rate=rate,
            max_in_flight=max_in_flight,
        )

    @property
    def reservation(self) -> Reservation | None:
        """The minute at which it is to go out, or None for now."""
        return None if self.reserve_at is None else Reservation.of(self.reserve_at)

    @property
    def reserved(self) -> str | None:
        """The same for a person: `2026-12-01 09:00 KST`."""
        if self.reservation is None:
            return None
        return f"{self.reservation.at.astimezone(KST):%Y-%m-%d %H:%M} KST"

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that content and subject name, each once."""
        texts = filter(None, (self.content, self.subject))
        return tuple(dict.fromkeys(name for text in texts for name in Template.parse(text).fields))

    def message(self, rules: Rules, *, sender: str) -> Message:
        """Check and compile it, as a run would."""
        return Message.compile(
            self.content,
            subject=self.subject,
            type=self.type,
            content_type=self.content_type,
            country_code=self.country_code,
            sender=sender,
            reservation=self.reservation,
            pictures=len(self.images),
            rules=rules,
        )


def check_columns(order: Order, listing: Table) -> None:
    """Refuse a text that names what the list does not have: nobody could be sent it.

    Raises:
        InvalidTable: Naming the first such column and those there are.
        InvalidTemplate: A brace has no partner.
    """
    for name in order.fields:
        if name in listing.fields:
            continue
        why = "cannot be filled in: numbers alone have no columns, a CSV has"
        if listing.fields:
            why = f"is no column of {listing.name}; it has {', '.join(listing.fields)}"
        raise InvalidTable(f"{{{name}}} {why} (a brace of the text itself is {{{{ or }}}})")


def read_time(text: str | None) -> datetime | None:
    """Read `--reserve-at`: a date and a time of day, Korean unless it brings its offset.

    Raises:
        ConfigError: It is not both.
    """
    if text is None:
        return None
    try:
        if _begins_with_minute(text):
            return parse_time(text)
    except ValueError:
        pass
    raise ConfigError(f"--reserve-at is a date and a time like '2026-12-01 09:00', not {text!r}")
