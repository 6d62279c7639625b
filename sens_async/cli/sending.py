"""Doing what `sens send` was told: the plan, the question, the run and its results."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import typer
from rich.console import Console
from rich.markup import escape

from sens_async.cli import summary
from sens_async.cli.console import count, make_console
from sens_async.cli.plan import make_plan
from sens_async.cli.progress import Display
from sens_async.cli.results import Results, check_outputs
from sens_async.cli.send import Order
from sens_async.cli.table import InvalidTable, Table
from sens_async.config import RateLimit, Settings
from sens_async.core.message import Message
from sens_async.core.schedule import Reservation
from sens_async.errors import ConfigError, InvalidMessage, SensError
from sens_async.outcomes import BulkReport, OutcomeBatch
from sens_async.session import SensSession

__all__ = ["plan", "run"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_ANY_SENDER = "0200000000"
"""Stands in for a sender that is not set yet: a plan does not depend on it."""


def plan(listing: Table, order: Order, *, as_json: bool) -> int:
    """Show what would be sent.

    Args:
        listing: To whom.
        order: What.
        as_json: Whether a machine reads it.

    Returns:
        The exit code: 0 if nobody would be refused.

    Raises:
        ConfigError: The sender is no number.
        InvalidMessage: Nobody could be sent this.
    """
    message = Message.compile(
        order.content,
        subject=order.subject,
        type=order.type,
        content_type=order.content_type,
        country_code=order.country_code,
        sender=order.sender or _ANY_SENDER,
        reservation=Reservation.of(order.reserve_at) if order.reserve_at else None,
        pictures=len(order.images),
        rules=Settings().rules,
    )
    made = make_plan(listing, message, skip_duplicates=order.duplicates == "skip")
    if as_json:
        summary.print_document(summary.plan_document(made))
    else:
        summary.print_plan(make_console(), made, listing, sender=order.sender)
    return int(made.has_rejected)


def run(
    listing: Table,
    order: Order,
    *,
    inputs: Sequence[Path],
    outputs: tuple[Path | None, Path | None, Path | None],
    ask: bool,
    as_json: bool,
) -> int:
    """Send, show how it goes, and write what became of everybody.

    Args:
        listing: To whom.
        order: What.
        inputs: Files that must not be written over.
        outputs: Where everybody, the failed and the unknown go.
        ask: Whether to ask before sending to more than one.
        as_json: Whether a machine reads it.

    Returns:
        The exit code.

    Raises:
        ConfigError: Or InvalidMessage, InvalidOutput: before anything was sent.
    """
    check_outputs(outputs, inputs=inputs)
    console = make_console(to_stderr=as_json)
    session = _session(order)
    if ask and listing.size > 1:
        _confirm(console, listing, session)
    out, failed_out, unknown_out = outputs
    results = Results(listing, out=out, failed_out=failed_out, unknown_out=unknown_out)
    sending = _Sending(session, order, results, console, listing.size)
    asyncio.run(sending.run())
    exit_code = sending.exit_code
    if as_json:
        document = summary.summary_document(
            results.tally,
            elapsed=sending.elapsed,
            stopped_by=sending.stopped_by,
            files=results.files,
            exit_code=exit_code,
        )
        summary.print_document(document)
    else:
        summary.print_summary(
            console,
            results.tally,
            elapsed=sending.elapsed,
            stopped_by=sending.stopped_by,
            files=results.files,
        )
    if sending.broken_list is not None:
        make_console(to_stderr=True).print(f"[bad]error[/] {escape(str(sending.broken_list))}")
    return exit_code


def _session(order: Order) -> SensSession:
    """A session on the environment's keys."""
    if order.rate is not None and order.rate < 0:
        raise ConfigError(f"--rate must be 0 or more, got {order.rate:g}")
    limit = RateLimit() if order.rate is None else None
    if order.rate:
        limit = RateLimit(requests=order.rate)
    settings = Settings(rate_limit=limit, max_in_flight=order.max_in_flight)
    return SensSession.from_env(sender=order.sender, settings=settings)


def _confirm(console: Console, listing: Table, session: SensSession) -> None:
    column = escape(listing.header[listing.number_column])
    where = f" [soft](column {column} of {escape(listing.name)})[/]" if listing.encoding else ""
    console.print(
        f"[figure]{count(listing.size)}[/] recipients{where} from {session.sender} "
        f"by {session.settings.url} [soft]{count(listing.size)}명에게 발송합니다[/]"
    )
    typer.confirm("Send? 보낼까요?", abort=True)


class _Forwarding(BulkReport):
    """A report that hands everything on and keeps nothing: a list may have any length."""

    def __init__(self, sink: Callable[[OutcomeBatch], None]) -> None:
        super().__init__()
        self._sink = sink

    def add(self, batch: OutcomeBatch) -> None:
        self._sink(batch)


class _Sending:
    """One run of a session, its interruptions, and its results' way into their files."""

    def __init__(
        self, session: SensSession, order: Order, results: Results, console: Console, size: int
    ) -> None:
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
