"""A campaign on a disk that fails: it stops before it sends, and nobody is sent to twice.

Judged by the emulator's admission log, and by what the ledger's file says afterwards.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from campaign.disks.damage import locked, log_of, overwrite_log
from campaign.disks.disk import Disk
from campaign.disks.worker import NAME, number, planned

from sens_async import OutcomeState, SensSession, Settings
from sens_async.campaign import Campaign, Ledger
from sens_async.emulator import Emulator, EmulatorOptions

pytestmark = pytest.mark.real_time

WORKER = Path(__file__).with_name("worker.py")

PEOPLE = 3000
LATER = 700.0
"""Seconds after which it is believed that a message which SENS does not list was not accepted."""

NOTED = {OutcomeState.ACCEPTED, OutcomeState.UNKNOWN}
"""What is known of somebody to whom a request was intended."""


class Trial:
    """A campaign on a disk, and SENS.

    Args:
        disk: Where the ledger is.
        emulator: SENS; its clock is everybody's.
    """

    def __init__(self, disk: Disk, emulator: Emulator) -> None:
        self.disk = disk
        self.emulator = emulator
        self.ledger = disk.path / "ledger.db"
        self._ahead = 0.0

    async def start(self, *, synchronous: str = "FULL") -> asyncio.subprocess.Process:
        """Start a worker, on the disk, that plans the campaign and runs it."""
        told = json.loads(self.emulator.ready_line()) | {
            "ledger": str(self.ledger),
            "people": PEOPLE,
            "ahead": self._ahead,
            "synchronous": synchronous,
        }
        return await self.disk.start(str(WORKER), json.dumps(told))

    async def start_and_hear(self, *, accepted: int, **options) -> asyncio.subprocess.Process:
        """Start a worker, and return when it knows of so many that they were accepted."""
        worker = await self.start(**options)
        while json.loads(await worker.stdout.readline()).get("accepted", 0) < accepted:
            pass
        return worker

    async def error_of(self, worker: asyncio.subprocess.Process) -> str:
        """What ended the worker: a `LedgerError` that names the ledger's file."""
        out, err = await worker.communicate()
        assert not err, err.decode()
        *_, last = map(json.loads, out.splitlines())
        assert last.get("error") == "LedgerError", last
        assert last["text"].startswith(str(self.ledger))
        return last["text"]

    def wait(self) -> None:
        """Let so much time pass that whoever is unknown can be settled."""
        self._ahead += LATER
        self.emulator.advance(LATER)

    async def plan(self) -> None:
        """Plan the campaign, as before the disk became what it is."""
        async with self._campaign():
            pass
        self.disk.settle()

    async def finish(self) -> None:
        """Run the campaign to its end, on the disk as this process sees it."""
        async with self._campaign() as (sens, campaign):
            assert (await campaign.run(sens)).is_finished
        assert set((await self.states()).values()) == {OutcomeState.ACCEPTED}
        assert sorted(self.emulator.admissions) == [number(i) for i in range(PEOPLE)]

    async def finish_later(self) -> None:
        """The same, when all can be settled; everybody is accepted once."""
        self.wait()
        await self.finish()
        assert self.sent_twice() == []

    async def states(self) -> dict[str, OutcomeState]:
        """What the ledger says of everybody; of a copy, the file is left as it is."""
        with tempfile.TemporaryDirectory() as folder:
            for file in (self.ledger, log_of(self.ledger)):
                if file.exists():
                    shutil.copy(file, folder)
            async with Ledger.open(Path(folder) / self.ledger.name) as ledger:
                campaign = await ledger.campaign(NAME)
                return {one.number: one.state async for one in campaign.report()}

    async def sent_unnoted(self) -> list[str]:
        """Who was accepted, and would be sent to again."""
        states = await self.states()
        return [number for number in self.emulator.admissions if states[number] not in NOTED]

    def sent_twice(self) -> list[str]:
        return [number for number, all_of in self.emulator.admissions.items() if len(all_of) > 1]

    @asynccontextmanager
    async def _campaign(self) -> AsyncIterator[tuple[SensSession, Campaign]]:
        session = self.emulator.session(settings=Settings(rate_limit=None))
        async with session as sens, Ledger.open(self.ledger, clock=sens.clock) as ledger:
            yield sens, await planned(ledger, sens, PEOPLE)


