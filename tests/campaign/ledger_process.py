"""Processes that use one ledger: in one thread, held up or killed at will, in a time that stands.

Each process has an event loop, which runs until it has nothing to do. So a process that is held
up is a loop that is not run, and what happens between is a matter of who is run when.
"""

import asyncio
from collections.abc import Callable

import attrs
from campaign.truthful_service import Wire
from scripted import session_over
from virtual_time import EPOCH, VirtualClock, VirtualLoop

from sens_async import Settings
from sens_async.campaign import Campaign, CampaignStatus, Ledger

__all__ = ["Moment", "Process", "let_pass"]


@attrs.define
class Moment:
    """The time of everybody.

    Attributes:
        seconds: Since the story began: event loops need a finer time than the epoch's.
    """

    seconds: float = 0.0

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return EPOCH + self.seconds


class StillLoop(VirtualLoop):
    """A loop in which no time passes, and whose jobs are done at once.

    Args:
        moment: What time it is.

    Attributes:
        until_next: Seconds until something is to be done again, or None if nothing is.
    """

    def __init__(self, moment: Moment) -> None:
        self.until_next: float | None = None
        self._moment = moment
        super().__init__()

    def time(self) -> float:
        return self._moment.seconds

    def run_until_idle(self) -> None:
        """Do everything that can be done now."""
        self.run_forever()

    def run_in_executor(self, executor, func, *args):
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever asked is told, as by a thread
            future.set_exception(error)
        return future

    def _wait(self, timeout: float | None) -> list:
        self.until_next = timeout
        self.stop()
        return []


class Process:
    """A process: its ledger, its session and its runs.

    Args:
        url: Where the ledger is.
        moment: What time it is.
        wire: Where requests go.
        is_shared: Whether other processes write the ledger, too.

    Attributes:
        is_held_up: Whether it does nothing now.
        runs: What it was asked for and does not know to have ended.
    """

    def __init__(self, url: str, moment: Moment, wire: Wire, *, is_shared: bool) -> None:
        self.is_held_up = False
        self.runs: list[asyncio.Task[CampaignStatus]] = []
        self.wire = wire
        self.loop = StillLoop(moment)
        self.loop.run_until_complete(self._open(url, moment, is_shared=is_shared))

    async def _open(self, url: str, moment: Moment, *, is_shared: bool) -> None:
        clock = VirtualClock(self.loop, epoch=moment.now)
        self.opened = Ledger.open(url, clock=clock)
        self.ledger = await self.opened.__aenter__()
        if is_shared:  # as PostgreSQL is
            engine = self.ledger.storage.engine
            engine.writes_alone, engine.own = False, lambda: None
        settings = Settings(rate_limit=None, max_in_flight=1)  # others wait, claimed
        self.session = session_over(self.wire, settings=settings, clock=clock)

    def __repr__(self) -> str:
        return f"<process with {len(self.runs)} runs>"

    def do(self, work):
        """Do something to its end, which must not wait for time or for SENS."""
        return self.loop.run_until_complete(work)

    def begin(self, name: str, carry: Callable[[Campaign], object]) -> None:
        """Begin to carry a campaign on, as far as that goes now."""

        async def carried() -> CampaignStatus:
            return await carry(await self.ledger.campaign(name))

        self.runs.append(self.loop.create_task(carried()))
        self.loop.run_until_idle()

    def kill(self) -> None:
        """End it, so that nothing more is written; what is on the wire is adrift."""
        # First of all: from then on its ledger is closed to whatever it does while it dies.
        self.do(self.opened.__aexit__(None, None, None))
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_idle()
        for run in self.runs:
            run.cancelled() or run.exception()  # nobody is left to be told
        self.do(self.session.aclose())
        self.loop.close()


def let_pass(seconds: float, moment: Moment, processes: list[Process]) -> None:
    """Let time pass; those who are not held up do meanwhile what it is time for."""
    ends, loops = moment.seconds + seconds, [one.loop for one in processes if not one.is_held_up]
    while True:
        for loop in loops:
            loop.run_until_idle()
        waits = [loop.until_next for loop in loops if loop.until_next is not None]
        if moment.seconds + min(waits, default=seconds + 1) > ends:
            break
        moment.seconds += min(waits)
    moment.seconds = ends
