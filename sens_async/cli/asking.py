"""Asking something and coming to an end: keys, errors and Ctrl-C are the same for all."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import typer
from rich.markup import escape

from sens_async.cli.console import make_console
from sens_async.cli.documents import error_document, interrupted_document, print_document
from sens_async.cli.interrupts import INTERRUPTED, cancelled_by_kill
from sens_async.cli.notices import showing_warnings
from sens_async.cli.refusing import refusing
from sens_async.errors import (
    AuthenticationFailed,
    PermissionDenied,
    SensError,
    TransportError,
)
from sens_async.session import SensSession

__all__ = ["ask", "conclude", "tell_error"]

T = TypeVar("T")

_FOR_THE_DOCTOR = (AuthenticationFailed, PermissionDenied, TransportError)


def ask(question: Callable[[SensSession], Awaitable[T]], *, as_json: bool) -> T:
    """Ask in a session on the environment's keys.

    Args:
        question: What to ask; begins and ends within the session.
        as_json: Whether a machine reads what went wrong.

    Raises:
        typer.BadParameter: What was asked for cannot be asked, or keys are missing.
        typer.Exit: It failed, or was interrupted; that was told.
    """

    async def run() -> T:
        async with SensSession.from_env() as session:
            return await question(session)

    return conclude(run, as_json=as_json)


def conclude(act: Callable[[], Coroutine[None, None, T]], *, as_json: bool) -> T:
    """Run something to its end, and say why it has not come to it.

    Args:
        act: Begins and ends within.
        as_json: Whether a machine reads what went wrong.

    Raises:
        typer.BadParameter: What the caller of the command can mend.
        typer.Exit: It failed, or was interrupted; that was told.
    """

    async def run() -> T:
        cancelled_by_kill()
        return await act()

    try:
        with refusing(), showing_warnings():
            return asyncio.run(run())
    except SensError as error:
        if as_json:
            print_document(error_document(error))
        else:
            tell_error(error)
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        if as_json:
            print_document(interrupted_document())
        raise typer.Exit(INTERRUPTED) from None


def tell_error(error: SensError) -> None:
    """Say on standard error what went wrong, and what finds out more."""
    console = make_console(to_stderr=True)
    console.print(f"[bad]error 오류[/] {type(error).__name__}: {escape(str(error))}")
    if isinstance(error, _FOR_THE_DOCTOR):
        console.print("[soft]sens doctor finds out why 원인 진단[/]")
