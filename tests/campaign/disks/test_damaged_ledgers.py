"""A ledger's file was damaged: whoever runs its campaign is told, and sends nothing."""

import re
import sqlite3
from contextlib import closing
from random import Random

import pytest
from campaign.disks.damage import cut_off, make_another_file, overwrite
from campaign.disks.worker import NAME, number, planned

from sens_async import Settings
from sens_async.campaign import Ledger, LedgerError
from sens_async.emulator import Emulator

pytestmark = pytest.mark.real_time

PEOPLE = 1500
PAGE = 4096
SOMEBODY = number(1234).encode()


@pytest.fixture
async def emulator():
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def path(emulator, tmp_path):
    """A ledger with a campaign that is planned."""
    path = tmp_path / "ledger.db"
    async with emulator.session() as sens, Ledger.open(path) as ledger:
        await planned(ledger, sens, PEOPLE)
    return path


async def run(emulator, path):
    session = emulator.session(settings=Settings(rate_limit=None))
    async with session as sens, Ledger.open(path) as ledger:
        return await (await ledger.campaign(NAME)).run(sens)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (make_another_file, "file is not a database"),
        (overwrite, "database disk image is malformed"),
        (cut_off, "database disk image is malformed"),
    ],
)
async def test_nothing_is_sent_from_a_damaged_file(emulator, path, damage, text):
    damage(path)

    with pytest.raises(LedgerError, match=rf"{re.escape(str(path))} cannot be \w+: {text}"):
        await run(emulator, path)
    assert emulator.requests == []


async def test_noise_in_any_page_sends_nothing_or_the_right_things(emulator, path):
    data = path.read_bytes()
    noticed = 0
    for at in range(0, len(data), PAGE):
        emulator.reset()
        path.write_bytes(data[:at] + Random(at).randbytes(PAGE) + data[at + PAGE :])
        try:
            status = await run(emulator, path)
        except LedgerError:
            noticed += 1
            assert emulator.requests == []
        else:
            assert status.is_finished
            assert sorted(emulator.admissions) == [number(i) for i in range(PEOPLE)]
            assert max(map(len, emulator.admissions.values())) == 1

    assert noticed > len(data) / PAGE / 2


async def test_one_wrong_digit_is_no_message_to_a_stranger(emulator, path):
    data = path.read_bytes()
    assert data.count(SOMEBODY) == 1
    path.write_bytes(data.replace(SOMEBODY, SOMEBODY[:-1] + b"5"))

    with pytest.raises(LedgerError, match="the ledger is damaged"):
        await run(emulator, path)
    assert emulator.requests == []
    async with Ledger.open(path) as ledger:
        campaign = await ledger.campaign(NAME)
        with pytest.raises(LedgerError, match="the ledger is damaged"):
            [one async for one in campaign.report()]


def tally_of(path):
    return path.with_name(path.name + ".tally")


async def test_an_older_copy_is_not_run(emulator, path):
    older = path.read_bytes()
    await run(emulator, path)
    path.write_bytes(older)
    sent = len(emulator.requests)

    for _ in range(2):
        with pytest.raises(
            LedgerError, match=r"damaged, or an older copy: of 15 requests .* knows 0"
        ):
            await run(emulator, path)
    assert len(emulator.requests) == sent

    # Somebody who knows better has the last word.
    tally_of(path).unlink()
    await run(emulator, path)
    assert set(map(len, emulator.admissions.values())) == {2}


async def test_an_emptied_file_is_not_begun_anew(emulator, path):
    await run(emulator, path)
    path.write_bytes(b"")

    with pytest.raises(LedgerError, match="damaged, or an older copy"):
        await run(emulator, path)


async def test_who_removes_a_ledger_begins_anew(emulator, path):
    await run(emulator, path)
    path.unlink()

    async with emulator.session() as sens, Ledger.open(path) as ledger:
        await planned(ledger, sens, PEOPLE)
    assert (await run(emulator, path)).is_finished


async def test_requests_that_were_tried_again_or_divided_are_no_damage(emulator, path):
    emulator.fail("throttle", requests="2-4")
    emulator.refuse_numbers = {number(7), number(703), number(704)}
    assert not (await run(emulator, path)).counts["NOT_SENT"]

    noted = int(tally_of(path).read_bytes())
    with closing(sqlite3.connect(path)) as ledger:
        assert ledger.execute("SELECT sum(attempts) FROM sens_batch").fetchone() == (noted,)
    assert noted > PEOPLE / 100
    assert (await run(emulator, path)).is_finished
