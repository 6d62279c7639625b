"""The files that the results of a run are written to.

What is on the wire must not be lost for them: one that cannot be written raises nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from sens_async.cli.csv_file import CsvFile, InvalidOutput, check_outputs
from sens_async.cli.escaping import escape, escape_number
from sens_async.cli.table import OWN_PREFIX, Table
from sens_async.errors import SensError
from sens_async.models import OutcomeState
from sens_async.outcomes import Outcome

__all__ = ["EVERYBODY", "FAILED", "UNKNOWN", "InvalidOutput", "ResultFile", "check_outputs"]

EVERYBODY = frozenset(OutcomeState)
FAILED = frozenset({OutcomeState.NOT_SENT, OutcomeState.REJECTED})
UNKNOWN = frozenset({OutcomeState.UNKNOWN})

_COLUMNS = tuple(
    OWN_PREFIX + name
    for name in ("state", "reason", "number", "type", "request_id", "attempts", "attempted_at")
)


class ResultFile(CsvFile):
    """One CSV of rows and their outcomes.

    Attributes:
        states: Which outcomes belong in it.
    """

    def __init__(self, path: Path, table: Table, states: frozenset[OutcomeState]) -> None:
        """Begin a file.

        Args:
            path: Where it will be once `commit` was called.
            table: Whose rows it holds.
            states: Which outcomes belong in it.

        Raises:
            InvalidOutput: It cannot be written.
        """
        self.states = states
        self._number_column = table.number_column
        self._width = len(table.header)
        header = list(table.header)
        if not table.has_header:
            header[table.number_column] = "to"
        super().__init__(path, [*header, *_COLUMNS])

    def write(self, cells: Sequence[str], outcome: Outcome) -> None:
        """Write one row, if its outcome belongs here and the file is not broken."""
        if self.failure is not None or outcome.state not in self.states:
            return
        row = [*cells[: self._width], *[""] * (self._width - len(cells))]
        safe = [*map(escape, row), *map(escape, _told(outcome))]
        safe[self._number_column] = escape_number(row[self._number_column])
        self.add(safe)


def _told(outcome: Outcome) -> list[str]:
    at = outcome.attempted_at
    return [
        outcome.state.value,
        _reason(outcome.error),
        outcome.number or "",
        outcome.type.value if outcome.type else "",
        outcome.request_id or "",
        str(outcome.attempts),
        at.isoformat(timespec="seconds") if at else "",
    ]


def _reason(error: SensError | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"
