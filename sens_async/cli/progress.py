"""A run while it goes on: a bar, the rate, the time left, and what became of whom so far."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from sens_async.cli.console import LABELS, STYLES, count, rate
from sens_async.models import OutcomeState

__all__ = ["Display", "counts_line"]


def counts_line(
    counts: Counter[OutcomeState], *, only: Iterable[OutcomeState] = OutcomeState
) -> Text:
    """The states somebody is in, each with its number."""
    line = Text()
    for state in only:
        if number := counts[state]:
            english, korean = LABELS[state]
            line.append("   " if line else "")
            line.append(f"{count(number)} ", "figure")
            line.append(english, STYLES[state])
            line.append(f" {korean}", "soft")
    return line


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.fields["is_waiting"]:
            return Text()
        done = int(task.completed) - task.fields["begun_with"]
        return Text(rate(done, task.elapsed or 0.0), style="figure")


class _ShareColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{int(task.percentage):>3}%", style="progress.percentage")


class _TimeLeftColumn(TimeRemainingColumn):
    def render(self, task: Task) -> Text:
        until: datetime | None = task.fields["until"]
        if until is None:
            return Text() if task.fields["is_waiting"] else super().render(task)
        left = max(0, round((until - datetime.now(UTC)).total_seconds()))
        hours, minutes = divmod(left // 60, 60)
        text = f"{hours}:{minutes:02}:{left % 60:02}" if hours else f"{minutes:02}:{left % 60:02}"
        return Text(text, style="progress.remaining")


class _Bars(Progress):
    """A bar, and what is said under it."""

    def __init__(
        self,
        below: Callable[[], Iterable[RenderableType]],
        *columns: ProgressColumn,
        console: Console,
    ) -> None:
        self._below = below
        super().__init__(
            *columns, console=console, disable=not console.is_terminal, transient=True, expand=True
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield from self._below()


class Display:
    """The lines that a person watches; nothing at all off a terminal."""

    def __init__(
        self,
        console: Console,
        total: int,
        *,
        what: str,
        below: Callable[[], Iterable[RenderableType]],
        done: int = 0,
    ) -> None:
        """Prepare to show a run.

        Args:
            console: Where; off a terminal nothing is shown.
            total: Recipients altogether.
            what: The bar's first words.
            below: Gives the lines under the bar as they are now.
            done: Recipients that an earlier run has done.
        """
        self._bars = _Bars(
            below,
            TextColumn("{task.description}"),
            BarColumn(None, complete_style="brand", finished_style="brand"),
            _ShareColumn(),
            TextColumn("[soft]{task.completed:,.0f} / {task.total:,.0f}[/]"),
            _RateColumn(),
            _TimeLeftColumn(compact=True, elapsed_when_finished=True),
            console=console,
        )
        self._task = self._bars.add_task(
            what, total=total, completed=done, begun_with=done, until=None, is_waiting=False
        )

    def update(self, done: int, *, until: datetime | None = None, is_waiting: bool = False) -> None:
        """Show how many have been done by now.

        Args:
            done: Recipients.
            until: When the rest are done, where that is known.
            is_waiting: Whether the rest does not go by the rate.
        """
        self._bars.update(self._task, completed=done, until=until, is_waiting=is_waiting)

    def say(self, text: str | Text) -> None:
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
