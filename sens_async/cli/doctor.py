"""`sens doctor`: what stands between this machine and SENS."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from sens_async.cli.console import make_console, seconds

if TYPE_CHECKING:
    from rich.console import Console

    from sens_async.cli.diagnosis import Check

__all__ = ["doctor"]

_MARKS = {
    "good": ("✓", "accepted"),
    "warning": ("!", "rejected"),
    "bad": ("✗", "bad"),
    "open": ("?", "soft"),
    "skipped": ("-", "soft"),
}


_NAME_WIDTH = 22


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check keys, network, clock, signature and service id. 연결 진단.

    Sends no message: it asks for the list of the last minute.
    Exits with 0 if all is well; with 1 for a warning, too.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.diagnosis import diagnose  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415
    from sens_async.cli.interrupts import INTERRUPTED, cancelled_by_kill  # noqa: PLC0415
    from sens_async.cli.network import SystemNetwork  # noqa: PLC0415
    from sens_async.clock import SystemClock  # noqa: PLC0415

    console = make_console()
    checks: list[Check] = []

    async def run() -> None:
        cancelled_by_kill()
        async for check in diagnose(os.environ, SystemClock(), SystemNetwork()):
            checks.append(check)
            if not json:
                _show(console, check)

    is_interrupted = False
    try:
        asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        is_interrupted = True
    number = sum(check.finding in {"warning", "bad"} for check in checks)
    is_well = not number and not is_interrupted
    exit_code = INTERRUPTED if is_interrupted else int(not is_well)
    if json:
        documents = [_document(check) for check in checks]
        print_document({"is_well": is_well, "checks": documents, "exit_code": exit_code})
    elif is_well:
        console.print("\n[accepted]all is well 이상 없음[/]")
    elif not is_interrupted:
        console.print(f"\n[bad]{number} to mend 조치 필요[/]")
    raise typer.Exit(exit_code)


def _show(console: "Console", check: "Check") -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    mark, style = _MARKS[check.finding]
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(width=_NAME_WIDTH)
    table.add_column(overflow="fold")
    took = "" if check.seconds is None else f"  {_took(check.seconds)}"
    table.add_row(
        Text(mark, style),
        Text.assemble(check.name, (f" {check.korean}", "soft")),
        Text.assemble((check.text, "soft" if check.finding == "skipped" else ""), (took, "soft")),
    )
    for advice in check.advice:
        table.add_row("", "", Text(f"→ {advice}", "soft"))
    console.print(table)
    if check.signed is not None:
        console.print("\n  [soft]the text that was signed 서명한 문자열[/]")
        for line in check.signed.split("\n"):
            console.print(f"  {line}", soft_wrap=True, markup=False)
        console.print()


def _took(duration: float) -> str:
    return f"{duration * 1000:.0f}\N{NO-BREAK SPACE}ms" if duration < 1 else seconds(duration)


def _document(check: "Check") -> dict[str, object]:
    return {
        "check": check.name,
        "finding": check.finding.value,
        "text": check.text,
        "seconds": None if check.seconds is None else round(check.seconds, 4),
        "advice": list(check.advice),
        "signed": check.signed,
    }
