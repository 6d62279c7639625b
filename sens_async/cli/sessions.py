"""A session as the environment and the options say."""

from sens_async.config import RateLimit, Settings
from sens_async.errors import ConfigError
from sens_async.session import SensSession

__all__ = ["make_session"]


def make_session(
    *,
    sender: str | None = None,
    rate: float | None = None,
    max_in_flight: int = 32,
    needs_sender: bool = False,
) -> SensSession:
    """A session on the environment's keys.

    Args:
        sender: Stands in for SENS_SENDER.
        rate: Requests a second; None for the default, 0 for no limit.
        max_in_flight: Requests on the wire at a time.
        needs_sender: Whether it is of no use without one.

    Raises:
        ConfigError: A key is missing, or the sender, or the rate is none.
    """
    if rate is not None and rate < 0:
        raise ConfigError(f"--rate must be 0 or more, got {rate:g}")
    limit = RateLimit() if rate is None else None
    if rate:
        limit = RateLimit(requests=rate)
    settings = Settings(rate_limit=limit, max_in_flight=max_in_flight)
    session = SensSession.from_env(sender=sender, settings=settings)
    if needs_sender and session.sender is None:
        raise ConfigError("no sender: give --from or set SENS_SENDER")
    return session
