"""All the requests whose messages are awaited: whom to follow, and whom to ask about when."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from sens_async.core.followed import Followed
from sens_async.core.requests import checked_id
from sens_async.deliveries import DeliveryEnd, PendingDelivery
from sens_async.errors import InvalidQuery
from sens_async.models import OutcomeState, Receipt
from sens_async.outcomes import OutcomeBatch
from sens_async.report import BulkReport

__all__ = ["Following", "following"]


class Following:
    """All the requests whose messages are awaited.

    Attributes:
        ended: How many messages have ended in which way.
    """

    def __init__(self) -> None:
        self.ended: Counter[DeliveryEnd] = Counter()
        self._requests: list[Followed] = []
        self._followed: list[Followed] = []

    def add(
        self,
        request_id: str,
        numbers: Iterable[str] | None = None,
        *,
        batch: OutcomeBatch | None = None,
        reserve_at: datetime | None = None,
        may_be_reserved: bool = True,
    ) -> Followed:
        """Follow one more request; see `Followed`."""
        request = Followed(
            request_id,
            numbers,
            batch=batch,
            ended=self.ended,
            reserve_at=reserve_at,
            may_be_reserved=may_be_reserved,
        )
        self._requests.append(request)
        return request

    def begin(self, now: float, time: float) -> None:
        """Note that they are followed from now on.

        Args:
            now: When.
            time: The same in seconds since the epoch.
        """
        for request in self._requests:
            at = request.reserve_at
            request.begin(now, due_in=None if at is None else at.timestamp() - time)

    def next_round(self, now: float) -> float | None:
        """Say when to ask again: in the past where it is overdue, None if never."""
        self._requests = [request for request in self._requests if request.left]
        self._followed = [request for request in self._requests if not request.is_over(now)]
        return min((request.pace.due for request in self._followed), default=None)

    def round(self, now: float) -> list[Followed]:
        """Give those to ask about now: each once, those that are nearly due with the others."""
        return [request for request in self._followed if request.pace.early <= now]

    def pending(self) -> Iterator[PendingDelivery]:
        """Give those whose end is not known, in the order of the requests."""
        for request in self._requests:
            yield from request.pending()


def following(of: object) -> Following:
    """Find whom to follow.

    Args:
        of: A request id, a `Receipt`, or a `BulkReport`, whose accepted outcomes are followed.

    Raises:
        InvalidQuery: It is nothing that can be followed.
    """
    found = Following()
    if isinstance(of, Receipt):
        at = of.reserve_at
        found.add(of.request_id, [of.number], reserve_at=at, may_be_reserved=at is not None)
    elif isinstance(of, BulkReport):
        for batch in of.batches(OutcomeState.ACCEPTED):
            if batch.request_id is not None:
                numbers = [number or "" for number in batch.numbers]
                found.add(batch.request_id, numbers, batch=batch)
    elif isinstance(of, str):
        found.add(checked_id(of, "request_id"))
    else:
        raise InvalidQuery(
            f"give a request id, a Receipt or a BulkReport to track, got {type(of).__name__}"
        )
    return found
