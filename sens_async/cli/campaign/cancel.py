"""`sens campaign cancel`: who is not sent to yet never will be."""

from typing import TYPE_CHECKING

import typer

from sens_async.cli.campaign.options import DEFAULT_LEDGER, AsJson, LedgerUrl, Name
from sens_async.cli.confirming import Yes, may_confirm
from sens_async.cli.console import count
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus, Ledger
    from sens_async.cli.reasons import Reason

__all__ = ["cancel"]


def cancel(
    name: Name,
    *,
    yes: Yes = False,
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
    from sens_async.cli.campaign.ledgers import in_ledger  # noqa: PLC0415
    from sens_async.cli.campaign.telling import tell  # noqa: PLC0415

    async def find(ledger: "Ledger") -> int:
        status = await (await ledger.campaign(name)).status()
        return status.counts[OutcomeState.NOT_SENT]

    async def act(ledger: "Ledger") -> "tuple[Campaign, CampaignStatus, list[Reason]]":
        campaign = await ledger.campaign(name)
        left = await campaign.cancel()
        return campaign, left, await causes_of(campaign, left)

    if may_confirm(yes=yes, json=json):
        unsent = in_ledger(ledger, find, as_json=json)
        if unsent:
            number = count(unsent)
            typer.confirm(
                f"Leave out the {number} not sent to yet? There is no way back. "
                f"미발송 {number}명을 취소할까요?",
                abort=True,
            )
    told = in_ledger(ledger, act, as_json=json)
    raise typer.Exit(tell(*told, url=ledger, as_json=json))
