"""The library's warnings, shown as such."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

__all__ = ["showing_warnings"]


class _Shown(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Neither a rich console nor typer.echo: both would write past the progress bar, which
        # stands in for this stream while it is shown.
        mark = typer.style("warning 경고", fg="yellow") if sys.stderr.isatty() else "warning 경고"
        with suppress(OSError):  # it would end the run that warns
            sys.stderr.write(f"{mark} {record.getMessage()}\n")


@contextmanager
def showing_warnings() -> Iterator[None]:
    """Print what the library warns of on standard error."""
    logger, handler = logging.getLogger("sens_async"), _Shown(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
