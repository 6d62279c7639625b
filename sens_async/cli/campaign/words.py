"""What is said of a campaign: for people and, as JSON, for machines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from sens_async.cli.console import count, rate, seconds
from sens_async.cli.documents import error_document
from sens_async.cli.reasons import Reason
from sens_async.cli.summary import states_table
from sens_async.core.result_codes import explain
from sens_async.core.schedule import KST
from sens_async.deliveries import DeliveryEnd
from sens_async.errors import SensError
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from datetime import datetime

    from sens_async.campaign import Campaign, CampaignStatus

__all__ = [
    "ends_line",
    "moment",
    "print_heading",
    "print_status",
    "say",
    "status_document",
    "took",
]

_ENDS = {
    DeliveryEnd.DELIVERED: ("delivered", "도착", "accepted"),
    DeliveryEnd.FAILED: ("failed", "실패", "bad"),
    DeliveryEnd.COMPLETED: ("not told", "불명", "rejected"),
    DeliveryEnd.CANCELED: ("reservation cancelled", "예약 취소", "not_sent"),
    DeliveryEnd.NOT_SENT: ("reservation not sent", "예약 미발송", "not_sent"),
}
"""English, Korean and a style of the theme."""


def moment(time: "datetime") -> str:
    """A point in time as a person reads it, Korean."""
    return f"{time.astimezone(KST):%Y-%m-%d %H:%M}"


def print_heading(console: Console, campaign: "Campaign", *, guarantee: str | None = None) -> None:
    """Say which campaign it is, and which guarantee holds if not the planned one."""
    noun = "recipient" if campaign.recipients == 1 else "recipients"
    facts = [f"{count(campaign.recipients)} {noun}", guarantee or str(campaign.guarantee)]
    facts.append(f"planned {moment(campaign.planned_at)}")
    console.print(f"\n[brand]campaign 캠페인[/] [figure]{escape(campaign.name)}[/]")
    say(console, f"[soft]{', '.join(facts)}[/]")
    if campaign.reserve_at is not None:
        say(console, f"reserved 예약 [figure]{moment(campaign.reserve_at)} KST[/]")
    if campaign.purged_at is not None:
        say(console, "[skipped]numbers, texts and keys were removed 개인정보 삭제됨[/]")


def print_status(
    console: Console,
    status: "CampaignStatus",
    *,
    causes: Sequence[Reason] = (),
    facts: Sequence[str] = (),
    stopped_by: SensError | None = None,
    is_brief: bool = False,
) -> None:
    """Say what became of everybody.

    Args:
        console: Where.
        status: The counts.
        causes: Why, the commonest first.
        facts: What else there is to say, in a few words each.
        stopped_by: What ended it early, or None.
        is_brief: Whether the causes are told in few words.
    """
    console.print(states_table(status.counts, causes, is_brief=is_brief))
    say(console, Text(" · ".join([*facts, *_sizes(status)]), "soft"))
    if status.ends:
        say(console, Text("results 결과  ", "soft").append_text(ends_line(status)))
    for code, number in status.codes.most_common():
        say(console, _code_line(code, number), left=4)
    if status.in_flight:
        say(
            console,
            f"[figure]{count(status.in_flight)}[/] of the unknown are in flight 전송 중, unless "
            "what sent them has died: running it again finds out",
        )
    if status.unproven:
        many = count(status.unproven)
        say(console, f"[unknown]{many}[/] not listed by SENS after settling 목록에 없음")
    for reason, number in status.reasons.most_common():
        say(console, f"[unknown]{count(number)}[/] still unknown: {escape(reason)}")
    if status.possible_duplicates:
        many = count(status.possible_duplicates)
        say(console, f"[rejected]{many} may have got it twice 중복 가능[/]")
    if stopped_by is not None:
        console.print()
        name = type(stopped_by).__name__
        say(console, f"[bad]stopped 중단[/] by {name}: {escape(str(stopped_by))}")


def _sizes(status: "CampaignStatus") -> list[str]:
    """Give how many messages there are of each type, and how many requests they take."""
    kinds = sorted(status.planned_by_type.items())
    noun = "request" if status.batches == 1 else "requests"
    return [
        ", ".join(f"{kind} {count(number)}" for kind, number in kinds) or "nobody to send to",
        f"{count(status.batches)} {noun} 요청",
    ]


def say(console: Console, text: Text | str, *, left: int = 2) -> None:
    """Print something indented, in all its lines."""
    console.print(Padding(text, (0, 0, 0, left)))


def _code_line(code: str, number: int) -> Text:
    known = explain(code)
    return Text.assemble(
        (f"{count(number)} × ", "soft"),
        (code, "figure"),
        f" {known.english}",
        (f" {known.korean}", "soft"),
    )


def ends_line(status: "CampaignStatus") -> Text:
    """How messages ended, each end with its number, and how many have none yet."""
    line = Text()
    for end, (english, korean, style) in _ENDS.items():
        if number := status.ends[end]:
            line.append("   " if line else "")
            line.append(f"{count(number)} ", "figure")
            line.append(english, style)
            line.append(f" {korean}", "soft")
    if waiting := status.counts[OutcomeState.ACCEPTED] - status.ends.total():
        line.append("   " if line else "")
        line.append(f"{count(waiting)} ", "figure")
        line.append("no result yet", "skipped")
        line.append(" 대기", "soft")
    return line


def took(done: int, sending: float, elapsed: float) -> str:
    """How long a run took, and how fast it sent."""
    return f"{seconds(elapsed)}, {rate(done, sending)}" if done else seconds(elapsed)


def status_document(
    status: "CampaignStatus",
    *,
    exit_code: int,
    causes: Sequence[Reason] = (),
    elapsed: float | None = None,
    stopped_by: SensError | None = None,
) -> dict[str, object]:
    """The same for machines; numbers of people do not occur in it."""
    return {
        "campaign": status.name,
        "recipients": status.total,
        **{state.value.lower(): status.counts[state] for state in OutcomeState},
        "in_flight": status.in_flight,
        "unproven": status.unproven,
        "possible_duplicates": status.possible_duplicates,
        "types": {
            kind.value: {"recipients": number, "accepted": status.counts_by_type[kind]}
            for kind, number in sorted(status.planned_by_type.items())
        },
        "batches": status.batches,
        "reasons": dict(status.reasons),
        "settles_at": status.settles_at and status.settles_at.isoformat(),
        "ends": {end.value: status.ends[end] for end in DeliveryEnd if status.ends[end]},
        "codes": dict(status.codes),
        "elapsed": None if elapsed is None else round(elapsed, 3),
        "stopped_by": None if stopped_by is None else error_document(stopped_by),
        "causes": [cause.document for cause in causes],
        "is_finished": status.is_finished,
        "exit_code": exit_code,
    }
