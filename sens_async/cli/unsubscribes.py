"""`sens unsubscribes`: who has opted out of advertisements."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sens_async.cli.confirming import Yes, may_confirm
from sens_async.cli.console import count, make_console, mask
from sens_async.cli.refusing import refusing
from sens_async.core.schedule import KST

if TYPE_CHECKING:
    from sens_async.cli.draining import Ending
    from sens_async.cli.listing import Record
    from sens_async.models import Unsubscribe
    from sens_async.session import SensSession

__all__ = ["unsubscribes"]

unsubscribes = typer.Typer(
    help="See and change who has opted out of advertisements. 080 수신거부 관리.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

_COLUMNS = ("number", "registered_at", "how")
_HOW = {"C": "call 전화", "M": "by hand 수동"}

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Numbers = Annotated[list[str] | None, typer.Argument(help="Phone numbers, in any usual spelling.")]
_File = Annotated[
    Path | None, typer.Option("--file", help="A list or CSV of numbers (UTF-8, CP949) instead.")
]
_NumberColumn = Annotated[
    str | None,
    typer.Option(help="Name or position of its numbers' column; else it is found."),
]


@unsubscribes.command("list")
def list_(
    *,
    number: Annotated[str | None, typer.Option(help="Only this number.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Registered at or after: 2025-11-25, yesterday, 2h, 3d."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Registered at or before; a day means its end.")
    ] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="Show numbers whole in the table.")
    ] = False,
    json: _Json = False,
    csv: Annotated[
        Path | None, typer.Option(help="A CSV in place of the table; - prints it.")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace that file; else it must not exist yet."),
    ] = False,
) -> None:
    """List the numbers that have opted out. 수신거부 목록.

    JSON and CSV hold whole numbers.
    Exits with 0 if the list was read to its end; else with 1.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.asking import ask, tell_error  # noqa: PLC0415
    from sens_async.cli.documents import error_document  # noqa: PLC0415
    from sens_async.cli.draining import drain  # noqa: PLC0415
    from sens_async.cli.moments import read_moment  # noqa: PLC0415

    with refusing():
        now = datetime.now(KST)
        begin = None if since is None else read_moment(since, now, option="--since")
        end = None if until is None else read_moment(until, now, option="--until", is_end=True)
        output = _Output(as_json=json, csv=csv, overwrite=overwrite, unmasked=unmasked)

    async def read(session: "SensSession") -> "Ending":
        entries = session.unsubscribes.list(number, since=begin, until=end)
        return await drain(entries, output.add)

    try:
        ending = ask(read, as_json=json)
    except BaseException:
        output.discard()
        raise
    output.end(
        {
            "stopped_by": ending.error and error_document(ending.error),
            "exit_code": ending.exit_code,
        },
        ending,
    )
    if not json and ending.error is not None:
        tell_error(ending.error)
    raise typer.Exit(ending.exit_code or int(output.is_broken))


@unsubscribes.command()
def add(
    numbers: _Numbers = None,
    file: _File = None,
    number_column: _NumberColumn = None,
    json: _Json = False,
) -> None:
    """Enter numbers by hand: advertisements to them fail. 수신거부 등록.

    Exits with 0 if all are entered; else with 1.
    """
    given = _given(numbers, file, number_column)
    _change("add", given, as_json=json)


@unsubscribes.command()
def remove(
    numbers: _Numbers = None,
    file: _File = None,
    number_column: _NumberColumn = None,
    yes: Yes = False,
    json: _Json = False,
) -> None:
    """Take numbers off the list, with the consent of their owners. 수신거부 해제.

    Exits with 0 if all are off; else with 1.
    """
    given = _given(numbers, file, number_column)
    if may_confirm(yes=yes, json=json):
        how_many = count(len(given))
        typer.confirm(
            f"Did {how_many} consent to advertisements again? 다시 수신 동의한 {how_many}명인가요?",
            abort=True,
        )
    _change("remove", given, as_json=json)


