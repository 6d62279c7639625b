"""What is wanted of a figure, what is put up with, and the table of both."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial

import attrs

__all__ = ["Goal", "Verdict", "at_least", "at_most", "table"]


class Verdict(StrEnum):
    """How a figure stands to its goal."""

    PASS = "pass"
    GOAL_MISSED = "goal missed"
    FLOOR_MISSED = "FLOOR MISSED"


@attrs.frozen
class Goal:
    """A figure and its goal.

    Attributes:
        what: Is measured, in words.
        measured: The figure.
        goal: What it should be.
        floor: What it must be.
        unit: Of all three figures; "" for a ratio.
        is_ceiling: Whether less is better.
        bare: What bare aiohttp reaches of it, where that limits it; else None.
        verdict: How it stands.
    """

    what: str
    measured: float
    goal: float
    floor: float
    unit: str = ""
    is_ceiling: bool = attrs.field(kw_only=True)
    bare: float | None = attrs.field(default=None, kw_only=True)
    verdict: Verdict = attrs.field(init=False)

    @verdict.default
    def _judge(self) -> Verdict:
        sign = -1 if self.is_ceiling else 1
        if sign * self.measured >= sign * self.goal:
            return Verdict.PASS
        if sign * self.measured >= sign * self.floor:
            return Verdict.GOAL_MISSED
        return Verdict.FLOOR_MISSED

    def row(self) -> tuple[str, str, str, str, str]:
        """Give what the table shows."""
        sign = "≤" if self.is_ceiling else "≥"
        goal, floor = (f"{sign} {self._show(value)}" for value in (self.goal, self.floor))
        verdict = str(self.verdict)
        if self.bare is not None:
            verdict += f" (bare aiohttp: {self._show(self.bare)})"
        return self.what, self._show(self.measured), goal, floor, verdict

    def _show(self, value: float) -> str:
        number = f"{value:.4g}" if value < 1000 else f"{value:,.0f}"
        return f"{number} {self.unit}".strip()


at_least = partial(Goal, is_ceiling=False)
"""Make a goal of which more is better."""
at_most = partial(Goal, is_ceiling=True)
"""Make a goal of which less is better."""


def table(goals: Sequence[Goal]) -> str:
    """Write goals as a table, a line each."""
    rows = [("what", "measured", "goal", "floor", ""), *(goal.row() for goal in goals)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            (
                what.ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=False)),
                verdict,
            )
        ).rstrip()
        for what, *figures, verdict in rows
    )
