"""A campaign whose workers are killed, and what is judged when it is over.

SENS is the emulator, in this process, with seeded faults; workers are processes of their own, over
real sockets. The judge hears the emulator's admission log and the ledger, never a worker's count.
"""

import asyncio
import multiprocessing
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGCONT, SIGKILL, Signals

import attrs
from campaign.faulty_service import FAULTS, Arrivals, faulty_service
from campaign.kill_worker import BATCH, BUSY, FINISHED, NAME, UNFINISHED, Orders, work
from campaign.ledger_probe import Probe, probe_of
from campaign.marked_points import ASKING, COMMITS, RUN_COMMITS, SENDING, Fate

from sens_async.campaign import CampaignOutcome, CampaignStatus, Ledger
from sens_async.emulator import Emulator

OPENING = [f"{phase}: {point}" for phase in ("open", "plan") for point in COMMITS]
MAKING = [f"run: {point}" for point in (*RUN_COMMITS, *SENDING, "before answer")]
RUNNING = [*MAKING, *(f"run: {point}" for point in ASKING)]
ANYWHERE = "run: anywhere"
"""Not a marked point: the process is killed from outside, whatever it does."""

SETTLE = 2.5
"""Longer than anything can be accepted after its intent and take to be listed."""

CHANCE, OF_COMMIT, ELSEWHERE = 0.15, 0.4, 0.02
"""How likely a process is killed at the point meant for it (a commit is one for many requests),
and at any other moment of sending."""

OUTSIDE = 0.1, 0.8
"""Seconds after which a process is killed from outside."""

PATIENCE = 180.0
"""Seconds in which a worker that nobody kills has to end, on a machine that does other things."""

EXITS = {FINISHED, UNFINISHED, BUSY, -SIGKILL}
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["sens_async.campaign", "aiosqlite", "asyncpg"])


