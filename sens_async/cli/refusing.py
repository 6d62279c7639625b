"""Errors of the library and of lists, told as usage errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from sens_async.cli.results import InvalidOutput
from sens_async.cli.table import InvalidTable
from sens_async.errors import ConfigError, InvalidMessage

__all__ = ["refusing"]


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the caller of the command can mend into a usage error (exit code 2)."""
    try:
        yield
    except (ConfigError, InvalidMessage, InvalidOutput, InvalidTable) as error:
        raise typer.BadParameter(str(error)) from error