@pytest.fixture
async def trial(disk: Disk) -> AsyncIterator[Trial]:
    async with Emulator(options=EmulatorOptions(latency=0.01)) as emulator:
        yield Trial(disk, emulator)


# -- power (F14)


@pytest.mark.parametrize("torn", [None, 1])
async def test_who_was_sent_to_before_a_loss_of_power_is_not_sent_to_again(trial, torn):
    chance = None if torn is None else Random(torn)
    for accepted in (300, 1800):
        await trial.start_and_hear(accepted=accepted)
        await trial.disk.lose_power(chance)

        assert await trial.sent_unnoted() == []
        trial.wait()

    await trial.finish()
    assert trial.sent_twice() == []


async def test_control_without_full_sync_a_loss_of_power_sends_twice(trial):
    await trial.plan()
    await trial.start_and_hear(accepted=500, synchronous="NORMAL")
    await trial.disk.lose_power()

    assert await trial.sent_unnoted() != []
    trial.wait()
    await trial.finish()
    assert trial.sent_twice() != []


async def test_power_is_lost_while_planning(trial):
    worker = await trial.start()
    assert json.loads(await worker.stdout.readline()) == {"taken": 1000}
    await trial.disk.lose_power()

    await trial.finish_later()


# -- a disk that cannot be written (F15)


@pytest.mark.parametrize("left", [0, 30_000])
async def test_a_disk_that_becomes_full_stops_the_run(trial, left):
    worker = await trial.start_and_hear(accepted=300)
    trial.disk.fill(left=left)

    assert "database or disk is full" in await trial.error_of(worker)
    assert await trial.sent_unnoted() == []
    trial.disk.mend()
    await trial.finish_later()


async def test_on_a_full_disk_nothing_is_sent(trial):
    for left in (0, 10_000, 50_000):
        trial.disk.fill(left=left)

        text = await trial.error_of(await trial.start())
        assert text.endswith(("database or disk is full", "disk I/O error"))
        assert trial.emulator.requests == []

    trial.disk.mend()
    await trial.finish()
    assert trial.sent_twice() == []


@pytest.mark.parametrize("break_disk", [Disk.break_syncs, Disk.make_read_only])
async def test_a_disk_that_fails_stops_the_run(trial, break_disk):
    worker = await trial.start_and_hear(accepted=300)
    break_disk(trial.disk)

    assert "disk I/O error" in await trial.error_of(worker)
    await trial.disk.lose_power()
    assert await trial.sent_unnoted() == []
    trial.disk.mend()
    await trial.finish_later()


@pytest.mark.parametrize(
    ("break_disk", "text"),
    [
        (Disk.break_syncs, "cannot be written: disk I/O error"),
        (Disk.make_read_only, "cannot be read: unable to open database file"),
    ],
)
async def test_on_a_disk_that_fails_nothing_is_sent(trial, break_disk, text):
    await trial.plan()
    break_disk(trial.disk)

    assert (await trial.error_of(await trial.start())).endswith(text)
    assert trial.emulator.requests == []
    trial.disk.mend()
    await trial.finish()


async def test_on_a_disk_that_is_read_only_no_ledger_is_made(trial):
    trial.disk.make_read_only()

    text = await trial.error_of(await trial.start())
    assert text.endswith("cannot be made: Read-only file system")
    assert trial.emulator.requests == []


# -- other processes (F15)


async def test_a_lock_of_another_process_stops_the_run(trial):
    worker = await trial.start_and_hear(accepted=300)
    with locked(trial.ledger):
        assert "database is locked" in await trial.error_of(worker)

    assert await trial.sent_unnoted() == []
    await trial.finish_later()


@pytest.mark.parametrize("also_for_reading", [False, True])
async def test_while_another_process_has_a_lock_nothing_is_sent(trial, also_for_reading):
    await trial.plan()
    with locked(trial.ledger, also_for_reading=also_for_reading):
        assert "database is locked" in await trial.error_of(await trial.start())

    assert trial.emulator.requests == []
    await trial.finish()


# -- damage (F15)


async def test_what_is_gone_from_a_damaged_log_is_noticed(trial):
    await trial.start_and_hear(accepted=1500)
    await trial.disk.kill()
    overwrite_log(trial.ledger)
    sent = len(trial.emulator.requests)

    assert "is damaged, or an older copy" in await trial.error_of(await trial.start())
    assert len(trial.emulator.requests) == sent
