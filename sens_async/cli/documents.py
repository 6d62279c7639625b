"""What `--json` prints."""

import codecs
import json
import sys
from typing import TextIO

from sens_async.errors import SensError

__all__ = ["error_document", "interrupted_document", "is_utf8", "print_document"]


def error_document(error: SensError) -> dict[str, object]:
    """An error for machines."""
    document: dict[str, object] = {"error": type(error).__name__, "message": str(error)}
    for name in ("status", "code"):
        if value := getattr(error, name, None):
            document[name] = value
    return document


def interrupted_document() -> dict[str, object]:
    """An end by Ctrl-C before the answer, for machines."""
    text = "ended before the answer came: whether it was done is not known"
    return {"error": "Interrupted", "message": text}


def print_document(document: object) -> None:
    """Print one JSON document on standard output, in ASCII unless that is UTF-8."""
    json.dump(document, sys.stdout, ensure_ascii=not is_utf8(sys.stdout), indent=2)
    sys.stdout.write("\n")


def is_utf8(stream: TextIO) -> bool:
    """Whether any character can be written to a stream."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name == "utf-8"
