"""`sens campaign report`: everybody with their outcome, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sens_async.cli.campaign.options import DEFAULT_LEDGER, AsJson, LedgerUrl, Name
from sens_async.cli.refusing import refusing

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus, Ledger
    from sens_async.cli.reasons import Reason

__all__ = ["report"]


class _Read(NamedTuple):
    """What was read of a campaign."""

    campaign: "Campaign"
    status: "CampaignStatus"
    causes: "list[Reason]"


def report(
    name: Name,
    *,
    csv: Annotated[
        Path | None,
        typer.Option(help="A CSV of everybody, in the list's order; - prints it."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace that file; else it must not exist yet."),
    ] = False,
    json: AsJson = False,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Say what became of everybody, and why. 캠페인 결과.

    The CSV holds whole numbers, one row for each recipient.
    Exits with 0 if everybody has a final outcome, 3 while somebody is unsent or
    unknown, 1 if the file could not be written.

    [dim]sens campaign report autumn --csv results.csv[/]
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.campaign.causes import Causes, causes_of  # noqa: PLC0415
    from sens_async.cli.campaign.following import UNFINISHED  # noqa: PLC0415
    from sens_async.cli.campaign.ledgers import in_ledger  # noqa: PLC0415
    from sens_async.cli.campaign.rows import RowFile  # noqa: PLC0415
    from sens_async.cli.campaign.steps import print_next  # noqa: PLC0415
    from sens_async.cli.campaign.words import (  # noqa: PLC0415
        print_heading,
        print_status,
        status_document,
    )
    from sens_async.cli.console import make_console  # noqa: PLC0415
    from sens_async.cli.csv_file import InvalidOutput  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415

    is_printed = str(csv) == "-"
    with refusing():
        if is_printed and json:
            raise InvalidOutput("standard output is for either --json or --csv -")
        file = None if csv is None else RowFile(csv, overwrite=overwrite)
    console = make_console(to_stderr=json or is_printed)

    async def act(ledger: "Ledger") -> _Read:
        campaign = await ledger.campaign(name)
        if file is None:
            status = await campaign.status()
            return _Read(campaign, status, await causes_of(campaign, status))
        causes = Causes(is_purged=campaign.purged_at is not None)
        await file.fill(campaign, causes, console)
        return _Read(campaign, await campaign.status(), causes.sorted())

    try:
        read = in_ledger(ledger, act, as_json=json)
    except BaseException:
        if file is not None:
            file.discard()
        raise
    code = 0 if read.status.is_finished else UNFINISHED
    if file is not None and not file.end():
        code = 1
    if json:
        print_document(status_document(read.status, exit_code=code, causes=read.causes))
    else:
        print_heading(console, read.campaign)
        print_status(console, read.status, causes=read.causes)
        if file is None:
            print_next(console, read.campaign, read.status, url=ledger)
    raise typer.Exit(code)
