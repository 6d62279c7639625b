"""What becomes of an accepted message: a function of the moment at which somebody looks.

Nothing is scheduled and nothing is stored for it, so a million messages on their way cost nothing
until one of them is asked for.
"""

import hashlib
import math

import attrs

from sens_async.emulator.admissions import Admission, Batch
from sens_async.emulator.envelope import HOME
from sens_async.emulator.options import EmulatorOptions
from sens_async.emulator.reservations import Reservations
from sens_async.emulator.results import DELIVERED, MAGIC, ordered_code, ordered_delay
from sens_async.emulator.unsubscribes import Unsubscribes

__all__ = ["Deliveries", "Progress", "luck"]

OTHER_CARRIER = "ETC"


@attrs.frozen
class Progress:
    """How far a message has come.

    Attributes:
        status: `READY`, `PROCESSING` or `COMPLETED`.
        code: The result, `0` for delivered; None until it is completed.
        completed_at: Seconds since the epoch; None until it is completed.
        telco: The carrier; None until it is completed.
    """

    status: str
    code: str | None = None
    completed_at: float | None = None
    telco: str | None = None


READY = Progress("READY")
PROCESSING = Progress("PROCESSING")


class Deliveries:
    """The way of accepted messages to their recipients.

    Attributes:
        results: Number to the code its messages end with, before what magic numbers say.
    """

    def __init__(
        self, options: EmulatorOptions, reservations: Reservations, unsubscribes: Unsubscribes
    ) -> None:
        self.results: dict[str, str] = {}
        self._options = options
        self._reservations = reservations
        self._unsubscribes = unsubscribes

    def visible_at(self, batch: Batch) -> float | None:
        """From when the messages of a batch are listed; None for never."""
        start = self._reservations.departure(batch)
        if start is None:
            return None
        if self._options.reserved_rows == "ready":
            start = batch.at
        return start + between(self._options.visibility_delay, batch.request_id)

    def progress(self, batch: Batch, message: Admission, now: float) -> Progress:
        """How far a message of a batch has come at a moment."""
        left = self._reservations.departure(batch)
        if left is None or now < left + between(self._options.processing_delay, message.message_id):
            return READY
        completed = left + self._duration(message)
        if now < completed:
            return PROCESSING
        return Progress("COMPLETED", self._code(message, left), completed, self._telco(message))

    def completion(self, batch: Batch) -> tuple[float, float]:
        """Between which moments all messages of a batch are completed; infinity for never."""
        left = self._reservations.departure(batch)
        if left is None:
            return math.inf, math.inf
        if self._has_magic(batch):
            return left, math.inf
        low, high = self._options.completion_delay
        return left + low, left + high

    def statuses(self, batch: Batch, now: float) -> set[str]:
        """The states that messages of a batch may be in; a state it leaves out none is in."""
        left = self._reservations.departure(batch)
        if left is None:
            return {"READY"}
        low, high = self._options.processing_delay
        first, last = self.completion(batch)
        possible = {
            "READY": now < left + high,
            "PROCESSING": left + low <= now < last,
            "COMPLETED": first <= now,
        }
        return {status for status, may_be in possible.items() if may_be}

    def may_fail(self, batch: Batch) -> bool:
        """Whether a message of a batch may end with another code than 0."""
        envelope = batch.envelope
        return bool(
            batch.failure is not None
            or envelope.bad_numbers
            or envelope.unencodable
            or not self.results.keys().isdisjoint(envelope.numbers)
            or envelope.content_type == "AD"
            or self._has_magic(batch)
        )

    def _has_magic(self, batch: Batch) -> bool:
        """Whether a number of a batch may be magic."""
        return self._options.magic_numbers and MAGIC in " ".join(batch.envelope.numbers)

    def _duration(self, message: Admission) -> float:
        if self._options.magic_numbers:
            ordered = ordered_delay(message.number)
            if ordered is not None:
                return ordered
        return between(self._options.completion_delay, message.message_id)

    def _code(self, message: Admission, left: float) -> str:
        if message.failure is not None:
            return message.failure
        if message.content_type == "AD" and self._unsubscribes.blocked(message.number, left):
            return self._options.opt_out_code
        ordered = self.results.get(message.number)
        if ordered is None and self._options.magic_numbers:
            ordered = ordered_code(message.number)
        return ordered or DELIVERED

    def _telco(self, message: Admission) -> str:
        carriers = self._options.carriers
        if message.country_code != HOME or not message.number.startswith("01") or not carriers:
            return OTHER_CARRIER
        return carriers[int(luck(message.number) * len(carriers))]


def between(span: tuple[float, float], key: str) -> float:
    """A duration from a range: any key has one of its own, always the same."""
    low, high = span
    return low if low == high else low + (high - low) * luck(key)


def luck(key: str) -> float:
    """A number from 0 to below 1 that a key always has, and that looks like chance."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
