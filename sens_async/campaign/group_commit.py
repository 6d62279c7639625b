"""Group commit: what many workers want written at a moment is one statement, and one commit.

A commit waits for the disk; alone, each batch would wait twice. Changes are written in the order
in which they came, so a worker that waits for its next intent knows its last outcome to be safe,
and a dead process leaves at most one batch in flight for each of its workers.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Double,
    FromClause,
    Integer,
    Select,
    Text,
    Update,
    func,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from sens_async.campaign.claimed import Claim
from sens_async.campaign.errors import LedgerError
from sens_async.campaign.schema import batches
from sens_async.campaign.states import CLAIMED, BatchState
from sens_async.campaign.storage import Storage

__all__ = ["GroupCommit"]

_COLUMNS: Sequence[tuple[str, TypeEngine[Any]]] = (
    ("id", BigInteger()),
    ("fence", Integer()),
    ("state", Text()),
    ("attempts", Integer()),
    ("intent_ms", BigInteger()),
    ("file_ids", Text()),
    ("request_id", Text()),
    ("requested_at", Double()),
    ("error", Text()),
    ("is_doubtful", Boolean()),
)
"""A `Claim`'s."""


_AT_MOST = 64
"""Changes of one group: while it is written, those before it send."""


class _Change(NamedTuple):
    """A row to be written, and who waits for that."""

    row: dict[str, object]
    written: "asyncio.Future[bool] | None"


class GroupCommit:
    """Writes claims as they change.

    Args:
        storage: The ledger's.
        failed: Told once that nothing can be written any more.

    Attributes:
        failure: Why nothing can be written any more, or None.
    """

    def __init__(self, storage: Storage, failed: Callable[[LedgerError], None]) -> None:
        self.failure: LedgerError | None = None
        self._storage = storage
        self._failed = failed
        changes = storage.engine.rows("changes", _COLUMNS)
        self._update = _update(changes)
        self._written = _written(changes)
        self._waiting: list[_Change] = []
        self._writer: asyncio.Task[None] | None = None

    def submit(self, claim: Claim) -> None:
        """Have a claim written as it is now, soon."""
        self._submit(_Change(claim.row(), None))

    async def commit(self, claim: Claim) -> bool:
        """Have a claim written as it is now, durably.

        Returns:
            Whether the batch was still this claimant's; if not, nothing was written.

        Raises:
            LedgerError: It could not be written, or it is not known whether it was.
        """
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._submit(_Change(claim.row(), written))
        return await written

    async def flush(self) -> None:
        """Wait until all that was given is written, or `failure` says why it is not."""
        while self._writer is not None:
            await asyncio.wait({self._writer})

    def _submit(self, change: _Change) -> None:
        if self.failure is None:
            self._waiting.append(change)
            if self._writer is None:
                self._writer = asyncio.create_task(self._write_all(), name="sens-async ledger")
                self._writer.add_done_callback(self._stopped)
        elif change.written is not None:
            change.written.set_exception(_copy(self.failure))

    async def _write_all(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # whoever is about to write something joins in
            group, self._waiting = self._waiting[:_AT_MOST], self._waiting[_AT_MOST:]
            try:
                ours = await self._storage.at_once(partial(self._apply, group))
            except BaseException:
                self._waiting = [*group, *self._waiting]
                raise
            kept = [one.row for one, is_ours in zip(group, ours, strict=True) if is_ours]
            self._storage.noted(sum(row["state"] is BatchState.INFLIGHT for row in kept))
            for change, is_ours in zip(group, ours, strict=True):
                if change.written is not None and not change.written.done():
                    change.written.set_result(is_ours)
        self._writer = None  # in the same turn: what comes now begins another

    def _stopped(self, writer: asyncio.Task[None]) -> None:
        error = None if writer.cancelled() else writer.exception()
        if not writer.cancelled() and error is None:
            return
        self._writer = None
        if isinstance(error, LedgerError):
            self.failure = error
        else:
            self.failure = LedgerError("writing to the ledger was given up")
            self.failure.__cause__ = error
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if change.written is not None and not change.written.done():
                change.written.set_exception(_copy(self.failure))
        self._failed(self.failure)

    def _apply(self, group: Sequence[_Change], connection: Connection) -> list[bool]:
        """Write changes; say of each whether the batch was still its claimant's."""
        ours = [True] * len(group)
        for wave in _waves(group):
            document = orjson.dumps([group[place].row for place in wave]).decode()
            done = connection.execute(self._update, {"changes": document})
            if done.rowcount == len(wave):
                continue
            kept = set(connection.scalars(self._written, {"changes": document}).all())
            for place in wave:
                ours[place] = group[place].row["id"] in kept
        return ours


def _waves(group: Sequence[_Change]) -> Iterator[list[int]]:
    """Split changes so that one statement has none of a batch twice, in their order."""
    wave: list[int] = []
    seen: set[object] = set()
    for place, change in enumerate(group):
        number = change.row["id"]
        if number in seen:
            yield wave
            wave, seen = [], set()
        seen.add(number)
        wave.append(place)
    if wave:
        yield wave


def _update(changes: FromClause) -> Update:
    fields = [name for name, _ in _COLUMNS if name not in {"id", "fence"}]
    return (
        update(batches)
        .where(
            batches.c.id == changes.c.id,
            batches.c.fence == changes.c.fence,
            func.coalesce(batches.c.state, "").in_(CLAIMED),  # or SQLite goes by the state's index
        )
        .values({name: changes.c[name] for name in fields})
    )


def _written(changes: FromClause) -> Select[tuple[int]]:
    return select(batches.c.id).join(
        changes,
        (batches.c.id == changes.c.id)
        & (batches.c.fence == changes.c.fence)
        & (batches.c.state == changes.c.state),
    )


def _copy(failure: LedgerError) -> LedgerError:
    """Give an error of one's own to each who waits: a raised one gathers tracebacks."""
    copy = LedgerError(str(failure))
    copy.__cause__ = failure
    return copy
