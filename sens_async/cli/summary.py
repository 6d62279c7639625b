"""What is said when a run, or a plan, is over: for people and, as JSON, for machines."""

import json
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sens_async.cli.console import count, label, rate, seconds
from sens_async.cli.plan import Plan
from sens_async.cli.results import ResultFile
from sens_async.cli.table import Table as Listing
from sens_async.cli.tally import Tally
from sens_async.errors import SensError
from sens_async.models import MessageType, OutcomeState

__all__ = [
    "error_document",
    "plan_document",
    "print_document",
    "print_plan",
    "print_summary",
    "summary_document",
]

_SAMPLE_CHARACTERS = 240


def print_summary(
    console: Console,
    tally: Tally,
    *,
    elapsed: float,
    stopped_by: SensError | None,
    files: Sequence[ResultFile] = (),
) -> None:
    """Say what became of everybody.

    Args:
        console: Where.
        tally: The run's counts.
        elapsed: Seconds it took.
        stopped_by: What ended it early, or None.
        files: What was written.
    """
    console.print(states_table(tally))
    kinds = ", ".join(f"{kind} {count(number)}" for kind, number in sorted(tally.types.items()))
    facts = [f"{seconds(elapsed)}, {rate(tally.total, elapsed)}"]
    if tally.requests:
        facts.append(f"{count(tally.requests)} accepted requests ({kinds})")
    console.print(Text("  " + " · ".join(facts), "soft"))
    if stopped_by is not None:
        name = type(stopped_by).__name__
        console.print(f"\n  [bad]stopped 중단[/] by {name}: {escape(str(stopped_by))}")
    for file in files:
        console.print(f"  [soft]→[/] {escape(str(file.path))} [soft]({count(file.rows)} rows)[/]")


def states_table(tally: Tally) -> RenderableType:
    """The states somebody is in, and under each why."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="figure", no_wrap=True)
    table.add_column()  # the one that gives way; its lines are cut, not folded
    for state in OutcomeState:
        if not tally.counts[state] and state is not OutcomeState.ACCEPTED:
            continue
        table.add_row(label(state), count(tally.counts[state]), _why(tally, state))
    return Padding(table, (1, 2))


def _why(tally: Tally, state: OutcomeState) -> Text:
    causes = [cause for cause in tally.causes if cause.state is state]
    lines = [
        Text.assemble(
            (f"{count(cause.count)} × ", "soft"), cause.name, (f"  {_example(cause.error)}", "soft")
        )
        for cause in causes
    ]
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


def _example(error: SensError) -> str:
    text = str(error)
    return text if len(text) <= 100 else text[:99] + "…"


def print_plan(console: Console, plan: Plan, listing: Listing, *, sender: str | None) -> None:
    """Say what would be sent, and what not.

    Args:
        console: Where.
        plan: What was found out.
        listing: The list.
        sender: The calling number, or None if none is set yet.
    """
    console.print(f"\n[brand]dry run 모의 실행[/]  [soft]nothing is sent[/]  {_origin(listing)}")
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
    console.print(table)
    if plan.refusals:
        console.print(_refusals(plan))
    if plan.sample is not None:
        sample = plan.sample.replace("\n", "⏎")
        console.print(f"  [soft]first text 첫 문구:[/] {escape(sample[:_SAMPLE_CHARACTERS])}")
    if sender is None:
        console.print("  [soft]no sender yet 발신번호 미설정: --from or SENS_SENDER[/]")


def _refusals(plan: Plan) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="figure", no_wrap=True)
    table.add_column()  # the one that gives way; its lines are cut, not folded
    for refusal in plan.refusals:
        lines = ", ".join(map(str, refusal.lines))
        more = "…" if refusal.count > len(refusal.lines) else ""
        why = Text.assemble(
            type(refusal.error).__name__,
            (f"  {refusal.error}\nline 행 {lines}{more}", "soft"),
            no_wrap=True,
            overflow="ellipsis",
        )
        table.add_row(label(refusal.state), count(refusal.count), why)
    return Padding(table, (0, 2, 1, 2))


def _origin(listing: Listing) -> str:
    if not listing.encoding:
        return f"[soft]{count(listing.size)} numbers[/]"
    names = {"\t": "tab"}
    column = listing.header[listing.number_column]
    header = "" if listing.has_header else ", no header"
    overlong = (
        f"; line {listing.overlong} has more cells than the header" if listing.overlong else ""
    )
    delimiter = names.get(listing.delimiter, repr(listing.delimiter))
    return escape(
        f"{listing.name}: {count(listing.size)} rows, {listing.encoding}, {delimiter}{header}, "
        f"numbers in {column!r}{overlong}"
    )


def summary_document(
    tally: Tally,
    *,
    elapsed: float,
    stopped_by: SensError | None,
    files: Sequence[ResultFile],
    exit_code: int,
) -> dict[str, object]:
    """The same for machines; numbers of people do not occur in it."""
    return {
        "recipients": tally.total,
        **{state.value.lower(): tally.counts[state] for state in OutcomeState},
        "types": {kind.value: tally.types[kind] for kind in MessageType if tally.types[kind]},
        "accepted_requests": tally.requests,
        "elapsed": round(elapsed, 3),
        "stopped_by": None if stopped_by is None else error_document(stopped_by),
        "causes": [
            {"state": cause.state.value, "count": cause.count, **error_document(cause.error)}
            for cause in tally.causes
        ],
        "files": [{"path": str(file.path), "rows": file.rows} for file in files],
        "exit_code": exit_code,
    }


def plan_document(plan: Plan) -> dict[str, object]:
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
        "refusals": [
            {
                "state": refusal.state.value,
                "count": refusal.count,
                "lines": refusal.lines,
                **error_document(refusal.error),
            }
            for refusal in plan.refusals
        ],
        "exit_code": int(plan.has_rejected),
    }


def error_document(error: SensError) -> dict[str, object]:
    """An error for machines."""
    document: dict[str, object] = {"error": type(error).__name__, "message": str(error)}
    for name in ("status", "code"):
        if value := getattr(error, name, None):
            document[name] = value
    return document


def print_document(document: object) -> None:
    """Print one JSON document on standard output."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
