"""Whose request an id belongs to, as far as the session knows."""

import asyncio
from collections import OrderedDict
from collections.abc import Container
from collections.abc import Set as AbstractSet

from sens_async.core.batch import Batch

__all__ = ["Owners"]


class Owners:
    """Remembers which of the session's requests some accepted ids belong to; the last ones only.

    A search for an unknown request must not find one that is known to be another: the same
    message sent a moment before, or again without those who left. One that is listed before its
    answer has come is about to be known.
    """

    SIZE = 4_096

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, str] = OrderedDict()
        self._out: set[Batch] = set()
        self._landed = asyncio.Event()

    def begin(self, batch: Batch) -> None:
        """Take note that an attempt begins, whose id is not known yet."""
        self._out.add(batch)

    def end(self, batch: Batch) -> None:
        """Take note that it has ended; an id that came is noted before anybody can ask."""
        self._out.discard(batch)
        self._landed.set()

    async def land(self, numbers: AbstractSet[str]) -> None:
        """Wait for the end of the attempts that are out now to any of some numbers."""
        awaited = {batch for batch in self._out if not numbers.isdisjoint(batch.numbers)}
        while not awaited.isdisjoint(self._out):
            self._landed.clear()
            await self._landed.wait()

    def note(self, request_id: str, token: str) -> None:
        """Remember an id.

        Args:
            request_id: Of an accepted request.
            token: Of the request whose answer or search gave it; "" if nobody was told that it
                is unknown.
        """
        self._tokens[request_id] = token
        if len(self._tokens) > self.SIZE:
            self._tokens.popitem(last=False)

    def foreign(self, tokens: Container[str]) -> set[str]:
        """Give the ids that belong to none of some requests."""
        return {one for one, token in self._tokens.items() if token not in tokens}
