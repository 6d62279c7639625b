"""Every state that a model can reach, nearest first, and what is true of all of them."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """What happens, and the state after it."""

    name: str
    state: S


class Exploration(Generic[S]):
    """All states that can be reached.

    Args:
        start: The first.
        steps: Gives what can happen in a state.
        until: States after which nothing more is of interest; the first of them ends it.

    Attributes:
        states: All of them, nearest first, each with the step by which it was first reached.
        last: The state that ended it, or None if there is no such state.
    """

    def __init__(
        self,
        start: S,
        steps: Callable[[S], Iterable[Step[S]]],
        until: Callable[[S], bool] = lambda _: False,
    ) -> None:
        self.states: dict[S, tuple[str, S] | None] = {start: None}
        self.last: S | None = None
        self._edges: tuple[list[str], list[S], list[S]] = ([], [], [])  # many: no object for each
        note_name, note_before, note_after = (column.append for column in self._edges)
        queue = deque([start])
        while queue:
            state = queue.popleft()
            if until(state):
                self.last = state
                return
            for name, after in steps(state):
                if after not in self.states:
                    self.states[after] = (name, state)
                    queue.append(after)
                note_name(name)
                note_before(state)
                note_after(after)

    def first(self, wanted: Callable[[S], bool]) -> S | None:
        """Give the nearest state of a kind, or None if there is none."""
        return next(filter(wanted, self.states), None)

    def trace(self, state: S) -> str:
        """Tell one of the shortest ways to a state."""
        lines = []
        at: S = state
        while (came := self.states[at]) is not None:
            lines.append(f"{came[0]:<58} {at}")
            at = came[1]
        lines.append(f"{'':<58} {at}")
        return "\n".join(reversed(lines))

    def stranded(self, goal: Callable[[S], bool], *, without: tuple[str, ...] = ()) -> Iterator[S]:
        """Give the states from which a goal cannot be reached any more, nearest first.

        If there are none, every run in which what stays possible happens some time reaches it.

        Args:
            goal: Where to get.
            without: How the names of steps begin that cannot be counted on.
        """
        before: dict[S, list[S]] = {state: [] for state in self.states}
        for name, state, after in zip(*self._edges, strict=True):
            if not name.startswith(without):
                before[after].append(state)
        good = set(filter(goal, self.states))
        queue = list(good)
        while queue:
            for state in before[queue.pop()]:
                if state not in good:
                    good.add(state)
                    queue.append(state)
        return (state for state in self.states if state not in good)
