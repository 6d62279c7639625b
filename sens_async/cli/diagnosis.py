"""Why SENS does not answer as it should: one check after the other, as values.

Nothing is ever sent: the one question that is asked is which messages were requested within the
last minute.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

import attrs
from yarl import URL

from sens_async.cli.network import Answered, Reached, Unreachable
from sens_async.clock import Clock
from sens_async.config import PUBLIC_URL, ZONES, Credentials, Settings
from sens_async.core.answers import read_page
from sens_async.core.listing import Listing
from sens_async.core.phone import mask, normalize_sender
from sens_async.core.requests import Request, Service
from sens_async.core.responses import http_date
from sens_async.core.schedule import from_epoch
from sens_async.core.signing import SIGNATURE_LIFETIME, SKEW_TOLERANCE, Signer, string_to_sign
from sens_async.core.windows import as_window
from sens_async.errors import (
    AuthenticationFailed,
    ConfigError,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    SensError,
    ServiceUnavailable,
)

__all__ = ["Check", "Finding", "Network", "diagnose", "masked_key"]

_KEYS = (
    ("access key", "액세스 키", "SENS_ACCESS_KEY", "NCLOUD_ACCESS_KEY"),
    ("secret key", "시크릿 키", "SENS_SECRET_KEY", "NCLOUD_SECRET_KEY"),
    ("service id", "서비스 ID", "SENS_SERVICE_ID"),
)
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_SHOWN = 4
_LEFT_OUT = "not tried, see above"
_looks_like_service = re.compile(r"ncp:sms:\w+:\d+:.+", re.ASCII | re.DOTALL).fullmatch

_WHY_REFUSED = (
    "the secret key is not that of this access key, or lost a character when it was copied",
    "the key pair was disabled or deleted in the console (Account > API keys)",
    "the keys belong to another zone: public, gov and fin have accounts of their own",
)
_WHY_DENIED = (
    "SENS_SERVICE_ID is that of another account, or of another channel than SMS",
    "the sub account has no right to SENS (console: Sub Account > policies)",
    "SMS is switched off for this project",
    "some gateways answer an unknown access key so: compare the key pair, too",
)


class Finding(StrEnum):
    """What a check came to."""

    GOOD = "good"
    WARNING = "warning"
    """It works and will not for long."""
    BAD = "bad"
    OPEN = "open"
    """It cannot be known from here; no reason to worry."""
    SKIPPED = "skipped"
    """It had to be left out because of what was found before."""


@attrs.frozen
class Check:
    """One thing that was looked at.

    Attributes:
        name: What, for machines; always the same.
        finding: How it is.
        text: What was found.
        korean: What was looked at, in Korean.
        seconds: How long it took, where that says something.
        advice: What may be the cause, or is to be done, the likeliest first.
        signed: The text that was signed, its access key masked, where it was refused.
    """

    name: str
    finding: Finding
    text: str
    korean: str
    seconds: float | None = None
    advice: Sequence[str] = ()
    signed: str | None = None


class Network(Protocol):
    """What reaches out."""

    def reach(self, url: URL) -> AsyncIterator[Reached | Unreachable]:
        """Find the host, connect and agree on TLS, and tell of each step."""
        ...

    async def ask(self, url: URL, headers: Mapping[str, str]) -> Answered | Unreachable:
        """Make one GET, its target byte for byte as given."""
        ...


@attrs.frozen
class _Where:
    """What the environment says, once it can be used."""

    credentials: Credentials
    service: Service
    url: URL


async def diagnose(
    environ: Mapping[str, str], clock: Clock, network: Network
) -> AsyncIterator[Check]:
    """Look at everything that sending needs, from near to far.

    Args:
        environ: Usually `os.environ`.
        clock: This machine's.
        network: Reaches out.

    Yields:
        Each check as soon as it is done; those after one that is bad are `SKIPPED` where they
        would say nothing.
    """
    checks, where = _read(environ)
    for check in checks:
        yield check
    host_is_there = where is not None
    if where is not None:
        async for step in network.reach(where.url):
            host_is_there = isinstance(step, Reached)
            yield _reached(step, environ)
    if where is None or not host_is_there:
        why = _LEFT_OUT
        for name, korean in (("clock", "시계"), ("signature", "서명"), ("service", "서비스")):
            yield Check(name, Finding.SKIPPED, why, korean)
    else:
        async for check in _asked(where, clock, network):
            yield check
    yield _sender(environ)


def masked_key(key: str) -> str:
    """Show enough of an access key to recognise it."""
    if len(key) < 3 * _SHOWN:
        return "*" * len(key)
    return f"{key[:_SHOWN]}{'*' * (len(key) - 2 * _SHOWN)}{key[-_SHOWN:]}"


def _read(environ: Mapping[str, str]) -> tuple[list[Check], _Where | None]:
    """Look at the variables alone."""
    checks: list[Check] = []
    values: list[str] = []
    for name, korean, *variables in _KEYS:
        variable = next((v for v in variables if environ.get(v)), None)
        if variable is None:
            text = f"{' or '.join(variables)} is not set"
            checks.append(Check(name, Finding.BAD, text, korean))
            continue
        values.append(environ[variable])
        checks.append(_key(name, korean, variable, environ[variable]))
    checks.append(_base_url(environ))
    if any(check.finding is Finding.BAD for check in checks):
        return checks, None
    access_key, secret_key, service_id = values
    settings = Settings(base_url=environ.get("SENS_BASE_URL") or None)
    where = _Where(Credentials(access_key, secret_key), Service(service_id), URL(settings.url))
    return checks, where


def _key(name: str, korean: str, variable: str, value: str) -> Check:
    try:
        if name == "service id":
            Service(value)
        else:
            Credentials(value, value)
    except ConfigError as error:
        text = str(error).partition("; ")[0]
        text = re.sub("^(access_key|secret_key|service_id)", variable, text)
        return Check(name, Finding.BAD, text, korean, advice=(_copied(value),))
    if name == "access key":
        return Check(name, Finding.GOOD, f"{masked_key(value)}, from {variable}", korean)
    if name == "secret key":
        return Check(name, Finding.GOOD, f"there, from {variable}", korean)
    if _looks_like_service(value.replace("%3A", ":").replace("%3a", ":")):
        return Check(name, Finding.GOOD, value, korean)
    text = f"{value!r} does not look like 'ncp:sms:kr:123456789012:name'"
    return Check(
        name, Finding.OPEN, text, korean, advice=("copy it from the console: SENS > Project",)
    )


def _copied(value: str) -> str:
    if value.strip() != value:
        return "white space stands before or after it: a file's line end, perhaps"
    return "copy it again from the console, without quotes"


def _base_url(environ: Mapping[str, str]) -> Check:
    name, korean = "base url", "주소"
    given = environ.get("SENS_BASE_URL") or None
    try:
        url = Settings(base_url=given).url
    except ConfigError as error:
        text = str(error).replace("base_url", "SENS_BASE_URL")
        text = text.replace(", or with allow_insecure=True", "")
        return Check(name, Finding.BAD, text, korean)
    zone = next((zone for zone, gateway in ZONES.items() if gateway == url), None)
    what = f"the {zone} zone" if zone else "not a gateway of Naver Cloud"
    source = "SENS_BASE_URL" if given else "the default"
    if url == PUBLIC_URL and not given:
        what = "the public zone"
    return Check(name, Finding.GOOD, f"{url}, {what}, from {source}", korean)


def _reached(step: Reached | Unreachable, environ: Mapping[str, str]) -> Check:
    korean = {"dns": "이름 찾기", "tcp": "접속", "tls": "암호화"}[step.step]
    if isinstance(step, Reached):
        return Check(step.step, Finding.GOOD, step.text, korean, step.seconds)
    advice = list(step.advice)
    if proxy := next((name for name in _PROXIES if environ.get(name)), None):
        advice.append(f"{proxy} is set, and this library does not go through proxies")
    return Check(step.step, Finding.BAD, step.text, korean, step.seconds, advice)


async def _asked(where: _Where, clock: Clock, network: Network) -> AsyncIterator[Check]:
    """Ask a harmless question, once more on the gateway's clock if ours is to blame."""
    signer = Signer(where.credentials.access_key, where.credentials.secret_key)
    answered, signed, skew = await _ask(where, signer, clock, network)
    yield _clock(skew)
    if skew is not None and abs(skew) >= SKEW_TOLERANCE and _is_refused(answered):
        signer.offset = skew
        answered, signed, _ = await _ask(where, signer, clock, network)
    signature, service = _judged(answered, where.credentials, signed)
    if signer.offset and signature.finding is Finding.GOOD:
        signature = attrs.evolve(signature, text="accepted, once signed by the clock of SENS")
    yield signature
    yield service


