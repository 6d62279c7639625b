"""Options that the commands which list deliveries have in common."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["SHOWN", "AsJson", "CsvFile", "Overwrite", "Unmasked"]

SHOWN = "Shown"
"""Heading of these options in the help."""

Unmasked = Annotated[
    bool,
    typer.Option("--unmasked", help="Show numbers whole in the table.", rich_help_panel=SHOWN),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=SHOWN)
]
CsvFile = Annotated[
    Path | None,
    typer.Option(help="A CSV in place of the table; - prints it.", rich_help_panel=SHOWN),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace that file; else it must not exist yet.",
        rich_help_panel=SHOWN,
    ),
]
