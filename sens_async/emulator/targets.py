"""What a request line asks for, and of whom: clients that go through a proxy name the host there.

    POST /sms/v2/services/.../messages HTTP/1.1                                origin form
    POST https://sens.apigw.ntruss.com/sms/v2/services/.../messages HTTP/1.1   absolute form
    CONNECT sens.apigw.ntruss.com:443 HTTP/1.1                                 authority form

A client signs path and query, whatever it puts before them on the wire. Source: RFC 9112, 3.2.
"""

import re

__all__ = [
    "LOOPBACK",
    "SENS_HOSTS",
    "is_loopback",
    "is_sens",
    "leads_here",
    "no_proxy_to",
    "split",
]

SENS_HOSTS = ("sens.apigw.ntruss.com", "sens.apigw.gov-ntruss.com", "sens.apigw.fin-ntruss.com")
"""The hosts of the public, the government's and the financial zone."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names that a client of this machine may call the emulator by."""

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)


def split(target: str) -> tuple[str | None, str]:
    """The authority that a request target names, if it does, and its path and query.

    Not a byte of path and query is changed; a path that is empty is `/`.
    """
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return None, target
    rest = match["rest"]
    return match["authority"], rest if rest.startswith("/") else f"/{rest}"


def is_sens(authority: str) -> bool:
    """Whether an authority, with or without a port, is a host of the service."""
    return _host(authority) in SENS_HOSTS


def is_loopback(authority: str) -> bool:
    """Whether an authority, with or without a port, is this machine. One with a user is not."""
    return _host(authority) in LOOPBACK


def leads_here(authority: str, port: int) -> bool:
    """Whether a tunnel to this authority ends at the emulator, which listens on `port`."""
    if is_sens(authority):
        return authority.endswith(":443")
    return is_loopback(authority) and authority.endswith(f":{port}")


def no_proxy_to(target: str) -> str:
    """Words for a request that is for somebody else."""
    hosts = ", ".join(SENS_HOSTS)
    return f"no proxy to {target!r}: this is an emulator that stands for {hosts} only"


def _host(authority: str) -> str:
    name, _, port = authority.rpartition(":")
    if not name or not (port.isascii() and port.isdigit()):
        name = authority
    return name.lower()