async def _ask(
    where: _Where, signer: Signer, clock: Clock, network: Network
) -> tuple[Answered | Unreachable, str, float | None]:
    """Ask for the last minute; give the answer, what was signed, and how far our clock is off."""
    began = clock.time()
    timestamp = signer.timestamp(began)
    now = from_epoch(timestamp / 1000)
    window = as_window(now - timedelta(minutes=1), now, names=("since", "until"))
    request = Request("GET", Listing(requested=window).target(where.service.messages))
    headers = signer.headers(request.method, request.target, timestamp)
    url = URL(str(where.url.origin()) + request.target, encoded=True)
    answered = await network.ask(url, headers)
    signed = string_to_sign(
        request.method, request.target, timestamp, masked_key(where.credentials.access_key)
    )
    skew = None
    if isinstance(answered, Answered):
        theirs = http_date(answered.response.date)
        if theirs is not None:
            # A `Date` is cut to the second; the answer was made about halfway.
            skew = theirs + 0.5 - (began + clock.time()) / 2
    return answered, signed, skew


def _is_refused(answered: Answered | Unreachable) -> bool:
    return isinstance(answered, Answered) and answered.response.status == 401


def _clock(skew: float | None) -> Check:
    korean = "시계"
    if skew is None:
        return Check("clock", Finding.OPEN, "the answer does not say what time it is", korean)
    side = "behind" if skew > 0 else "ahead of"
    off = abs(skew)
    if off < SKEW_TOLERANCE:
        return Check(
            "clock", Finding.GOOD, f"within {max(1, round(off))} s of that of SENS", korean
        )
    text = f"{off:,.0f} s {side} that of SENS"
    advice = ("set this machine's clock, by NTP",)
    if off < SIGNATURE_LIFETIME:
        text += f", which refuses {SIGNATURE_LIFETIME:.0f} s and more"
        return Check("clock", Finding.WARNING, text, korean, advice=advice)
    text += f", which refuses {SIGNATURE_LIFETIME:.0f} s and more"
    return Check("clock", Finding.BAD, text, korean, advice=advice)


