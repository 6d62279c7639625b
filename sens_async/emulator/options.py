"""What the emulator does where the documentation of SENS leaves it open.

Each default is the one the reference suggests; each alternative is something a client has
reported or has to be ready for.
"""

import math
from collections.abc import Collection
from typing import Literal, get_args, get_origin

import attrs
from attrs import validators

__all__ = ["EmulatorOptions", "ReservationEnd"]

DAY = 24 * 3600.0

ReservationEnd = Literal["DONE", "FAIL", "STALE", "SKIP"]


def _span(seconds: float | tuple[float, float]) -> tuple[float, float]:
    """A fixed duration is a range of one."""
    low, high = seconds if isinstance(seconds, tuple | list) else (seconds, seconds)
    return float(low), float(high)


def _check_span(
    _: object, field: "attrs.Attribute[tuple[float, float]]", span: tuple[float, float]
) -> None:
    if not 0 <= span[0] <= span[1] < math.inf:
        raise ValueError(f"{field.name} is {span}, it has to be 0 or more, and low before high")


def _numbers(senders: Collection[str] | None) -> frozenset[str] | None:
    if isinstance(senders, str):
        raise TypeError("senders is one string, it has to be a collection of numbers")
    return None if senders is None else frozenset(senders)


_at_least_one = validators.optional(validators.ge(1))
_not_negative = validators.optional(validators.ge(0))


