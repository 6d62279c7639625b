"""What one call says, checked and compiled once, before anybody is sent to."""

from typing import NamedTuple, TypeVar

import attrs

from sens_async.core.content import (
    SUBJECT_LIMIT,
    Charset,
    TooLong,
    Unencodable,
    choose_type,
    encode,
    encode_all,
    has_ad_label,
    limit_of,
    truncate,
)
from sens_async.core.phone import normalize_sender
from sens_async.core.schedule import KST, Reservation, from_epoch, is_night
from sens_async.core.template import Template
from sens_async.errors import (
    AdRuleViolated,
    ConfigError,
    ContentTooLong,
    InvalidMessage,
    SensError,
)
from sens_async.models import ContentType, MessageType

__all__ = ["KOREA", "Message", "Rules"]

E = TypeVar("E", MessageType, ContentType)

KOREA = "82"
"""The country code whose numbers take LMS and MMS (SENS guide: SMS message)."""


class Rules(NamedTuple):
    """What a session does with texts; see `Settings` for each."""

    charset: Charset = Charset.CP949
    unencodable: Unencodable = Unencodable.REFUSE
    on_too_long: TooLong = TooLong.REFUSE
    check_ad_label: bool = True
    night_consent: bool = False

    def fit(self, text: str, limit_bytes: int, field: str) -> tuple[str, int]:
        """Give a text as it will go out and its size.

        Args:
            text: After rendering.
            limit_bytes: What the message type holds.
            field: `"content"` or `"subject"`, for the error.

        Raises:
            UnencodableText: A character is not in the charset and is to be refused.
            ContentTooLong: It does not fit and is not to be truncated.
        """
        encoded = encode(text, charset=self.charset, unencodable=self.unencodable, field=field)
        if encoded.size_bytes <= limit_bytes:
            return encoded.text, encoded.size_bytes
        if self.on_too_long is TooLong.TRUNCATE:
            text = truncate(encoded.text, limit_bytes)
            return text, sum(encode_all([text], charset=self.charset) or ())
        raise ContentTooLong(
            f"{field} takes {encoded.size_bytes:,} bytes, at most {limit_bytes:,} are allowed",
            field=field,
            size_bytes=encoded.size_bytes,
            limit_bytes=limit_bytes,
        )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Message:
    """What one call says, ready to be addressed.

    Attributes:
        content: The call's text, or None if every recipient brings one.
        subject: The call's subject, or None.
        text: The content as it will go out, where it has no fields; else None.
        text_bytes: What `text` takes; 0 where that is None.
        title: The subject as it will go out, where it has no fields; else None.
        type: As the caller gave it, or None to choose for each recipient.
        content_type: Advertisement or not.
        country_code: Digits.
        sender: Digits.
        reservation: When to send, or None for now.
        pictures: How many there are.
        rules: How texts are treated.
        longest: The most bytes a text may take, whatever type is chosen for it.
    """

    content: Template | None
    subject: Template | None
    text: str | None
    text_bytes: int
    title: str | None
    type: MessageType | None
    content_type: ContentType
    country_code: str
    sender: str
    reservation: Reservation | None
    pictures: int
    rules: Rules
    longest: int

    @classmethod
    def compile(
        cls,
        content: str | None,
        *,
        subject: str | None = None,
        type: MessageType | str | None = None,  # noqa: A002 - the service's word
        content_type: ContentType | str = ContentType.COMM,
        country_code: str = KOREA,
        sender: str | None,
        reservation: Reservation | None = None,
        pictures: int = 0,
        rules: Rules,
    ) -> "Message":
        """Check everything that does not depend on a recipient.

        Raises:
            ConfigError: There is no sender, or it is no number.
            InvalidMessage: Or one of its subclasses, naming the field, its value and the limit.
        """
        if sender is None:
            raise ConfigError("no sender: give SensSession(sender=...), SENS_SENDER or sender=...")
        body, head = (
            _template(content, "content"),
            _template(None if subject == "" else subject, "subject"),
        )
        kind = _member(MessageType, type, "type") if type is not None else None
        _check_combination(kind, head is not None, pictures, _country(country_code))
        kind_of_content = _member(ContentType, content_type, "content_type")
        longest = _longest(kind, country_code)
        title = text = None
        text_bytes = 0
        if head is not None and head.is_literal:
            title, _ = rules.fit(head.literal, SUBJECT_LIMIT, "subject")
        if body is not None and body.is_literal:
            text, text_bytes = rules.fit(body.literal, longest, "content")
            if not text.strip():
                raise InvalidMessage("content is empty")
        message = cls(
            content=body,
            subject=head,
            text=text,
            text_bytes=text_bytes,
            title=title,
            type=kind,
            content_type=kind_of_content,
            country_code=country_code,
            sender=normalize_sender(sender),
            reservation=reservation,
            pictures=pictures,
            rules=rules,
            longest=longest,
        )
        if text is not None and (head is None or title is not None):
            error = message.ad_label_error(title, text)
            if error is not None:
                raise error
        return message

    def type_of(self, size_bytes: int, *, has_subject: bool) -> MessageType:
        """Give the type for a text of this size; a type the caller gave stands as it is."""
        if self.type is not None:
            return self.type
        if self.country_code != KOREA:
            return MessageType.SMS
        return choose_type(size_bytes, has_subject, self.pictures > 0)

    def check_time(self, now: float) -> None:
        """Refuse to go out at the wrong time; asked again for each request.

        Args:
            now: Seconds since the epoch.

        Raises:
            InvalidSchedule: The reservation is less than ten minutes ahead.
            AdRuleViolated: An advertisement would go out at night without consent.
        """
        if self.reservation is not None:
            self.reservation.check_lead(now)
        if self.content_type is ContentType.AD and not self.rules.night_consent:
            at = self.reservation.at.astimezone(KST) if self.reservation else from_epoch(now)
            if is_night(at):
                raise AdRuleViolated(
                    f"an advertisement would go out at {at:%H:%M}, between 21:00 and 08:00 (KST); "
                    "that needs the recipients' separate consent (Settings(night_consent=True))"
                )

    def ad_label_error(self, subject: str | None, text: str) -> SensError | None:
        """Give the error for an advertisement that does not begin with its label, or None."""
        if self.content_type is not ContentType.AD or not self.rules.check_ad_label:
            return None
        if has_ad_label(subject, text):
            return None
        return AdRuleViolated("an advertisement's subject or content must begin with '(광고)'")


