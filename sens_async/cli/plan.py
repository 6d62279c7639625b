"""What a send would do, found out without sending: `sens send --dry-run`, and before it asks."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from time import time
from typing import cast

import attrs

from sens_async.cli.hints import explained
from sens_async.cli.order import Order, check_columns
from sens_async.cli.reasons import Reason, Reasons
from sens_async.cli.table import Row, Table
from sens_async.core.batch import Batch
from sens_async.core.chunking import Chunker
from sens_async.core.content import cp949_only, encode_all
from sens_async.core.message import Message, Rules
from sens_async.models import MessageType, OutcomeState, Recipient
from sens_async.outcomes import OutcomeBatch

__all__ = ["Plan", "make_plan", "plan_order"]

_CHUNK = 1_000

_ANY_SENDER = "0200000000"
"""Checked in the place of one that is not given yet."""


@attrs.define
class Plan:
    """What would be sent, and what not.

    Attributes:
        recipients: Rows of the list.
        types: Recipients who would be sent to, by message type.
        requests: Requests, by message type.
        smallest: Bytes of the shortest text, by message type.
        largest: Bytes of the longest, by message type.
        sample: The first text as it would go out.
        empty: Recipients who would be sent to with nothing in a field of the text, by its name.
        cp949_only: A character of some text that CP949 has and KS X 1001 lacks, or None.
        refusals: Who would be left out and why, the commonest reason first.
    """

    recipients: int = 0
    types: Counter[MessageType] = attrs.field(factory=Counter)
    requests: Counter[MessageType] = attrs.field(factory=Counter)
    smallest: dict[MessageType, int] = attrs.field(factory=dict)
    largest: dict[MessageType, int] = attrs.field(factory=dict)
    sample: str | None = None
    empty: Counter[str] = attrs.field(factory=Counter)
    cp949_only: str | None = None
    refusals: list[Reason] = attrs.field(factory=list)

    @property
    def sendable(self) -> int:
        """Recipients who would be sent to."""
        return self.types.total()

    @property
    def has_rejected(self) -> bool:
        """Whether a row would be refused, rather than left out on purpose."""
        return any(refusal.state is OutcomeState.REJECTED for refusal in self.refusals)


def plan_order(listing: Table, order: Order, rules: Rules) -> Plan:
    """Find out what an order would send to a list.

    Raises:
        InvalidTable: The text names what the list does not have.
        InvalidMessage: The order cannot be sent to anybody.
    """
    check_columns(order, listing)
    message = order.message(rules, sender=order.sender or _ANY_SENDER)
    if message.reservation is not None:
        message.reservation.check_lead(time())
    return make_plan(
        listing, message, fields=order.fields, skip_duplicates=order.duplicates == "skip"
    )


def make_plan(
    table: Table, message: Message, *, fields: Sequence[str], skip_duplicates: bool
) -> Plan:
    """Run a list through the library's own preparation.

    Args:
        table: The list.
        message: What it is to be sent.
        fields: The columns that the message names.
        skip_duplicates: As in `send_many(duplicates="skip")`.
    """
    planner = _Planner(message, fields)
    chunking = Chunker(message.rules).open(message, skip_duplicates=skip_duplicates)
    rows = table.rows()
    while chunk := list(islice(rows, _CHUNK)):
        fed = chunking.feed([row.recipient for row in chunk], 0.0)
        for settled in fed.settled:
            planner.refuse(explained(settled), chunk)
        planner.send(fed.batches)
        planner.plan.recipients += len(chunk)
    planner.send(chunking.flush())
    return planner.finished()


class _Planner:
    def __init__(self, message: Message, fields: Sequence[str]) -> None:
        self.plan = Plan()
        self._charset = message.rules.charset
        self._fields = fields
        self._reasons = Reasons()
        self._first = -1

    def send(self, batches: Sequence[Batch]) -> None:
        plan = self.plan
        for batch in batches:
            kind = batch.envelope.type
            texts = batch.final_texts
            sizes = encode_all(texts, charset=self._charset) or [0]
            plan.types[kind] += len(batch)
            plan.requests[kind] += 1
            plan.smallest[kind] = min(plan.smallest.get(kind, sizes[0]), *sizes)
            plan.largest[kind] = max(plan.largest.get(kind, sizes[0]), *sizes)
            if plan.sample is None or batch.indexes[0] < self._first:
                plan.sample, self._first = texts[0], batch.indexes[0]
            if plan.cp949_only is None:
                plan.cp949_only = _cp949_only([*texts, *batch.final_titles])
            self._count_empty(batch)

    def refuse(self, settled: OutcomeBatch, chunk: Sequence[Row]) -> None:
        if settled.error is None:
            return
        first = self.plan.recipients
        places = [chunk[index - first].place for index in settled.indexes]
        self._reasons.add(settled.state, settled.error, settled.indexes, places)

    def finished(self) -> Plan:
        self.plan.refusals = self._reasons.sorted()
        return self.plan

    def _count_empty(self, batch: Batch) -> None:
        for name in self._fields:
            values = [cast("Recipient", one).fields[name] for one in batch.recipients]
            if blank := sum(not str(value).strip() for value in values):
                self.plan.empty[name] += blank


def _cp949_only(texts: Sequence[str]) -> str | None:
    if not cp949_only(texts):
        return None
    return next((c for text in texts for c in text if cp949_only([c])), None)
