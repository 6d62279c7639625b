"""One row for each recipient, in input order, however the batches lie."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from heapq import heappop, heappush
from typing import Any

import attrs
from sqlalchemy import Select, select

from sens_async.campaign.errors import LedgerError
from sens_async.campaign.ids import first_index, ids_of
from sens_async.campaign.packing import People, unpack
from sens_async.campaign.results import read_results
from sens_async.campaign.schema import AnyRow, batches, people
from sens_async.campaign.states import BatchState, outcome_of
from sens_async.campaign.storage import Storage
from sens_async.core.phone import mask
from sens_async.core.schedule import from_epoch
from sens_async.deliveries import DeliveryEnd
from sens_async.models import MessageType, OutcomeState

__all__ = ["CampaignOutcome", "report"]

_ROWS_AT_ONCE = 200


@attrs.frozen(kw_only=True, repr=False)
class CampaignOutcome:
    """What is known of one recipient of a campaign.

    Attributes:
        index: The recipient's place in the input, counted from 0.
        key: The caller's own id, or None.
        to: What was given, where no number could be read; else the number. None once purged.
        number: Digits, or None where none could be read, or once purged.
        state: What is known.
        type: What it was, or would be, sent as; None if it never came to that.
        request_id: The accepted request's id, or None.
        error: Why it was not accepted, class and text; or None. Of somebody who is still to be
            sent to, why the last attempt failed.
        attempts: How many requests were about to carry it.
        attempted_at: Signature time of the last of them (KST), or None.
        is_unproven: Whether SENS did not list it after settling.
        possible_duplicate: Whether the message may have been sent more than once.
        end: How delivery ended, as far as it was tracked; else None.
        code: The result code of the delivery, or None.
        completed_at: When the carrier reported (KST), or None.
    """

    index: int
    key: str | None
    to: str | None
    number: str | None
    state: OutcomeState
    type: MessageType | None = None
    request_id: str | None = None
    error: str | None = None
    attempts: int = 0
    attempted_at: datetime | None = None
    is_unproven: bool = False
    possible_duplicate: bool = False
    end: DeliveryEnd | None = None
    code: str | None = None
    completed_at: datetime | None = None

    def __repr__(self) -> str:
        number = "?" if self.number is None else mask(self.number)
        tail = self.request_id or self.error
        return f"<CampaignOutcome {self.index} {number} {self.state}{f' {tail}' if tail else ''}>"


async def report(
    storage: Storage, campaign_id: int, total: int, states: Collection[OutcomeState]
) -> AsyncIterator[CampaignOutcome]:
    """Give everybody's outcome, in input order, as it was at one moment.

    Batches lie in the order of their first recipients; what those of different kinds hold of one
    stretch of the input is merged, so memory is bounded by how far apart they lie.

    Args:
        storage: The ledger's.
        campaign_id: Whose.
        total: How many recipients there are.
        states: Of which outcomes; others are not read.

    Raises:
        LedgerError: The ledger cannot be read, or does not hold everybody exactly once.
    """
    held: list[tuple[int, CampaignOutcome]] = []
    is_whole = set(states) >= set(OutcomeState)
    given = 0
    async with storage.reading() as connection:  # one statement sees one moment
        rows = await connection.stream(_wanted(campaign_id, states))
        is_over = False
        while not is_over:
            row = await rows.fetchone()
            is_over = row is None
            bound = total if row is None else first_index(row.id)
            while held and held[0][0] < bound:
                index, outcome = heappop(held)
                if is_whole and index != given:
                    break
                given += 1
                yield outcome
            for outcome in () if row is None else _outcomes(row, states):
                heappush(held, (outcome.index, outcome))
    if is_whole and (given != total or held):
        raise LedgerError(f"the ledger is damaged: recipient {given:,} of {total:,} is not in it")


def _wanted(campaign_id: int, states: Collection[OutcomeState]) -> Select[Any]:
    """Give the batches that may hold some outcomes, in order."""
    return (
        select(batches, people.c.payload)
        .join(people, people.c.batch_id == batches.c.id)
        .where(batches.c.id.between(*ids_of(campaign_id)), batches.c.state.in_(_may_be(states)))
        .order_by(batches.c.id)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )


def _may_be(outcomes: Collection[OutcomeState]) -> Sequence[BatchState]:
    """Give the states of batches whose recipients may have some outcomes."""
    return [
        state
        for state in BatchState
        if not {outcome_of(state, is_doubtful=flag) for flag in (False, True)}.isdisjoint(outcomes)
    ]


def _outcomes(row: AnyRow, wanted: Collection[OutcomeState]) -> list[CampaignOutcome]:
    state = BatchState(row.state)
    outcome = outcome_of(state, is_doubtful=bool(row.is_doubtful))
    if outcome not in wanted:
        return []
    people = unpack(row.payload, row.size)
    results = read_results(row.results, row.size)
    at = None if row.intent_ms is None else from_epoch(row.intent_ms / 1000)
    return [
        CampaignOutcome(
            index=index,
            key=people.keys[place],
            to=_to(people, place),
            number=people.numbers[place] or None,
            state=outcome,
            type=None if row.type is None else MessageType(row.type),
            request_id=row.request_id,
            error=row.error if people.errors is None else people.errors[place],
            attempts=row.attempts,
            attempted_at=at,
            is_unproven=state is BatchState.UNPROVEN,
            possible_duplicate=bool(row.is_doubtful),
            end=result.end,
            code=result.code,
            completed_at=result.completed_at,
        )
        for place, (index, result) in enumerate(zip(people.indexes, results, strict=True))
    ]


def _to(people: People, place: int) -> str | None:
    given = people.numbers[place] if people.given is None else people.given[place]
    return given or None
