"""Who was accepted how many times: the record that a client's own counters are judged by.

A request is recorded as one batch, in one step, at the moment it is accepted. The admission of
each recipient is made from it when somebody looks, so that millions of recipients cost no object
each while they are sent.
"""

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import attrs

from sens_async.emulator import charset
from sens_async.emulator.envelope import LIMITS, MAX_RECIPIENTS, SUBJECT_LIMIT, Envelope

__all__ = ["Admission", "AdmissionLog", "Batch"]

BAD_NUMBER = "3003"
UNENCODABLE = "3022"
UNREGISTERED_SENDER = "3023"
FILE_EXPIRED = "S007"

_MESSAGE_ID = re.compile(r"[0-9a-f-]{24}[0-9a-f]{12}", re.ASCII)


class Admission(NamedTuple):
    """One message that the emulator accepted for one recipient.

    Attributes:
        request_id: What the answer said.
        message_id: The id of this one message; the answer does not tell it.
        number: As it was given in `to`.
        type: `SMS`, `LMS` or `MMS` as it goes out: an MMS without files is an LMS.
        content_type: `COMM` or `AD`.
        text: As it is delivered: the recipient's own if it has one, and cut to its limit.
        content: As it was asked for, uncut.
        subject: As it is delivered; None if there is none, and always on an SMS.
        sender: The calling number.
        country_code: Without `+`.
        file_ids: Of the pictures, in their order; empty unless an MMS.
        reserve_at: When a reserved message goes out, `YYYY-MM-DDTHH:MM:SS` with offset, else None.
        at: When it was accepted, seconds since the epoch on the emulator's clock.
        failure: The code with which delivery will fail, or None: 3003 (no telephone number),
            3022 (characters outside EUC-KR), 3023 (sender not registered), S007 (picture expired
            before the reserved time).
    """

    request_id: str
    message_id: str
    number: str
    type: str
    content_type: str
    text: str
    content: str
    subject: str | None
    sender: str
    country_code: str
    file_ids: tuple[str, ...]
    reserve_at: str | None
    at: float
    failure: str | None


@attrs.frozen(kw_only=True)
class Batch:
    """One accepted request.

    Attributes:
        request_id: Also the id of the reservation, if it is one.
        message_seed: 18 hexadecimal digits from which the message ids are made.
        serial: Counts the accepted requests of an emulator's whole life, from 0.
        envelope: What was asked for.
        failure: The code with which every message will fail, or None.
        at: When it was accepted, seconds since the epoch on the emulator's clock.
    """

    request_id: str
    message_seed: str
    serial: int
    envelope: Envelope
    failure: str | None
    at: float

    def __len__(self) -> int:
        return len(self.envelope.numbers)

    @property
    def leaves_at(self) -> float | None:
        """When a reserved request goes out, seconds since the epoch; None if it is none."""
        return self.envelope.leaves_at

    def __iter__(self) -> Iterator[Admission]:
        return map(self.admission, range(len(self)))

    def admission(self, position: int) -> Admission:
        """The admission of the recipient at a position of the request, counted from 0."""
        envelope = self.envelope
        content = envelope.contents[position] if envelope.contents else envelope.content
        subject = envelope.subjects[position] if envelope.subjects else envelope.subject
        return Admission(
            self.request_id,
            self.message_id(position),
            envelope.numbers[position],
            envelope.type,
            envelope.content_type,
            charset.cut(content, LIMITS[envelope.type]),
            content,
            subject and charset.cut(subject, SUBJECT_LIMIT),
            envelope.sender,
            envelope.country_code,
            envelope.file_ids,
            envelope.reserve_at,
            self.at,
            self._failure(position),
        )

    def message_id(self, position: int) -> str:
        """The id of a recipient's message: shaped like a UUID of version 4.

        Serial and position make it unique.
        """
        seed, last = self.message_seed, self.serial * MAX_RECIPIENTS + position
        return f"{seed[:8]}-{seed[8:12]}-4{seed[12:15]}-8{seed[15:18]}-{last:012x}"

    def _failure(self, position: int) -> str | None:
        if self.failure is not None:
            return self.failure
        if position in self.envelope.bad_numbers:
            return BAD_NUMBER
        if position in self.envelope.unencodable:
            return UNENCODABLE
        return None


def _time(batch: Batch) -> float:
    return batch.at


class AdmissionLog(Mapping[str, list[Admission]]):
    """Every admission by number, each number's in the order of acceptance.

    It is live: it shows what was accepted until the moment one looks.

    Attributes:
        batches: The accepted requests, in order.
        total: How many messages were accepted.
    """

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.total = 0
        self._by_number: dict[str, list[Admission]] = {}
        self._indexed = 0
        self._by_request: dict[str, Batch] = {}
        self._by_time: list[Batch] = []
        self._reserved: list[Batch] = []
        self._sorted = 0

    def add(self, batch: Batch) -> None:
        """Record an accepted request, all its recipients at once."""
        self.batches.append(batch)
        self.total += len(batch)

    def clear(self) -> None:
        """Forget everything."""
        self.batches.clear()
        self._by_number.clear()
        self._by_request.clear()
        self._by_time.clear()
        self._reserved.clear()
        self.total = self._indexed = self._sorted = 0

    def request(self, request_id: str) -> Batch | None:
        """The batch of a request id, or None."""
        self._sort()
        return self._by_request.get(request_id)

    def message(self, message_id: str) -> tuple[Batch, int] | None:
        """The batch that a message belongs to and its position in it, or None."""
        if not self.batches or not _MESSAGE_ID.fullmatch(message_id):
            return None
        serial, position = divmod(int(message_id[-12:], 16), MAX_RECIPIENTS)
        place = serial - self.batches[0].serial
        if not 0 <= place < len(self.batches):
            return None
        batch = self.batches[place]
        if position >= len(batch) or batch.message_id(position) != message_id:
            return None
        return batch, position

    def between(self, first: float, last: float) -> list[Batch]:
        """The batches accepted from one moment to another, both included, by time."""
        self._sort()
        start = bisect_left(self._by_time, first, key=_time)
        return self._by_time[start : bisect_right(self._by_time, last, key=_time)]

    def reserved(self) -> list[Batch]:
        """The reserved batches, in order of acceptance."""
        self._sort()
        return list(self._reserved)

    def __getitem__(self, number: str) -> list[Admission]:
        return self._index()[number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self._index())

    def __repr__(self) -> str:
        return f"<AdmissionLog: {self.total} messages in {len(self.batches)} requests>"

    def _sort(self) -> None:
        """Take in what was added since somebody looked last."""
        for i in range(self._sorted, len(self.batches)):
            batch = self.batches[i]
            self._by_request[batch.request_id] = batch
            # Nearly always at the end; not if the clock was set back.
            insort(self._by_time, batch, key=_time)
            if batch.leaves_at is not None:
                self._reserved.append(batch)
        self._sorted = len(self.batches)

    def _index(self) -> dict[str, list[Admission]]:
        for i in range(self._indexed, len(self.batches)):
            for admission in self.batches[i]:
                self._by_number.setdefault(admission.number, []).append(admission)
        self._indexed = len(self.batches)
        return self._by_number
