"""From any list of recipients to batches in the ledger: each person is taken once, in order.

Batches are written while the list is read, a few hundred at a time, and count only when all are
there: a plan that was interrupted is begun anew.
"""

from array import array
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Sequence
from itertools import islice
from typing import TypeVar

import orjson
from sqlalchemy import Text, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sens_async.campaign.drafts import Draft
from sens_async.campaign.errors import CampaignConflict
from sens_async.campaign.fingerprint import STRETCH, Fingerprint
from sens_async.campaign.ids import batch_id, ids_of
from sens_async.campaign.packing import LeftOut, batch_digest, key_digest, keys_of, pack
from sens_async.campaign.schema import batches, campaign_id, campaigns, keys, people
from sens_async.campaign.states import BatchState
from sens_async.core.batch import Batch
from sens_async.core.chunking import Chunking
from sens_async.errors import DuplicateRecipient
from sens_async.intake import Source
from sens_async.models import OutcomeState, Recipient
from sens_async.outcomes import OutcomeBatch

__all__ = ["Planner", "stretches"]

T = TypeVar("T")

_ROWS_AT_ONCE = 200
"""Rows of a transaction while planning."""

_STATES = {
    OutcomeState.REJECTED: BatchState.REJECTED,
    OutcomeState.SKIPPED: BatchState.SKIPPED,
}

_SENDS_AGAIN = (BatchState.REJECTED, BatchState.SKIPPED)
"""States in which somebody's key is free: nothing was, or will be, sent under it."""


async def stretches(source: Source) -> AsyncGenerator[list[object]]:
    """Read a source lazily, in lists of equal length but for the last."""
    if isinstance(source, AsyncIterable):
        held: list[object] = []
        async for item in source:
            held.append(item)
            if len(held) == STRETCH:
                yield held
                held = []
        if held:
            yield held
        return
    items = iter(source)
    while stretch := list[object](islice(items, STRETCH)):
        yield stretch


