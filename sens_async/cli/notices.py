"""The library's warnings, shown as such."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape

from sens_async.cli.console import WARNING, make_console

__all__ = ["showing_warnings"]


class _Shown(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Made anew each time: a progress bar stands in for standard error while it is shown.
        make_console(to_stderr=True).print(f"{WARNING} {escape(record.getMessage())}")


@contextmanager
def showing_warnings() -> Iterator[None]:
    """Print what the library warns of on standard error."""
    logger, handler = logging.getLogger("sens_async"), _Shown(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
