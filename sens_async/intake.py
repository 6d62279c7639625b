"""From any source of recipients to batches: lazily, once, with back-pressure.

A plain iterable is pulled by whoever wants the next batch. An async iterable is read by one task
of its own; nothing of ours is ever cancelled into it, so a generator that is in the middle of
something stays whole. When a run ends early while the source is still thinking, that task is
left to finish its one step.
"""

import asyncio
import logging
from collections import deque
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from itertools import islice
from typing import Any

from sens_async.clock import Clock
from sens_async.core.batch import Batch
from sens_async.core.chunking import HOLD, Chunking
from sens_async.core.requests import MESSAGES_PER_REQUEST
from sens_async.errors import RunStopped
from sens_async.models import OutcomeState, Recipient
from sens_async.outcomes import OutcomeBatch

__all__ = ["Intake", "Source", "check_source"]

logger = logging.getLogger("sens_async")

Source = Iterable[str | Recipient] | AsyncIterable[str | Recipient]

_AHEAD = 2
"""Batches an async source is read ahead, so that a worker finds one when it asks."""


def check_source(recipients: object) -> None:
    """Refuse what is easily given by mistake in place of a list.

    Raises:
        TypeError: It is a single recipient, text, a mapping, or not iterable.
    """
    if isinstance(recipients, str | bytes | bytearray | Mapping | Recipient):
        raise TypeError(
            f"recipients must be an iterable of str or Recipient, got {type(recipients).__name__}; "
            "for a single one use send(), or put it in a list"
        )
    if not isinstance(recipients, Iterable | AsyncIterable):
        raise TypeError(
            "recipients must be an iterable or async iterable of str or Recipient, "
            f"got {type(recipients).__name__}"
        )


def _nothing_to_settle(_: OutcomeBatch) -> None:
    """Stand in for whoever took outcomes, when there can be no more."""


