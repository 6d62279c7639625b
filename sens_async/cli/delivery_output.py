"""Where deliveries go: a table, one JSON document, or a CSV."""

from collections.abc import Mapping
from pathlib import Path

from rich.padding import Padding

from sens_async.cli.console import make_console
from sens_async.cli.csv_file import InvalidOutput
from sens_async.cli.deliveries import COLUMNS, DeliveryTable, Fates, record_of
from sens_async.cli.listing import CsvListing, JsonListing
from sens_async.deliveries import Delivery

__all__ = ["DeliveryOutput"]


class DeliveryOutput:
    """Tells of deliveries as they come, and counts them; keeps none but a hundred.

    Attributes:
        fates: The counts.
        console: For people: standard output, or standard error where that is for machines.
    """

    def __init__(
        self,
        name: str,
        *,
        as_json: bool,
        csv: Path | None,
        overwrite: bool,
        unmasked: bool,
        of_one_request: bool,
    ) -> None:
        """Begin to tell.

        Args:
            name: Of the JSON document's field with the deliveries.
            as_json: Whether to print that document.
            csv: Where a CSV goes in place of a table; `-` is standard output.
            overwrite: Whether that file may be there already.
            unmasked: Whether a table shows numbers whole; the others always do.
            of_one_request: See `DeliveryTable`.

        Raises:
            InvalidOutput: The CSV cannot be written, or JSON is wanted, too.
        """
        if as_json and csv is not None:
            raise InvalidOutput("give either --json or --csv")
        self.fates = Fates()
        self.console = make_console(to_stderr=as_json or csv is not None)
        self._json = JsonListing(name) if as_json else None
        self._csv = None if csv is None else CsvListing(csv, COLUMNS, overwrite=overwrite)
        self._table = DeliveryTable(self.console, of_one_request=of_one_request, unmasked=unmasked)

    @property
    def is_broken(self) -> bool:
        """Whether no more can be written."""
        return self._csv is not None and self._csv.is_broken

    def add(self, delivery: Delivery) -> bool:
        """Tell of one; False if it cannot be written."""
        if self.is_broken:
            return False
        self.fates.add(delivery)
        if self._csv is not None:
            self._csv.add(record_of(delivery))
        elif self._json is not None:
            self._json.add(record_of(delivery))
        else:
            self._table.add(delivery)
        return True

    def end(self, rest: Mapping[str, object], *, is_whole: bool) -> None:
        """Tell of all together.

        Args:
            rest: What else a JSON document says.
            is_whole: Whether everything asked for has come.
        """
        if self._json is not None:
            self._json.end({"counts": self.fates.document, **rest})
            return
        self._table.end()
        if self.fates.counts:
            for number, line in enumerate(self.fates.lines()):
                self.console.print(Padding(line, (int(number == 0), 0, 0, 2 + 2 * (number > 0))))
        if self._csv is not None:
            if self.fates.counts or is_whole:
                self._csv.end(is_whole=is_whole)
            else:
                self._csv.discard()

    def discard(self) -> None:
        """Leave nothing behind: nothing was asked."""
        if self._csv is not None:
            self._csv.discard()
