"""Whether a list is the one that a campaign was planned with, and where it differs if not."""

import hashlib
from collections.abc import Sequence

import orjson

from sens_async.models import Recipient

__all__ = ["STRETCH", "Fingerprint"]

STRETCH = 1_000
"""Recipients that share a mark."""

_MARK_BYTES = 8

_ALIKE = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS


class Fingerprint:
    """Marks of a list, one for each stretch of it, made while it is read.

    Attributes:
        taken: Recipients so far.
    """

    def __init__(self) -> None:
        self.taken = 0
        self._marks = bytearray()

    def add(self, stretch: Sequence[object]) -> None:
        """Take in the next stretch; only the last may be shorter."""
        self.taken += len(stretch)
        self._marks += hashlib.sha256(_canonical(stretch)).digest()[:_MARK_BYTES]

    def __bytes__(self) -> bytes:
        return bytes(self._marks)

    def difference(self, planned: bytes, recipients: int) -> str | None:
        """Say where the list differs from one that was planned; None if it does not.

        Args:
            planned: The other's marks.
            recipients: How many it had.
        """
        marks = bytes(self._marks)
        if marks == planned and self.taken == recipients:
            return None
        places = range(0, max(len(marks), len(planned)), _MARK_BYTES)
        first = next(
            (
                at // _MARK_BYTES * STRETCH
                for at in places
                if marks[at : at + _MARK_BYTES] != planned[at : at + _MARK_BYTES]
            ),
            0,
        )
        last = min(first + STRETCH, max(self.taken, recipients))
        where = f"somewhere from recipient {first + 1:,} to {last:,}"
        if self.taken == recipients:
            return f"the list differs, first {where}"
        return (
            f"the list has {self.taken:,} recipients instead of {recipients:,} "
            f"and differs first {where}"
        )


def _canonical(items: Sequence[object]) -> bytes:
    """Write items so that equal ones are written alike."""
    told = [
        [one.to, one.content, one.subject, one.fields, one.key]
        if isinstance(one, Recipient)
        else one
        for one in items
    ]
    try:
        return orjson.dumps(
            told, default=repr, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
        )
    except (TypeError, ValueError):
        return repr(told).encode(errors="surrogatepass")