def _given(numbers: list[str] | None, file: Path | None, number_column: str | None) -> list[str]:
    """Give each number once, in any spelling; an empty cell of a file is none."""
    from sens_async.cli.table import InvalidTable, Table, read_csv  # noqa: PLC0415
    from sens_async.core.phone import normalize  # noqa: PLC0415
    from sens_async.errors import InvalidRecipient  # noqa: PLC0415

    with refusing():
        if bool(numbers) == (file is not None):
            raise InvalidTable("give either numbers or --file")
        table = Table.of_numbers(numbers or [])
        if file is not None:
            table = read_csv(file, number_column=number_column)
        found: dict[str, None] = {}
        for row in table.rows():
            if file is not None and not row.recipient.to:
                continue
            try:
                found[normalize(row.recipient.to)] = None
            except InvalidRecipient as error:
                where = "" if file is None else f"{file.name}, row 행 {row.place}: "
                raise InvalidTable(f"{where}{error}") from error
        if not found:
            raise InvalidTable(f"{table.name} holds no numbers")
        return list(found)


def _change(verb: str, numbers: list[str], *, as_json: bool) -> None:
    from sens_async.cli.asking import ask  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415

    async def change(session: "SensSession") -> None:
        act = session.unsubscribes.add if verb == "add" else session.unsubscribes.remove
        await act(numbers)

    ask(change, as_json=as_json)
    done, korean = ("added", "등록됨") if verb == "add" else ("removed", "해제됨")
    if as_json:
        print_document({done: len(numbers)})
    else:
        noun = "number" if len(numbers) == 1 else "numbers"
        make_console().print(f"[accepted]{done} {korean}[/]  {count(len(numbers))} {noun}")


class _Output:
    """Where the list goes: a table, one JSON document, or a CSV."""

    def __init__(self, *, as_json: bool, csv: Path | None, overwrite: bool, unmasked: bool) -> None:
        from sens_async.cli.csv_file import InvalidOutput  # noqa: PLC0415
        from sens_async.cli.listing import CsvListing, JsonListing  # noqa: PLC0415

        if as_json and csv is not None:
            raise InvalidOutput("give either --json or --csv")
        self._json = JsonListing("unsubscribes") if as_json else None
        self._csv = None if csv is None else CsvListing(csv, _COLUMNS, overwrite=overwrite)
        self._console = make_console(to_stderr=as_json or csv is not None)
        self._unmasked = unmasked

    @property
    def is_broken(self) -> bool:
        return self._csv is not None and self._csv.is_broken

    def add(self, entry: "Unsubscribe") -> bool:
        at = entry.registered_at
        if self._json is not None or self._csv is not None:
            record: Record = {
                "number": entry.number,
                "registered_at": at.isoformat() if at else None,
                "how": entry.how,
            }
            listing = self._json or self._csv
            assert listing is not None
            listing.add(record)
            return not self.is_broken
        number = entry.number if self._unmasked else mask(entry.number)
        time = f"{at:%Y-%m-%d %H:%M:%S}" if at else "-"
        how = _HOW.get(entry.how or "", entry.how or "-")
        self._console.print(f"  {number:<15}  {time:<19}  [soft]{escape(how)}[/]")
        return True

    def end(self, rest: Mapping[str, object], ending: "Ending") -> None:
        if self._json is not None:
            self._json.end(rest)
        elif self._csv is not None:
            if ending.rows or not ending.exit_code:
                self._csv.end(is_whole=not ending.exit_code)
            else:
                self._csv.discard()
        elif ending.rows:
            noun = "number" if ending.rows == 1 else "numbers"
            self._console.print(f"\n  [figure]{count(ending.rows)}[/] {noun} 개")
        elif not ending.exit_code:
            self._console.print("[soft]nobody has opted out 수신거부 없음[/]")

    def discard(self) -> None:
        if self._csv is not None:
            self._csv.discard()
