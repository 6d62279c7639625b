"""`python -m sens_async`, and the `sens` command."""

import errno
import io
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command, or say how to install it."""
    # A terminal in CP949 lacks an emoji; that must not end a run whose messages are out.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        from sens_async.cli.main import app  # noqa: PLC0415 - its packages are an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("sens_async"):
            raise
        sys.exit(f"sens needs {error.name}: pip install 'sens-async[cli]'")
    except KeyboardInterrupt:  # importing takes its time; nothing is begun yet
        from sens_async.cli.interrupts import INTERRUPTED  # noqa: PLC0415

        sys.exit(INTERRUPTED)
    try:
        try:
            app(prog_name="sens")
        finally:
            sys.stdout.flush()  # what is left to the interpreter's end fails without a word
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        _give_up(error)


def _give_up(error: OSError) -> None:
    """End with 1: standard output takes no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # what is left goes there
    if error.errno == errno.EPIPE:  # who read it has what they wanted
        sys.exit(1)
    sys.exit(f"sens: standard output cannot be written: {error.strerror}")


if __name__ == "__main__":
    main()