def _longest(kind: MessageType | None, country_code: str) -> int:
    if kind is not None:
        return limit_of(kind)
    return limit_of(MessageType.SMS if country_code != KOREA else MessageType.LMS)


def _template(text: str | None, field: str) -> Template | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidMessage(f"{field} must be str, got {type(text).__name__}")
    return Template.parse(text)


def _member(kind: type[E], value: str, field: str) -> E:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(kind)
        raise InvalidMessage(f"{field} must be one of {allowed}, got {value!r}") from None


def _country(code: object) -> str:
    if not isinstance(code, str) or not (code.isascii() and code.isdigit() and len(code) <= 4):
        raise InvalidMessage(f"country_code must be 1 to 4 digits such as '82', got {code!r}")
    return code


def _check_combination(
    kind: MessageType | None, has_subject: bool, pictures: int, country_code: str
) -> None:
    is_plain = kind in {None, MessageType.SMS} and not has_subject and not pictures
    if country_code != KOREA and not is_plain:
        raise InvalidMessage(
            f"country_code {country_code} takes SMS only, without subject or pictures"
        )
    if kind is MessageType.SMS and (has_subject or pictures):
        what = "a subject" if has_subject else "pictures"
        raise InvalidMessage(f"an SMS cannot carry {what}; use LMS or MMS, or leave type to us")
    if kind is MessageType.LMS and pictures:
        raise InvalidMessage("an LMS cannot carry pictures; use MMS, or leave type to us")
    if kind is MessageType.MMS and not pictures:
        raise InvalidMessage(
            "an MMS without pictures would go out as LMS; give images, or leave type to us"
        )