class Intake:
    """Gives one run's batches, one after the other.

    Args:
        source: See `check_source`.
        chunking: Makes the batches.
        settle: Takes the outcomes of those who go into none.
        refuse: Takes batches that came when all was over.
        clock: Says how long a slow source's recipients have waited.
        spawn: Begins the task that reads an async source.
        first: Batches that go before any of the source.

    Attributes:
        error: What the source raised, or None.
    """

    def __init__(
        self,
        source: Source,
        chunking: Chunking,
        settle: Callable[[OutcomeBatch], None],
        refuse: Callable[[Batch], None],
        *,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        first: Sequence[Batch] = (),
    ) -> None:
        self.error: BaseException | None = None
        self._chunking = chunking
        self._settle = settle
        self._refuse = refuse
        self._clock = clock
        self._spawn = spawn
        self._ready: deque[Batch] = deque(first)
        self._has_ended = False
        self._iterator: Iterator[str | Recipient] | None = None
        self._async_source: AsyncIterable[str | Recipient] | None = None
        if isinstance(source, AsyncIterable):
            self._async_source = source
        else:
            self._iterator = iter(source)
        self._held: list[object] = []
        self._held_since = 0.0
        self._is_holding = asyncio.Event()
        self._has_room = asyncio.Event()
        self._askers: deque[asyncio.Future[None]] = deque()
        self._reader: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None

    @property
    def is_async(self) -> bool:
        """Whether the source may take its time."""
        return self._async_source is not None

    async def next(self, room: Callable[[], Awaitable[None]] | None = None) -> Batch | None:
        """Give the next batch, or None when there will be no more.

        Args:
            room: Waits until there is room for more outcomes: a list of nothing but bad numbers
                gives many and no batch. None if there always is.
        """
        while not self._ready:
            if room is not None and not self._has_ended:
                await room()
            if self._has_ended:
                return None
            if self._iterator is not None:
                self._pull(self._iterator)
                if not self._ready:
                    await asyncio.sleep(0)
            else:
                await self._ask()
        batch = self._ready.popleft()
        if len(self._ready) < _AHEAD:
            self._has_room.set()
        return batch

    def close(self) -> None:
        """Take nothing more from the source; what was taken is still given out."""
        if not self._has_ended:
            self._end()

    def forget(self) -> bool:
        """Let go of everything, unless a reader may still bring somebody.

        Returns:
            Whether nobody can come any more.
        """
        if self._reader is not None and not self._reader.done():
            return False
        self._chunking.forget()
        self._settle = _nothing_to_settle
        self._reader = self._timer = None
        return True

    def _pull(self, iterator: Iterator[str | Recipient]) -> None:
        items: list[object] = []
        try:
            # `extend` keeps what came before an exception; `list(islice())` would lose it.
            items.extend(islice(iterator, MESSAGES_PER_REQUEST))
        except BaseException as error:  # noqa: BLE001 - kept, and raised by the run: also an exit
            self.error = error
        self._feed(items, self._clock.monotonic())
        if self.error is not None or self._has_ended or len(items) < MESSAGES_PER_REQUEST:
            self._end()

    def _feed(self, items: list[object], since: float) -> None:
        if not items:
            return
        first = self._chunking.taken
        try:
            fed = self._chunking.feed(items, since)
        except BaseException as error:  # noqa: BLE001 - kept, and raised by the run
            self.error = self.error or error
            unsent = RunStopped("the recipients could not be read")
            indexes = range(first, first + len(items))
            nobody = [None] * len(items)
            self._settle(OutcomeBatch(OutcomeState.NOT_SENT, indexes, items, nobody, error=unsent))
            self._end()
            return
        self._ready.extend(fed.batches)
        for outcomes in fed.settled:
            self._settle(outcomes)

    def _feed_held(self) -> None:
        items, self._held = self._held, []
        self._feed(items, self._held_since)

    def _end(self) -> None:
        self._has_ended = True
        self._feed_held()
        self._ready.extend(self._chunking.flush())
        if self._timer is not None:
            self._timer.cancel()
        self._has_room.set()
        self._wake(len(self._askers))

    async def _ask(self) -> None:
        if self._reader is None:
            assert self._async_source is not None
            self._reader = self._spawn(self._read(self._async_source), "reader of a source")
            self._timer = self._spawn(self._watch(), "timer of a source")
            if self._ready or self._has_ended:  # an eager task may have read already
                return
        asker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._askers.append(asker)
        self._has_room.set()
        try:
            await asker
        except asyncio.CancelledError:
            if not asker.cancelled():
                self._wake(1)
            raise

    def _wake(self, count: int) -> None:
        while count > 0 and self._askers:
            asker = self._askers.popleft()
            if not asker.done():
                asker.set_result(None)
                count -= 1

    async def _read(self, source: AsyncIterable[str | Recipient]) -> None:
        try:
            await self._hold_all(source)
        except BaseException as error:
            if not self._has_ended:
                self.error = error
            elif isinstance(error, Exception):
                logger.debug("a source of recipients failed after its run had ended", exc_info=True)
            else:
                raise
        if not self._has_ended:
            self._end()

    async def _hold_all(self, source: AsyncIterable[str | Recipient]) -> None:
        async for item in source:
            if self._has_ended:
                self._take_late(item)
                return
            if not self._held:
                self._held_since = self._clock.monotonic()
                self._is_holding.set()
            self._held.append(item)
            if len(self._held) == MESSAGES_PER_REQUEST:
                await self._hand_over()
            if self._has_ended:
                return

    async def _hand_over(self) -> None:
        self._feed_held()
        self._wake(max(1, len(self._ready)))
        await asyncio.sleep(0)  # a source may never wait, and give nobody who can be sent to
        while not self._has_ended and not self._ready and not self._askers:
            await self._until_room()
        while len(self._ready) >= _AHEAD and not self._has_ended:
            await self._until_room()

    async def _until_room(self) -> None:
        self._has_room.clear()
        await self._has_room.wait()

    def _take_late(self, item: object) -> None:
        """Give an outcome to the one who was on the way out of the source at the end."""
        self._feed([item], self._clock.monotonic())
        self._ready.extend(self._chunking.flush())
        while self._ready:
            self._refuse(self._ready.popleft())

    async def _watch(self) -> None:
        """Hand over what a slow source has left waiting for about a second."""
        while True:
            await self._is_holding.wait()
            await self._clock.sleep(HOLD / 2)
            now = self._clock.monotonic()
            if self._held and now - self._held_since >= HOLD:
                self._feed_held()
            self._ready.extend(self._chunking.due(now))
            self._wake(len(self._ready))
            if not self._held and not self._chunking.is_holding:
                self._is_holding.clear()
