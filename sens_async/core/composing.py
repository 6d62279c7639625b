"""From what the caller gave to final texts: checked, rendered, fitted, and typed.

A chunk of input goes through the checks as a whole, column by column: one regex over the joined
numbers, one rendering, one encoding. Only a check that fails for the chunk is repeated recipient
by recipient, to name the culprits; the others go on together.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, cast

import attrs

from sens_async.core.content import (
    SMS_LIMIT,
    SUBJECT_LIMIT,
    cp949_only,
    encode_all,
    has_ad_label,
)
from sens_async.core.entry_template import EntryTemplate
from sens_async.core.message import KOREA, Message
from sens_async.core.phone import normalize, normalize_all
from sens_async.core.rows import Rows
from sens_async.core.template import Template
from sens_async.errors import InvalidMessage, InvalidRecipient, SensError, without_traceback
from sens_async.models import ContentType, MessageType, OutcomeState, Recipient
from sens_async.outcomes import OutcomeBatch

__all__ = ["Composer", "Group"]

_PICK = {field: attrgetter(field) for field in ("content", "subject")}


class Group(NamedTuple):
    """Recipients that can share a request.

    Attributes:
        type: What all of them are sent as.
        has_subject: Whether all of them have a subject, or none.
        rows: Who they are and what they get.
    """

    type: MessageType
    has_subject: bool
    rows: Rows


class Composer:
    """Addresses one message to the recipients of one run.

    Attributes:
        taken: How many recipients were composed so far.
        rejected: Outcomes of those refused since this list was last emptied.
        cp949_only_seen: Whether a text held a character that CP949 has and KS X 1001 lacks.
    """

    def __init__(self, message: Message) -> None:
        self.taken = 0
        self.rejected: list[OutcomeBatch] = []
        self.cp949_only_seen = False
        self._message = message
        self._charset = message.rules.charset
        self._shared: tuple[MessageType, bool] | None = None
        self._entries = _entry_template(message)
        if message.text is not None:
            self._look_for_cp949_only([message.text])
            if message.subject is None or message.title is not None:
                self._shared = self._kind(message.text_bytes, bool(message.title))

    def compose(self, items: Sequence[object]) -> list[Group]:
        """Compose the messages of the next recipients, in order.

        Args:
            items: Strings and `Recipient`s; anything else is refused, too, not raised.

        Returns:
            Those that passed; the others are added to `rejected`.
        """
        began, refused = self.taken, len(self.rejected)
        try:
            return self._compose(items)
        except Exception:  # noqa: BLE001 - a caller's object did that: find out which
            self.taken = began
            del self.rejected[refused:]
        return [group for item in items for group in self._compose_alone(item)]

    def _compose_alone(self, item: object) -> list[Group]:
        index, refused = self.taken, len(self.rejected)
        try:
            return self._compose([item])
        except Exception as cause:  # noqa: BLE001 - whatever it was, it was this recipient
            self.taken = index + 1
            del self.rejected[refused:]
            error = InvalidRecipient(f"the recipient cannot be read: {type(cause).__name__}")
            refusal = OutcomeBatch(OutcomeState.REJECTED, [index], [item], [None], error=error)
            self.rejected.append(refusal)
            return []

    def _compose(self, items: Sequence[object]) -> list[Group]:
        if self._entries is not None:
            groups = self._fill(self._entries, items)
            if groups is not None:
                return groups
        kinds = set(map(type, items))
        rows = self._read(items, kinds)
        if self._shared is not None and kinds == {str}:
            return [Group(*self._shared, rows)] if rows else []
        rows = self._write(rows)
        return self._by_type(rows, rows.sizes) if rows else []

    def _fill(self, entries: EntryTemplate, items: Sequence[object]) -> list[Group] | None:
        """Compose a chunk in which everything is as it mostly is; None if something is not."""
        given = [
            one.to
            for one in items
            if type(one) is Recipient
            and one.content is None is one.subject
            and type(one.to) is str
            and type(one.fields) is dict
        ]
        if len(given) < len(items):
            return None
        fields = [one.fields for one in cast("Sequence[Recipient]", items)]
        numbers = normalize_all(given)
        filled = entries.fill(numbers, fields) if numbers is not None else None
        if numbers is None or filled is None:
            return None
        indexes = range(self.taken, self.taken + len(items))
        self.taken += len(items)
        self.cp949_only_seen |= filled.cp949_only
        rows = Rows(indexes, items, numbers, entries=filled.entries)
        if len(filled.sizes) == 1:
            return [Group(*self._kind(filled.sizes[0], bool(self._message.title)), rows)]
        return self._by_type(rows, filled.sizes)

    def _read(self, items: Sequence[object], kinds: set[type]) -> Rows:
        """Find everybody's number."""
        indexes: Sequence[int] = range(self.taken, self.taken + len(items))
        self.taken += len(items)
        given: Sequence[object] = items
        if kinds == {Recipient}:
            given = [item.to for item in items]  # type: ignore[attr-defined]
            kinds = set(map(type, given))
        elif kinds != {str}:
            given = [item.to if isinstance(item, Recipient) else item for item in items]
            kinds = set(map(type, given))
        if self._message.country_code == KOREA and kinds == {str}:
            numbers = normalize_all(given)  # type: ignore[arg-type]
            if numbers is not None:
                return Rows(indexes, items, numbers)
        nobody = [""] * len(items)
        return self._each(
            Rows(indexes, items, nobody), "number", lambda row: self._number(items[row], given[row])
        )

    def _number(self, item: object, to: object) -> str:
        if not isinstance(item, str | Recipient):
            raise InvalidRecipient(
                f"a recipient must be str or Recipient, got {type(item).__name__}"
            )
        return normalize(to, self._message.country_code)

    def _write(self, rows: Rows) -> Rows:
        """Render and fit texts and subjects that are not the same for everybody."""
        message = self._message
        has_own = _has_own(rows, "content")
        if message.text is None or has_own:
            rows = self._render(rows, "content", message.content, has_own=has_own)
            rows = self._fit(rows, "content", rows.texts or [], message.longest)
        subject_varies = message.subject is not None and message.title is None
        has_own = _has_own(rows, "subject")
        if subject_varies or has_own:
            rows = self._render(rows, "subject", message.subject, has_own=has_own)
            rows = self._fit(rows, "subject", rows.titles or [], SUBJECT_LIMIT)
        if message.content_type is ContentType.AD and (rows.texts or rows.titles):
            rows = self._check_labels(rows)
        return rows

    def _render(self, rows: Rows, field: str, template: Template | None, *, has_own: bool) -> Rows:
        if template is not None and not has_own and set(map(type, rows.items)) == {Recipient}:
            fields = [item.fields for item in rows.items]  # type: ignore[attr-defined]
            if set(map(type, fields)) == {dict}:
                texts = template.render_all(fields)
                if texts is not None:
                    return rows.with_column(field, texts)
        return self._each(rows, field, lambda row: _text_of(rows.items[row], field, template))

    def _fit(self, rows: Rows, field: str, texts: Sequence[str], limit_bytes: int) -> Rows:
        sizes = encode_all(texts, charset=self._charset)
        is_filled = field == "subject" or all(map(str.strip, texts))
        if sizes is None or max(sizes, default=0) > limit_bytes or not is_filled:
            rules = self._message.rules

            def fit(row: int) -> str:
                text, _ = rules.fit(texts[row], limit_bytes, field)
                if field == "content" and not text.strip():
                    raise InvalidMessage("content is empty")
                return text

            rows = self._each(rows, field, fit)
            texts = (rows.texts if field == "content" else rows.titles) or []
            sizes = encode_all(texts, charset=self._charset)
        self._look_for_cp949_only(texts)
        return attrs.evolve(rows, sizes=sizes) if field == "content" else rows

    def _check_labels(self, rows: Rows) -> Rows:
        texts, titles = rows.texts_of(self._message), rows.titles_of(self._message)

        def check(row: int) -> str:
            error = self._message.ad_label_error(titles[row], texts[row])
            if error is not None:
                raise error
            return texts[row]

        return self._each(rows, "content", check)

    def _by_type(self, rows: Rows, sizes: Sequence[int] | None) -> list[Group]:
        """Split rows into those that can share a request.

        Args:
            rows: At least one.
            sizes: Of their texts: for each, or one that speaks for all; None if all get the
                call's own.
        """
        message = self._message
        if rows.titles is None:
            titled = [bool(message.title)]
        else:
            titled = [bool(title) for title in rows.titles]
        if sizes is None:
            if self._shared is not None and rows.titles is None:
                return [Group(*self._shared, rows)]
            sizes = [message.text_bytes]
        if len(titled) == 1 and (len(sizes) == 1 or max(sizes) <= SMS_LIMIT):
            return self._allowed(Group(*self._kind(max(sizes), titled[0]), rows))
        count = len(rows)
        kinds = [
            self._kind(size, has_subject)
            for size, has_subject in zip(
                sizes if len(sizes) == count else [*sizes] * count,
                titled if len(titled) == count else titled * count,
                strict=True,
            )
        ]
        distinct = list(dict.fromkeys(kinds))
        if len(distinct) == 1:
            return self._allowed(Group(*distinct[0], rows))
        return [
            group
            for kind in distinct
            for group in self._allowed(
                Group(*kind, rows.keep([row for row, other in enumerate(kinds) if other == kind]))
            )
        ]

    def _kind(self, size_bytes: int, has_subject: bool) -> tuple[MessageType, bool]:
        return self._message.type_of(size_bytes, has_subject=has_subject), has_subject

    def _allowed(self, group: Group) -> list[Group]:
        """Refuse what only a recipient's own subject can bring about."""
        if group.type is MessageType.SMS and group.has_subject:
            for row in range(len(group.rows)):
                why = "an SMS cannot carry a subject; use LMS, or leave type to us"
                self._reject(group.rows, row, InvalidMessage(why))
            return []
        return [group]

    def _each(self, rows: Rows, column: str, make: Callable[[int], str]) -> Rows:
        """Make one column row by row; whoever fails is refused with the error."""
        values: list[str] = []
        kept: list[int] = []
        for row in range(len(rows)):
            try:
                values.append(make(row))
                kept.append(row)
            except InvalidMessage as error:
                self._reject(rows, row, without_traceback(error))
        if len(kept) < len(rows):
            rows = rows.keep(kept)
        if column == "number":
            return Rows(rows.indexes, rows.items, values)
        return rows.with_column(column, values)

    def _reject(self, rows: Rows, row: int, error: SensError) -> None:
        one = rows.keep([row])
        numbers = [one.numbers[0] or None]
        kind = self._message.type
        self.rejected.append(
            OutcomeBatch(OutcomeState.REJECTED, one.indexes, one.items, numbers, kind, error=error)
        )

    def _look_for_cp949_only(self, texts: Sequence[str]) -> None:
        if not self.cp949_only_seen and cp949_only(texts):
            self.cp949_only_seen = True