@attrs.define
class Trial:
    """One campaign, the service it goes to, and the lives of its workers.

    Attributes:
        most_in_flight: Requests of one dead worker that were out, at most.
    """

    emulator: Emulator
    arrivals: Arrivals
    probe: Probe
    orders: Orders
    last_words: Path
    luck: random.Random
    most_in_flight: int = 0
    _workers: set[BaseProcess] = attrs.field(factory=set, init=False)

    def fate(self, point: str, how: Signals = SIGKILL, **chances: float) -> Fate:
        """Make one for the next worker; it is killed by chance, and stopped for sure."""
        chance = OF_COMMIT if "commit" in point else CHANCE
        chances.setdefault("chance", chance if how is SIGKILL else 1.0)
        seed = self.luck.getrandbits(32)
        return Fate(point=point, seed=seed, signal=how, last_words=self.last_words, **chances)

    def start(self, fate: Fate | None = None) -> BaseProcess:
        """Begin a worker's life."""
        orders = attrs.evolve(self.orders, fate=fate)
        worker = FORKING.Process(target=work, args=(orders,), daemon=True)
        worker.start()
        self._workers.add(worker)
        return worker

    async def live(self, fate: Fate | None = None, *, kill_after: float | None = None) -> int:
        """See a worker's life to its end; its exit code, below 0 if it was killed."""
        worker = self.start(fate)
        if kill_after is not None and not await ended(worker, kill_after):
            worker.kill()
            note(self.last_words, ANYWHERE)
        return await self._end_of(worker)

    async def wake(self, stopped: BaseProcess) -> int:
        """Let a stopped worker go on; its exit code."""
        os.kill(stopped.pid, SIGCONT)
        return await self._end_of(stopped)

    async def _end_of(self, worker: BaseProcess) -> int:
        if not await ended(worker, PATIENCE):
            raise TimeoutError(f"a worker has not ended within {PATIENCE:g} s")
        worker.join()
        code = worker.exitcode
        self._workers.remove(worker)
        worker.close()
        if code not in EXITS:
            raise AssertionError(f"a worker has failed: exit code {code}")
        if code == -SIGKILL:
            self.most_in_flight = max(self.most_in_flight, await self.probe.in_flight())
        return code

    def bury_all(self) -> None:
        """End the workers that are left, also the stopped ones."""
        for worker in self._workers:
            worker.kill()
            worker.join()
            worker.close()

    async def live_through(self, *, workers: int = 1, kills: int) -> None:
        """Kill workers, the rarest point first, until all is done.

        Args:
            workers: How many live at a time.
            kills: After so many, they are left alone.
        """
        for point in OPENING:
            await self.live(self.fate(point, chance=1.0))
        for point in MAKING:
            while await self.live(self.fate(point, elsewhere=ELSEWHERE)) == BUSY:
                pass  # the lease of a dead planner has to end first
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._live_again_and_again(kills))

    async def _live_again_and_again(self, kills: int) -> None:
        code = None
        points = (*RUNNING, ANYWHERE)
        while code != FINISHED:
            fallen = self.kills
            weights = [1 / (1 + fallen[point]) ** 2 for point in points]
            [point] = self.luck.choices(points, weights)
            if fallen.total() >= kills:
                code = await self.live()
            elif point == ANYWHERE:
                code = await self.live(kill_after=self.luck.uniform(*OUTSIDE))
            else:
                code = await self.live(self.fate(point, elsewhere=ELSEWHERE))

    @property
    def kills(self) -> Counter[str]:
        """The kills so far by their points."""
        if not self.last_words.exists():
            return Counter()
        return Counter(self.last_words.read_text().splitlines())

    @property
    def figures(self) -> str:
        """What happened, in one paragraph."""
        log = self.emulator.admissions
        return (
            f"{self.kills.total()} kills, {self.arrivals.total} requests to send, "
            f"{self.arrivals.too_late} of them too late, "
            f"{len(self.arrivals.unannounced)} without an intent, "
            f"{sum(len(accepted) > 1 for accepted in log.values())} recipients twice, "
            f"{self.most_in_flight} open after a kill at most; "
            + ", ".join(f"{point} {count}" for point, count in sorted(self.kills.items()))
        )

    async def report(self) -> tuple[list[CampaignOutcome], CampaignStatus]:
        """Read what the ledger tells of everybody."""
        async with Ledger.open(self.orders.ledger) as ledger:
            campaign = await ledger.campaign(NAME)
            return [one async for one in campaign.report()], await campaign.status()

    async def finish(self) -> None:
        """Let workers live until all is done."""
        while await self.live() != FINISHED:
            pass

    async def nothing_is_late(self) -> None:
        """Wait until the service holds no request back any more."""
        if waiting := list(self.emulator._site._waiting):
            await asyncio.wait(waiting)

    async def last_word(self) -> str:
        """Wait until a worker has come to its point, and give that."""
        async with asyncio.timeout(PATIENCE):
            while not self.kills:  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(0.01)
        [point] = self.kills
        return point

    async def settling(self) -> None:
        """Wait until everything sent so far is due, and its signature long invalid."""
        await asyncio.sleep(SETTLE + 1.0)

    def elsewhere(self, ledger: str) -> "Trial":
        """Give the same service, and workers on another ledger."""
        return attrs.evolve(self, orders=attrs.evolve(self.orders, ledger=ledger, sabotage=None))


def note(last_words: Path, point: str) -> None:
    """Write down where a worker was killed from outside."""
    with last_words.open("a") as file:
        file.write(f"{point}\n")


async def ended(worker: BaseProcess, seconds: float) -> bool:
    """Wait for a worker's end; whether it came in time."""
    loop = asyncio.get_running_loop()
    end = loop.create_future()
    loop.add_reader(worker.sentinel, lambda: end.done() or end.set_result(None))
    try:
        await asyncio.wait_for(end, seconds)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(worker.sentinel)
    return True


@asynccontextmanager
async def trial(
    ledger: str,
    folder: Path,
    *,
    batches: int,
    seed: int = 1,
    guarantee: str = "effectively_once",
    settle: float = SETTLE,
    sabotage: str | None = None,
    faults: Sequence[tuple[str | int, dict, float]] = FAULTS,
) -> AsyncIterator[Trial]:
    """Open a service with its faults, for a campaign that is not planned yet."""
    people = BATCH * batches
    probe = probe_of(ledger)
    service = faulty_service(probe, people, seed, faults)
    async with (
        asyncio.timeout(PATIENCE + 2 * batches),
        aclosing(probe),
        service as (emulator, arrivals),
    ):
        orders = Orders(
            ledger=ledger,
            url=emulator.url,
            access_key=emulator.access_key,
            secret_key=emulator.secret_key,
            service_id=emulator.service_id,
            sender=emulator.sender,
            people=people,
            guarantee=guarantee,
            settle=settle,
            sabotage=sabotage,
        )
        last_words = folder / "last-words"
        it = Trial(emulator, arrivals, probe, orders, last_words, random.Random(seed))
        try:
            yield it
        finally:
            it.bury_all()
