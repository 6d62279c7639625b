"""A run's batches, claimed from the ledger a few dozen at a time and a little ahead."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection

from sens_async.campaign.claimed import Claim, ClaimedBatch
from sens_async.campaign.errors import LedgerError
from sens_async.campaign.leases import LEASE_SECONDS, Leases
from sens_async.campaign.letter import Letter
from sens_async.campaign.packing import unpack
from sens_async.campaign.schema import AnyRow
from sens_async.clock import Clock
from sens_async.core.batch import Batch, Envelope

__all__ = ["Claims"]

_AT_ONCE = 128
"""Batches of one claim."""

_LOW = 64
"""Batches left when the next claim is made."""


class Claims:
    """The feed of one pass over a campaign; see `sens_async.bulk.Feed`.

    Args:
        leases: Claims.
        owner: The run's name in claims.
        campaign_id: Of which campaign.
        letter: What it says.
        clock: Says when claims are to be renewed.
        given_up: Ids of batches that this run has tried in vain.
        claims: Takes each claim, by the place of the batch's first recipient.

    Attributes:
        error: Why no more can be claimed, or None.
        claimed: How many batches were.
    """

    is_async = False

    def __init__(
        self,
        leases: Leases,
        owner: str,
        campaign_id: int,
        letter: Letter,
        *,
        clock: Clock,
        given_up: Collection[int],
        claims: dict[int, Claim],
    ) -> None:
        self.error: Exception | None = None
        self.claimed = 0
        self._leases = leases
        self._owner = owner
        self._campaign_id = campaign_id
        self._letter = letter
        self._clock = clock
        self._given_up = given_up
        self._claims = claims
        self._envelopes: dict[tuple[str, bool], Envelope] = {}
        self._ready: deque[ClaimedBatch] = deque()
        self._after = -1
        self._has_ended = False
        self._claiming: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def next(
        self,
        room: Callable[[], Awaitable[None]] | None = None,  # noqa: ARG002 - a claim makes no outcomes
    ) -> Batch | None:
        """Give the next batch, or None when there will be no more."""
        if len(self._ready) <= _LOW and self._claiming is None and not self._has_ended:
            self._claiming = asyncio.create_task(self._claim(), name="sens-async claim")
            if self._renewing is None:
                self._renewing = asyncio.create_task(self._renew(), name="sens-async leases")
        while not self._ready:
            if self._claiming is None:
                if self._has_ended:
                    return None
                self._claiming = asyncio.create_task(self._claim(), name="sens-async claim")
            await asyncio.wait({self._claiming})
        return self._ready.popleft()

    def close(self) -> None:
        """Claim no more; what was claimed is still given out."""
        self._has_ended = True

    def forget(self) -> bool:
        """Nobody can come any more."""
        return True

    async def aclose(self) -> None:
        """End what goes on, and give back what was claimed and not given out.

        Raises:
            LedgerError: It could not be given back; its lease will end.
        """
        self.close()
        if self._claiming is not None:
            await asyncio.wait({self._claiming})
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})
        await self._leases.release(self._owner)

    async def _claim(self) -> None:
        try:
            rows = await self._leases.claim(
                self._owner, self._campaign_id, after=self._after, limit=_AT_ONCE
            )
            fresh = [self._batch(row) for row in rows if row.id not in self._given_up]
        except Exception as error:  # noqa: BLE001 - it ends the run; LedgerError, or a bug
            self.error = error
            self._has_ended = True
            return
        finally:
            self._claiming = None
        if not rows:
            self._has_ended = True
            return
        self._after = rows[-1].id
        self.claimed += len(fresh)
        self._ready.extend(fresh)

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(LEASE_SECONDS / 3)
            try:
                await self._leases.renew(self._owner)
            except LedgerError as error:
                self.error = self.error or error
                self._has_ended = True
                return

    def _batch(self, row: AnyRow) -> ClaimedBatch:
        people = unpack(row.payload, row.size)
        kind = row.type, bool(row.has_subject)
        letter, envelope = self._letter, self._envelopes.get(kind)
        if envelope is None:
            envelope = letter.envelope(row.type, has_subject=bool(row.has_subject))
            self._envelopes[kind] = envelope
        claim = Claim(
            row.id,
            row.fence,
            attempts=row.attempts,
            intent_ms=row.intent_ms,
            is_doubtful=bool(row.is_doubtful),
        )
        self._claims[people.indexes[0]] = claim
        return ClaimedBatch(
            envelope,
            people.indexes,
            people.keys,
            people.numbers,
            people.texts,
            people.titles,
            letter.text if people.texts is None else None,
            letter.title if row.has_subject and people.titles is None else None,
            keys=people.keys,
            claim=claim,
        )
