"""What is said when results could not be written: above all, what must not be done next."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from rich.markup import escape

from sens_async.cli.console import count, make_console
from sens_async.cli.outputs import FAILED, ResultFile
from sens_async.cli.tally import Tally
from sens_async.models import OutcomeState

__all__ = ["silence_stdout", "tell_losses"]


def tell_losses(
    tally: Tally, files: Sequence[ResultFile], *, stdout_failure: OSError | None = None
) -> None:
    """Say on standard error which results are incomplete; nothing if none is.

    Args:
        tally: The run's counts.
        files: What was written; committed.
        stdout_failure: Why the summary could not be shown, or None.
    """
    lines = [
        f"{escape(str(file.place))} is incomplete 불완전: it holds {count(file.rows)} rows, then "
        f"could not be written ({file.failure.strerror or file.failure})"
        for file in files
        if file.failure is not None
    ]
    if stdout_failure is not None:
        why = stdout_failure.strerror or stdout_failure
        lines.append(f"standard output could not be written ({why})")
    if not lines:
        return
    with suppress(OSError):
        console = make_console(to_stderr=True)
        for line in lines:
            console.print(f"[bad]error 오류[/] {line}", soft_wrap=True)
        for line in _advice(tally, files):
            console.print(line, soft_wrap=True)


def silence_stdout() -> None:
    """Let what a broken standard output still holds go nowhere; Python would fail over it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _advice(tally: Tally, files: Sequence[ResultFile]) -> list[str]:
    accepted, unknown = tally.counts[OutcomeState.ACCEPTED], tally.counts[OutcomeState.UNKNOWN]
    lines = [f"[figure]{count(accepted)}[/] accepted, [figure]{count(unknown)}[/] unknown"]
    if not accepted + unknown:
        return lines
    lines.append(
        "[bad]do not send the list again as it is[/]: who was accepted would get it twice\n"
        f"목록을 그대로 다시 보내지 마세요: 이미 접수된 {count(accepted)}명이 두 번 받게 됩니다"
    )
    lines += [
        f"{escape(str(file.place))} is whole: that may be sent again"
        for file in files
        if file.states == FAILED and file.failure is None
    ]
    return lines
