"""What carriers have reported of a batch, as it is kept: one entry for each recipient."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from sens_async.core.schedule import from_epoch
from sens_async.deliveries import DeliveryEnd

__all__ = ["Result", "pack_results", "read_results"]


class Result(NamedTuple):
    """How one delivery ended; all None while that is not known.

    Attributes:
        end: Delivered, failed, or what else.
        code: The result code.
        completed_at: When the report came (KST).
    """

    end: DeliveryEnd | None = None
    code: str | None = None
    completed_at: datetime | None = None


_NONE = Result()


def pack_results(results: Sequence[Result]) -> bytes:
    """Write results; what is not known is null."""
    return orjson.dumps(
        [
            None
            if result.end is None
            else [
                result.end,
                result.code,
                None if result.completed_at is None else result.completed_at.timestamp(),
            ]
            for result in results
        ]
    )


def read_results(packed: bytes | None, size: int) -> Sequence[Result]:
    """Read what `pack_results` wrote; None is nothing known of anybody."""
    if packed is None:
        return [_NONE] * size
    return [
        _NONE
        if one is None
        else Result(DeliveryEnd(one[0]), one[1], None if one[2] is None else from_epoch(one[2]))
        for one in orjson.loads(packed)
    ]
