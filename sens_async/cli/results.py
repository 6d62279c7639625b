"""Who was sent to, row by row: `--out`, `--failed-out` and `--unknown-out`.

Rows are written in input order while the run goes on: a row waits in memory only until it and
all rows before it have an outcome. Each file grows under a temporary name beside its place,
readable by its owner alone, and takes its name when the run is over, however it ended.
"""

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from sens_async.cli.escaping import escape, escape_number
from sens_async.cli.hints import explained
from sens_async.cli.table import OWN_PREFIX, Row, Table
from sens_async.cli.tally import Tally
from sens_async.errors import RunStopped, SensError
from sens_async.models import OutcomeState, Recipient
from sens_async.outcomes import Outcome, OutcomeBatch

__all__ = ["InvalidOutput", "ResultFile", "Results", "check_outputs"]

_COLUMNS = tuple(
    OWN_PREFIX + name
    for name in ("state", "reason", "number", "type", "request_id", "attempts", "attempted_at")
)
_AFTERMATH = 1_000
FAILED = frozenset({OutcomeState.NOT_SENT, OutcomeState.REJECTED})
UNKNOWN = frozenset({OutcomeState.UNKNOWN})
EVERYBODY = frozenset(OutcomeState)


class InvalidOutput(ValueError):
    """A file that results cannot, or must not, be written to."""


def check_outputs(
    outputs: Iterable[Path | None], *, inputs: Iterable[Path], overwrite: bool
) -> None:
    """Refuse to write over what is read or was there before, or two results into one file.

    Args:
        outputs: Where results are to go; None for none.
        inputs: Files that are read.
        overwrite: Whether what was there before may go.

    Raises:
        InvalidOutput: A place occurs twice, or is a directory, or has none, or is taken.
    """
    taken = {os.path.realpath(path): f"{path} is read from" for path in inputs}
    wanted = [path for path in outputs if path is not None]
    for path in wanted:
        real = os.path.realpath(path)
        if real in taken:
            raise InvalidOutput(f"{taken[real]}: results need a file of their own")
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise InvalidOutput(f"{path} is no file in an existing directory")
        taken[real] = f"{path} is given twice"
    if old := [str(path) for path in wanted if path.exists() and not overwrite]:
        verb = "exists" if len(old) == 1 else "exist"
        raise InvalidOutput(f"{' and '.join(old)} {verb} already: give --overwrite to replace")


class ResultFile:
    """One CSV of rows and their outcomes, in UTF-8 with a mark so that Excel knows it."""

    def __init__(self, path: Path, table: Table, states: frozenset[OutcomeState]) -> None:
        """Begin a file.

        Args:
            path: Where it will be once `commit` was called.
            table: Whose rows it holds.
            states: Which outcomes belong in it.

        Raises:
            InvalidOutput: It cannot be written.
        """
        self.path = path
        self.states = states
        self.rows = 0
        self._number_column = table.number_column
        self._width = len(table.header)
        try:
            handle, name = tempfile.mkstemp(".part", f".{path.name}.", path.absolute().parent)
        except OSError as error:
            raise InvalidOutput(f"{path} cannot be written: {error.strerror}") from error
        self._part = Path(name)
        self._file = os.fdopen(handle, "w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        header = list(table.header)
        if not table.has_header:
            header[table.number_column] = "to"
        self._writer.writerow([*map(escape, header), *_COLUMNS])

    def write(self, cells: Sequence[str], outcome: Outcome) -> None:
        """Write one row, if its outcome belongs here."""
        if outcome.state not in self.states:
            return
        row = [*cells[: self._width], *[""] * (self._width - len(cells))]
        number = self._number_column
        safe = [
            escape_number(cell) if index == number else escape(cell)
            for index, cell in enumerate(row)
        ]
        self._writer.writerow([*safe, *_told(outcome)])
        self.rows += 1

    def commit(self) -> None:
        """Give the file its name; nothing is lost if the power fails after this."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self.path)

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def _told(outcome: Outcome) -> list[str]:
    at = outcome.attempted_at
    return [
        outcome.state.value,
        escape(_reason(outcome.error)),
        outcome.number or "",
        outcome.type.value if outcome.type else "",
        outcome.request_id or "",
        str(outcome.attempts),
        at.isoformat(timespec="seconds") if at else "",
    ]


def _reason(error: SensError | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"


class Results:
    """Joins the rows of a list with their outcomes.

    Attributes:
        tally: What became of everybody, counted.
        files: What is being written.
    """

    def __init__(
        self,
        table: Table,
        *,
        out: Path | None = None,
        failed_out: Path | None = None,
        unknown_out: Path | None = None,
    ) -> None:
        """Begin the files that are wanted.

        Args:
            table: The list.
            out: Everybody.
            failed_out: Those certainly not accepted: they may be given again.
            unknown_out: Those who may have been sent to: they must not.

        Raises:
            InvalidOutput: One cannot be written; none is left behind.
        """
        self.tally = Tally()
        self.files: list[ResultFile] = []
        self._rows: Iterator[Row] = table.rows()
        self._taken = 0
        self._written = 0
        self._cells: dict[int, list[str]] = {}
        self._unsettled: dict[int, Recipient] = {}
        self._outcomes: dict[int, Outcome] = {}
        wanted = ((out, EVERYBODY), (failed_out, FAILED), (unknown_out, UNKNOWN))
        try:
            for path, states in wanted:
                if path is not None:
                    self.files.append(ResultFile(path, table, states))
        except InvalidOutput:
            self.discard()
            raise

    def recipients(self) -> Iterator[Recipient]:
        """Read the list, remembering each row until its outcome is written."""
        for row in self._rows:
            index = self._taken
            self._taken += 1
            self._unsettled[index] = row.recipient
            if self.files:
                self._cells[index] = row.cells
            yield row.recipient

    def add(self, batch: OutcomeBatch) -> None:
        """Take in a batch of outcomes, and write what is now complete."""
        batch = explained(batch)
        self.tally.add(batch)
        for outcome in batch:
            self._unsettled.pop(outcome.index, None)
            if self.files:
                self._outcomes[outcome.index] = outcome
        self._write_complete()

    def settle(self, why: SensError | None) -> None:
        """Give an outcome to everybody who has none, once the run is over.

        Args:
            why: What ended the run early, if something did.
        """
        if self._unsettled:
            lost = RunStopped("abandoned before its answer came", may_have_been_sent=True)
            self.add(_batch(OutcomeState.UNKNOWN, self._unsettled, lost))
        stopped = RunStopped("the run ended before its turn came")
        stopped.__cause__ = why
        recipients = self.recipients()
        while rest := list(islice(recipients, _AFTERMATH)):
            start = self._taken - len(rest)
            self.add(_batch(OutcomeState.NOT_SENT, dict(enumerate(rest, start)), stopped))

    def commit(self) -> None:
        """Give the files their names."""
        for file in self.files:
            file.commit()

    def discard(self) -> None:
        """Remove the files: nothing was sent."""
        for file in self.files:
            file.discard()

    def _write_complete(self) -> None:
        while (outcome := self._outcomes.pop(self._written, None)) is not None:
            cells = self._cells.pop(self._written)
            for file in self.files:
                file.write(cells, outcome)
            self._written += 1


def _batch(state: OutcomeState, recipients: dict[int, Recipient], error: SensError) -> OutcomeBatch:
    return OutcomeBatch(
        state=state,
        indexes=list(recipients),
        recipients=list(recipients.values()),
        numbers=[None] * len(recipients),
        error=error,
    )
