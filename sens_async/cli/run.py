"""A run of `sens send` while it goes on: sending, Ctrl-C, and results."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from rich.console import Console
from rich.markup import escape

from sens_async.cli.console import WARNING, count
from sens_async.cli.interrupts import INTERRUPTED, Stopping
from sens_async.cli.order import Order
from sens_async.cli.progress import Display, counts_line
from sens_async.cli.results import Results
from sens_async.cli.table import InvalidTable
from sens_async.cli.unknowns import Unknowns
from sens_async.errors import ConfigError, InvalidMessage, RunStopped, SensError
from sens_async.outcomes import OutcomeBatch
from sens_async.report import BulkReport
from sens_async.session import SensSession

__all__ = ["Run"]


class _Forwarding(BulkReport):
    """A report that hands everything on and keeps nothing: a list may have any length.

    Its sink must not raise: the run would lose what it was about to settle.
    """

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
        self,
        session: SensSession,
        order: Order,
        results: Results,
        console: Console,
        size: int,
        *,
        resolve: bool = False,
    ) -> None:
        """Prepare a run.

        Args:
            session: Is closed when it is over.
            order: What to send.
            results: To whom, and where it is told what became of them.
            console: Where it is watched.
            size: Recipients altogether.
            resolve: Whether to ask SENS for those who may have been sent to.
        """
        self.elapsed = 0.0
        self.stopped_by: SensError | None = None
        self.broken_list: InvalidTable | None = None
        self._session = session
        self._order = order
        self._results = results
        self._display = Display(
            console,
            size,
            what="sending 발송",
            below=lambda: [counts_line(results.tally.counts)],
        )
        self._unknowns = Unknowns() if resolve else None
        self._failure: Exception | None = None
        self._stopping = Stopping(self._tell_stopping)

    @property
    def exit_code(self) -> int:
        """What the command ends with, once it is over."""
        if self._stopping.interrupts:
            return INTERRUPTED
        is_broken = self.stopped_by or self.broken_list or self._results.broken
        return int(bool(is_broken) or not self._results.tally.is_success)

    async def run(self) -> None:
        """Send to everybody; however it ends, everybody has an outcome and the files are there."""
        began = monotonic()
        try:
            async with self._session:
                with self._display:
                    await self._send_many()
                    await self._settle_unknown()
        except (ConfigError, InvalidMessage):  # raised by the call: nothing was sent
            self._results.discard()
            raise
        except BaseException:
            self._finish(monotonic() - began)
            raise
        self._finish(monotonic() - began)
        if self._failure is not None:
            raise self._failure

    def _finish(self, elapsed: float) -> None:
        self.elapsed = elapsed
        self._release()
        try:
            self._results.settle(self.stopped_by)
        except InvalidTable as error:
            self.broken_list = self.broken_list or error
        finally:
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
            with self._stopping.of(sending):
                await sending
        except InvalidTable as error:
            self.broken_list = error
        except (ConfigError, InvalidMessage):
            raise
        except SensError as error:
            self.stopped_by = error
        except asyncio.CancelledError:
            if not self._stopping.is_begun:
                raise
        finally:
            self.stopped_by = report.stopped_by or self.stopped_by
            if self._stopping.is_begun and self._results.broken and not self._stopping.interrupts:
                self.stopped_by = RunStopped("results could not be written")

    def _take(self, batch: OutcomeBatch) -> None:
        """Take in a batch; what goes wrong stops the run in good order, and is told after it."""
        try:
            if self._unknowns is None or not self._unknowns.take(batch):
                self._results.add(batch)
            self._display.update(self._results.tally.total)
        except Exception as error:  # noqa: BLE001 - raised when the run is over
            self._failure = self._failure or error
        if self._failure or self._results.broken:
            self._stopping.stop()

    async def _settle_unknown(self) -> None:
        """Look for those who may have been sent to; after Ctrl-C they are left as they are."""
        unknowns = self._unknowns
        if unknowns is None or not unknowns.count or self._stopping.is_begun:
            return
        with suppress(OSError):
            self._display.say(
                f"[soft]asking SENS for {count(unknowns.count)} unknown, for up to ten minutes "
                "after they were sent; Ctrl-C leaves them unknown 확인 중 …[/]"
            )
        sending = asyncio.create_task(unknowns.settle(self._session))
        try:
            with self._stopping.of(sending):
                await sending
        except SensError as error:
            self.stopped_by = self.stopped_by or error
        except asyncio.CancelledError:
            if not self._stopping.is_begun:
                raise
        with suppress(OSError):
            for remark in unknowns.remarks:
                self._display.say(f"{WARNING} {escape(remark)}")

    def _release(self) -> None:
        """Take those in who were held back, with what is known of them now."""
        for batch in self._unknowns.release() if self._unknowns else ():
            self._results.add(batch)

    def _tell_stopping(self) -> None:
        self._display.say("[soft]stopping: what is on the wire is finished 중단 중 …[/]")
