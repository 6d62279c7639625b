"""Faults to order: which request meets one, and which.

A fault is written in Python (`Emulator.fail`), in JSON (`POST /_emulator/faults`) or as a line
of text (`sens_async.emulator.script`).
"""

import random
import re
import sys
from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from typing import TypedDict, Unpack

import attrs
from attrs import validators

from sens_async.emulator.routes import ENDPOINTS

__all__ = ["Fault", "FaultKind", "FaultOptions", "FaultPlan", "make_fault"]

OPEN_END = sys.maxsize
"""End of the range of a `"3-"`."""


class FaultKind(StrEnum):
    """What a request that meets a fault sees."""

    STATUS = "status"
    """An answer of `status`, with the gateway's error body where the gateway has one."""
    DROP = "drop"
    """The connection is closed (FIN) without an answer."""
    RESET = "reset"
    """The connection is reset (RST) without an answer."""
    HANG = "hang"
    """No answer until the client leaves or the emulator closes."""
    LATE = "late"
    """The request arrives `delay` seconds later, even if the client has left by then: only
    then is it checked, accepted and answered."""
    HALF = "half"
    """The head of the answer and half its body, then the connection is closed."""
    HALF_HEAD = "half_head"
    """Half a status line that begins as 202, then the connection is closed."""
    GARBAGE = "garbage"
    """Bytes that are not HTTP."""
    THROTTLE = "throttle"
    """429 with the gateway's code 410."""
    RATE = "rate"
    """429 with the gateway's code 420."""
    QUOTA = "quota"
    """429 with the gateway's code 400."""
    TOO_MANY = "too_many"
    """429 with an empty body."""
    REDIRECT = "redirect"
    """307 to the same target: a client that follows it sends twice."""
    HTML = "html"
    """An HTML page with `status`, as a captive portal or a proxy answers."""
    NO_ID = "no_id"
    """The answer of success without its id."""
    FAIL_STATUS = "fail_status"
    """202 whose `statusName` is `fail`."""
    UNAUTHORIZED = "unauthorized"
    """401 with the gateway's code 200."""
    FORBIDDEN = "forbidden"
    """403 of the service."""
    BAD_REQUEST = "bad_request"
    """400 of the service."""
    TOO_LARGE = "too_large"
    """413 with the gateway's code 430."""


def _ordinals(requests: str | int | Collection[int] | None) -> range | frozenset[int] | None:
    """Request numbers from `3`, `"3"`, `"3-5"`, `"3-"` or what already holds numbers."""
    if requests is None or isinstance(requests, range):
        return requests
    if not isinstance(requests, str | int):
        if not requests or not all(isinstance(number, int) for number in requests):
            raise ValueError(f"requests is {requests!r}, it has to hold integers")
        return frozenset(requests)
    match = re.fullmatch(r"\s*(\d+)\s*(-\s*(\d*))?\s*", str(requests), re.ASCII)
    if match is None:
        raise ValueError(f"requests is {requests!r}, it has to be like 3, 3-5 or 3-")
    first, span, last = int(match[1]), match[2], match[3]
    end = int(last) + 1 if last else OPEN_END if span else first + 1
    if not 1 <= first < end:
        raise ValueError(f"requests is {requests!r}, requests are counted from 1 upwards")
    return range(first, end)


def _header_value(retry_after: float | str | None) -> str | None:
    if retry_after is None:
        return None
    if isinstance(retry_after, float) and retry_after.is_integer():
        retry_after = int(retry_after)
    return str(retry_after)


