"""The campaigns of a ledger, a line each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sens_async.cli.campaign.steps import is_open
from sens_async.cli.campaign.words import moment
from sens_async.cli.console import count
from sens_async.cli.progress import counts_line
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus

__all__ = ["print_roll", "roll_document"]

_OPEN = (OutcomeState.NOT_SENT, OutcomeState.UNKNOWN)


def print_roll(console: Console, seen: "Sequence[tuple[Campaign, CampaignStatus]]") -> None:
    """Show them as a table.

    Args:
        console: Where.
        seen: Each with its status.
    """
    if not seen:
        console.print("[soft]no campaigns 캠페인 없음[/]")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True)
    heads = ("campaign 캠페인", "planned 계획", "people 수신자", "state 상태")
    table.add_row(*(Text(head, "soft") for head in heads))
    for campaign, status in seen:
        table.add_row(
            Text(campaign.name),
            moment(campaign.planned_at),
            Text(count(campaign.recipients), "figure"),
            _state(campaign, status),
        )
    console.print(Padding(table, (1, 2)))


def _state(campaign: "Campaign", status: "CampaignStatus") -> Text:
    is_over = not is_open(status)
    open_states = () if is_over else _OPEN
    lines = [counts_line(status.counts, only=[one]) for one in open_states if status.counts[one]]
    if is_over and status.unproven:
        many = f"over, {count(status.unproven)} "
        lines.append(Text.assemble(many, ("unproven", "unknown"), (" 미확인", "soft")))
    if status.is_finished:
        lines.append(Text.assemble(("finished", "accepted"), (" 완료", "soft")))
    if campaign.purged_at is not None:
        lines.append(Text.assemble(("purged", "skipped"), (" 삭제됨", "soft")))
    return Text("\n").join(lines)


def roll_document(campaign: "Campaign", status: "CampaignStatus") -> dict[str, object]:
    """One of them for machines."""
    return {
        "campaign": campaign.name,
        "planned_at": campaign.planned_at.isoformat(),
        "recipients": campaign.recipients,
        "guarantee": str(campaign.guarantee),
        "reserve_at": campaign.reserve_at and campaign.reserve_at.isoformat(),
        **{state.value.lower(): status.counts[state] for state in OutcomeState},
        "is_finished": status.is_finished,
        "purged_at": campaign.purged_at and campaign.purged_at.isoformat(),
    }
