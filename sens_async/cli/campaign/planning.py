"""Doing what `sens campaign plan` was told, and saying what was planned."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, cast

import attrs
from rich.console import Console

from sens_async.cli.campaign.causes import causes_of
from sens_async.cli.campaign.ledgers import in_ledger
from sens_async.cli.campaign.steps import print_next
from sens_async.cli.campaign.words import print_heading, print_status, say, status_document
from sens_async.cli.console import make_console
from sens_async.cli.documents import print_document
from sens_async.cli.order import Order
from sens_async.cli.plan import Plan, plan_order
from sens_async.cli.plan_summary import print_facts
from sens_async.cli.progress import Display
from sens_async.cli.reasons import Reason
from sens_async.cli.sessions import make_session
from sens_async.cli.table import InvalidTable, Table
from sens_async.core.schedule import KST

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus, Guarantee, Ledger

__all__ = ["Wanted", "make_plan"]


@attrs.frozen(kw_only=True)
class Wanted:
    """A campaign as the options say it; see `Ledger.plan`."""

    name: str
    order: Order
    listing: Table
    guarantee: str
    skip_known_keys: bool
    skip_unsubscribed: bool


class _Planned(NamedTuple):
    campaign: "Campaign"
    status: "CampaignStatus"
    causes: list[Reason]
    is_new: bool
    made: Plan


def make_plan(wanted: Wanted, *, url: str, as_json: bool) -> None:
    """Plan a campaign and say what it is.

    Args:
        wanted: What to plan.
        url: Of the ledger.
        as_json: Whether a machine reads it.
    """
    console = make_console(to_stderr=as_json)

    async def act(ledger: "Ledger") -> _Planned:
        try:
            return await _plan(ledger, wanted, console)
        except asyncio.CancelledError:
            if not as_json:
                console.print(
                    "[rejected]interrupted 중단됨[/]: nothing is half planned, the same command "
                    "begins anew 같은 명령을 다시 실행하세요"
                )
            raise

    planned = in_ledger(url, act, as_json=as_json, may_be_new=True)
    if as_json:
        campaign = planned.campaign
        print_document({
            **status_document(planned.status, exit_code=0, causes=planned.causes),
            "guarantee": str(campaign.guarantee),
            "empty_fields": dict(planned.made.empty),
            "cp949_only": planned.made.cp949_only,
            "reserve_at": campaign.reserve_at and campaign.reserve_at.isoformat(),
            "is_new": planned.is_new,
        })  # fmt: skip
    else:
        _show(console, planned, wanted.order, url)


async def _plan(ledger: "Ledger", wanted: Wanted, console: Console) -> _Planned:
    order, listing = wanted.order, wanted.listing
    is_new = wanted.name not in {campaign.name for campaign in await ledger.list()}
    if not listing.size:
        raise InvalidTable(f"{listing.name} has no rows: there is nobody to send to")
    display = Display(console, listing.size, what="planning 계획", below=list)
    async with make_session(sender=order.sender, needs_sender=True) as session:
        made = plan_order(listing, order, session.settings.rules)
        with display:
            campaign = await ledger.plan(
                session,
                wanted.name,
                (row.recipient for row in listing.rows()),
                order.content,
                subject=order.subject,
                type=order.type,
                images=order.images,
                content_type=order.content_type,
                country_code=order.country_code,
                reserve_at=order.reserve_at,
                duplicates=order.duplicates,
                skip_unsubscribed=wanted.skip_unsubscribed,
                skip_known_keys=wanted.skip_known_keys,
                guarantee=cast("Guarantee", wanted.guarantee),
                watch=display.update,
            )
    status = await campaign.status()
    return _Planned(campaign, status, await causes_of(campaign, status), is_new, made)


def _show(console: Console, planned: _Planned, order: Order, url: str) -> None:
    campaign = planned.campaign
    print_heading(console, campaign)
    if not planned.is_new:
        say(console, "[skipped]planned before, and this is the same 이미 계획됨[/]")
    print_status(console, planned.status, causes=planned.causes)
    unreserved = attrs.evolve(order, reserve_at=None)  # the heading says when
    print_facts(console, planned.made, unreserved, now=datetime.now(KST), sender=campaign.sender)
    print_next(console, campaign, planned.status, url=url)
