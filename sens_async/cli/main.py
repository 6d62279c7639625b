"""The `sens` command: its subcommands, each in a module of its own.

Exit codes: 0 when everything asked for was done, 1 when something was not, 2 for a usage error,
3 while a campaign is not over, 130 after Ctrl-C or SIGTERM.
"""

from typing import Annotated

import typer

from sens_async.cli import (
    check,
    demo,
    doctor,
    emulator,
    messages,
    request,
    reservations,
    send,
    unsubscribes,
    upload,
)
from sens_async.cli.campaign.app import campaign

__all__ = ["app"]

app = typer.Typer(
    name="sens",
    help="Naver Cloud SENS from the command line: SMS, LMS, MMS to any list. 문자 발송 도구.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Keys come from the environment alone: SENS_ACCESS_KEY, SENS_SECRET_KEY, "
        "SENS_SERVICE_ID, SENS_SENDER, SENS_BASE_URL."
    ),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and seldom wanted

        typer.echo(f"sens-async {version('sens-async')}")
        raise typer.Exit


@app.callback()
def _sens(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


_TO_SEND, _TO_LOOK, _TO_TRY = "Send", "Look up", "Try and check"

app.command("send", rich_help_panel=_TO_SEND)(send.send)
app.add_typer(campaign, name="campaign", rich_help_panel=_TO_SEND)
app.command("upload", rich_help_panel=_TO_SEND)(upload.upload)
app.command("check", rich_help_panel=_TO_SEND)(check.check)
app.command("results", rich_help_panel=_TO_LOOK)(request.results)
app.command("messages", rich_help_panel=_TO_LOOK)(messages.messages)
app.add_typer(reservations.reservations, name="reservations", rich_help_panel=_TO_LOOK)
app.add_typer(unsubscribes.unsubscribes, name="unsubscribes", rich_help_panel=_TO_LOOK)
app.command("doctor", rich_help_panel=_TO_TRY)(doctor.doctor)
app.command("demo", rich_help_panel=_TO_TRY)(demo.demo)
app.command("emulator", rich_help_panel=_TO_TRY)(emulator.emulator)
