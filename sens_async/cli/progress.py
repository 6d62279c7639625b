"""A run while it goes on: a bar, the rate, the time left, and what became of whom so far."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from sens_async.cli.console import LABELS, STYLES, count, rate
from sens_async.cli.tally import Tally
from sens_async.models import OutcomeState

__all__ = ["Display", "counts_line"]


def counts_line(tally: Tally) -> Text:
    """The states somebody is in, each with its number."""
    line = Text()
    for state in OutcomeState:
        if number := tally.counts[state]:
            english, korean = LABELS[state]
            line.append("   " if line else "")
            line.append(f"{count(number)} ", "figure")
            line.append(english, STYLES[state])
            line.append(f" {korean}", "soft")
    return line


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(rate(int(task.completed), task.elapsed or 0.0), style="figure")


class _Bars(Progress):
    """A bar, and the counts under it."""

    def __init__(self, tally: Tally, *columns: ProgressColumn, console: Console) -> None:
        self._tally = tally
        super().__init__(
            *columns, console=console, disable=not console.is_terminal, transient=True, expand=True
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield counts_line(self._tally)


class Display:
    """The two lines that a person watches; nothing at all off a terminal."""

    def __init__(self, console: Console, tally: Tally, total: int, *, what: str) -> None:
        """Prepare to show a run.

        Args:
            console: Where; off a terminal nothing is shown.
            tally: What is shown; the run counts in it.
            total: Recipients altogether.
            what: The line's first words.
        """
        self._tally = tally
        self._bars = _Bars(
            tally,
            TextColumn("{task.description}"),
            BarColumn(None, complete_style="brand", finished_style="brand"),
            TaskProgressColumn(),
            TextColumn("[soft]{task.completed:,.0f} / {task.total:,.0f}[/]"),
            _RateColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
        )
        self._task = self._bars.add_task(what, total=total)

    def update(self) -> None:
        """Show what the tally says now."""
        self._bars.update(self._task, completed=self._tally.total)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(text)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()
