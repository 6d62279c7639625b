"""Who was sent to, row by row: `--out`, `--failed-out` and `--unknown-out`.

Rows are written in input order while the run goes on: a row waits in memory only until it and
all rows before it have an outcome.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sens_async.cli.hints import explained
from sens_async.cli.outputs import EVERYBODY, FAILED, UNKNOWN, InvalidOutput, ResultFile
from sens_async.cli.table import Row, Table
from sens_async.cli.tally import Tally
from sens_async.errors import RunStopped, SensError
from sens_async.models import OutcomeState, Recipient
from sens_async.outcomes import Outcome, OutcomeBatch

__all__ = ["Results"]

_AFTERMATH = 1_000


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

    @property
    def broken(self) -> list[ResultFile]:
        """The files that could not be written to their end."""
        return [file for file in self.files if file.failure is not None]

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
        """Take in a batch of outcomes, and write what is now complete.

        A file that cannot be written raises nothing: it is `broken` from then on.
        """
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

        Raises:
            InvalidTable: The rest of the list cannot be read, and has no outcome.
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
        """Give the files their names, the broken ones, too."""
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
