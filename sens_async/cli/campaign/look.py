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
    from sens_async.cli.campaign.ledgers import in_ledger  # noqa: PLC0415
    from sens_async.cli.campaign.telling import tell  # noqa: PLC0415

    async def act(ledger: "Ledger") -> "tuple[Campaign, CampaignStatus, list[Reason]]":
        campaign = await ledger.campaign(name)
        known = await campaign.status()
        return campaign, known, await causes_of(campaign, known)

    told = in_ledger(ledger, act, as_json=json)
    raise typer.Exit(tell(*told, url=ledger, as_json=json, is_brief=True))


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
