"""Options of the commands that send to a list: what is said, and how the list is read."""

from pathlib import Path
from typing import Annotated

import typer

from sens_async.models import ContentType, MessageType

__all__ = [
    "LIST",
    "MESSAGE",
    "RUN",
    "Ad",
    "Content",
    "ContentTypeOption",
    "CountryCode",
    "Delimiter",
    "Duplicates",
    "Encoding",
    "HasHeader",
    "Images",
    "InFlight",
    "Key",
    "NumberColumn",
    "Rate",
    "ReserveAt",
    "Sender",
    "Subject",
    "Type",
]

LIST, MESSAGE, RUN = "The list", "The message", "The run"
"""Headings of these options in the help."""

NumberColumn = Annotated[
    str | None,
    typer.Option(
        help="Name or position of the numbers' column; else it is found.", rich_help_panel=LIST
    ),
]
Key = Annotated[
    str | None, typer.Option("--key", help="Column of your own ids.", rich_help_panel=LIST)
]
Encoding = Annotated[
    str | None, typer.Option(help="Of the CSV; else it is found.", rich_help_panel=LIST)
]
Delimiter = Annotated[
    str | None, typer.Option(help="Of the CSV; else it is found.", rich_help_panel=LIST)
]
HasHeader = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first row names columns; else it is found.",
        rich_help_panel=LIST,
    ),
]
Duplicates = Annotated[
    str,
    typer.Option(
        help="The same number with the same text: [bold]skip[/] or [bold]send[/] again.",
        rich_help_panel=LIST,
    ),
]

Content = Annotated[
    str,
    typer.Option(
        "--content",
        "-m",
        help="The text; {column} is filled in from the list.",
        rich_help_panel=MESSAGE,
    ),
]
Subject = Annotated[str | None, typer.Option(help="Of an LMS or MMS.", rich_help_panel=MESSAGE)]
Type = Annotated[
    MessageType | None,
    typer.Option(
        "--type", help="Else chosen for each text.", case_sensitive=False, rich_help_panel=MESSAGE
    ),
]
Images = Annotated[
    list[Path] | None,
    typer.Option(
        "--image",
        exists=True,
        dir_okay=False,
        help="A picture; may be repeated.",
        rich_help_panel=MESSAGE,
    ),
]
Ad = Annotated[
    bool,
    typer.Option("--ad", help="An advertisement: begins with (광고).", rich_help_panel=MESSAGE),
]
ContentTypeOption = Annotated[
    ContentType, typer.Option(help="AD is --ad.", case_sensitive=False, rich_help_panel=MESSAGE)
]
CountryCode = Annotated[
    str, typer.Option(help="Other countries take SMS only.", rich_help_panel=MESSAGE)
]
Sender = Annotated[
    str | None,
    typer.Option("--from", help="A registered number; else SENS_SENDER.", rich_help_panel=MESSAGE),
]
ReserveAt = Annotated[
    str | None,
    typer.Option(help="When to send (KST): '2026-12-01 09:00'.", rich_help_panel=MESSAGE),
]

Rate = Annotated[
    float | None,
    typer.Option(help="Requests a second, else 100; 0 for no limit.", rich_help_panel=RUN),
]
InFlight = Annotated[
    int, typer.Option(min=1, help="Requests on the wire at a time.", rich_help_panel=RUN)
]
