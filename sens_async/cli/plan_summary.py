"""What is said of a plan: for people and, as JSON, for machines."""

from datetime import datetime, timedelta

from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sens_async.cli.console import WARNING, count, label
from sens_async.cli.order import Order
from sens_async.cli.plan import Plan
from sens_async.cli.table import Table as Listing
from sens_async.models import MessageType

__all__ = ["plan_document", "print_facts", "print_plan"]

_SAMPLE_CHARACTERS = 240
_PICTURES_SURELY_KEPT = timedelta(days=2)


def print_plan(
    console: Console,
    plan: Plan,
    listing: Listing,
    order: Order,
    *,
    heading: str,
    now: datetime,
    sender: str | None,
) -> None:
    """Say what would be sent, and what not.

    Args:
        console: Where.
        plan: What was found out.
        listing: The list.
        order: What is to be sent.
        heading: The first words.
        now: The present.
        sender: What to say of the calling number, or None if there is none yet.
    """
    console.print(f"\n{heading}  {_origin(listing)}")
    console.print(_types(plan))
    if plan.refusals:
        console.print(_refusals(plan))
    print_facts(console, plan, order, now=now, sender=sender)


def print_facts(
    console: Console, plan: Plan, order: Order, *, now: datetime, sender: str | None
) -> None:
    """Say how the first text reads, and what may be a mistake; see `print_plan`."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    if plan.sample is not None:
        facts.add_row("[soft]first text 첫 문구[/]", escape(_shortened(plan.sample)))
    if sender is not None:
        facts.add_row("[soft]from 발신[/]", escape(sender))
    if order.reserved is not None:
        facts.add_row("[soft]reserved 예약[/]", order.reserved)
    for note in _notes(plan, order, now):
        facts.add_row(WARNING, escape(note))
    if sender is None:
        facts.add_row("[soft]from 발신[/]", "no sender yet: give --from or set SENS_SENDER")
    console.print(Padding(facts, (0, 2)))


def _shortened(text: str) -> str:
    line = text.replace("\r\n", "⏎").replace("\n", "⏎")
    return line if len(line) <= _SAMPLE_CHARACTERS else line[:_SAMPLE_CHARACTERS] + "…"


def _types(plan: Plan) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, header_style="soft", pad_edge=True)
    table.add_column("type 종류")
    for name in ("recipients 수신자", "requests 요청", "bytes 바이트"):
        table.add_column(name, justify="right")
    for kind in MessageType:
        if plan.types[kind]:
            low, high = plan.smallest[kind], plan.largest[kind]
            table.add_row(
                kind.value,
                count(plan.types[kind]),
                count(plan.requests[kind]),
                str(low) if low == high else f"{low:,} – {high:,}",
            )
    if len(plan.types) != 1:
        table.add_section()
        table.add_row("all 전체", count(plan.sendable), count(plan.requests.total()), "")
    return table


def _refusals(plan: Plan) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="figure", no_wrap=True)
    table.add_column(overflow="fold")  # the one that gives way
    for refusal in plan.refusals:
        why = Text.assemble(refusal.name, (f"  {refusal.text}\n{refusal.rows}", "soft"))
        table.add_row(label(refusal.state), count(refusal.count), why)
    return Padding(table, (0, 2, 1, 2))


def _notes(plan: Plan, order: Order, now: datetime) -> list[str]:
    """What stops nothing and may well be a mistake."""
    notes = []
    for name, number in plan.empty.items():
        rows = f"{count(number)} rows have" if number > 1 else "1 row has"
        notes.append(f"{rows} an empty {{{name}}} 빈 칸")
    if plan.cp949_only is not None:
        notes.append(
            f"{plan.cp949_only!r} is in CP949 and not in KS X 1001; which of the two SENS means by "
            "EUC-KR is unconfirmed, so look whether it arrives"
        )
    reservation = order.reservation
    if order.images and reservation and reservation.at - now > _PICTURES_SURELY_KEPT:
        notes.append("SENS keeps pictures about 6 days: one reserved beyond that is refused")
    return notes


def _origin(listing: Listing) -> str:
    if not listing.encoding:
        return f"[soft]{count(listing.size)} numbers[/]"
    names = {"\t": "tab"}
    column = listing.header[listing.number_column]
    header = "" if listing.has_header else ", no header"
    overlong = (
        f"; row {listing.overlong} has more cells than the header" if listing.overlong else ""
    )
    delimiter = names.get(listing.delimiter, repr(listing.delimiter))
    return escape(
        f"{listing.name}: {count(listing.size)} rows, {listing.encoding}, {delimiter}{header}, "
        f"numbers in {column!r}{overlong}"
    )


def plan_document(plan: Plan, order: Order) -> dict[str, object]:
    """A plan for machines."""
    return {
        "dry_run": True,
        "recipients": plan.recipients,
        "sendable": plan.sendable,
        "types": {
            kind.value: {
                "recipients": plan.types[kind],
                "requests": plan.requests[kind],
                "bytes": [plan.smallest[kind], plan.largest[kind]],
            }
            for kind in MessageType
            if plan.types[kind]
        },
        "requests": plan.requests.total(),
        "reserve_at": order.reservation and order.reservation.at.isoformat(),
        "empty_fields": dict(plan.empty),
        "cp949_only": plan.cp949_only,
        "refusals": [{**refusal.document, "rows": refusal.places} for refusal in plan.refusals],
        "exit_code": int(plan.has_rejected),
    }
