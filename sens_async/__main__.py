"""`python -m sens_async`, and the `sens` command."""

import io
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
    app(prog_name="sens")


if __name__ == "__main__":
    main()
