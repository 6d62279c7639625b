"""Why recipients were not sent to: errors that differ only in a value are one reason."""

import re
from collections.abc import Sequence

import attrs

from sens_async.cli.documents import error_document
from sens_async.errors import SensError
from sens_async.models import OutcomeState

__all__ = ["Reason", "Reasons"]

_PARTICULAR = re.compile(
    r"""
    ' (?: [^'\\] | \\. )* '  |  " (?: [^"\\] | \\. )* "
  | U\+ [0-9A-F]+
  | [0-9*] [0-9*,.:-]*  # counts, times, masked phone numbers
    """,
    re.VERBOSE,
)
_PLACES = 5


@attrs.define
class Reason:
    """Recipients who were not accepted for one reason.

    Attributes:
        state: What they are.
        error: The first one's error.
        count: How many they are.
        first: The smallest place in the input, from 0.
        varies: Whether the others' errors name another number or value.
        places: The first few rows of the list, the one `error` speaks of before all others;
            empty where they are not asked for.
    """

    state: OutcomeState
    error: SensError
    first: int
    count: int = 0
    varies: bool = False
    places: list[int] = attrs.field(factory=list)

    @property
    def name(self) -> str:
        """The error's class, with the HTTP status where there is one."""
        status = getattr(self.error, "status", 0)
        return type(self.error).__name__ + (f" {status}" if status else "")

    @property
    def text(self) -> str:
        """What a person reads: the error, as an example if the others differ from it."""
        return f"e.g. {self.error}" if self.varies else str(self.error)

    @property
    def rows(self) -> str:
        """Which rows they are, the example's own apart from the rest: `row 행 4; alike 6, 9, …`."""
        own = 1 if self.varies else len(self.places)
        parts = [", ".join(map(str, part)) for part in (self.places[:own], self.places[own:])]
        more = ", …" if self.count > len(self.places) else ""
        return f"row 행 {'; alike 같은 이유 '.join(filter(None, parts))}{more}"

    @property
    def document(self) -> dict[str, object]:
        """The same for machines; `message` is an example where the recipients' errors differ."""
        return {
            "state": self.state.value,
            "count": self.count,
            **error_document(self.error),
            "is_example": self.varies,
        }


class Reasons:
    """Collects reasons."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[OutcomeState, str, str], Reason] = {}

    def add(
        self,
        state: OutcomeState,
        error: SensError,
        indexes: Sequence[int],
        places: Sequence[int] = (),
    ) -> None:
        """Count recipients.

        Args:
            state: What they are.
            error: Why.
            indexes: Their places in the input, from 0, in order; at least one.
            places: Their rows in the list, if anybody wants to know.
        """
        new = Reason(state, error, first=indexes[0])
        key = state, new.name, _PARTICULAR.sub("", str(error))
        reason = self._reasons.setdefault(key, new)
        reason.count += len(indexes)
        reason.varies = reason.varies or str(error) != str(reason.error)
        if new.first < reason.first:
            reason.first, reason.error = new.first, error
            reason.places[:0] = places
        else:
            reason.places += places
        del reason.places[_PLACES:]

    def sorted(self) -> list[Reason]:
        """Give the reasons, the commonest first."""
        return sorted(self._reasons.values(), key=lambda reason: (-reason.count, reason.first))
