"""What is said when a run is over: for people and, as JSON, for machines."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sens_async.cli.console import count, label, rate, seconds
from sens_async.cli.documents import error_document
from sens_async.cli.outputs import ResultFile
from sens_async.cli.reasons import Reason
from sens_async.cli.tally import Tally
from sens_async.errors import InvalidMessage, SensError
from sens_async.models import MessageType, OutcomeState

__all__ = ["print_summary", "states_table", "summary_document"]


def print_summary(
    console: Console,
    tally: Tally,
    *,
    elapsed: float,
    stopped_by: SensError | None,
    reserved: str | None = None,
    files: Sequence[ResultFile] = (),
) -> None:
    """Say what became of everybody.

    Args:
        console: Where.
        tally: The run's counts.
        elapsed: Seconds it took.
        stopped_by: What ended it early, or None.
        reserved: When what was accepted goes out, or None for at once.
        files: What was written.
    """
    console.print(states_table(tally.counts, tally.causes))
    kinds = ", ".join(f"{kind} {count(number)}" for kind, number in sorted(tally.types.items()))
    facts = [f"{seconds(elapsed)}, {rate(tally.total, elapsed)}"]
    if tally.requests:
        noun = "request" if tally.requests == 1 else "requests"
        facts.append(f"{count(tally.requests)} accepted {noun} ({kinds})")
    console.print(Text("  " + " · ".join(facts), "soft"))
    if reserved is not None and tally.requests:
        console.print(f"  reserved 예약 [figure]{reserved}[/]")
    if stopped_by is not None:
        name = type(stopped_by).__name__
        console.print(f"\n  [bad]stopped 중단[/] by {name}: {escape(str(stopped_by))}")
    if tally.counts[OutcomeState.UNKNOWN]:
        console.print(
            "  [bad]do not send to the unknown again 다시 보내지 마세요[/]: look them up with "
            "[figure]sens messages --since today[/]; --resolve would settle them"
        )
    for file in files:
        rows = f"{count(file.rows)} {'row' if file.rows == 1 else 'rows'}"
        if file.failure:
            rows += ", incomplete 불완전"
        console.print(f"  [soft]→[/] {escape(str(file.place))} [soft]({rows})[/]")


def states_table(
    counts: Counter[OutcomeState], causes: Sequence[Reason], *, is_brief: bool = False
) -> RenderableType:
    """The states somebody is in, and beside each why.

    Args:
        counts: Recipients by state.
        causes: Why they are in them, the commonest first.
        is_brief: Whether to leave out what would be allowed, and all but the names of errors that
            are no fault of the list.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="figure", no_wrap=True)
    table.add_column(overflow="fold")  # the one that gives way
    for state in OutcomeState:
        if not counts[state] and state is not OutcomeState.ACCEPTED:
            continue
        own = [cause for cause in causes if cause.state is state]
        lines = _brief(own) if is_brief else [_why(c.count, c.name, c.text) for c in own]
        table.add_row(label(state), count(counts[state]), Text("\n").join(lines))
    return Padding(table, (1, 2))


def _brief(causes: Sequence[Reason]) -> list[Text]:
    lines, others = [], Counter[str]()
    for cause in causes:
        if isinstance(cause.error, InvalidMessage):
            lines.append(_why(cause.count, cause.name, cause.text.partition("; ")[0]))
        else:
            others[cause.name] += cause.count
    names = [_why(number, name) for name, number in others.most_common()]
    return [*lines, Text(", ").join(names)] if names else lines


def _why(number: int, name: str, text: str = "") -> Text:
    return Text.assemble((f"{count(number)} × ", "soft"), name, (text and f"  {text}", "soft"))


def summary_document(
    tally: Tally,
    *,
    elapsed: float,
    stopped_by: SensError | None,
    reserve_at: datetime | None = None,
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
        "reserve_at": reserve_at and reserve_at.isoformat(),
        "stopped_by": None if stopped_by is None else error_document(stopped_by),
        "causes": [cause.document for cause in tally.causes],
        "files": [
            {"path": str(file.place), "rows": file.rows, "is_whole": file.failure is None}
            for file in files
        ],
        "exit_code": exit_code,
    }
