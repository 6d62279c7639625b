"""`sens send`: one text to numbers or to a list."""

from pathlib import Path
from typing import Annotated

import typer

from sens_async.cli.confirming import may_confirm
from sens_async.cli.order import Order
from sens_async.cli.order_options import (
    LIST,
    RUN,
    Ad,
    Content,
    ContentTypeOption,
    CountryCode,
    Delimiter,
    Duplicates,
    Encoding,
    HasHeader,
    Images,
    InFlight,
    Key,
    NumberColumn,
    Rate,
    ReserveAt,
    Sender,
    Subject,
    Type,
)
from sens_async.cli.refusing import refusing
from sens_async.cli.table import InvalidTable, Table, read_csv
from sens_async.models import ContentType

__all__ = ["send"]

_RESULTS = "Results"


def send(
    numbers: Annotated[
        list[str] | None, typer.Argument(help="Phone numbers, in any usual spelling.")
    ] = None,
    *,
    content: Content = "",
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="A CSV of recipients (UTF-8, CP949).", rich_help_panel=LIST),
    ] = None,
    number_column: NumberColumn = None,
    key: Key = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    has_header: HasHeader = None,
    duplicates: Duplicates = "skip",
    subject: Subject = None,
    type_: Type = None,
    image: Images = None,
    ad: Ad = False,
    content_type: ContentTypeOption = ContentType.COMM,
    country_code: CountryCode = "82",
    sender: Sender = None,
    reserve_at: ReserveAt = None,
    rate: Rate = None,
    in_flight: InFlight = 32,
    resolve: Annotated[
        bool,
        typer.Option(
            "--resolve",
            help="Ask SENS for those who may have been sent to, until it is known.",
            rich_help_panel=RUN,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would be sent; needs no keys.", rich_help_panel=RUN
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Do not ask. Off a terminal nothing is asked.",
            rich_help_panel=RUN,
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

    with refusing():
        order = Order.read(
            content=content,
            subject=subject,
            type_=type_,
            images=image,
            content_type=ContentType.AD if ad else content_type,
            country_code=country_code,
            sender=sender,
            reserve_at=reserve_at,
            duplicates=duplicates,
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
                delimiter=delimiter,
                has_header=has_header,
            )
        if dry_run:
            raise typer.Exit(plan(listing, order, as_json=json))
        ask = may_confirm(yes=yes, json=json)
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
