"""`sens send`: one text to numbers or to a list."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sens_async.cli.order import Order, read_time
from sens_async.cli.refusing import refusing
from sens_async.cli.table import InvalidTable, Table, read_csv
from sens_async.models import ContentType, MessageType

__all__ = ["send"]

_LIST, _MESSAGE, _RUN, _RESULTS = "The list", "The message", "The run", "Results"


def send(
    numbers: Annotated[
        list[str] | None, typer.Argument(help="Phone numbers, in any usual spelling.")
    ] = None,
    *,
    content: Annotated[
        str,
        typer.Option(
            "--content",
            "-m",
            help="The text; {column} is filled in from the list.",
            rich_help_panel=_MESSAGE,
        ),
    ] = "",
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="A CSV of recipients (UTF-8, CP949).", rich_help_panel=_LIST),
    ] = None,
    number_column: Annotated[
        str | None,
        typer.Option(
            help="Name or position of the numbers' column; else it is found.",
            rich_help_panel=_LIST,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="Column of your own ids.", rich_help_panel=_LIST),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of the CSV; else it is found.", rich_help_panel=_LIST)
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Of the CSV; else it is found.", rich_help_panel=_LIST)
    ] = None,
    has_header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first row names columns; else it is found.",
            rich_help_panel=_LIST,
        ),
    ] = None,
    duplicates: Annotated[
        str,
        typer.Option(
            help="The same number with the same text: [bold]skip[/] or [bold]send[/] again.",
            rich_help_panel=_LIST,
        ),
    ] = "skip",
    subject: Annotated[
        str | None, typer.Option(help="Of an LMS or MMS.", rich_help_panel=_MESSAGE)
    ] = None,
    type_: Annotated[
        MessageType | None,
        typer.Option(
            "--type",
            help="Else chosen for each text.",
            case_sensitive=False,
            rich_help_panel=_MESSAGE,
        ),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(
            "--image",
            exists=True,
            dir_okay=False,
            help="A picture; may be repeated.",
            rich_help_panel=_MESSAGE,
        ),
    ] = None,
    ad: Annotated[
        bool,
        typer.Option(
            "--ad", help="An advertisement: begins with (광고).", rich_help_panel=_MESSAGE
        ),
    ] = False,
    content_type: Annotated[
        ContentType,
        typer.Option(help="AD is --ad.", case_sensitive=False, rich_help_panel=_MESSAGE),
    ] = ContentType.COMM,
    country_code: Annotated[
        str, typer.Option(help="Other countries take SMS only.", rich_help_panel=_MESSAGE)
    ] = "82",
    sender: Annotated[
        str | None,
        typer.Option(
            "--from", help="A registered number; else SENS_SENDER.", rich_help_panel=_MESSAGE
        ),
    ] = None,
    reserve_at: Annotated[
        str | None,
        typer.Option(help="When to send (KST): '2026-12-01 09:00'.", rich_help_panel=_MESSAGE),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Requests a second, else 100; 0 for no limit.", rich_help_panel=_RUN),
    ] = None,
    in_flight: Annotated[
        int, typer.Option(min=1, help="Requests on the wire at a time.", rich_help_panel=_RUN)
    ] = 32,
    resolve: Annotated[
        bool,
        typer.Option(
            "--resolve",
            help="Ask SENS for those who may have been sent to, until it is known.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would be sent; needs no keys.", rich_help_panel=_RUN
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Do not ask. Off a terminal nothing is asked.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document.", rich_help_panel=_RESULTS),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="CSV: every row with its outcome.", rich_help_panel=_RESULTS),
    ] = None,
    failed_out: Annotated[
        Path | None,
        typer.Option(
            help="CSV: refused and not sent, with the reason; may be given again.",
            rich_help_panel=_RESULTS,
        ),
    ] = None,
    unknown_out: Annotated[
        Path | None,
        typer.Option(
            help="CSV: may have been sent; must not be given again.", rich_help_panel=_RESULTS
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace these files; else they must not exist yet.",
            rich_help_panel=_RESULTS,
        ),
    ] = False,
) -> None:
    """Send a text to numbers or to everybody in a CSV. 문자 보내기.

    Exits with 0 if everybody was accepted, or skipped on purpose; else with 1.
    Ctrl-C finishes what is on the wire and writes the results.
    A second one does not wait: whoever is on the wire is then unknown.

    [dim]sens send -m "안녕하세요 {이름}님" --csv list.csv --dry-run[/]
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.sending import plan, run  # noqa: PLC0415

    if duplicates not in {"skip", "send"}:
        raise typer.BadParameter(f"--duplicates is skip or send, not {duplicates!r}")
    with refusing():
        order = Order(
            content=content,
            subject=subject,
            type=type_,
            images=image or [],
            content_type=ContentType.AD if ad else content_type,
            country_code=country_code,
            sender=sender or os.environ.get("SENS_SENDER") or None,
            reserve_at=read_time(reserve_at),
            duplicates="skip" if duplicates == "skip" else "send",
            rate=rate,
            max_in_flight=in_flight,
        )
        if bool(numbers) == (csv is not None):
            raise InvalidTable("give either numbers or --csv")
        listing = Table.of_numbers(numbers or [])
        if csv is not None:
            listing = read_csv(
                csv,
                number_column=number_column,
                key_column=key,
                encoding=encoding,
                delimiter="\t" if delimiter in {"tab", "\\t"} else delimiter,
                has_header=has_header,
            )
        if dry_run:
            raise typer.Exit(plan(listing, order, as_json=json))
        ask = not (yes or json) and sys.stdin.isatty() and sys.stdout.isatty()
        inputs = [csv] if csv else []
        raise typer.Exit(
            run(
                listing,
                order,
                inputs=inputs,
                outputs=(out, failed_out, unknown_out),
                overwrite=overwrite,
                ask=ask,
                as_json=json,
                resolve=resolve,
            )
        )
