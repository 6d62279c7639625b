"""Asking before what cannot be taken back, where somebody is there to answer."""

import sys
from typing import Annotated

import typer

__all__ = ["Yes", "may_confirm"]

Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask. Off a terminal nothing is asked.")
]


def may_confirm(*, yes: bool, json: bool) -> bool:
    """Whether to ask: nobody has said yes, and it is a person at a terminal who would answer."""
    return not (yes or json) and sys.stdin.isatty() and sys.stdout.isatty()
