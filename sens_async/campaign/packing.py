"""Batches as they are kept: some bytes for a hundred people.

A database notices damage to its own structure, not to what it is given to keep. Each payload ends
with a checksum, so that one wrong bit of a disk does not send a message to a stranger.
"""

import hashlib
import hmac
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypedDict
from unicodedata import is_normalized

import orjson

from sens_async.campaign.errors import LedgerError, error_text
from sens_async.core.batch import Batch
from sens_async.core.matching import plain
from sens_async.models import OutcomeState, Recipient
from sens_async.outcomes import OutcomeBatch

__all__ = [
    "LeftOut",
    "People",
    "batch_digest",
    "key_digest",
    "keys_of",
    "pack",
    "unpack",
    "without_people",
]


_SEAL_BYTES = 4


class _Packed(TypedDict, total=False):
    """The JSON of a payload; what everybody has alike is left out.

    Attributes:
        i: Places in the input: of the first, if the others follow on it, or of each.
        n: Numbers, joined by commas.
        t: Texts.
        s: Subjects.
        k: Keys.
        to: What was given, of those who were refused or left out.
        e: Why, of the same.
    """

    i: int | list[int]
    n: str
    t: list[str]
    s: list[str]
    k: list[str | None]
    to: list[str]
    e: list[str]


class People(NamedTuple):
    """What a payload holds, one of each column for each recipient.

    Attributes:
        indexes: Places in the input.
        numbers: Digits; "" where none could be read.
        texts: Texts, or None if all get the campaign's own.
        titles: Subjects, or None if all get the campaign's own.
        keys: The caller's ids.
        given: What was given as a number, where no digits could be read; else None.
        errors: Why they were refused or left out; None for those who are sent to.
    """

    indexes: Sequence[int]
    numbers: Sequence[str]
    texts: Sequence[str] | None
    titles: Sequence[str] | None
    keys: Sequence[str | None]
    given: Sequence[str] | None
    errors: Sequence[str] | None


def pack(batch: Batch, keys: Sequence[str | None]) -> bytes:
    """Write a batch's recipients and their keys."""
    packed = _Packed(i=_places(batch.indexes), n=",".join(batch.numbers))
    if batch.entries is not None or batch.texts is not None:
        packed["t"] = list(batch.final_texts)
    if batch.titles is not None:
        packed["s"] = list(batch.titles)
    if any(key is not None for key in keys):
        packed["k"] = list(keys)
    return _sealed(orjson.dumps(packed))


class LeftOut:
    """Recipients who are not sent to, gathered until they fill a row.

    Args:
        state: `REJECTED` or `SKIPPED`.
    """

    FULL = 100

    def __init__(self, state: OutcomeState) -> None:
        self.state = state
        self._people: list[tuple[int, str, str, str | None, str]] = []

    def __len__(self) -> int:
        return len(self._people)

    @property
    def first_index(self) -> int:
        """The place of the first in the input."""
        return min(person[0] for person in self._people)

    def add(self, outcomes: OutcomeBatch) -> None:
        """Take some in."""
        error = outcomes.error
        why = _whole(error_text(error) or "")
        keys = keys_of(outcomes.recipients)
        for index, item, number, key in zip(
            outcomes.indexes, outcomes.recipients, outcomes.numbers, keys, strict=True
        ):
            to = item.to if isinstance(item, Recipient) else item
            self._people.append((index, _whole(str(to)), number or "", key, why))

    def pop(self) -> bytes:
        """Write them, and begin anew."""
        people, self._people = sorted(self._people), []
        indexes, given, numbers, keys, errors = map(list, zip(*people, strict=True))
        packed = _Packed(i=indexes, n=",".join(numbers), to=given, e=errors)
        if any(key is not None for key in keys):
            packed["k"] = keys
        return _sealed(orjson.dumps(packed))


def unpack(payload: bytes, size: int) -> People:
    """Read what `pack` or `LeftOut.pop` wrote.

    Raises:
        LedgerError: It is not what was written.
    """
    packed = _opened(payload)
    places = packed["i"]
    return People(
        range(places, places + size) if isinstance(places, int) else places,
        packed["n"].split(",") if "n" in packed else [""] * size,
        packed.get("t"),
        packed.get("s"),
        packed.get("k") or [None] * size,
        packed.get("to"),
        packed.get("e"),
    )


def without_people(payload: bytes) -> bytes:
    """Give a payload without numbers, texts and keys: places and reasons are left."""
    packed = _opened(payload)
    left = _Packed(i=packed["i"])
    if "e" in packed:
        left["e"] = packed["e"]
    return _sealed(orjson.dumps(left))


def keys_of(recipients: Iterable[object]) -> list[str | None]:
    """Give the caller's ids of recipients."""
    return [
        _whole(str(one.key)) if isinstance(one, Recipient) and one.key is not None else None
        for one in recipients
    ]


def key_digest(secret: bytes, key: str) -> str:
    """Hash a caller's id, which may be personal, so that it is found again and not read."""
    told = hmac.digest(secret, key.encode(), "sha256")
    return urlsafe_b64encode(told[:15]).decode("ascii")


def batch_digest(batch: Batch, service_id: str) -> bytes:
    """Give what is equal for requests that may be taken for each other in the service's list.

    It must not be finer than `sens_async.core.matching`, which takes texts for equal whose
    spelling alone differs, and looks past a subject that is not listed.
    """
    envelope, numbers, texts = batch.envelope, batch.numbers, _plain_all(batch.final_texts)
    if len(set(texts)) == 1:  # whether the call gives it or each recipient does
        who: list[object] = [sorted(numbers), texts[0]]
    else:
        who = [*sorted(zip(numbers, texts, strict=True))]
    what = [service_id, envelope.sender, envelope.country_code, envelope.content_type, who]
    return hashlib.sha256(orjson.dumps(what)).digest()[:16]


def _plain_all(texts: Sequence[str]) -> list[str]:
    """Give texts as `plain` gives each; most hold nothing that may be spelt in several ways."""
    joined = "".join(texts)
    is_plain = "&" not in joined and "\r" not in joined and is_normalized("NFC", joined)
    return list(map(str.strip if is_plain else plain, texts))


def _sealed(document: bytes) -> bytes:
    return document + zlib.crc32(document).to_bytes(_SEAL_BYTES)


def _opened(payload: bytes) -> _Packed:
    document, seal = payload[:-_SEAL_BYTES], payload[-_SEAL_BYTES:]
    if zlib.crc32(document).to_bytes(_SEAL_BYTES) != seal:
        raise LedgerError("the ledger is damaged: recipients are not what was written")
    packed: _Packed = orjson.loads(document)
    return packed


def _places(indexes: Sequence[int]) -> int | list[int]:
    first = indexes[0]
    is_run = isinstance(indexes, range) or indexes[-1] - first + 1 == len(indexes)
    return first if is_run and list(indexes) == sorted(indexes) else list(indexes)


def _whole(text: str) -> str:
    """Give a text that can be written; half a character is marked."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