@attrs.frozen(kw_only=True)
class EmulatorOptions:
    """The emulator's choices; a frozen value, checked when it is built.

    Attributes:
        foreign_service: Status for a service id that is not the emulator's.
        senders: Registered calling numbers, digits only; None means the emulator's `sender`.
        unregistered_sender: `"accept"` takes the request and fails every message with 3023,
            `"refuse"` answers 400.
        error_shape: Body of the service's own errors: `"errors"` has `errors` and
            `errorMessage` (public zone), `"error"` has `error` and `message` (gov zone).
        too_long: Truncate a text over its limit as documented, or answer 400.
        unencodable: Accept a text that EUC-KR does not hold and fail it with 3022, or answer 400.
        duplicate_to: Whether a number may stand twice in one request.
        bad_number: Accept digits that are no phone number and fail them with 3003, or answer
            400. Anything but digits is answered 400 either way.
        file_lifetime: Seconds until an uploaded file expires: 6 days as the text says; the
            documentation's sample has 2.
        reupload: Whether a file that was uploaded before, by name and size, is answered with the
            same id, or with a new one that stands for the same picture.
        signature_window: Seconds from the gateway's clock, either way, at which a timestamp is
            out.
        rate: Requests let through in any second before 429; None for no limit.
        rate_code: The gateway's code then: 420 (rate limited) or 410 (throttle limited).
        quota: Recipients accepted in all before 429 (code 400); None for no limit.
        quota_per_day: The same by the day, which begins at midnight in Korea.
        quota_per_month: The same by the month in Korea.
        max_body_bytes: Largest request body; beyond it 413 (code 430).
        latency: Seconds between taking a request in and answering it.
        visibility_delay: Seconds until an accepted message is listed, or a reserved one that has
            gone out; a range `(low, high)` gives every request a delay of its own.
        processing_delay: Seconds from going out, in which a message is READY; also how long a
            reservation is PROCESSING (the high end). A range gives each message its own.
        completion_delay: Seconds from going out until it is COMPLETED; likewise.
        magic_numbers: Whether some numbers say what becomes of their messages; the module
            `sens_async.emulator.results` lists them.
        carriers: Values of `telcoCode` for mobile numbers in Korea; all others have ETC.
        opt_out_code: The code with which AD fails for a number on the opt-out list.
        empty_list: Whether an empty list (messages, opt-outs) is 404 with an empty body, or 200.
        page_size: `"100"`: 20 unless asked for, at most 100. `"1000"`: with `requestId` it is
            1000, whatever is asked for.
        next_token: Whether `hasMore` comes with a `nextToken`; without it, what follows the first
            page cannot be had.
        list_fields: Fields of a listed message: the current ones, or the few of 2021.
        list_request_id: Whether a list that was asked for by its `requestId` repeats it beside
            the messages, as some clients read it there; with the fields of 2021 it always does.
        list_order: By the time of acceptance.
        list_end: Whether the second that ends a window still belongs to it.
        retention_days: How long messages are listed.
        reserved_rows: A reservation that waits is listed by its request id as `"empty"` (no
            messages, `statusName` reserved), as `"ready"` messages, or is `"hidden"`.
        reservation_end: How reservations end at their time, unless one is ordered to end
            otherwise. DONE sends; FAIL, STALE and SKIP do not.
        reserve_time: `reserveTime` of a reservation with its offset, or to the minute without.
        cancel_refusal: Status for cancelling what is not READY any more.
        signature_clock: `"own"`: timestamps have to be near the emulator's clock. `"either"`:
            near that or near the clock it was given, since clients in other processes do not
            follow when a test advances the emulator's.
        keep_bodies: Whether the request log keeps the bodies.
        keep_texts: Whether the admission log keeps texts and subjects; without them they read
            as empty, which saves memory in long runs.

    Raises:
        ValueError: An option is out of its range.
        TypeError: An option is of another type, as `senders` in one string.
    """

    foreign_service: Literal["403", "404"] = "403"
    senders: frozenset[str] | None = attrs.field(default=None, converter=_numbers)
    unregistered_sender: Literal["accept", "refuse"] = "accept"
    error_shape: Literal["errors", "error"] = "errors"
    too_long: Literal["truncate", "refuse"] = "truncate"
    unencodable: Literal["accept", "refuse"] = "accept"
    duplicate_to: Literal["accept", "refuse"] = "accept"
    bad_number: Literal["accept", "refuse"] = "accept"
    reupload: Literal["same", "new"] = "same"
    file_lifetime: float = attrs.field(default=6 * DAY, validator=validators.gt(0))
    signature_window: float = attrs.field(default=300.0, validator=validators.gt(0))
    rate: int | None = attrs.field(default=None, validator=_at_least_one)
    rate_code: Literal["420", "410"] = "420"
    quota: int | None = attrs.field(default=None, validator=_not_negative)
    quota_per_day: int | None = attrs.field(default=None, validator=_not_negative)
    quota_per_month: int | None = attrs.field(default=None, validator=_not_negative)
    max_body_bytes: int = attrs.field(default=10 * 1024 * 1024, validator=validators.ge(1))
    latency: float = attrs.field(default=0.0, validator=validators.ge(0))
    visibility_delay: tuple[float, float] = attrs.field(
        default=(0.5, 0.5), converter=_span, validator=_check_span
    )
    processing_delay: tuple[float, float] = attrs.field(
        default=(1.0, 1.0), converter=_span, validator=_check_span
    )
    completion_delay: tuple[float, float] = attrs.field(
        default=(3.0, 3.0), converter=_span, validator=_check_span
    )
    magic_numbers: bool = True
    carriers: tuple[str, ...] = attrs.field(default=("SKT", "KT", "LGT"), converter=tuple)
    opt_out_code: str = "E917"
    empty_list: Literal["404", "200"] = "404"
    page_size: Literal["100", "1000"] = "100"
    next_token: bool = True
    list_fields: Literal["current", "2021"] = "current"
    list_request_id: bool = False
    list_order: Literal["oldest", "newest"] = "oldest"
    list_end: Literal["inclusive", "exclusive"] = "inclusive"
    retention_days: float = attrs.field(default=90.0, validator=validators.gt(0))
    reserved_rows: Literal["empty", "ready", "hidden"] = "empty"
    reservation_end: ReservationEnd = "DONE"
    reserve_time: Literal["offset", "minute"] = "offset"
    cancel_refusal: Literal["400", "404", "409"] = "400"
    signature_clock: Literal["own", "either"] = "either"
    keep_bodies: bool = False
    keep_texts: bool = True

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(type(self)):
            if get_origin(field.type) is not Literal:
                continue
            choices, value = get_args(field.type), getattr(self, field.name)
            if value not in choices:
                raise ValueError(f"{field.name} is {value!r}, it has to be one of {choices}")
