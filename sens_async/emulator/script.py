"""Faults as lines of text, for the command line and the control interface.

    requests 3-5: 503                   the third to the fifth request, counted from 1
    requests 7: throttle retry-after=2
    requests 20-: hang times=1          one, from the twentieth on
    1%: drop after accept               accepted, and the connection closed without an answer
    files requests 1: 500               uploads
    files 5%: reset
    late delay=30                       every request that sends
    GET messages 10%: 500               lists

A line is `[ENDPOINT] [requests N|N-M|N-] [P%]: KIND [after accept] [NAME=VALUE ...]`. The colon
falls away with what stands before it. ENDPOINT is `messages` (the send, also if none is given),
`files`, `GET messages`, `GET message`, `GET reservation`, `DELETE reservation`,
`GET unsubscribes`, `POST unsubscribes` or `DELETE unsubscribes`. KIND is one of `FaultKind`, `-`
being as good as `_`, or an HTTP status. The names are `times`, `status`, `retry-after`, `delay`
and `body`; a value with spaces stands in quotes.
"""

import re
import shlex

from sens_async.emulator.faults import Fault, FaultOptions, make_fault

__all__ = ["parse_fault", "parse_script"]

_ENDPOINTS = {
    "messages": "messages",
    "files": "files",
    "GET messages": "list",
    "GET message": "message",
    "GET reservation": "reservation",
    "DELETE reservation": "cancel",
    "GET unsubscribes": "unsubscribes",
    "POST unsubscribes": "add_unsubscribes",
    "DELETE unsubscribes": "remove_unsubscribes",
}
_LINE = re.compile(
    r"""(?:(?P<where>[^:="']*):)?\s*(?P<kind>[\w-]+)(?P<accept>\s+after\s+accept\b)?(?P<rest>.*)"""
)
_WHERE = re.compile(
    rf"(?P<endpoint>{'|'.join(_ENDPOINTS)})?"
    r"(?:\s*requests?\s+(?P<requests>\d+(?:\s*-\s*\d*)?))?"
    r"(?:\s*(?P<percent>\d+(?:\.\d+)?)\s*%)?",
    re.ASCII,
)


def parse_script(text: str) -> list[Fault]:
    """Read one fault from each line that is not blank.

    Raises:
        ValueError: A line cannot be read.
    """
    return [parse_fault(line) for line in text.splitlines() if line.strip()]


def parse_fault(line: str) -> Fault:
    """Read a fault from one line; the module's docstring has the grammar.

    Raises:
        ValueError: The line cannot be read, or a value is out of its range.
    """
    match = _LINE.fullmatch(line.strip())
    where = _WHERE.fullmatch((match["where"] or "").strip()) if match else None
    if match is None or where is None:
        raise ValueError(f"fault {line!r} is not like 'requests 3-5: 503' or '1%: drop'")
    options = _options(match["rest"])
    options["accept"] = match["accept"] is not None
    if where["endpoint"]:
        options["endpoint"] = _ENDPOINTS[where["endpoint"]]
    if where["requests"]:
        options["requests"] = where["requests"]
    if where["percent"]:
        options["probability"] = float(where["percent"]) / 100
    return make_fault(match["kind"], **options)


def _options(text: str) -> FaultOptions:
    options: FaultOptions = {}
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        match name:
            case "times":
                options["times"] = int(value)
            case "status":
                options["status"] = int(value)
            case "delay":
                options["delay"] = float(value)
            case "retry-after":
                options["retry_after"] = value
            case "body":
                options["body"] = value
            case _:
                raise ValueError(f"{word!r} is no option of a fault")
    return options
