"""Doing what `sens send` was told: the plan, the question, the run and its results."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from sens_async.cli.console import count, make_console
from sens_async.cli.documents import print_document
from sens_async.cli.losses import silence_stdout, tell_losses
from sens_async.cli.notices import showing_warnings
from sens_async.cli.order import Order, check_columns
from sens_async.cli.outputs import check_outputs
from sens_async.cli.plan import plan_order
from sens_async.cli.plan_summary import plan_document, print_plan
from sens_async.cli.results import Results
from sens_async.cli.run import Run
from sens_async.cli.sessions import make_session
from sens_async.cli.summary import print_summary, summary_document
from sens_async.cli.table import Table
from sens_async.config import Settings
from sens_async.core.schedule import KST
from sens_async.session import SensSession

__all__ = ["plan", "run"]


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
        InvalidTable: The text names a column that is not there.
    """
    made = plan_order(listing, order, Settings().rules)
    if as_json:
        print_document(plan_document(made, order))
    else:
        print_plan(
            make_console(),
            made,
            listing,
            order,
            heading="[brand]dry run 모의 실행[/]  [soft]nothing is sent[/]",
            now=datetime.now(KST),
            sender=order.sender,
        )
    return int(made.has_rejected)


def run(
    listing: Table,
    order: Order,
    *,
    inputs: Sequence[Path],
    outputs: tuple[Path | None, Path | None, Path | None],
    overwrite: bool,
    ask: bool,
    as_json: bool,
    resolve: bool = False,
) -> int:
    """Send, show how it goes, and write what became of everybody.

    Args:
        listing: To whom.
        order: What.
        inputs: Files that must not be written over.
        outputs: Where everybody, the failed and the unknown go.
        overwrite: Whether those files may be there already.
        ask: Whether to ask before sending to more than one.
        as_json: Whether a machine reads it.
        resolve: Whether to ask SENS for those who may have been sent to.

    Returns:
        The exit code.

    Raises:
        ConfigError: Or InvalidMessage, InvalidOutput, InvalidTable: before anything was sent.
    """
    check_outputs(outputs, inputs=inputs, overwrite=overwrite)
    check_columns(order, listing)
    console = make_console(to_stderr=as_json)
    session = make_session(
        sender=order.sender,
        rate=order.rate,
        max_in_flight=order.max_in_flight,
        needs_sender=True,
    )
    if ask and listing.size > 1:
        _confirm(console, listing, order, session)
    out, failed_out, unknown_out = outputs
    results = Results(listing, out=out, failed_out=failed_out, unknown_out=unknown_out)
    sending = Run(session, order, results, console, listing.size, resolve=resolve)
    with showing_warnings():
        asyncio.run(sending.run())
    stdout_failure = None
    try:
        _tell(console, sending, results, order, as_json=as_json)
        sys.stdout.flush()
    except OSError as error:
        stdout_failure = error
        silence_stdout()
    tell_losses(results.tally, results.files, stdout_failure=stdout_failure)
    return sending.exit_code or int(stdout_failure is not None)


def _tell(console: Console, sending: Run, results: Results, order: Order, *, as_json: bool) -> None:
    if as_json:
        document = summary_document(
            results.tally,
            elapsed=sending.elapsed,
            stopped_by=sending.stopped_by,
            reserve_at=order.reserve_at,
            files=results.files,
            exit_code=sending.exit_code,
        )
        print_document(document)
    else:
        print_summary(
            console,
            results.tally,
            elapsed=sending.elapsed,
            stopped_by=sending.stopped_by,
            reserved=order.reserved,
            files=results.files,
        )
    if sending.broken_list is not None:
        make_console(to_stderr=True).print(f"[bad]error[/] {escape(str(sending.broken_list))}")


def _confirm(console: Console, listing: Table, order: Order, session: SensSession) -> None:
    made = plan_order(listing, order, session.settings.rules)
    print_plan(
        console,
        made,
        listing,
        order,
        heading="[brand]to be sent 발송 예정[/]",
        now=datetime.now(KST),
        sender=f"{session.sender} by {session.settings.url}",
    )
    console.print()
    number = count(made.sendable)
    typer.confirm(f"Send to {number}? {number}명에게 보낼까요?", abort=True)
