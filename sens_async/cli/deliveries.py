"""What became of messages, shown: the words for it, a table, counts, and records for machines."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sens_async.cli.console import count, mask
from sens_async.cli.listing import Record
from sens_async.core.result_codes import ResultClass
from sens_async.deliveries import Delivery, DeliveryStatus

__all__ = ["COLUMNS", "DeliveryTable", "Fate", "Fates", "fate_of", "record_of"]


class Fate(StrEnum):
    """What became of a message, in one word."""

    DELIVERED = "delivered"
    FAILED = "failed"
    WAITING = "waiting"
    SENDING = "sending"
    UNTOLD = "untold"
    """The service's words for it are not known, or it gives none."""


_LABELS: Mapping[Fate, tuple[str, str, str]] = {
    Fate.DELIVERED: ("delivered", "도착", "accepted"),
    Fate.FAILED: ("failed", "실패", "bad"),
    Fate.WAITING: ("waiting", "대기", "skipped"),
    Fate.SENDING: ("on its way", "전송 중", "skipped"),
    Fate.UNTOLD: ("not told", "불명", "rejected"),
}
"""English, Korean and a style of the theme."""

_BY_STATUS: Mapping[str | None, Fate] = {
    DeliveryStatus.READY: Fate.WAITING,
    DeliveryStatus.PROCESSING: Fate.SENDING,
}

COLUMNS = (
    "number",
    "fate",
    "status",
    "code",
    "result",
    "result_korean",
    "result_class",
    "message",
    "telco",
    "requested_at",
    "completed_at",
    "type",
    "content_type",
    "country_code",
    "sender",
    "subject",
    "content",
    "request_id",
    "message_id",
)
"""Names of a record's fields."""


def fate_of(delivery: Delivery) -> Fate:
    """Say in one word what became of a message."""
    if delivery.is_delivered:
        return Fate.DELIVERED
    if delivery.is_failed:
        return Fate.FAILED
    return _BY_STATUS.get(delivery.status, Fate.UNTOLD)


def record_of(delivery: Delivery) -> Record:
    """Give everything that is known of a message, the number and the text whole."""
    result = delivery.result
    derived = {
        "fate": fate_of(delivery).value,
        "result": result and result.english,
        "result_korean": result and result.korean,
        "result_class": result and result.kind.value,
        "requested_at": _written(delivery.requested_at),
        "completed_at": _written(delivery.completed_at),
    }
    return {name: derived[name] if name in derived else getattr(delivery, name) for name in COLUMNS}


class Fates:
    """How many messages each fate has, and how many each code.

    Attributes:
        counts: Messages by fate.
    """

    def __init__(self, deliveries: Iterable[Delivery] = ()) -> None:
        self.counts: Counter[Fate] = Counter()
        self._codes: dict[str, tuple[int, Text]] = {}
        for delivery in deliveries:
            self.add(delivery)

    def add(self, delivery: Delivery) -> None:
        """Count a message."""
        fate = fate_of(delivery)
        self.counts[fate] += 1
        if fate is Fate.FAILED:
            code = delivery.code or ""
            number, why = self._codes.get(code, (0, _why(delivery)))
            self._codes[code] = number + 1, why

    @property
    def document(self) -> dict[str, int]:
        """The counts for machines."""
        return {fate.value: self.counts[fate] for fate in Fate}

    def line(self) -> Text:
        """Say how many messages each fate has that occurs."""
        line = Text()
        for fate in Fate:
            if number := self.counts[fate]:
                line.append("   " if line else "")
                line.append(f"{count(number)} ", "figure")
                line.append_text(_label(fate))
        return line

    def lines(self) -> list[Text]:
        """Say the same, and why the failed ones failed, the commonest reason first."""
        commonest = sorted(self._codes.values(), key=lambda pair: -pair[0])
        return [
            self.line(),
            *(Text.assemble((f"{count(number)} × ", "soft"), why) for number, why in commonest),
        ]


class DeliveryTable:
    """A table that is printed as it grows: all columns but the last have a fixed width."""

    ROWS_AT_ONCE = 100
    NARROW = 60
    """Columns of a terminal below which there is room for numbers and results alone."""

    def __init__(self, console: Console, *, of_one_request: bool, unmasked: bool) -> None:
        """Begin it; its head is printed with its first row.

        Args:
            console: Where.
            of_one_request: Whether all have been asked for together: then it says when each
                was completed, else when it was asked for.
            unmasked: Whether numbers are shown whole.
        """
        self._console = console
        self._is_narrow = console.width < self.NARROW
        self._of_one_request = of_one_request
        self._unmasked = unmasked
        self._rows: list[Delivery] = []
        self._is_begun = False

    def add(self, delivery: Delivery) -> None:
        """Take in a row; it is printed with the next hundred, or at the end."""
        self._rows.append(delivery)
        if len(self._rows) == self.ROWS_AT_ONCE:
            self.end()

    def end(self) -> None:
        """Print the rows that are left."""
        if not self._rows:
            return
        table = Table.grid(padding=(0, 2))
        for _, width in self._columns:
            table.add_column(width=width, overflow="fold")
        table.add_column(overflow="fold")  # the one that gives way
        if not self._is_begun:
            self._is_begun = True
            table.add_row(
                *(Text(name, "soft") for name, _ in self._columns), "[soft]result 결과[/]"
            )
        for row in self._rows:
            table.add_row(*self._cells(row), _result(row))
        self._rows.clear()
        self._console.print(Padding(table, (0, 0, 0, 2)))

    @property
    def _columns(self) -> Sequence[tuple[str, int]]:
        number = ("number 번호", 15 if self._unmasked else 13)
        if self._is_narrow:
            return (number,)
        if self._of_one_request:
            return number, ("telco", 5), ("completed 완료", 19)
        return ("requested 요청", 19), number, ("type", 4), ("telco", 5)

    def _cells(self, row: Delivery) -> Sequence[str]:
        number = row.number if self._unmasked else mask(row.number)
        if self._is_narrow:
            return (number,)
        if self._of_one_request:
            return number, row.telco or "-", _shown(row.completed_at)
        return _shown(row.requested_at), number, row.type or "-", row.telco or "-"


def _label(fate: Fate) -> Text:
    english, korean, style = _LABELS[fate]
    return Text.assemble((english, style), (f" {korean}", "soft"))


def _result(row: Delivery) -> Text:
    fate = fate_of(row)
    if fate is Fate.FAILED:
        return Text("  ").join([_label(fate), _why(row)])
    if fate is Fate.UNTOLD and row.status:
        return Text.assemble(_label(fate), f"  {row.status}")
    return _label(fate)


def _why(row: Delivery) -> Text:
    """Why a message failed: the code and its meaning, else the service's own words."""
    result = row.result
    if result is None:
        return Text(row.message or "no code 코드 없음")
    if result.kind is ResultClass.UNKNOWN and row.message:
        return Text.assemble((result.code, "figure"), f" {row.message}")
    return Text.assemble(
        (result.code, "figure"), f" {result.english}", (f" {result.korean}", "soft")
    )


def _shown(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else "-"


def _written(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