@attrs.frozen(kw_only=True)
class Fault:
    """One fault, and the requests that meet it.

    Attributes:
        kind: What the request sees.
        endpoint: `"messages"` (the send), `"files"`, `"list"`, `"message"`, `"reservation"`,
            `"cancel"`, `"unsubscribes"`, `"add_unsubscribes"` or `"remove_unsubscribes"`.
        requests: The requests that meet it, by their number since the emulator's start or
            reset, from 1: an int, `"3"`, `"3-5"`, `"3-"` or a collection of ints; None for any.
        probability: Of a request that could meet it, how likely it does, above 0 to 1; None for
            always.
        times: How many requests it meets at most; None for no limit.
        accept: Whether a request that is valid is accepted before the fault shows.
        status: Of the kinds `status` and `html`.
        retry_after: The header, in an answer of 429 or 503: seconds, or any text.
        delay: Seconds, of the kind `late`.
        body: Instead of the body that the kind `status` or `html` has of itself.

    Raises:
        ValueError: A value is out of its range, or fits no answer.
    """

    kind: FaultKind = attrs.field(converter=FaultKind)
    endpoint: str = attrs.field(default="messages", validator=validators.in_(sorted(ENDPOINTS)))
    requests: range | frozenset[int] | None = attrs.field(default=None, converter=_ordinals)
    probability: float | None = attrs.field(
        default=None, validator=validators.optional([validators.gt(0), validators.le(1)])
    )
    times: int | None = attrs.field(
        default=None, validator=validators.optional([validators.ge(1), validators.le(sys.maxsize)])
    )
    accept: bool = attrs.field(default=False, validator=validators.instance_of(bool))
    status: int = attrs.field(default=503, validator=[validators.ge(200), validators.le(599)])
    retry_after: str | None = attrs.field(default=None, converter=_header_value)
    delay: float = attrs.field(default=1.0, validator=validators.ge(0))
    body: str | bytes | None = attrs.field(
        default=None, validator=validators.optional(validators.instance_of((str, bytes)))
    )

    def __attrs_post_init__(self) -> None:
        if self.kind is FaultKind.FAIL_STATUS and self.endpoint != "messages":
            raise ValueError(f"{self.endpoint} has no statusName to fail with")
        if self.kind is FaultKind.NO_ID and self.endpoint not in {"messages", "files"}:
            raise ValueError(f"{self.endpoint} is not answered with an id that could be left out")
        if self.retry_after is not None and not (
            self.retry_after.isascii() and self.retry_after.isprintable()
        ):
            raise ValueError("retry_after has characters that a header cannot hold")


class FaultOptions(TypedDict, total=False):
    """What a fault can be told besides its kind; see `Fault`."""

    requests: str | int | Collection[int] | None
    probability: float | None
    endpoint: str
    times: int | None
    accept: bool
    status: int
    retry_after: float | str | None
    delay: float
    body: str | bytes | None


def make_fault(kind: FaultKind | str | int, **options: Unpack[FaultOptions]) -> Fault:
    """A fault from its kind's name, or from a status (`503` or `"503"`).

    Raises:
        ValueError: There is no such kind, or an option is out of its range.
    """
    name = str(kind).replace("-", "_").lower()
    if name.isascii() and name.isdigit():
        options["status"] = int(name)
        name = FaultKind.STATUS
    if name not in set(FaultKind):
        raise ValueError(f"there is no fault {str(kind)!r}, only {', '.join(FaultKind)}")
    return Fault(kind=FaultKind(name), **options)


class FaultPlan:
    """The faults ordered, and how many requests have come.

    Attributes:
        faults: In the order they were added; the first that matches a request wins.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.faults: list[Fault] = []
        self.reset()

    def add(self, fault: Fault) -> None:
        """Order one more."""
        self.faults.append(fault)

    def clear(self) -> None:
        """Call all faults off; requests stay counted."""
        self.faults.clear()
        self._shown.clear()

    def reset(self) -> None:
        """Begin as if nothing had come, with the same luck as the first time."""
        self.faults.clear()
        self._shown: Counter[int] = Counter()
        self._counts: Counter[str] = Counter()
        self._luck = random.Random(f"faults {self._seed}")  # noqa: S311 - to be repeatable

    def take(self, endpoint: str) -> Fault | None:
        """Count one request to the endpoint; the fault it meets, if any."""
        self._counts[endpoint] += 1
        ordinal = self._counts[endpoint]
        for fault in self.faults:
            if fault.endpoint != endpoint:
                continue
            if fault.requests is not None and ordinal not in fault.requests:
                continue
            if fault.times is not None and self._shown[id(fault)] >= fault.times:
                continue
            if fault.probability is not None and self._luck.random() >= fault.probability:
                continue
            self._shown[id(fault)] += 1
            return fault
        return None
