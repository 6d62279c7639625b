"""A run of `sens send` while it goes on: sending, Ctrl-C, and results."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from rich.console import Console

from sens_async.cli.order import Order
from sens_async.cli.progress import Display
from sens_async.cli.results import Results
from sens_async.cli.table import InvalidTable
from sens_async.errors import ConfigError, InvalidMessage, SensError
from sens_async.outcomes import BulkReport, OutcomeBatch
from sens_async.session import SensSession

__all__ = ["Run"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class _Forwarding(BulkReport):
    """A report that hands everything on and keeps nothing: a list may have any length."""

    def __init__(self, sink: Callable[[OutcomeBatch], None]) -> None:
        super().__init__()
        self._sink = sink

    def add(self, batch: OutcomeBatch) -> None:
        self._sink(batch)


class Run:
    """One run of a session, its interruptions, and its results' way into their files.

    Attributes:
        elapsed: Seconds it took.
        stopped_by: What ended it early, or None.
        broken_list: What was wrong with the rest of the list, or None.
    """

    def __init__(
        self, session: SensSession, order: Order, results: Results, console: Console, size: int
    ) -> None:
        """Prepare a run.

        Args:
            session: Is closed when it is over.
            order: What to send.
            results: To whom, and where it is told what became of them.
            console: Where it is watched.
            size: Recipients altogether.
        """
        self.elapsed = 0.0
        self.stopped_by: SensError | None = None
        self.broken_list: InvalidTable | None = None
        self._session = session
        self._order = order
        self._results = results
        self._display = Display(console, results.tally, size, what="sending 발송")
        self._interrupts = 0

    @property
    def exit_code(self) -> int:
        """What the command ends with, once it is over."""
        if self._interrupts:
            return INTERRUPTED
        is_whole = self.stopped_by is None and self.broken_list is None
        return int(not (is_whole and self._results.tally.is_success))

    async def run(self) -> None:
        """Send to everybody; however it ends, everybody has an outcome and the files are there."""
        began = monotonic()
        try:
            async with self._session:
                with self._display:
                    await self._send_many()
        except (ConfigError, InvalidMessage):  # raised by the call: nothing was sent
            self._results.discard()
            raise
        except BaseException:
            self._finish(monotonic() - began)
            raise
        self._finish(monotonic() - began)

    def _finish(self, elapsed: float) -> None:
        self.elapsed = elapsed
        self._results.settle(self.stopped_by)
        self._results.commit()

    async def _send_many(self) -> None:
        order, report = self._order, _Forwarding(self._take)
        sending = asyncio.create_task(
            self._session.send_many(
                self._results.recipients(),
                order.content,
                subject=order.subject,
                type=order.type,
                images=order.images,
                content_type=order.content_type,
                country_code=order.country_code,
                reserve_at=order.reserve_at,
                duplicates=order.duplicates,
                report=report,
            )
        )
        try:
            with self._interruptible(sending):
                await sending
        except InvalidTable as error:
            self.broken_list = error
        except (ConfigError, InvalidMessage):
            raise
        except SensError as error:
            self.stopped_by = error
        except asyncio.CancelledError:
            if not self._interrupts:
                raise
        finally:
            self.stopped_by = report.stopped_by or self.stopped_by

    def _take(self, batch: OutcomeBatch) -> None:
        self._results.add(batch)
        self._display.update()

    @contextmanager
    def _interruptible(self, sending: asyncio.Task[BulkReport]) -> Iterator[None]:
        """Ctrl-C, or a polite kill, lets the run finish what is on the wire; a second abandons."""
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            self._interrupts += 1
            if self._interrupts == 1:
                self._display.say("[soft]stopping: what is on the wire is finished 중단 중 …[/]")
            sending.cancel()

        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            with suppress(NotImplementedError):  # Windows: Ctrl-C cancels all the same
                loop.add_signal_handler(number, interrupt)
        try:
            yield
        finally:
            for number in signals:
                with suppress(NotImplementedError):
                    loop.remove_signal_handler(number)
