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
from contextlib import suppress
from urllib.parse import unquote

__all__ = ["check", "sign"]

TIMESTAMP = "x-ncp-apigw-timestamp"
ACCESS_KEY = "x-ncp-iam-access-key"
SIGNATURE = "x-ncp-apigw-signature-v2"

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
HOSTS = ("sens.apigw.ntruss.com", "sens.apigw.gov-ntruss.com", "sens.apigw.fin-ntruss.com")
DRIFT_MS = 2_000
"""How far around the timestamp a mismatch is searched for one that was made a second time."""
NOT_MILLIS = {"seconds": 1000.0, "microseconds": 0.001, "nanoseconds": 0.000_001}
"""Units that timestamps are given in by mistake, in milliseconds."""


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
    other_now: float | None = None,
    window: float = 300.0,
) -> str | None:
    """What is wrong with a request's three signature headers; None if it is authentic.

    `headers` are case-insensitive or have lower-case names. `now` is the gateway's clock in
    seconds since the epoch, and a timestamp that is `window` seconds or more from it is out:
    "5 minutes or more" are invalid. It may as well be near `other_now`, if there is one.
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
    clocks = [now] if other_now is None else [now, other_now]
    if any(abs(int(timestamp) - round(clock * 1000)) < window * 1000 for clock in clocks):
        return None
    ahead = int(timestamp) - round(now * 1000)
    side = "ahead of" if ahead > 0 else "behind"
    words = f"timestamp is {abs(ahead)} ms {side} the gateway, {window:g} s or more are invalid"
    for unit, millis in NOT_MILLIS.items():
        if abs(int(timestamp) * millis - now * 1000) < window * 1000:
            words += f"; it is in {unit}, it has to be in milliseconds"
    return words


def _mac(secret_key: str, text: str) -> bytes:
    message = text.encode("utf-8", "surrogateescape")
    return hmac.digest(secret_key.encode(), message, hashlib.sha256)


def _encode(mac: bytes) -> str:
    return binascii.b2a_base64(mac, newline=False).decode()


def _explain(given: str, secret_key: str, parts: tuple[str, str, str, str], host: str) -> str:
    """Name the part that was signed differently, and say what has to be signed."""
    method, target, timestamp, access_key = parts
    text = f"{method} {target}\n{timestamp}\n{access_key}"
    cause = _form(given, _mac(secret_key, text)) or _other_key(given, secret_key, access_key, text)
    if cause is not None:
        return f"{cause}; the text to sign is {text!r}"
    for cause, signed in _mistakes(parts, host):
        if _encode(_mac(secret_key, signed)) == given:
            return f"{cause}; the text to sign is {text!r}"
    for cause, signed in _likely_mistakes(parts, host):
        form = _form(given, _mac(secret_key, signed))
        if form is not None:
            return f"{cause}, and {form}; the text to sign is {text!r}"
    return f"the secret key differs, or the text that was signed does: it has to be {text!r}"


def _form(given: str, mac: bytes) -> str | None:
    """What is wrong with how a digest is written, if it is this digest at all."""
    if given.lower() == mac.hex():
        return "the signature is in hexadecimal, it has to be in Base64"
    if given in {_encode(mac.hex().encode()), _encode(mac.hex().upper().encode())}:
        return "the signature is the Base64 of hexadecimal digits, it has to be of the bytes"
    if given in {_encode(mac).rstrip("="), base64.urlsafe_b64encode(mac).decode()}:
        return "the signature is not in standard Base64 with padding"
    return None


def _other_key(given: str, secret_key: str, access_key: str, text: str) -> str | None:
    """What else was done to the right text: another digest, or another key of those at hand."""
    for name in ("sha1", "sha512", "md5"):
        mac = hmac.digest(secret_key.encode(), text.encode("utf-8", "surrogateescape"), name)
        if given == _encode(mac):
            return f"the digest differs: HMAC-{name.upper()} was used, it has to be HMAC-SHA256"
    if given == _encode(_mac(access_key, text)):
        return "the secret key differs: the access key was used as the key"
    if given in {_encode(_mac(secret_key + end, text)) for end in ("\n", "\r\n", " ", "\r")}:
        return "the secret key differs: white space follows it, as from a file that ends in a line"
    with suppress(ValueError):
        decoded = base64.b64decode(secret_key, validate=True)
        message = text.encode("utf-8", "surrogateescape")
        if given == _encode(hmac.digest(decoded, message, hashlib.sha256)):
            return "the secret key differs: it was decoded from Base64, it is used as it is"
    return None


def _mistakes(parts: tuple[str, str, str, str], host: str) -> Iterator[tuple[str, str]]:
    """Each usual mistake in words, with the text it would have signed."""
    yield from _likely_mistakes(parts, host)
    method, target, timestamp, access_key = parts
    sent = int(timestamp)
    for step in range(1, DRIFT_MS + 1):
        for other in (sent + step, sent - step):
            cause = f"the timestamp differs: signed {other}, sent {sent}"
            yield cause, f"{method} {target}\n{other}\n{access_key}"


def _likely_mistakes(parts: tuple[str, str, str, str], host: str) -> Iterator[tuple[str, str]]:
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
    yield "the timestamp is missing from the text that was signed", f"{head}\n{access_key}"
    for text, name in (
        ("\r\n", "CR LF"),
        ("\\n", "a backslash and an n"),
        (" ", "a space"),
        ("", "nothing"),
    ):
        cause = f"lines end in {name} in the text that was signed, they have to end in LF"
        yield cause, text.join((head, timestamp, access_key))
    cause = "the text that was signed ends in a line feed, it has to end in the access key"
    yield cause, f"{head}\n{timestamp}\n{access_key}\n"
    sent = int(timestamp)
    for other_time in (sent // 1000, sent * 1000, sent // 1000 * 1000):
        if other_time != sent:
            cause = f"the timestamp differs: signed {other_time}, sent {sent}"
            yield cause, f"{head}\n{other_time}\n{access_key}"


def _other_targets(target: str, host: str) -> list[str]:
    """What clients sign in place of the target: in another encoding, too much, too little."""
    path, mark, query = target.partition("?")
    paths = [path.replace("%3A", ":").replace("%3a", ":")]
    paths += [paths[0].replace(":", "%3A"), paths[0].replace(":", "%3a"), unquote(path)]
    plain = unquote(query.replace("+", "%20"))
    queries = [query, plain, "&".join(sorted(query.split("&")))]
    queries += [
        spaced.replace(":", colon)
        for spaced in (plain.replace(" ", "%20"), plain.replace(" ", "+"))
        for colon in (":", "%3A", "%3a")
    ]
    others = [other + mark + asked for other in (path, *paths) for asked in queries]
    others += [
        path,
        f"{path}?",
        path.rstrip("/"),
        f"{path}/{mark}{query}",
        target.removeprefix("/"),
        *(f"{scheme}://{name}{target}" for name in (host, *HOSTS) for scheme in ("http", "https")),
        "/" + target.rpartition("/")[2],
    ]
    return [other for other in dict.fromkeys(others) if other != target]
