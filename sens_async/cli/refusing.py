"""Errors of the library and of lists, told as usage errors in the command's words."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from sens_async.cli.csv_file import InvalidOutput
from sens_async.cli.moments import InvalidMoment
from sens_async.cli.table import InvalidTable
from sens_async.errors import ConfigError, InvalidMessage, InvalidQuery

__all__ = ["refusing"]

_WORDS = (
    (", or with allow_insecure=True", ""),
    (" (Settings(night_consent=True))", ""),
    ("base_url", "SENS_BASE_URL"),
    ("reserve_at", "--reserve-at"),
    ("country_code", "--country-code"),
    ("content is empty", "there is no text: give --content (-m)"),
    ("give images", "give --image"),
    ("skip_unsubscribed is", "--skip-unsubscribed is"),
    ('give content_type="AD" (it is', "give --ad (it is"),
    ("leave type to us", "leave out --type"),
)
"""What the library calls things, and what the command does."""


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the caller of the command can mend into a usage error (exit code 2)."""
    try:
        yield
    except (InvalidMoment, InvalidOutput, InvalidTable) as error:
        raise typer.BadParameter(str(error)) from error
    except (ConfigError, InvalidMessage, InvalidQuery) as error:
        text = str(error)
        for library, command in _WORDS:
            text = text.replace(library, command)
        raise typer.BadParameter(text) from error
