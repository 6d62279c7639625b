"""Credentials and settings: frozen values, checked when they are built."""

import hmac
import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Literal, NamedTuple, NoReturn, TypeVar

import attrs
from yarl import URL

from sens_async.core.content import Charset, TooLong, Unencodable
from sens_async.core.message import Rules
from sens_async.core.rate import RateLimit, Window
from sens_async.core.retry import RetryPolicy
from sens_async.errors import ConfigError

__all__ = [
    "PUBLIC_URL",
    "ZONES",
    "Credentials",
    "Environment",
    "RateLimit",
    "RetryPolicy",
    "Settings",
    "Timeouts",
]

PUBLIC_URL = "https://sens.apigw.ntruss.com"
"""The gateway of Naver Cloud's public zone (SENS API: overview)."""

ZONES: Mapping[str, str] = {
    "public": PUBLIC_URL,
    "gov": "https://sens.apigw.gov-ntruss.com",
    "fin": "https://sens.apigw.fin-ntruss.com",
}
"""The gateways by the name of their zone (SENS API: overview, of each zone)."""

E = TypeVar("E", bound=StrEnum)


@attrs.frozen(eq=False)
class Credentials:
    """A pair of API keys of a Naver Cloud account.

    Never printed, never pickled: hand keys to another process through its environment.

    Attributes:
        access_key: The access key id.
        secret_key: The secret key.

    Raises:
        ConfigError: One is empty, or holds what no HTTP header can.
    """

    access_key: str = attrs.field(repr=False)
    secret_key: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        for name in ("access_key", "secret_key"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{name} must be a non-empty str")
            if not value.isascii() or not value.isprintable() or " " in value:
                raise ConfigError(f"{name} holds white space or a character that no key has")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        same_access = hmac.compare_digest(self.access_key, other.access_key)
        return hmac.compare_digest(self.secret_key, other.secret_key) and same_access

    def __hash__(self) -> int:
        return hash(self.access_key)

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled; give them to the process by environment")


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long one exchange may take.

    Attributes:
        connect: Seconds to make a connection, TLS included. A send that gets no further is
            certainly not sent.
        total: Seconds for the whole exchange. A send that is cut off here is unknown.

    Raises:
        ConfigError: One is not above 0, or connecting may take as long as everything.
    """

    connect: float = 5.0
    total: float = 30.0

    def __attrs_post_init__(self) -> None:
        for name in ("connect", "total"):
            _check_number(f"timeouts.{name}", getattr(self, name), above=0.0)
        if self.connect >= self.total:
            raise ConfigError(
                f"timeouts.connect ({self.connect}) must be below timeouts.total ({self.total})"
            )


def _member(kind: type[E], value: str, name: str) -> E:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(repr(str(member)) for member in kind)
        raise ConfigError(f"{name} must be one of {allowed}, got {value!r}") from None


def _charset(value: Charset | Literal["cp949", "ks_x_1001"]) -> Charset:
    return _member(Charset, value, "charset")


def _unencodable(value: Unencodable | Literal["refuse", "replace", "drop"]) -> Unencodable:
    return _member(Unencodable, value, "unencodable")


def _too_long(value: TooLong | Literal["refuse", "truncate"]) -> TooLong:
    return _member(TooLong, value, "on_too_long")


@attrs.frozen(kw_only=True)
class Settings:
    """Everything that can be chosen about a session.

    Attributes:
        base_url: Scheme and host of the gateway, or the name of a zone: "public", "gov" or
            "fin". None for `SENS_BASE_URL` where `from_env` is used, else the public zone.
            `https`; plain `http` on loopback only.
        rate_limit: The most requests (and recipients) to begin in a time, or None for no limit.
            SENS documents no rate; the default is our guess. Uploads and reads count, too.
        max_in_flight: The most requests that runs have on the wire at a time; None for as many
            as `rate_limit` lets begin while one is answered, between 4 and 256.
        linger: Seconds that a `send` waits for others like it, to share a request of up to 100;
            0 for none. A few hundredths of a second are plenty.
        timeouts: How long one exchange may take.
        retry: How patiently what was provably not accepted is tried again.
        charset: How "EUC-KR" is read: as CP949, which holds every Hangul syllable, or as the
            strict KS X 1001. Which one the service means is unconfirmed.
        unencodable: What to do with characters outside it: "refuse", "replace" or "drop".
        on_too_long: "refuse", or "truncate" at the last whole character, as SENS does.
        check_ad_label: Whether advertisements without `(광고)` are refused.
        night_consent: Whether the recipients of advertisements have consented to get them
            between 21:00 and 08:00 (KST).
        allow_insecure: Whether plain `http` is allowed beyond loopback. Keys do not travel, but
            phone numbers and texts do.

    Raises:
        ConfigError: Naming the setting, its value, and what is allowed.
    """

    base_url: str | None = None
    rate_limit: RateLimit | None = attrs.field(factory=RateLimit)
    max_in_flight: int | None = 32
    linger: float = 0.0
    timeouts: Timeouts = attrs.field(factory=Timeouts)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    charset: Charset = attrs.field(default=Charset.CP949, converter=_charset)
    unencodable: Unencodable = attrs.field(default=Unencodable.REFUSE, converter=_unencodable)
    on_too_long: TooLong = attrs.field(default=TooLong.REFUSE, converter=_too_long)
    check_ad_label: bool = True
    night_consent: bool = False
    allow_insecure: bool = False

    def __attrs_post_init__(self) -> None:
        kinds: dict[str, tuple[type, ...]] = {
            "rate_limit": (RateLimit, type(None)),
            "timeouts": (Timeouts,),
            "retry": (RetryPolicy,),
        }
        for name, allowed in kinds.items():
            if not isinstance(getattr(self, name), allowed):
                what = f"{allowed[0].__name__}{' or None' if len(allowed) > 1 else ''}"
                raise ConfigError(f"{name} must be {what}, got {getattr(self, name)!r}")
        for name in ("check_ad_label", "night_consent", "allow_insecure"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be True or False, got {getattr(self, name)!r}")
        most = self.max_in_flight
        if most is not None and (type(most) is not int or most < 1):
            raise ConfigError(f"max_in_flight must be None, or 1 or more, got {most!r}")
        if most is None and self.rate_limit is None:
            raise ConfigError(
                "max_in_flight=None follows from rate_limit, which is None; give one of them"
            )
        if self.base_url is not None:
            _check_base_url(self.base_url, allow_insecure=self.allow_insecure)
        _check_number("linger", self.linger, above=-1e-9)

    @property
    def rules(self) -> Rules:
        """How texts are treated."""
        return Rules(
            charset=self.charset,
            unencodable=self.unencodable,
            on_too_long=self.on_too_long,
            check_ad_label=self.check_ad_label,
            night_consent=self.night_consent,
        )

    @property
    def slots(self) -> int | Window:
        """How many requests runs have on the wire at a time: a number, or what finds it."""
        if self.max_in_flight is not None:
            return self.max_in_flight
        assert self.rate_limit is not None
        return Window(self.rate_limit)

    @property
    def url(self) -> str:
        """The base URL, the public zone's where none was given, without a slash at its end."""
        given = self.base_url or PUBLIC_URL
        return ZONES.get(given, given).rstrip("/")


class Environment(NamedTuple):
    """What a session takes from environment variables.

    Attributes:
        credentials: `SENS_ACCESS_KEY` and `SENS_SECRET_KEY`, else the `NCLOUD_` ones.
        service_id: `SENS_SERVICE_ID`.
        sender: `SENS_SENDER`, or None.
        base_url: `SENS_BASE_URL`, or None.
    """

    credentials: Credentials
    service_id: str
    sender: str | None
    base_url: str | None

    @classmethod
    def read(cls, environ: Mapping[str, str], *, service_id: str | None = None) -> "Environment":
        """Read the variables; an empty one counts as missing.

        Args:
            environ: Usually `os.environ`.
            service_id: Stands in for `SENS_SERVICE_ID`.

        Raises:
            ConfigError: Naming everything that is missing.
        """

        def first(*names: str) -> str | None:
            return next((environ[name] for name in names if environ.get(name)), None)

        access_key = first("SENS_ACCESS_KEY", "NCLOUD_ACCESS_KEY")
        secret_key = first("SENS_SECRET_KEY", "NCLOUD_SECRET_KEY")
        service_id = service_id or first("SENS_SERVICE_ID")
        wanted = {
            "SENS_ACCESS_KEY (or NCLOUD_ACCESS_KEY)": access_key,
            "SENS_SECRET_KEY (or NCLOUD_SECRET_KEY)": secret_key,
            "SENS_SERVICE_ID": service_id,
        }
        missing = [name for name, value in wanted.items() if value is None]
        if access_key is None or secret_key is None or service_id is None:
            raise ConfigError(f"missing in the environment: {', '.join(missing)}")
        return cls(
            credentials=Credentials(access_key, secret_key),
            service_id=service_id,
            sender=first("SENS_SENDER"),
            base_url=first("SENS_BASE_URL"),
        )


def _check_number(name: str, value: object, *, above: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{name} must be a number of seconds, got {value!r}")
    if not above < value < float("inf"):
        raise ConfigError(f"{name} must be finite and above {max(above, 0.0):g}, got {value!r}")


def _check_base_url(text: object, *, allow_insecure: bool) -> None:
    form = (
        "base_url must be like 'https://host' or 'https://host:port' and nothing after that, "
        "or 'public', 'gov' or 'fin'"
    )
    if not isinstance(text, str):
        raise ConfigError(f"{form}; got {type(text).__name__}")
    if text in ZONES:
        return
    if "@" in text:
        raise ConfigError(f"{form}: no user, no password")
    if re.fullmatch(r"https?://[^\s/?#\\]+/?", text) is None or not text.isascii():
        raise ConfigError(f"{form}, in ASCII (xn--…); got {text!r}")
    try:
        url = URL(text)
        port = url.port
    except ValueError as cause:
        raise ConfigError(f"{form}; got {text!r}: {cause}") from cause
    if not url.host or not port:
        raise ConfigError(f"{form}; got {text!r}")
    if url.scheme == "http" and not allow_insecure and not _is_loopback(url.host):
        raise ConfigError(
            f"base_url {text} is not encrypted; use https "
            "(http is for loopback, or with allow_insecure=True)"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
