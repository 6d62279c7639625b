"""What is watched of a campaign while a command works on it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from rich.text import Text

from sens_async.cli.campaign.options import GuaranteeName
from sens_async.cli.campaign.words import ends_line
from sens_async.cli.console import count
from sens_async.cli.progress import counts_line
from sens_async.core.schedule import KST
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import CampaignStatus

__all__ = ["View", "asking", "following", "open_unknowns", "sending"]


_SETTLED = (OutcomeState.ACCEPTED, OutcomeState.REJECTED, OutcomeState.SKIPPED)


@attrs.frozen(kw_only=True)
class View:
    """A bar and the lines under it.

    Attributes:
        what: The bar's first words.
        total: How many recipients make it full.
        done: How many of them have been done.
        below: The lines.
        asks: Whether the unknown are asked for.
        stays: Whether they are asked for until they are settled, or Ctrl-C leaves them unknown;
            else they are asked for once.
    """

    what: str
    total: int
    done: Callable[["CampaignStatus"], int]
    below: Callable[["CampaignStatus"], list[Text]]
    asks: bool = True
    stays: bool = True

    def is_asking(self, status: "CampaignStatus") -> bool:
        """Whether nothing is sent at the moment, and the unknown are asked for."""
        is_sending = status.counts[OutcomeState.NOT_SENT] and status.settles_at is None
        is_open = self.asks and open_unknowns(status)
        return bool(is_open) and not (is_sending or status.in_flight)

    def asking_line(self, status: "CampaignStatus") -> str:
        """Say for how many SENS is asked, until when, and what Ctrl-C does."""
        until = ""
        if self.stays and status.settles_at is not None:
            until = f" until {status.settles_at.astimezone(KST):%H:%M:%S}"
        ends = "; Ctrl-C leaves them unknown 종료" if self.stays else ""
        return f"asking SENS for {count(open_unknowns(status))} unknown{until} 확인 중{ends}"

    def lines(self, status: "CampaignStatus") -> list[Text]:
        """Give what is under the bar."""
        asking = [Text(self.asking_line(status), "soft")] if self.is_asking(status) else []
        return self.below(status) + asking


def sending(begun: "CampaignStatus", guarantee: str, waits: bool) -> View:
    """For `run`: who has a final outcome, of everybody."""
    return View(
        what="sending 발송",
        total=begun.total,
        done=_finished,
        below=_outcomes,
        stays=waits and guarantee != GuaranteeName.AT_LEAST_ONCE.value,
    )


def asking(begun: "CampaignStatus", _guarantee: str, waits: bool) -> View:
    """For `reconcile`: who is known, of the unknown."""
    total = open_unknowns(begun)
    return View(
        what="asking SENS 확인",
        total=total,
        done=lambda status: max(0, total - open_unknowns(status)),
        below=_outcomes,
        stays=waits,
    )


def following(begun: "CampaignStatus", _guarantee: str, _waits: bool) -> View:
    """For `track`: whose message has ended, of the accepted."""
    return View(
        what="following 결과 확인",
        total=begun.counts[OutcomeState.ACCEPTED],
        done=lambda status: status.ends.total(),
        below=lambda status: [ends_line(status)],
        asks=False,
    )


def open_unknowns(status: "CampaignStatus") -> int:
    """Recipients for whom SENS can still be asked: unknown, not in flight, not given up."""
    return max(0, status.counts[OutcomeState.UNKNOWN] - status.in_flight - status.unproven)


def _finished(status: "CampaignStatus") -> int:
    counts = status.counts
    return status.total - counts[OutcomeState.NOT_SENT] - counts[OutcomeState.UNKNOWN]


def _outcomes(status: "CampaignStatus") -> list[Text]:
    counts = status.counts.copy()
    counts[OutcomeState.UNKNOWN] -= status.in_flight
    waiting = counts_line(counts, only=(OutcomeState.UNKNOWN, OutcomeState.NOT_SENT))
    if status.in_flight:
        waiting.append("   " if waiting else "")
        waiting.append(f"{count(status.in_flight)} ", "figure").append("in flight")
        waiting.append(" 전송 중", "soft")
    return [counts_line(counts, only=_SETTLED), waiting]
