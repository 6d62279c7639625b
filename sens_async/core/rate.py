"""How fast requests may leave: the arithmetic of the limiter, without clock or waiting.

The generic cell rate algorithm keeps one number, the time at which the next request would arrive
if all came evenly spaced. A request may be early by `TOLERANCE_SECONDS`; each one granted moves
the time on by its share of a second. So in any window of `t` seconds at most
`rate * (t + TOLERANCE_SECONDS) + 1` requests are granted, evenly spread, with no memory of the
requests themselves. Time enters only as an argument.
"""

import math
from typing import TYPE_CHECKING

import attrs

from sens_async.errors import ConfigError

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["MOST_IN_FLIGHT", "TOLERANCE_SECONDS", "Gcra", "RateLimit", "Window"]

TOLERANCE_SECONDS = 0.02
"""How early a request may be, hence the burst: 20 ms' worth and one.

An event loop's timers are late, and lateness within the tolerance costs nothing. Measured with
64 waiters: without it 0.97 of 100/s and 0.84 of 1000/s are reached, with it 1.00 of both, and
at most 1.02 in any second; a burst of 100 ms' worth sends 1.10.
"""


MOST_IN_FLIGHT = 256
"""Requests that a `Window` goes up to; a service that answers slower is not helped by more."""

_FEWEST_IN_FLIGHT = 4
_AT_FIRST = 32
_JITTER = 4 / 3
"""Answers are not evenly late; measured, a third more keeps the rate."""
_WEIGHT = 1 / 16
"""Of one answer in the mean latency."""


def _positive(_: object, attribute: "Attribute[float]", value: object) -> None:
    if not isinstance(value, int | float) or value is True or not 0 < value < math.inf:
        raise ConfigError(
            f"a rate limit's {attribute.name} must be a finite number above 0, not {value!r}"
        )


@attrs.frozen(kw_only=True)
class RateLimit:
    """How many requests, and optionally recipients, may leave per stretch of time.

    SENS documents no rate; the default is this library's guess. Every request counts, reads and
    uploads too.

    Raises:
        ConfigError: A value is not a finite number above 0.
    """

    requests: float = attrs.field(default=100.0, validator=_positive)
    """Requests per `per` seconds."""
    recipients: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(_positive)
    )
    """Recipients per `per` seconds, on top of `requests`; None for no such limit."""
    per: float = attrs.field(default=1.0, validator=_positive)
    """Seconds."""


class Window:
    """How many requests to keep in flight: as many as may begin while one is answered.

    Args:
        limit: Says how many may begin.

    Attributes:
        size: Requests; 32 until the first answer, then 4 to `MOST_IN_FLIGHT`.
    """

    __slots__ = ("_latency", "_rate", "size")

    def __init__(self, limit: RateLimit) -> None:
        self.size = _AT_FIRST
        self._rate = limit.requests / limit.per
        self._latency: float | None = None

    def observe(self, seconds: float) -> None:
        """Take note of how long an answer took."""
        if self._latency is None:
            self._latency = seconds
        self._latency += (seconds - self._latency) * _WEIGHT
        needed = math.ceil(self._rate * self._latency * _JITTER)
        self.size = min(max(needed, _FEWEST_IN_FLIGHT), MOST_IN_FLIGHT)


class Gcra:
    """The state of one limit: grants requests at explicit times, and can be paused.

    A request of more recipients than the tolerance holds goes as soon as the ones before it are
    paid for, and those after it wait for its whole cost: no size can block itself.

    Args:
        limit: The limit to keep, or None to grant everything that no pause forbids.
    """

    __slots__ = ("_not_before", "_per_recipient", "_per_request", "_recipients_at", "_requests_at")

    def __init__(self, limit: RateLimit | None) -> None:
        self._per_request = 0.0
        self._per_recipient = 0.0
        if limit is not None:
            self._per_request = limit.per / limit.requests
            if limit.recipients is not None:
                self._per_recipient = limit.per / limit.recipients
        self._requests_at = self._recipients_at = self._not_before = -math.inf

    def grant(self, now: float, recipients: int = 1) -> float:
        """Grant one request at `now`, or say how long to wait before asking again.

        Args:
            now: Seconds on any clock that does not go back.
            recipients: How many the request has; 0 for a read or an upload.

        Returns:
            0.0 when granted, and the request is counted; else the seconds to wait, not counted.
        """
        earliest = self._requests_at - TOLERANCE_SECONDS
        if recipients and self._recipients_at - TOLERANCE_SECONDS > earliest:
            earliest = self._recipients_at - TOLERANCE_SECONDS
        earliest = max(earliest, self._not_before)
        if now < earliest:
            return earliest - now
        self._requests_at = max(self._requests_at, now)
        self._requests_at += self._per_request
        if recipients:
            self._recipients_at = max(self._recipients_at, now)
            self._recipients_at += recipients * self._per_recipient
        return 0.0

    def take_back(self, recipients: int = 1) -> None:
        """Uncount a request that was granted just now and did not leave."""
        self._requests_at -= self._per_request
        if recipients:
            self._recipients_at -= recipients * self._per_recipient

    def postpone(self, until: float) -> None:
        """Grant nothing before `until`; a pause that already reaches further stays."""
        self._not_before = max(self._not_before, until)

    def paused_for(self, now: float) -> float:
        """Seconds until the pause ends; 0.0 when there is none."""
        return max(0.0, self._not_before - now)
