"""The end of a command that has looked at a campaign: how it stands, and what can be done next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sens_async.cli.campaign.following import UNFINISHED
from sens_async.cli.campaign.steps import print_next
from sens_async.cli.campaign.words import print_heading, print_status, status_document
from sens_async.cli.console import make_console
from sens_async.cli.documents import print_document
from sens_async.cli.reasons import Reason

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus

__all__ = ["tell"]


def tell(
    campaign: "Campaign",
    status: "CampaignStatus",
    causes: Sequence[Reason],
    *,
    url: str,
    as_json: bool,
    is_brief: bool = False,
) -> int:
    """Say how a campaign stands.

    Args:
        campaign: Which.
        status: Its counts.
        causes: Why some are not accepted, the commonest reason first.
        url: Of the ledger.
        as_json: Whether a machine reads it.
        is_brief: Whether the causes are told in few words.

    Returns:
        The exit code: 0 if everybody has a final outcome.
    """
    code = 0 if status.is_finished else UNFINISHED
    if as_json:
        print_document(status_document(status, exit_code=code, causes=causes))
        return code
    console = make_console()
    print_heading(console, campaign)
    print_status(console, status, causes=causes, is_brief=is_brief)
    print_next(console, campaign, status, url=url)
    return code
