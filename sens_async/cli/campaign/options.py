"""Options that the campaign commands have in common."""

from enum import StrEnum
from typing import Annotated

import typer

from sens_async.cli.console import WARNING, make_console

__all__ = [
    "DEFAULT_LEDGER",
    "DEFAULT_SETTLE",
    "GUARANTEES",
    "LEDGER_VARIABLE",
    "AsJson",
    "GuaranteeName",
    "LedgerUrl",
    "Name",
    "NewName",
    "NoWait",
    "Settle",
    "warn_of_settle",
]

DEFAULT_LEDGER = "sens-campaigns.db"
LEDGER_VARIABLE = "SENS_LEDGER"
DEFAULT_SETTLE = 600.0

_LONGEST_NAME = 200
_LISTED_SECONDS = 89 * 86_400.0
"""How long SENS lists messages; absence means nothing after that."""


class GuaranteeName(StrEnum):
    """What is done about those who may have been sent to; `sens_async.campaign.Guarantee`."""

    AT_MOST_ONCE = "at_most_once"
    EFFECTIVELY_ONCE = "effectively_once"
    AT_LEAST_ONCE = "at_least_once"


def _checked_name(name: str) -> str:
    is_seen = name.isprintable() and name == name.strip()
    if not name or not is_seen or len(name) > _LONGEST_NAME:
        raise typer.BadParameter(
            f"it is printable text of 1 to {_LONGEST_NAME} characters, without blanks around it"
        )
    return name


def _checked_settle(seconds: float) -> float:
    if not 0 <= seconds <= _LISTED_SECONDS:
        raise typer.BadParameter("it is 0 to 7689600 seconds: SENS lists messages for 90 days")
    return seconds


Name = Annotated[str, typer.Argument(metavar="NAME", help="The campaign's.")]
NewName = Annotated[
    str,
    typer.Argument(metavar="NAME", callback=_checked_name, help="The campaign's, of your choice."),
]
LedgerUrl = Annotated[
    str,
    typer.Option(
        "--ledger",
        envvar=LEDGER_VARIABLE,
        metavar="URL",
        help="Where campaigns are kept: a SQLite file, or postgresql://…",
    ),
]
GUARANTEES = (
    "About those who may have been sent to, [bold]at_most_once[/] asks SENS and never sends "
    "again; [bold]effectively_once[/] sends again if SENS has not listed them for long enough; "
    "[bold]at_least_once[/] sends again at once, perhaps twice."
)
"""What the three are, for the help."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Settle = Annotated[
    float,
    typer.Option(
        callback=_checked_settle,
        metavar="SECONDS",
        help="How long after a request what SENS does not list is believed to be absent.",
    ),
]
NoWait = Annotated[
    bool,
    typer.Option("--no-wait", help="Ask SENS for the unknown once, and leave the rest for later."),
]


def warn_of_settle(settle: float) -> None:
    """Say on standard error what a settling time below the default puts at risk."""
    if settle >= DEFAULT_SETTLE:
        return
    console = make_console(to_stderr=True)
    console.print(
        f"{WARNING} --settle {settle:g} is below {DEFAULT_SETTLE:g}: what SENS takes in or lists "
        "later than that counts as not sent; under effectively_once it is sent again, and somebody "
        f"gets it twice [soft]{DEFAULT_SETTLE:g}초 미만은 중복 발송 위험[/]"
    )