def _entry_template(message: Message) -> EntryTemplate | None:
    """Compile the call's template, if only fields tell one recipient's message from another's."""
    template = message.content
    if template is None or (message.subject is not None and message.title is None):
        return None
    if message.country_code != KOREA:
        return None
    is_ad = message.content_type is ContentType.AD and message.rules.check_ad_label
    if is_ad and not has_ad_label(message.title, template.literals[0]):
        return None
    return EntryTemplate.of(template, charset=message.rules.charset, longest=message.longest)


def _has_own(rows: Rows, field: str) -> bool:
    """Whether anybody brings a `content` or `subject` of their own."""
    pick = _PICK[field]
    if set(map(type, rows.items)) == {Recipient}:
        own = list(map(pick, rows.items))
    else:
        own = [pick(item) for item in rows.items if isinstance(item, Recipient)]
    if field == "content":
        return any(text is not None for text in own)
    return any(own)


def _text_of(item: object, field: str, template: Template | None) -> str:
    """Give one recipient's own text, or the call's template rendered for it."""
    fields: Mapping[str, object] = {}
    if isinstance(item, Recipient):
        own: object = getattr(item, field)
        if own is not None and not isinstance(own, str):
            raise InvalidMessage(f"{field} must be str, got {type(own).__name__}")
        if own is not None and (own or field == "content"):
            return str.__str__(own)  # a plain str of it: a subclass may hash or compare oddly
        fields = item.fields
    if template is None:
        if field == "subject":
            return ""
        raise InvalidMessage("no content: neither the call nor the recipient gives a text")
    if template.is_literal:
        return template.literal
    if not isinstance(fields, Mapping):
        raise InvalidMessage(f"fields must be a mapping, got {type(fields).__name__}")
    try:
        return template.render(fields)
    except InvalidMessage:
        raise
    except Exception as cause:  # a value's own __str__ may raise anything
        what = type(cause).__name__
        raise InvalidMessage(f"a field of the {field} cannot be written: {what}") from cause
