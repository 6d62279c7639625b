"""`sens campaign plan`: a list and a text become a campaign; nothing is sent."""

from pathlib import Path
from typing import Annotated

import typer

from sens_async.cli.campaign.options import (
    DEFAULT_LEDGER,
    GUARANTEES,
    AsJson,
    GuaranteeName,
    LedgerUrl,
    NewName,
)
from sens_async.cli.order import Order, check_columns
from sens_async.cli.order_options import (
    LIST,
    Ad,
    Content,
    ContentTypeOption,
    CountryCode,
    Delimiter,
    Duplicates,
    Encoding,
    HasHeader,
    Images,
    Key,
    NumberColumn,
    ReserveAt,
    Sender,
    Subject,
    Type,
)
from sens_async.cli.refusing import refusing
from sens_async.cli.table import InvalidTable, read_csv
from sens_async.models import ContentType

__all__ = ["plan"]


def plan(
    name: NewName,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV of recipients (UTF-8, CP949).")
    ],
    *,
    content: Content = "",
    subject: Subject = None,
    type_: Type = None,
    image: Images = None,
    ad: Ad = False,
    content_type: ContentTypeOption = ContentType.COMM,
    country_code: CountryCode = "82",
    sender: Sender = None,
    reserve_at: ReserveAt = None,
    number_column: NumberColumn = None,
    key: Key = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    has_header: HasHeader = None,
    duplicates: Duplicates = "skip",
    skip_known_keys: Annotated[
        bool,
        typer.Option(
            "--skip-known-keys",
            help="Leave out whose --key another campaign of this ledger has.",
            rich_help_panel=LIST,
        ),
    ] = False,
    skip_unsubscribed: Annotated[
        bool,
        typer.Option(
            "--skip-unsubscribed",
            help="Leave out who has opted out of advertisements.",
            rich_help_panel=LIST,
        ),
    ] = False,
    guarantee: Annotated[
        GuaranteeName,
        typer.Option(metavar="WHICH", help=GUARANTEES),
    ] = GuaranteeName.AT_MOST_ONCE,
    json: AsJson = False,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Plan a campaign: everybody in a list, checked and written down. 캠페인 계획.

    The same command again changes nothing.
    Another list or text under the same name is refused.
    Exits with 0 if it is planned, whoever was refused; else with 1.

    [dim]sens campaign plan autumn list.csv -m "{이름}님, 가을 할인" --key 회원번호[/]
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.campaign.planning import Wanted, make_plan  # noqa: PLC0415

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
        )
        listing = read_csv(
            file,
            number_column=number_column,
            key_column=key,
            encoding=encoding,
            delimiter=delimiter,
            has_header=has_header,
        )
        check_columns(order, listing)
        if skip_known_keys and listing.key_column is None:
            raise InvalidTable("--skip-known-keys goes by your own ids: give their column as --key")
    wanted = Wanted(
        name=name,
        order=order,
        listing=listing,
        guarantee=guarantee.value,
        skip_known_keys=skip_known_keys,
        skip_unsubscribed=skip_unsubscribed,
    )
    make_plan(wanted, url=ledger, as_json=json)
