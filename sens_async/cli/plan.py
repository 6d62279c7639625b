"""What a send would do, found out without sending: `sens send --dry-run`."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

import attrs

from sens_async.cli.table import Row, Table
from sens_async.core.batch import Batch
from sens_async.core.chunking import Chunker
from sens_async.core.content import encode_all
from sens_async.core.message import Message
from sens_async.errors import SensError
from sens_async.models import MessageType, OutcomeState
from sens_async.outcomes import OutcomeBatch

__all__ = ["Plan", "Refusal", "make_plan"]

_CHUNK = 1_000
_EXAMPLES = 5


@attrs.define
class Refusal:
    """Rows that would not be sent for one kind of reason.

    Attributes:
        state: `REJECTED` or `SKIPPED`.
        error: The first row's error.
        count: How many rows.
        lines: The first few rows' lines, from 1.
    """

    state: OutcomeState
    error: SensError
    count: int = 0
    lines: list[int] = attrs.field(factory=list)


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
        refusals: Who would be left out and why, the commonest reason first.
    """

    recipients: int = 0
    types: Counter[MessageType] = attrs.field(factory=Counter)
    requests: Counter[MessageType] = attrs.field(factory=Counter)
    smallest: dict[MessageType, int] = attrs.field(factory=dict)
    largest: dict[MessageType, int] = attrs.field(factory=dict)
    sample: str | None = None
    refusals: list[Refusal] = attrs.field(factory=list)

    @property
    def sendable(self) -> int:
        """Recipients who would be sent to."""
        return self.types.total()

    @property
    def has_rejected(self) -> bool:
        """Whether a row would be refused, rather than left out on purpose."""
        return any(refusal.state is OutcomeState.REJECTED for refusal in self.refusals)


def make_plan(table: Table, message: Message, *, skip_duplicates: bool) -> Plan:
    """Run a list through the library's own preparation.

    Args:
        table: The list.
        message: What it is to be sent.
        skip_duplicates: As in `send_many(duplicates="skip")`.
    """
    planner = _Planner(message)
    chunking = Chunker(message.rules).open(message, skip_duplicates=skip_duplicates)
    rows = table.rows()
    while chunk := list(islice(rows, _CHUNK)):
        fed = chunking.feed([row.recipient for row in chunk], 0.0)
        for settled in fed.settled:
            planner.refuse(settled, chunk)
        planner.send(fed.batches)
        planner.plan.recipients += len(chunk)
    planner.send(chunking.flush())
    return planner.finished()


class _Planner:
    def __init__(self, message: Message) -> None:
        self.plan = Plan()
        self._charset = message.rules.charset
        self._refusals: dict[tuple[OutcomeState, type[SensError]], Refusal] = {}

    def send(self, batches: Sequence[Batch]) -> None:
        plan = self.plan
        for batch in batches:
            kind = batch.envelope.type
            texts = [batch.default_text or ""] if batch.texts is None else batch.texts
            sizes = encode_all(texts, charset=self._charset) or [0]
            plan.types[kind] += len(batch)
            plan.requests[kind] += 1
            plan.smallest[kind] = min(plan.smallest.get(kind, sizes[0]), *sizes)
            plan.largest[kind] = max(plan.largest.get(kind, sizes[0]), *sizes)
            if plan.sample is None:
                plan.sample = texts[0]

    def refuse(self, settled: OutcomeBatch, chunk: Sequence[Row]) -> None:
        if settled.error is None:
            return
        key = settled.state, type(settled.error)
        refusal = self._refusals.setdefault(key, Refusal(settled.state, settled.error))
        refusal.count += len(settled)
        first = self.plan.recipients
        room = _EXAMPLES - len(refusal.lines)
        refusal.lines += [chunk[index - first].line for index in settled.indexes[:room]]

    def finished(self) -> Plan:
        self.plan.refusals = sorted(self._refusals.values(), key=lambda r: (-r.count, r.lines))
        return self.plan
