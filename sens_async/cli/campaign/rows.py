"""Everybody of a campaign as a CSV."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.console import Console

from sens_async.cli.campaign.causes import Causes
from sens_async.cli.listing import CsvListing, Record
from sens_async.cli.progress import Display
from sens_async.cli.table import OWN_PREFIX
from sens_async.core.result_codes import explain

if TYPE_CHECKING:
    from datetime import datetime

    from sens_async.campaign import Campaign, CampaignOutcome

__all__ = ["COLUMNS", "RowFile"]

COLUMNS = (
    "to",
    "key",
    *(
        OWN_PREFIX + name
        for name in (
            "state",
            "reason",
            "number",
            "type",
            "request_id",
            "attempts",
            "attempted_at",
            "possible_duplicate",
            "end",
            "code",
            "result",
            "result_korean",
            "completed_at",
        )
    ),
)
"""What is told of a recipient; ours are named as those that `sens send --out` adds."""

_ROWS_AT_ONCE = 1_000


class RowFile:
    """A CSV with one row for each recipient, in the order of the list."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        """Begin it.

        Args:
            path: Where; `-` is standard output.
            overwrite: Whether what was there before may go.

        Raises:
            InvalidOutput: It cannot be written.
        """
        self._csv = CsvListing(path, COLUMNS, overwrite=overwrite)

    async def fill(self, campaign: "Campaign", causes: Causes, console: Console) -> None:
        """Write everybody, as they come.

        Args:
            campaign: Whose recipients.
            causes: Takes them in, too.
            console: Where it is watched.
        """
        display = Display(console, campaign.recipients, what="writing 저장", below=list)
        rows = cast("AsyncGenerator[CampaignOutcome, None]", campaign.report())
        async with aclosing(rows):  # who reads standard output may have had enough
            with display:
                async for outcome in rows:
                    if self._csv.is_broken:
                        break
                    causes.add(outcome)
                    self._csv.add(_record_of(outcome))
                    if not outcome.index % _ROWS_AT_ONCE:
                        display.update(outcome.index)

    def end(self) -> bool:
        """Give the file its name, and say where it is; False if it could not be written."""
        is_whole = not self._csv.is_broken
        self._csv.end(is_whole=is_whole)
        return not self._csv.is_broken

    def discard(self) -> None:
        """Leave nothing behind."""
        self._csv.discard()


def _record_of(outcome: "CampaignOutcome") -> Record:
    result = None if outcome.code is None else explain(outcome.code)
    values = (
        outcome.to,
        outcome.key,
        outcome.state.value,
        outcome.error,
        outcome.number,
        outcome.type and outcome.type.value,
        outcome.request_id,
        str(outcome.attempts),
        _written(outcome.attempted_at),
        outcome.possible_duplicate,
        outcome.end and outcome.end.value,
        outcome.code,
        result and result.english,
        result and result.korean,
        _written(outcome.completed_at),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _written(time: "datetime | None") -> str | None:
    return time.isoformat(timespec="seconds") if time else None
