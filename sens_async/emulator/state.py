"""What the service remembers and decides: no HTTP, no event loop, time only as an argument."""

import random
import string
from collections import Counter, deque
from collections.abc import Callable

import attrs

from sens_async.emulator.admissions import (
    FILE_EXPIRED,
    UNREGISTERED_SENDER,
    AdmissionLog,
    Batch,
)
from sens_async.emulator.answers import Refused, korean_time
from sens_async.emulator.deliveries import Deliveries
from sens_async.emulator.envelope import Envelope, read
from sens_async.emulator.files import FileStore, StoredFile
from sens_async.emulator.options import EmulatorOptions
from sens_async.emulator.reservations import Reservations
from sens_async.emulator.unsubscribes import Unsubscribes

__all__ = ["State", "receipt", "upload_receipt"]

SECOND = 1.0
ALPHANUMERIC = string.ascii_letters + string.digits


class State:
    """One service: what was accepted, its pictures, its rate and its quota.

    Attributes:
        admissions: Every accepted message.
        files: Every uploaded picture.
        unsubscribes: The opt-out list.
        reservations: The reserved sends.
        deliveries: What becomes of accepted messages.
        refuse_numbers: A request that holds one of these numbers is refused as a whole.
        on_accept: Called whenever messages were accepted.
    """

    def __init__(self, *, sender: str, options: EmulatorOptions, seed: int = 0) -> None:
        self.options = options
        self.admissions = AdmissionLog()
        self.files = FileStore(
            self._file_id, options.file_lifetime, fresh_ids=options.reupload == "new"
        )
        self.unsubscribes = Unsubscribes()
        self.reservations = Reservations(self.admissions, options)
        self.deliveries = Deliveries(options, self.reservations, self.unsubscribes)
        self.refuse_numbers: set[str] = set()
        self.on_accept: set[Callable[[], None]] = set()
        self._senders = options.senders if options.senders is not None else frozenset({sender})
        self._ids = random.Random(f"ids {seed}")  # noqa: S311 - ids, not secrets
        self._serial = 0
        self._recent: deque[float] = deque()
        self._used: Counter[str] = Counter()

    def reset(self) -> None:
        """Forget everything; ids go on, so that none ever comes twice."""
        self.admissions.clear()
        self.files.clear()
        self.unsubscribes.clear()
        self.reservations.clear()
        self.deliveries.results.clear()
        self._used.clear()
        self.refuse_numbers.clear()
        self._recent.clear()

    def enter(self, now: float) -> None:
        """Let one request through the rate limit.

        Args:
            now: Seconds on a monotonic clock.

        Raises:
            Refused: With 429 and code 420 or 410: as many as are allowed came in the last second.
        """
        if self.options.rate is None:
            return
        while self._recent and self._recent[0] <= now - SECOND:
            self._recent.popleft()
        if len(self._recent) >= self.options.rate:
            raise Refused("", status=429, code=self.options.rate_code)
        self._recent.append(now)

    def send(self, payload: object, now: float) -> Batch:
        """Accept a send and record it.

        Args:
            payload: The request's parsed JSON.
            now: Seconds since the epoch.

        Raises:
            Refused: Nothing of it was accepted.
        """
        envelope = read(payload, self.options, now)
        known_sender = envelope.sender in self._senders
        if not known_sender and self.options.unregistered_sender == "refuse":
            raise Refused("from is not a registered calling number")
        pictures = [self.files.find(file_id, now) for file_id in envelope.file_ids]
        if self.refuse_numbers and not self.refuse_numbers.isdisjoint(envelope.numbers):
            raise Refused("a number in messages is refused")
        self._charge(len(envelope.numbers), now)
        failure = None
        if not known_sender:
            failure = UNREGISTERED_SENDER
        elif envelope.leaves_at is not None and _expire_before(pictures, envelope.leaves_at):
            failure = FILE_EXPIRED
        if not self.options.keep_texts:
            envelope = attrs.evolve(
                envelope, content="", contents=None, subject=None, subjects=None
            )
        batch = Batch(
            request_id=self.request_id(envelope.type, now),
            message_seed=f"{self._ids.getrandbits(72):018x}",
            serial=self._serial,
            envelope=envelope,
            failure=failure,
            at=now,
        )
        self._serial += 1
        self.admissions.add(batch)
        for tell in tuple(self.on_accept):
            tell()
        return batch

    def _charge(self, recipients: int, now: float) -> None:
        """Count recipients against the quotas, all or none.

        Raises:
            Refused: With 429 and code 400: a quota would be passed.
        """
        options = self.options
        quotas = {}
        if options.quota is not None:
            quotas["all"] = options.quota
        if options.quota_per_month is not None:
            quotas[korean_time(now)[:7]] = options.quota_per_month
        if options.quota_per_day is not None:
            quotas[korean_time(now)[:10]] = options.quota_per_day
        if any(self._used[period] + recipients > quota for period, quota in quotas.items()):
            raise Refused("", status=429, code="400")
        self._used.update(dict.fromkeys(quotas, recipients))

    def request_id(self, kind: str, now: float) -> str:
        """A fresh request id, of the shape that the documentation's masked samples have."""
        tail = "".join(self._ids.choices(ALPHANUMERIC, k=8))
        millis = int(now * 1000)
        return f"RS{kind[0]}A-{millis:013d}-0001-{self._serial % 10**8:08d}-{tail}"

    def _file_id(self) -> str:
        return f"{self._ids.getrandbits(128):032x}"


def _expire_before(pictures: list[StoredFile], moment: float) -> bool:
    return any(picture.expires <= moment for picture in pictures)


def receipt(request_id: str, envelope: Envelope | None, now: float) -> dict[str, str]:
    """The answer to an accepted send. It names no message and no recipient."""
    reserved = envelope is not None and envelope.reserve_at is not None
    return {
        "requestId": request_id,
        "requestTime": korean_time(now),
        "statusCode": "202",
        "statusName": "reserved" if reserved else "success",
    }


def upload_receipt(stored: StoredFile) -> dict[str, str]:
    """The answer to an upload, new or recognised."""
    return {
        "fileId": stored.file_id,
        "createTime": korean_time(stored.created),
        "expireTime": korean_time(stored.expires),
    }
