"""Which endpoint of the service a request is for.

Source: SENS API, SMS v2, "Overview". The target is read as it stood on the wire; only the ids in
its path are percent-decoded.
"""

import re
from urllib.parse import unquote

import attrs

__all__ = ["ENDPOINTS", "READING", "Route", "find_route"]

_TARGET = re.compile(r"/sms/v2/services/(?P<service>[^/?]+)/(?P<path>[^?]*)(?:\?(?P<query>.*))?")
_ID = "*"

_ROUTES = {
    ("POST", "messages"): "messages",
    ("POST", "files"): "files",
    ("GET", "messages"): "list",
    ("GET", "messages/*"): "message",
    ("GET", "reservations/*/reserve-status"): "reservation",
    ("DELETE", "reservations/*"): "cancel",
    ("GET", "unsubscribes"): "unsubscribes",
    ("POST", "unsubscribes"): "add_unsubscribes",
    ("DELETE", "unsubscribes"): "remove_unsubscribes",
}
"""Method and path to the endpoint's name."""

ENDPOINTS = frozenset(_ROUTES.values())
"""The names by which faults and the request log know the endpoints; `messages` is the send."""

READING = frozenset({"list", "message", "reservation", "unsubscribes"})
"""Those that change nothing."""


@attrs.frozen
class Route:
    """Where a request leads.

    Attributes:
        endpoint: One of `ENDPOINTS`.
        service: The service id, decoded.
        id: Of the message or the reservation, decoded; empty where the path has none.
        query: What stands behind the `?`, as on the wire.
    """

    endpoint: str
    service: str
    id: str
    query: str


def find_route(method: str, target: str) -> Route | None:
    """The route of a request by its method (in upper case) and target; None if there is none."""
    match = _TARGET.fullmatch(target)
    if match is None:
        return None
    parts = match["path"].split("/")
    found = ""
    if len(parts) > 1 and parts[1]:
        found, parts[1] = parts[1], _ID
    endpoint = _ROUTES.get((method, "/".join(parts)))
    if endpoint is None:
        return None
    return Route(endpoint, unquote(match["service"]), unquote(found), match["query"] or "")
