"""What the emulator does where the documentation of SENS leaves it open.

Each default is the one the reference suggests; each alternative is something a client has
reported or has to be ready for.
"""

from collections.abc import Collection
from typing import Literal, get_args, get_origin

import attrs
from attrs import validators

__all__ = ["EmulatorOptions"]

SIX_DAYS = 6 * 24 * 3600.0


def _numbers(senders: Collection[str] | None) -> frozenset[str] | None:
    if isinstance(senders, str):
        raise TypeError("senders is one string, it has to be a collection of numbers")
    return None if senders is None else frozenset(senders)


_at_least_one = validators.optional(validators.ge(1))


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
        file_lifetime: Seconds until an uploaded file expires.
        signature_window: Seconds from the gateway's clock, either way, at which a timestamp is
            out.
        rate: Requests let through in any second before 429 (code 420); None for no limit.
        quota: Recipients accepted before 429 (code 400); None for no limit.
        max_body_bytes: Largest request body; beyond it 413 (code 430).
        latency: Seconds between taking a request in and answering it.
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
    file_lifetime: float = attrs.field(default=SIX_DAYS, validator=validators.gt(0))
    signature_window: float = attrs.field(default=300.0, validator=validators.gt(0))
    rate: int | None = attrs.field(default=None, validator=_at_least_one)
    quota: int | None = attrs.field(default=None, validator=validators.optional(validators.ge(0)))
    max_body_bytes: int = attrs.field(default=10 * 1024 * 1024, validator=validators.ge(1))
    latency: float = attrs.field(default=0.0, validator=validators.ge(0))
    keep_bodies: bool = False
    keep_texts: bool = True

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(type(self)):
            if get_origin(field.type) is not Literal:
                continue
            choices, value = get_args(field.type), getattr(self, field.name)
            if value not in choices:
                raise ValueError(f"{field.name} is {value!r}, it has to be one of {choices}")
