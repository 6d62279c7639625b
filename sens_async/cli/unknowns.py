"""`--resolve`: those who may have been sent to wait for their result until SENS was asked."""

from collections.abc import Iterator

from sens_async.cli.console import count
from sens_async.models import OutcomeState
from sens_async.outcomes import OutcomeBatch
from sens_async.report import BulkReport
from sens_async.resolution import Resolution
from sens_async.session import SensSession

__all__ = ["Unknowns"]


class Unknowns:
    """Unknown batches that are held back, and what a search for them has to know of the others."""

    def __init__(self) -> None:
        self._held = BulkReport()
        self._resolution: Resolution | None = None

    @property
    def count(self) -> int:
        """How many recipients are held back."""
        return self._held.counts[OutcomeState.UNKNOWN]

    def take(self, batch: OutcomeBatch) -> bool:
        """Hold a batch back if it is unknown; True if it is."""
        if batch.state is OutcomeState.UNKNOWN:
            self._held.add(batch)
            return True
        if batch.state is OutcomeState.ACCEPTED:  # one recipient stands for the request
            self._held.add(
                OutcomeBatch(
                    batch.state,
                    [batch.indexes[0]],
                    [None],
                    [batch.numbers[0]],
                    request_id=batch.request_id,
                    attempted_at=batch.attempted_at,
                )
            )
        return False

    async def settle(self, session: SensSession) -> None:
        """Ask SENS until everybody is settled, or cannot be."""
        self._resolution = await session.resolve(self._held)

    @property
    def remarks(self) -> list[str]:
        """What asking has shown besides who is settled: why others are not, and what is doubled."""
        found = self._resolution
        if found is None:
            return []
        return [
            *(f"{count(many)} still unknown: {reason}" for reason, many in found.reasons.items()),
            *(
                f"perhaps sent more than once 중복 발송 의심: {', '.join(ids)}"
                for ids in found.suspected_duplicates
            ),
        ]

    def release(self) -> Iterator[OutcomeBatch]:
        """Give what is known now of those held back, once."""
        report, self._held = self._held, BulkReport()
        settled = None if self._resolution is None else self._resolution.report
        known = report if settled is None else settled
        for old, new in zip(report.batches, known.batches, strict=True):
            if old.state is OutcomeState.UNKNOWN:
                yield new
