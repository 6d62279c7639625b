"""`sens messages`: look for accepted messages."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from sens_async.cli.console import WARNING
from sens_async.cli.look_up_options import AsJson, CsvFile, Overwrite, Unmasked
from sens_async.cli.refusing import refusing
from sens_async.core.schedule import KST
from sens_async.deliveries import DeliveryStatus
from sens_async.models import ContentType, MessageType

if TYPE_CHECKING:
    from sens_async.cli.draining import Ending
    from sens_async.session import SensSession

__all__ = ["messages"]

_WHICH = "Which"
_LISTED = timedelta(days=90)


def messages(
    *,
    since: Annotated[
        str,
        typer.Option(
            help="From: 2025-11-25, '2025-11-25 09:00' (KST), yesterday, 2h, 3d.",
            rich_help_panel=_WHICH,
        ),
    ] = "today",
    until: Annotated[
        str | None,
        typer.Option(help="To; a day means its end. Else now.", rich_help_panel=_WHICH),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Only to this number.", rich_help_panel=_WHICH)
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", help="Only from this number.", rich_help_panel=_WHICH)
    ] = None,
    type_: Annotated[
        MessageType | None,
        typer.Option("--type", help="Only these.", case_sensitive=False, rich_help_panel=_WHICH),
    ] = None,
    content_type: Annotated[
        ContentType | None,
        typer.Option(help="Only these.", case_sensitive=False, rich_help_panel=_WHICH),
    ] = None,
    country_code: Annotated[
        str | None, typer.Option(help="Only to this country.", rich_help_panel=_WHICH)
    ] = None,
    status: Annotated[
        DeliveryStatus | None,
        typer.Option(
            metavar="<state>",
            help="Only ready, processing or completed.",
            case_sensitive=False,
            rich_help_panel=_WHICH,
        ),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what failed.", rich_help_panel=_WHICH)
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="No more than this many.", rich_help_panel=_WHICH)
    ] = None,
    unmasked: Unmasked = False,
    json: AsJson = False,
    csv: CsvFile = None,
    overwrite: Overwrite = False,
) -> None:
    """List messages and what became of them. 발송 내역 조회.

    JSON and CSV hold whole numbers and texts, and are written as pages come.
    Exits with 0 if the list was read to its end, or to --limit; else with 1.

    [dim]sens messages --since yesterday --failed --csv failed.csv[/]
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.asking import ask, tell_error  # noqa: PLC0415
    from sens_async.cli.delivery_output import DeliveryOutput  # noqa: PLC0415
    from sens_async.cli.documents import error_document  # noqa: PLC0415
    from sens_async.cli.draining import drain  # noqa: PLC0415

    with refusing():
        begin, end = _window(since, until)
        output = DeliveryOutput(
            "messages",
            as_json=json,
            csv=csv,
            overwrite=overwrite,
            unmasked=unmasked,
            of_one_request=False,
        )
    if begin < datetime.now(KST) - _LISTED - timedelta(days=1):
        output.console.print(f"{WARNING} SENS lists the last 90 days only 최근 90일만 조회 가능")

    async def read(session: "SensSession") -> "Ending":
        found = session.messages(
            since=begin,
            until=end,
            type=type_,
            content_type=content_type,
            country_code=country_code,
            status=status,
            status_name="fail" if failed else None,
            sender=sender,
            to=to,
        )
        return await drain(found, output.add, limit=limit)

    try:
        ending = ask(read, as_json=json)
    except BaseException:
        output.discard()
        raise
    rest = {
        "since": begin.isoformat(),
        "until": end and end.isoformat(),
        "is_whole": not (ending.exit_code or ending.is_cut),
        "stopped_by": ending.error and error_document(ending.error),
        "exit_code": ending.exit_code,
    }
    output.end(rest, is_whole=not ending.exit_code)
    if not json:
        if ending.is_cut:
            output.console.print(f"  [soft]--limit {limit}: there are more 더 있음[/]")
        if not (ending.rows or ending.exit_code):
            output.console.print("[soft]no such messages 해당 내역 없음[/]")
        if ending.error is not None:
            tell_error(ending.error)
    raise typer.Exit(ending.exit_code or int(output.is_broken))


def _window(since: str, until: str | None) -> tuple[datetime, datetime | None]:
    from sens_async.cli.moments import InvalidMoment, read_moment  # noqa: PLC0415

    now = datetime.now(KST)
    begin = read_moment(since, now, option="--since")
    end = None if until is None else read_moment(until, now, option="--until", is_end=True)
    if begin > now:
        raise InvalidMoment(f"--since {begin:%Y-%m-%d %H:%M} lies in the future")
    if end is not None and end < begin:
        raise InvalidMoment(
            f"--until {end:%Y-%m-%d %H:%M} is before --since {begin:%Y-%m-%d %H:%M}"
        )
    return begin, end
