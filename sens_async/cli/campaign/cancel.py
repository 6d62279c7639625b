"""`sens campaign cancel`: who is not sent to yet never will be."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sens_async.cli.campaign.options import DEFAULT_LEDGER, AsJson, LedgerUrl, Name
from sens_async.cli.console import count
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus, Ledger
    from sens_async.cli.reasons import Reason

__all__ = ["cancel"]


def cancel(
    name: Name,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. Off a terminal nothing is asked.")
    ] = False,
    json: AsJson = False,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Leave out whoever a campaign has not sent to yet. 미발송분 취소.

    Their keys are free for other campaigns; the name stays taken.
    Exits with 0 if everybody has a final outcome, 3 while somebody is unknown:
    ask SENS for those with [bold]sens campaign reconcile[/].
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.campaign.causes import causes_of  # noqa: PLC0415
    from sens_async.cli.campaign.following import UNFINISHED  # noqa: PLC0415
    from sens_async.cli.campaign.ledgers import in_ledger  # noqa: PLC0415
    from sens_async.cli.campaign.steps import print_next  # noqa: PLC0415
    from sens_async.cli.campaign.words import (  # noqa: PLC0415
        print_heading,
        print_status,
        status_document,
    )
    from sens_async.cli.console import make_console  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415

    async def find(ledger: "Ledger") -> int:
        status = await (await ledger.campaign(name)).status()
        return status.counts[OutcomeState.NOT_SENT]

    async def act(ledger: "Ledger") -> "tuple[Campaign, CampaignStatus, list[Reason]]":
        campaign = await ledger.campaign(name)
        left = await campaign.cancel()
        return campaign, left, await causes_of(campaign, left)

    if not (yes or json) and sys.stdin.isatty() and sys.stdout.isatty():
        unsent = in_ledger(ledger, find, as_json=json)
        if unsent:
            number = count(unsent)
            typer.confirm(
                f"Leave out the {number} not sent to yet? There is no way back. "
                f"미발송 {number}명을 취소할까요?",
                abort=True,
            )
    campaign, left, causes = in_ledger(ledger, act, as_json=json)
    code = 0 if left.is_finished else UNFINISHED
    if json:
        print_document(status_document(left, exit_code=code, causes=causes))
    else:
        console = make_console()
        print_heading(console, campaign)
        print_status(console, left, causes=causes)
        print_next(console, campaign, left, url=ledger)
    raise typer.Exit(code)
