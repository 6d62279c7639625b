"""What can be done next with a campaign, and with which command."""

import os
import shlex
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from sens_async.cli.campaign.options import DEFAULT_LEDGER, LEDGER_VARIABLE
from sens_async.cli.campaign.views import open_unknowns
from sens_async.cli.campaign.words import say
from sens_async.cli.console import count
from sens_async.core.schedule import KST
from sens_async.errors import AuthenticationFailed, PermissionDenied, SensError
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus

__all__ = ["is_open", "next_command", "print_next"]


def next_command(verb: str, *words: str, url: str) -> str:
    """Give the command that goes on, ready for a shell; a password is not shown."""
    command = ["sens", "campaign", verb, *words]
    if url != (os.environ.get(LEDGER_VARIABLE) or DEFAULT_LEDGER):
        command += ["--ledger", "…" if "@" in url else url]
    return " ".join(word if word == "…" else shlex.quote(word) for word in command)


def print_next(
    console: Console,
    campaign: "Campaign",
    status: "CampaignStatus",
    *,
    url: str,
    stopped_by: SensError | None = None,
) -> None:
    """Say what can be done next, and with which command.

    Args:
        console: Where.
        campaign: With what; nothing is left to do once it was purged.
        status: Its counts.
        url: Of the ledger.
        stopped_by: What ended it early, or None.
    """
    steps = [] if campaign.purged_at is not None else _steps(status, url)
    if steps and isinstance(stopped_by, AuthenticationFailed | PermissionDenied):
        steps.insert(0, ("find out what SENS has against the keys 원인 진단", "sens doctor"))
    if not steps:
        return
    console.print("\n  [brand]next 다음[/]")
    for why, command in steps:
        say(console, why)
        console.print(f"    [figure]{escape(command)}[/]", soft_wrap=True)


def is_open(status: "CampaignStatus") -> bool:
    """Whether somebody is left to be sent to, or to ask SENS for."""
    return bool(status.counts[OutcomeState.NOT_SENT] or open_unknowns(status) or status.in_flight)


def _steps(status: "CampaignStatus", url: str) -> list[tuple[str, str]]:
    name, counts = status.name, status.counts
    steps = _carrying_on(status, url)
    report = next_command("report", name, "--csv", "report.csv", url=url)
    if status.unproven:
        many, is_over = count(status.unproven), not is_open(status)
        if is_over:
            steps.append(
                (f"it is over; {many} unproven are left as they are 미확인으로 종료", report)
            )
        why = (
            f"{'or ' if is_over else ''}send again to the {many} that SENS did not list after "
            "settling: may send twice if SENS lists late 늦게 조회되면 중복될 수 있음"
        )
        words = ("--guarantee", "effectively_once")
        steps.append((why, next_command("run", name, *words, url=url)))
    if status.is_finished and counts[OutcomeState.ACCEPTED] > status.ends.total():
        steps.append(("learn who got it 도착 확인", next_command("track", name, url=url)))
    if all(command != report for _, command in steps) and (
        counts[OutcomeState.REJECTED] or status.is_finished
    ):
        why = "see everybody with their outcome 수신자별 결과"
        if counts[OutcomeState.REJECTED]:
            why = "see who was refused, and why 거절 사유"
        elif counts[OutcomeState.SKIPPED]:
            why = "see who was left out, and why 제외 사유"
        steps.append((why, report))
    return steps


def _carrying_on(status: "CampaignStatus", url: str) -> list[tuple[str, str]]:
    name, counts = status.name, status.counts
    unsent, asked = counts[OutcomeState.NOT_SENT], open_unknowns(status) + status.in_flight
    asking = f"ask SENS for the {count(asked)} unknown"
    if asked and status.settles_at is not None and status.settles_at > datetime.now(KST):
        asking += f", all settled by {status.settles_at.astimezone(KST):%H:%M:%S}"
    if not unsent:
        return [(f"{asking} 확인", next_command("reconcile", name, url=url))] if asked else []
    why = f"send to the {count(unsent)} not sent to yet" + (f", and {asking}" if asked else "")
    steps = [(f"{why} 발송", next_command("run", name, url=url))]
    if not (asked or counts[OutcomeState.ACCEPTED]):
        steps.append(("or leave them out for good 취소", next_command("cancel", name, url=url)))
    return steps