class Planner:
    """Writes one campaign's batches.

    Args:
        draft: Its row.
        service_id: Its service's.
        chunking: Makes the batches.
        skips_known_keys: Whether recipients whose key is in the ledger already are left out.
    """

    def __init__(
        self,
        draft: Draft,
        service_id: str,
        chunking: Chunking,
        *,
        skips_known_keys: bool,
    ) -> None:
        self.fingerprint = Fingerprint()
        self._draft = draft
        self._storage = draft.storage
        self._campaign_id = draft.campaign_id
        self._service_id = service_id
        self._chunking = chunking
        self._left_out = {state: LeftOut(state) for state in _STATES}
        self._rows: list[dict[str, object]] = []
        self._people: list[dict[str, object]] = []
        self._keys: list[dict[str, object]] = []
        self._places: array[int] | None = array("Q") if skips_known_keys else None

    async def take(self, stretch: Sequence[object]) -> None:
        """Take in the next recipients."""
        first = self.fingerprint.taken
        self.fingerprint.add(stretch)
        if self._places is not None:
            stretch = await self._without_known(stretch, first, self._places)
        fed = self._chunking.feed(stretch, 0.0)
        for batch in fed.batches:
            self._add(batch)
        for outcomes in fed.settled:
            self._leave_out(outcomes)
        if len(self._rows) >= _ROWS_AT_ONCE:
            await self._write()

    async def finish(self) -> None:
        """Write what is left, and make the campaign one."""
        for batch in self._chunking.flush():
            self._add(batch)
        for left_out in self._left_out.values():
            if len(left_out):
                self._add_left_out(left_out)
        await self._write(is_whole=True)

    def _add(self, batch: Batch) -> None:
        batch.indexes = self._original(batch.indexes)
        own_keys = keys_of(batch.recipients)
        number = batch_id(self._campaign_id, batch.indexes[0])
        self._people.append({"batch_id": number, "payload": pack(batch, own_keys)})
        self._rows.append(
            {
                "id": number,
                "size": len(batch),
                "state": BatchState.PLANNED,
                "type": batch.envelope.type.value,
                "has_subject": batch.envelope.has_subject,
                "digest": batch_digest(batch, self._service_id),
            }
        )
        self._keys.extend(
            {"digest": key_digest(self._storage.secret, key), "batch_id": number}
            for key in set(own_keys)
            if key is not None
        )

    def _leave_out(self, outcomes: OutcomeBatch) -> None:
        outcomes.indexes = self._original(outcomes.indexes)
        left_out = self._left_out[outcomes.state]
        left_out.add(outcomes)
        if len(left_out) >= LeftOut.FULL:
            self._add_left_out(left_out)

    def _add_left_out(self, left_out: LeftOut) -> None:
        number, size = batch_id(self._campaign_id, left_out.first_index), len(left_out)
        self._people.append({"batch_id": number, "payload": left_out.pop()})
        self._rows.append(
            {
                "id": number,
                "size": size,
                "state": _STATES[left_out.state],
                "type": None,
                "has_subject": False,
                "digest": b"",
            }
        )

    def _original(self, indexes: Sequence[int]) -> Sequence[int]:
        """Give places in the input of those who were not left out before."""
        if self._places is None:
            return indexes
        return [self._places[index] for index in indexes]

    async def _write(self, *, is_whole: bool = False) -> None:
        rows, self._rows = self._rows, []
        payloads, self._people = self._people, []
        own_keys, self._keys = self._keys, []

        skips_known = self._places is not None

        async def write(connection: AsyncConnection) -> None:
            if is_whole and skips_known:
                await self._storage.engine.lock(connection)  # or two would not see each other end
            await self._draft.hold(connection)
            if rows:
                await connection.execute(insert(batches), rows)
                await connection.execute(insert(people), payloads)
            if own_keys:
                given = self._storage.engine.rows(
                    "given", [("digest", Text()), ("batch_id", keys.c.batch_id.type)]
                )
                await connection.execute(
                    insert(keys).from_select(["digest", "batch_id"], select(given)),
                    {"given": orjson.dumps(own_keys).decode()},
                )
            if is_whole and skips_known:
                await self._check_keys(connection)
            if is_whole:
                fingerprint = self.fingerprint
                await self._draft.complete(connection, fingerprint.taken, bytes(fingerprint))

        await self._storage.write(write)

    async def _check_keys(self, connection: AsyncConnection) -> None:
        """See that nobody has taken one of our keys since we saw that it was free.

        Raises:
            CampaignConflict: A plan that was made at the same time has.
        """
        own = keys.alias()
        taken = (
            select(func.count(own.c.digest.distinct()))
            .join(keys, keys.c.digest == own.c.digest)
            .join(batches, batches.c.id == keys.c.batch_id)
            .join(campaigns, campaigns.c.id == campaign_id)
            .where(own.c.batch_id.between(*ids_of(self._campaign_id)))
            .where(campaigns.c.is_planned, campaigns.c.id != self._campaign_id)
            .where(batches.c.state.not_in(_SENDS_AGAIN))
        )
        if count := (await connection.execute(taken)).scalar_one():
            raise CampaignConflict(
                f"{count:,} keys were taken by another campaign while this one was planned; "
                "plan it again to leave them out"
            )

    async def _without_known(
        self, stretch: Sequence[object], first: int, places: "array[int]"
    ) -> Sequence[object]:
        """Leave out those to whom something was, or is about to be, sent under their key."""
        own_keys = keys_of(stretch)
        known = await self._known({key for key in own_keys if key is not None})
        fresh = []
        for place, (item, key) in enumerate(zip(stretch, own_keys, strict=True), first):
            if key is None or key not in known:
                fresh.append(item)
                places.append(place)
                continue
            error = DuplicateRecipient("a message under this key was sent, or is about to be")
            assert isinstance(item, Recipient)
            self._left_out[OutcomeState.SKIPPED].add(
                OutcomeBatch(OutcomeState.SKIPPED, [place], [item], [None], error=error)
            )
        left_out = self._left_out[OutcomeState.SKIPPED]
        if len(left_out) >= LeftOut.FULL:
            self._add_left_out(left_out)
        return fresh

    async def _known(self, wanted: Collection[str]) -> set[str]:
        if not wanted:
            return set()
        by_digest = {key_digest(self._storage.secret, key): key for key in wanted}
        given = self._storage.engine.rows("given", [("digest", Text())])
        lowest, highest = ids_of(self._campaign_id)
        known = (
            select(keys.c.digest)
            .distinct()
            .select_from(given)
            .join(keys, keys.c.digest == given.c.digest)
            .join(batches, batches.c.id == keys.c.batch_id)
            .join(campaigns, campaigns.c.id == campaign_id)
            .where(campaigns.c.is_planned)  # others may come to nothing; see `_check_keys`
            .where(batches.c.state.not_in(_SENDS_AGAIN))
            .where(~batches.c.id.between(lowest, highest))
        )
        document = orjson.dumps([{"digest": digest} for digest in by_digest]).decode()
        async with self._storage.reading() as connection:
            found = await connection.execute(known, {"given": document})
            return {by_digest[digest] for (digest,) in found}
