"""How the command speaks: colours, figures, and Korean beside English."""

import re
import sys
from collections.abc import Mapping
from typing import IO, TextIO, cast

from rich.console import Console
from rich.text import Text
from rich.theme import Theme

from sens_async.core.phone import mask
from sens_async.models import OutcomeState

__all__ = [
    "LABELS",
    "STYLES",
    "THEME",
    "WARNING",
    "count",
    "label",
    "make_console",
    "mask",
    "rate",
    "seconds",
    "size",
]

THEME = Theme({
    "brand": "bold #03c75a",
    "soft": "dim",
    "figure": "bold",
    "accepted": "#03c75a",
    "rejected": "yellow",
    "skipped": "cyan",
    "not_sent": "magenta",
    "unknown": "bold red",
    "bad": "bold red",
    "bar.back": "dim",
})  # fmt: skip

LABELS: Mapping[OutcomeState, tuple[str, str]] = {
    OutcomeState.ACCEPTED: ("accepted", "접수"),
    OutcomeState.REJECTED: ("refused", "거절"),
    OutcomeState.SKIPPED: ("skipped", "제외"),
    OutcomeState.NOT_SENT: ("not sent", "미발송"),
    OutcomeState.UNKNOWN: ("unknown", "확인 필요"),
}
"""What a person reads for a state."""

STYLES: Mapping[OutcomeState, str] = {state: state.value.lower() for state in OutcomeState}
"""Names of the theme's styles."""

WARNING = "[rejected]warning 경고[/]"
"""Begins what a person should know and that stops nothing."""

_UNLIMITED = 10_000
_trailing_spaces = re.compile(" +$", re.MULTILINE)


class _Trimmed:
    """A stream whose lines lose the spaces at their ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(_trailing_spaces.sub("", text))

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class _Console(Console):
    """A console whose broken pipe is an error like others, and does not end the process."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this while it handles one


def make_console(*, to_stderr: bool = False) -> Console:
    """A console on standard output or error.

    Off a terminal its lines have any length and no colours, whatever the environment says of
    columns: nothing is folded or padded in a log.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    is_terminal = stream.isatty()
    return _Console(
        file=stream if is_terminal else cast("IO[str]", _Trimmed(stream)),
        theme=THEME,
        highlight=False,
        width=None if is_terminal else _UNLIMITED,
        emoji=False,
        markup=True,
    )


def label(state: OutcomeState) -> Text:
    """A state in both languages and its colour."""
    english, korean = LABELS[state]
    return Text.assemble((english, STYLES[state]), (f" {korean}", "soft"))


def count(number: int) -> str:
    """A whole number with its thousands parted."""
    return f"{number:,}"


def seconds(duration: float) -> str:
    """A duration as a person says it: `0.84 s`, `12.3 s`, `4 min 05 s`, `2 h 10 min`."""
    if duration < 10:
        return f"{duration:.2f} s"
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def rate(number: int, duration: float) -> str:
    """Recipients a second."""
    return f"{number / duration:,.0f}/s" if duration > 0 else "-"


def size(bytes_: int) -> str:
    """A size of a file."""
    return f"{bytes_ / 1000:.1f} kB" if bytes_ >= 1000 else f"{bytes_} B"
