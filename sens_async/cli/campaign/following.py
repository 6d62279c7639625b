"""A command that works on a campaign, while it does: what is watched, Ctrl-C, and its end."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from sens_async.cli.campaign.causes import causes_of
from sens_async.cli.campaign.views import View
from sens_async.cli.interrupts import INTERRUPTED, Stopping
from sens_async.cli.progress import Display
from sens_async.cli.reasons import Reason
from sens_async.errors import SensError
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus

__all__ = ["UNFINISHED", "Following"]

UNFINISHED = 3
"""Exit code while somebody's outcome, or result, is not final."""

_EVERY = 60.0
"""Seconds after which it is told again how it stands, where nobody watches a bar."""

_SAME_PHASE = timedelta(seconds=5)
"""By so much the time that all are settled may move, as the gateway's clock becomes known."""


class Following:
    """One call on a campaign.

    Attributes:
        campaign: Which.
        status: What is known of everybody.
        causes: Why some are not accepted.
        stopped_by: What ended it early, or None.
        elapsed: Seconds it took.
        sending: Seconds until the last recipient was sent to.
        sent: Recipients whose turn has come in that time; 0 if nobody was accepted.
        is_interrupted: Whether Ctrl-C ended it.
    """

    def __init__(
        self, campaign: "Campaign", begun: "CampaignStatus", console: Console, view: View
    ) -> None:
        """Prepare.

        Args:
            campaign: Which.
            begun: Its status.
            console: Where it is watched.
            view: What of it.
        """
        self.status = begun
        self.causes: list[Reason] = []
        self.stopped_by: SensError | None = None
        self.elapsed = self.sending = 0.0
        self.sent = 0
        self.is_interrupted = False
        self.campaign = campaign
        self._console = console
        self._accepted = begun.counts[OutcomeState.ACCEPTED]
        self._unsent = begun.counts[OutcomeState.NOT_SENT]
        self._view = view
        self._began = monotonic()
        self._is_watched = False
        self._told_until: datetime | None = None
        self._told_at = monotonic()
        self._stopping = Stopping(self._tell_stopping)
        self._display = Display(
            console,
            view.total,
            what=view.what,
            below=lambda: view.lines(self.status),
            done=view.done(begun),
        )

    @property
    def exit_code(self) -> int:
        """What the command ends with, where it is over as soon as everybody has an outcome."""
        if self.is_interrupted:
            return INTERRUPTED
        if self.stopped_by is not None:
            return 1
        return 0 if self.status.is_finished else UNFINISHED

    async def follow(
        self,
        call: Callable[
            [Callable[["CampaignStatus"], None]], Coroutine[None, None, "CampaignStatus"]
        ],
    ) -> None:
        """Make the call and see it to its end, whatever that is.

        Args:
            call: Is given what it is to tell each change; its first cancellation is a wish to end.

        Raises:
            SensError: It failed before it did anything.
        """
        task = asyncio.create_task(call(self._take))
        with self._stopping.of(task):  # to the end: another Ctrl-C must not lose what is told
            await self._see(task)

    async def _see(self, task: "asyncio.Task[CampaignStatus]") -> None:
        try:
            with self._display:
                self.status = await task
        except asyncio.CancelledError:
            self.is_interrupted = True
        except SensError as error:
            if not self._is_watched:
                raise
            self.stopped_by = error
        self.elapsed = monotonic() - self._began
        if self.status.counts[OutcomeState.ACCEPTED] <= self._accepted:
            self.sent = 0
        self.is_interrupted = self.is_interrupted or self._stopping.interrupts > 0
        self.stopped_by = self.stopped_by or self.status.stopped_by
        with suppress(SensError):  # a ledger that cannot be read: what was seen last counts
            known = await self.campaign.status()
            if not self.is_interrupted and self.stopped_by is None:
                known.settles_at, known.reasons = self.status.settles_at, self.status.reasons
            self.status = known  # a call counts results only if it asks for them
            self.causes = await causes_of(self.campaign, known)

    def _take(self, status: "CampaignStatus") -> None:
        self._is_watched = True
        self.status = status
        unsent = status.counts[OutcomeState.NOT_SENT]
        if unsent < self._unsent:
            self.sent += self._unsent - unsent
            self.sending = monotonic() - self._began
        self._unsent = unsent  # more than before where somebody is sent to again
        asks = self._view.is_asking(status)
        until = status.settles_at if asks else None
        self._display.update(self._view.done(status), until=until, is_waiting=asks)
        if self._console.is_terminal:
            return
        if until is not None and self._is_news(until):
            self._told_until = until
            self._say(Text(self._view.asking_line(status), "soft"))
        elif not asks and monotonic() - self._told_at >= _EVERY:
            self._told_at = monotonic()
            self._say(Text("   ").join(line for line in self._view.below(status) if line))

    def _is_news(self, until: datetime) -> bool:
        return self._told_until is None or until > self._told_until + _SAME_PHASE

    def _tell_stopping(self) -> None:
        self._say(Text("stopping: what is on the wire is finished 중단 중 …", "soft"))

    def _say(self, line: Text) -> None:
        with suppress(OSError):
            self._display.say(line)
