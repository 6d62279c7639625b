"""`sens campaign status` and `list`: what is known, without asking SENS."""

from typing import TYPE_CHECKING

import typer

from sens_async.cli.campaign.options import DEFAULT_LEDGER, AsJson, LedgerUrl, Name

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus, Ledger
    from sens_async.cli.reasons import Reason

    Seen = tuple[Campaign, CampaignStatus]

__all__ = ["list_", "status"]


def status(name: Name, *, json: AsJson = False, ledger: LedgerUrl = DEFAULT_LEDGER) -> None:
    """Say how far a campaign is, also while another process runs it. 캠페인 상태.

    Exits with 0 if everybody has a final outcome, 3 while somebody is unsent or
    unknown.
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

    async def act(ledger: "Ledger") -> "tuple[Campaign, CampaignStatus, list[Reason]]":
        campaign = await ledger.campaign(name)
        known = await campaign.status()
        return campaign, known, await causes_of(campaign, known)

    campaign, known, causes = in_ledger(ledger, act, as_json=json)
    code = 0 if known.is_finished else UNFINISHED
    if json:
        print_document(status_document(known, exit_code=code, causes=causes))
    else:
        console = make_console()
        print_heading(console, campaign)
        print_status(console, known, causes=causes, is_brief=True)
        print_next(console, campaign, known, url=ledger)
    raise typer.Exit(code)


def list_(*, json: AsJson = False, ledger: LedgerUrl = DEFAULT_LEDGER) -> None:
    """List the campaigns of a ledger, the newest first. 캠페인 목록."""
    # The library is heavy; help must not wait for it.
    from sens_async.cli.campaign.ledgers import in_ledger  # noqa: PLC0415
    from sens_async.cli.campaign.roll import print_roll, roll_document  # noqa: PLC0415
    from sens_async.cli.console import make_console  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415

    async def act(ledger: "Ledger") -> "list[Seen]":
        return [(campaign, await campaign.status()) for campaign in await ledger.list()]

    seen = in_ledger(ledger, act, as_json=json)
    if json:
        print_document({"campaigns": [roll_document(*one) for one in seen]})
    else:
        print_roll(make_console(), seen)
