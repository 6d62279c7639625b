"""Group commit: order, fences, and what happens when nothing can be written any more."""

import asyncio

import pytest
from session_helpers import numbers
from sqlalchemy import select

from sens_async.campaign import LedgerError
from sens_async.campaign.claimed import Claim
from sens_async.campaign.group_commit import GroupCommit
from sens_async.campaign.ids import batch_id
from sens_async.campaign.leases import Leases
from sens_async.campaign.schema import batches
from sens_async.campaign.states import BatchState


@pytest.fixture
async def claims(ledger, sens):
    await ledger.plan(sens, "one", numbers(1_000), "안녕하세요")
    rows = await Leases(ledger.storage, set(), sens.clock.time).claim("me", 1, after=-1, limit=10)
    assert [row.id for row in rows] == [batch_id(1, 100 * i) for i in range(10)]
    return [Claim(row.id, row.fence) for row in rows]


async def states(ledger):
    async with ledger.storage.reading() as connection:
        rows = await connection.execute(
            select(batches.c.state, batches.c.attempts).order_by(batches.c.id)
        )
        return [tuple(row) for row in rows]


@pytest.fixture
async def failures() -> list[LedgerError]:
    return []


@pytest.fixture
async def commits(ledger, failures) -> GroupCommit:
    return GroupCommit(ledger.storage, failures.append)


async def test_a_commit_may_follow_a_commit_at_once(commits, claims, ledger):
    for attempt in range(1, 6):
        claims[0].attempts = attempt
        assert await commits.commit(claims[0])
        commits.submit(claims[1])
    await commits.flush()
    assert (await states(ledger))[0] == ("CLAIMED", 5)


async def test_changes_of_one_batch_keep_their_order(commits, claims, ledger):
    for claim in claims:
        for state, attempts in (("INFLIGHT", 1), ("CLAIMED", 1), ("INFLIGHT", 2), ("ACCEPTED", 2)):
            claim.state, claim.attempts = BatchState(state), attempts
            commits.submit(claim)
    await commits.flush()
    assert await states(ledger) == [("ACCEPTED", 2)] * 10


async def test_a_stale_fence_writes_nothing_and_is_told(commits, claims, ledger):
    claims[3].fence -= 1
    for claim in claims:
        claim.state = BatchState.INFLIGHT
    ours = await asyncio.gather(*map(commits.commit, claims))
    assert ours == [True] * 3 + [False] + [True] * 6
    assert [state for state, _ in await states(ledger)] == (
        ["INFLIGHT"] * 3 + ["CLAIMED"] + ["INFLIGHT"] * 6
    )


async def test_what_is_settled_is_not_changed_again(commits, claims, ledger):
    claims[0].state = BatchState.ACCEPTED
    assert await commits.commit(claims[0])
    claims[0].state = BatchState.PLANNED
    assert not await commits.commit(claims[0])
    assert (await states(ledger))[0] == ("ACCEPTED", 0)


async def test_who_waits_when_the_ledger_fails_is_told(commits, claims, ledger, failures):
    async def broken(connection):
        await connection.exec_driver_sql("ALTER TABLE sens_batch RENAME TO gone")

    await ledger.storage.write(broken)
    waiting = [asyncio.create_task(commits.commit(claim)) for claim in claims]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {LedgerError}
    assert len(failures) == 1
    with pytest.raises(LedgerError):
        await commits.commit(claims[0])
    await commits.flush()
