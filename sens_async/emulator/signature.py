r"""Signature v2 as the gateway checks it, and words for what is wrong with one.

    {METHOD} {request target}\n{timestamp}\n{access key}

HMAC-SHA256 with the secret key, in Base64. The target is taken as it stood on the wire: nothing
is decoded, so `:` and `%3A` in a service id both hold if they were signed as they were sent.
Source: SENS API, "Overview" and the platform's "NCP API" page.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

__all__ = ["check", "sign"]

TIMESTAMP = "x-ncp-apigw-timestamp"
ACCESS_KEY = "x-ncp-iam-access-key"
SIGNATURE = "x-ncp-apigw-signature-v2"

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
DRIFT_MS = 2_000
"""How far around the timestamp a mismatch is searched for one that was made a second time."""


def sign(secret_key: str, access_key: str, timestamp: int | str, method: str, target: str) -> str:
    """The signature of one request.

    The timestamp is in milliseconds since the epoch, the target path and query as on the wire.
    """
    return _encode(_mac(secret_key, f"{method} {target}\n{timestamp}\n{access_key}"))


def check(
    headers: Mapping[str, str],
    method: str,
    target: str,
    *,
    access_key: str,
    secret_key: str,
    now: float,
    window: float = 300.0,
) -> str | None:
    """What is wrong with a request's three signature headers; None if it is authentic.

    `headers` are case-insensitive or have lower-case names. `now` is the gateway's clock in
    seconds since the epoch, and a timestamp that is `window` seconds or more from it is out:
    "5 minutes or more" are invalid.
    """
    missing = [name for name in (TIMESTAMP, ACCESS_KEY, SIGNATURE) if not headers.get(name)]
    if missing:
        return f"missing header {', '.join(missing)}"
    timestamp, given = headers[TIMESTAMP], headers[SIGNATURE]
    if headers[ACCESS_KEY] != access_key:
        return f"unknown access key {headers[ACCESS_KEY]!r}"
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20):
        return f"timestamp {timestamp!r} is not a number of milliseconds"
    expected = sign(secret_key, access_key, timestamp, method, target)
    # As bytes: compare_digest refuses text that is not ASCII, which a header may hold.
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape")):
        host = headers.get("host", "")
        return _explain(given, secret_key, (method, target, timestamp, access_key), host)
    ahead = int(timestamp) - round(now * 1000)
    if abs(ahead) >= window * 1000:
        side = "ahead of" if ahead > 0 else "behind"
        return f"timestamp is {abs(ahead)} ms {side} the gateway, {window:g} s or more are invalid"
    return None


def _mac(secret_key: str, text: str) -> bytes:
    message = text.encode("utf-8", "surrogateescape")
    return hmac.digest(secret_key.encode(), message, hashlib.sha256)


def _encode(mac: bytes) -> str:
    return binascii.b2a_base64(mac, newline=False).decode()


def _explain(given: str, secret_key: str, parts: tuple[str, str, str, str], host: str) -> str:
    """Name the part that was signed differently, by trying the usual mistakes."""
    method, target, timestamp, access_key = parts
    text = f"{method} {target}\n{timestamp}\n{access_key}"
    mac = _mac(secret_key, text)
    if given.lower() == mac.hex():
        return "the signature is in hexadecimal, it has to be in Base64"
    if given in {_encode(mac).rstrip("="), base64.urlsafe_b64encode(mac).decode()}:
        return "the signature is not in standard Base64 with padding"
    for cause, signed in _mistakes(parts, host):
        if _encode(_mac(secret_key, signed)) == given:
            return cause
    return f"the secret key differs, or the text that was signed does: it has to be {text!r}"


def _mistakes(parts: tuple[str, str, str, str], host: str) -> Iterator[tuple[str, str]]:
    """Each usual mistake in words, with the text it would have signed."""
    method, target, timestamp, access_key = parts
    for other in (*METHODS, method.lower()):
        if other != method:
            cause = f"the method differs: signed {other!r}, sent {method!r}"
            yield cause, f"{other} {target}\n{timestamp}\n{access_key}"
    for other in _other_targets(target, host):
        cause = f"the target differs: signed {other!r}, sent {target!r}"
        yield cause, f"{method} {other}\n{timestamp}\n{access_key}"
    head = f"{method} {target}"
    yield "the access key is missing from the text that was signed", f"{head}\n{timestamp}"
    yield "the access key signed is empty", f"{head}\n{timestamp}\n"
    for text, name in (("\r\n", "CR LF"), ("\\n", "a backslash and an n")):
        cause = f"lines end in {name} in the text that was signed, they have to end in LF"
        yield cause, text.join((head, timestamp, access_key))
    cause = "the text that was signed ends in a line feed, it has to end in the access key"
    yield cause, f"{head}\n{timestamp}\n{access_key}\n"
    sent = int(timestamp)
    near = (sent + sign * step for step in range(1, DRIFT_MS + 1) for sign in (1, -1))
    for other_time in (sent // 1000, sent * 1000, *near):
        cause = f"the timestamp differs: signed {other_time}, sent {sent}"
        yield cause, f"{head}\n{other_time}\n{access_key}"


def _other_targets(target: str, host: str) -> list[str]:
    """What clients sign in place of the target: in another encoding, too much, too little."""
    path, mark, query = target.partition("?")
    colons = target.replace("%3A", ":").replace("%3a", ":")
    others = [
        colons,
        path.replace(":", "%3A") + mark + query,
        path.replace(":", "%3a") + mark + query,
        path + mark + query.replace("+", "%20"),
        path + mark + query.replace("%20", "+"),
        path + mark + unquote(query),
        unquote(target),
        path,
        path.rstrip("/"),
        f"{path}/{mark}{query}",
        target.removeprefix("/"),
        f"http://{host}{target}",
        f"https://{host}{target}",
        "/" + target.rpartition("/")[2],
    ]
    return [other for other in dict.fromkeys(others) if other != target]
