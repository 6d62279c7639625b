"""What is under way in a session: single sends and runs, begun, watched over and ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from weakref import WeakKeyDictionary

from sens_async.attachment_cache import AttachmentCache
from sens_async.bulk import Feed, MakeFeed, Run
from sens_async.calls import Call
from sens_async.core.batch import Batch
from sens_async.core.chunking import Chunker, Chunking
from sens_async.core.message import Message
from sens_async.dispatch import Dispatcher, Journal, unknown
from sens_async.errors import InvalidMessage, RunStopped, SessionClosed
from sens_async.files import Files
from sens_async.flow.lanes import Lane
from sens_async.flow.tasks import Tasks
from sens_async.intake import Intake, Source, check_source
from sens_async.models import Recipient
from sens_async.outcomes import OutcomeBatch
from sens_async.pictures import Image
from sens_async.sharing import SharedSend, Sharing
from sens_async.single import Single, with_outcome

__all__ = ["Outbox"]

logger = logging.getLogger("sens_async")


class Outbox:
    """Makes sends and runs from calls, and sees to it that none outlives the session.

    Args:
        dispatcher: The session's.
        chunker: The session's.
        attachments: The session's.
        linger: Seconds that a `send` waits for others to share its request; 0 for none.
        sender: Where a call names none.
        opted_out: Gives the numbers that have opted out of advertisements.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        chunker: Chunker,
        attachments: AttachmentCache,
        *,
        linger: float,
        sender: str | None,
        opted_out: Callable[[], Awaitable[AbstractSet[str]]],
    ) -> None:
        self._dispatcher = dispatcher
        self._chunker = chunker
        self._attachments = attachments
        self._sender = sender
        self._opted_out = opted_out
        self._clock = dispatcher.gateway.clock
        self._tasks = Tasks()
        self._readers = Tasks()
        self._runs: set[Run] = set()
        self._chunkings: WeakKeyDictionary[Run, Chunking] = WeakKeyDictionary()
        self._singles: set[Single] = set()
        self._sharing: Sharing | None = None
        if linger:
            self._sharing = Sharing(linger, dispatcher, self._tasks, self._share)
        self._has_warned = False
        self._is_closed = False

    def single(self, call: Call, to: str | Recipient) -> Single | SharedSend:
        """Begin to send one message; with others, unless all could only be cancelled together.

        Raises:
            SensError: It is refused here; `outcome` is set where that is the recipient's fault.
        """
        message = self._compile(call)
        batch = self._address(message, to)
        files = Files(call.images, self._attachments, message)
        may_share = message.reservation is None and _is_hashable(call.images)
        if self._sharing is not None and may_share:
            return self._sharing.join(batch, message, files, call.images)
        single = Single(self._dispatcher, message, batch, files=files, tasks=self._tasks)
        self._singles.add(single)
        single.task.add_done_callback(lambda _: self._singles.discard(single))
        return single

    def run(
        self,
        call: Call,
        recipients: Source,
        duplicates: str,
        sink: Callable[[OutcomeBatch], None],
        *,
        takes_all: bool = False,
        room: Callable[[], Awaitable[None]] | None = None,
    ) -> Run:
        """Make a run; see `Run` for what is not named here.

        Raises:
            TypeError: `recipients` is no iterable of them.
            InvalidMessage: The call itself is wrong.
        """
        check_source(recipients)
        if duplicates not in ("skip", "send"):
            raise InvalidMessage(f"duplicates must be 'skip' or 'send', got {duplicates!r}")
        message = self._compile(call)
        chunking = self._chunker.open(message, skip_duplicates=duplicates == "skip")
        run = Run(
            self._dispatcher,
            message,
            Files(call.images, self._attachments, message),
            self._reading(recipients, chunking),
            lane=Lane.BULK,
            takes_all=takes_all,
            sink=sink,
            room=room,
            spawn=self._tasks.spawn,
        )
        self._chunkings[run] = chunking
        return run

    def durable_run(
        self,
        message: Message,
        images: Sequence[Image],
        feed: Feed,
        sink: Callable[[OutcomeBatch], None],
        journal: Journal,
    ) -> Run:
        """Make a run of batches that are there already, each attempt of which is noted first."""
        return Run(
            self._dispatcher,
            message,
            Files(images, self._attachments, message),
            lambda _sink, _refuse: feed,
            lane=Lane.BULK,
            takes_all=False,
            sink=sink,
            room=None,
            spawn=self._tasks.spawn,
            journal=journal,
        )

    def _reading(
        self, recipients: Source, chunking: Chunking, first: Sequence[Batch] = ()
    ) -> MakeFeed:
        """Read a source, after some batches that are there already."""
        return partial(
            Intake,
            recipients,
            chunking,
            clock=self._clock,
            spawn=self._readers.spawn,
            first=first,
        )

    async def start(
        self,
        run: Run,
        timeout: float | None,  # noqa: ASYNC109 - it bounds the run, not this call
        *,
        skip_unsubscribed: bool = False,
    ) -> asyncio.Task[None]:
        """Begin a run, once its pictures are ready and who has opted out is known.

        Args:
            run: From `run`.
            timeout: Seconds after which it stops, or None.
            skip_unsubscribed: Whether those are left out.

        Returns:
            The task that drives it.

        Raises:
            InvalidAttachment: A picture cannot be sent; nothing was begun.
            SensError: It could not be read who has opted out; nothing was begun.
        """
        await run.files.prepare()
        if skip_unsubscribed:
            self._chunkings[run].leave_out(await self._opted_out())
        if self._is_closed:
            raise SessionClosed("the session was closed before the run began")
        return self._drive(run, timeout)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is taken in."""
        return self._is_closed

    def _drive(self, run: Run, timeout: float | None) -> asyncio.Task[None]:
        driving = self._tasks.spawn(run.drive(timeout), "run")
        self._runs.add(run)

        def ended(_: object) -> None:
            self._runs.discard(run)
            chunking = self._chunkings.pop(run, None)
            if chunking is not None:
                self.warn(chunking)

        driving.add_done_callback(ended)
        return driving

    def _share(
        self,
        message: Message,
        files: Files,
        batch: Batch,
        sink: Callable[[OutcomeBatch], None],
    ) -> Run:
        """Send a batch of several `send`s, as a run of its own; see `Sharing`.

        Nobody in it is given up because others are refused: each would have been sent alone.
        """
        run = Run(
            self._dispatcher,
            message,
            files,
            self._reading((), self._chunker.open(message, skip_duplicates=False), [batch]),
            lane=Lane.INTERACTIVE,
            takes_all=True,
            sink=sink,
            room=None,
            spawn=self._tasks.spawn,
            is_proven=True,
        )

        def ended(_: object) -> None:
            if run.failure is not None:
                logger.error("a shared send failed unexpectedly", exc_info=run.failure)
                error = RunStopped("an unexpected failure", may_have_been_sent=True)
                batch.attempted_at = self._dispatcher.gateway.now()  # the latest it can have been
                sink(unknown(batch, error, is_final=False))  # whoever still waits

        self._drive(run, None).add_done_callback(ended)
        return run

    async def close(
        self,
        timeout: float | None,  # noqa: ASYNC109 - see `aclose`
        patience: float,
        caller: asyncio.Task[object] | None,
    ) -> None:
        """Withdraw what only waits, and wait for what is on the wire.

        Args:
            timeout: Seconds after which it is given up, or None.
            patience: Seconds that a source gets to end what it does when it is cancelled.
            caller: Who closes: if that is a source being read, it is not waited for.
        """
        self._is_closed = True
        closed = SessionClosed("the session was closed before this message's turn came")
        for run in tuple(self._runs):
            run.stop(closed, keep_taking=not run.has_async_source)
        for single in tuple(self._singles):
            single.close()
        if self._sharing is not None:
            self._sharing.close(closed)
        if not await self._tasks.wait(timeout):
            self.abandon()
            await self._tasks.wait()
        self._readers.cancel(besides=caller)
        if not await self._readers.wait(patience, besides=caller):
            logger.warning("a source of recipients goes on although its session was closed")

    def abandon(self) -> None:
        """Give up what is on the wire: it becomes unknown."""
        for run in tuple(self._runs):
            run.abandon(keep_taking=not run.has_async_source)
        for single in tuple(self._singles):
            single.abandon()

    def _compile(self, call: Call) -> Message:
        return call.compile(self._chunker.rules, self._sender, self._clock.time())

    def _address(self, message: Message, to: str | Recipient) -> Batch:
        chunking = self._chunker.open(message, skip_duplicates=False)
        batch = chunking.alone(to)
        self.warn(chunking)
        if isinstance(batch, OutcomeBatch):
            raise with_outcome(batch.error or InvalidMessage("refused"), batch)
        return batch

    def warn(self, chunking: Chunking) -> None:
        """Say once that a text may not arrive as it is."""
        if chunking.cp949_only_seen and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "a text holds characters that CP949 has and KS X 1001 lacks; which of the two "
                "SENS means by EUC-KR is unconfirmed, so look whether they arrive "
                "(charset='ks_x_1001' refuses them)"
            )


def _is_hashable(images: object) -> bool:
    """Whether pictures can be told from others; what cannot is no picture, and told when read."""
    try:
        hash(images)
    except TypeError:
        return False
    return True
