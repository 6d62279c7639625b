"""`python -m sens_async`, and the `sens` command."""

import errno
import io
import os
import sys
from pathlib import Path

__all__ = ["main"]


def main() -> None:
    """Run the command, or say how to install it."""
    _ready_streams()
    try:
        from sens_async.cli.main import app  # noqa: PLC0415 - its packages are an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("sens_async"):
            raise
        sys.exit(f"sens needs {error.name}: pip install 'sens-async[cli]'")
    except KeyboardInterrupt:  # importing takes its time; nothing is begun yet
        sys.exit(_interrupted())
    try:
        try:
            app(prog_name="sens")
        finally:
            sys.stdout.flush()  # what is left to the interpreter's end fails without a word
    except KeyboardInterrupt:  # a command imports what it needs, before it begins
        sys.exit(_interrupted())
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        _give_up(error)


def _ready_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this: nobody wants to read it
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    # A terminal in CP949 lacks an emoji; that must not end a run whose messages are out.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _interrupted() -> int:
    from sens_async.cli.interrupts import INTERRUPTED  # noqa: PLC0415 - see above

    return INTERRUPTED


def _give_up(error: OSError) -> None:
    """End with 1: standard output takes no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # what is left goes there
    if error.errno == errno.EPIPE:  # who read it has what they wanted
        sys.exit(1)
    sys.exit(f"sens: standard output cannot be written: {error.strerror}")


if __name__ == "__main__":
    main()