def _judged(
    answered: Answered | Unreachable, credentials: Credentials, signed: str
) -> tuple[Check, Check]:
    """Say what an answer means for the signature and for the service id."""
    skipped = Check("service", Finding.SKIPPED, _LEFT_OUT, "서비스")

    if isinstance(answered, Unreachable):
        return _signature(Finding.BAD, answered.text, answered.seconds), skipped
    page, seconds = read_page(answered.response), answered.seconds
    status = answered.response.status
    if not isinstance(page, SensError):
        empty = "nothing was sent within the last minute" if page is None else "the list came"
        return (
            _signature(Finding.GOOD, "accepted", seconds),
            Check("service", Finding.GOOD, f"not refused ({status}: {empty})", "서비스"),
        )
    said = _harmless(str(page).partition("; ")[0], credentials)
    if isinstance(page, AuthenticationFailed):
        details = _harmless(answered.details, credentials)
        advice = (*((f"SENS says: {details}",) if details else ()), *_WHY_REFUSED)
        return _signature(Finding.BAD, said, seconds, advice, signed), skipped
    accepted = _signature(Finding.GOOD, "accepted", seconds)
    if isinstance(page, PermissionDenied | NotFound):
        advice = _WHY_DENIED if isinstance(page, PermissionDenied) else _WHY_DENIED[:1]
        return accepted, Check("service", Finding.BAD, said, "서비스", advice=advice)
    if isinstance(page, RateLimited | QuotaExceeded):
        text = f"not judged: {said}"
        return _signature(Finding.OPEN, text, seconds, ("try again in a minute",)), skipped
    if isinstance(page, ServiceUnavailable):
        text = f"not judged: SENS {said}"
        return _signature(Finding.BAD, text, seconds, ("try again in a minute",)), skipped
    text = f"not judged: {said}"
    advice = ("something between this machine and SENS answered: a proxy, a wrong base url",)
    return _signature(Finding.BAD, text, seconds, advice), skipped


def _signature(
    finding: Finding,
    text: str,
    seconds: float | None,
    advice: Sequence[str] = (),
    signed: str | None = None,
) -> Check:
    return Check("signature", finding, text, "서명", seconds, advice, signed)


def _harmless(text: str, credentials: Credentials) -> str:
    """Take the keys out of what the other side says."""
    text = text.replace(credentials.secret_key, "[secret key]")
    return text.replace(credentials.access_key, masked_key(credentials.access_key))


def _sender(environ: Mapping[str, str]) -> Check:
    name, korean = "sender", "발신번호"
    given = environ.get("SENS_SENDER")
    if not given:
        return Check(
            name, Finding.OPEN, "SENS_SENDER is not set: each call has to name one", korean
        )
    try:
        number = normalize_sender(given)
    except ConfigError as error:
        return Check(name, Finding.BAD, str(error).replace("sender", "SENS_SENDER", 1), korean)
    text = f"{mask(number)}; whether it is registered, SENS does not tell"
    advice = ("see the console: SENS > Project > Calling Number; else messages fail with 3023",)
    return Check(name, Finding.OPEN, text, korean, advice=advice)
