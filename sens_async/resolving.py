"""Settle unknown outcomes by asking SENS what it has accepted.

Presence is believed at once. Absence is believed only of a list that was asked for when nothing
could be missing from it any more: after the signature has become invalid and everything accepted
with it has become visible, on the gateway's clock. Whatever could not be read, leaves unknown.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import attrs

from sens_async.core.evidence import Evidence
from sens_async.core.matching import Verdict
from sens_async.core.schedule import from_epoch
from sens_async.dispatch import Dispatcher
from sens_async.errors import NotFoundAfterSettling, SensError
from sens_async.flow.sleepers import Sleepers
from sens_async.models import OutcomeState
from sens_async.outcomes import Outcome, OutcomeBatch
from sens_async.readback import Readback
from sens_async.report import BulkReport
from sens_async.resolution import Resolution, Unsettled
from sens_async.searching import RETENTION, Search, Sought

__all__ = ["Resolver", "check_settle"]

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two rounds of questions; each pause is twice the last."""

_A_MOMENT = 0.1
"""Seconds waited beyond a moment, so that it has come."""

_NO_EVIDENCE = "the outcome does not hold what a search needs; it was not made by a send"


class _Given(NamedTuple):
    """What was given to be settled.

    Attributes:
        outcomes: The unknown ones, in order.
        accepted: Batches that SENS is known to have accepted.
        report: The report, if it was one.
    """

    outcomes: Sequence[Outcome]
    accepted: Sequence[OutcomeBatch]
    report: BulkReport | None


class Resolver:
    """Settles unknown outcomes; one for each session.

    Args:
        readback: Asks.
        dispatcher: The session's.
        sleepers: Woken when the session closes.
    """

    def __init__(self, readback: Readback, dispatcher: Dispatcher, *, sleepers: Sleepers) -> None:
        self._readback = readback
        self._sleepers = sleepers
        self._gateway = dispatcher.gateway
        self._owners = dispatcher.owners

    async def resolve(self, given: Unsettled, *, settle: float, wait: bool) -> Resolution:
        """Ask until everything is settled, or once; see `SensSession.resolve`."""
        check_settle(settle)
        what = _read(given)
        sought: dict[str, Evidence] = {}
        for outcome in what.outcomes:
            evidence = outcome.evidence
            if evidence is not None and (evidence.token not in sought or not evidence.is_final):
                sought[evidence.token] = evidence
        known = {str(batch.request_id) for batch in what.accepted}
        known |= self._owners.foreign(sought)
        is_reserved = any(one.reserve_at is not None for one in sought.values())
        search = Search(
            self._readback,
            self._gateway,
            list(sought.values()),
            settle=settle,
            known=known,
            controls=[] if what.report is None or is_reserved else what.accepted,
        )
        await self._carry_out(search, wait=wait)
        while search.exclude(self._owners.foreign(sought)):  # another search ended meanwhile
            await self._carry_out(search, wait=wait)
        for one in search.sought:
            if one.finding.request_id is not None:
                self._owners.note(one.finding.request_id, one.evidence.token)
        return _resolution(what, search, settle)

    async def _carry_out(self, search: Search, *, wait: bool) -> None:
        pause = _FIRST_PAUSE
        while search.open:
            await search.look()
            if not wait or not search.open:
                break
            due = search.seconds_until_due()
            await self._sleepers.sleep(min(pause, due + _A_MOMENT) if due else pause)
            pause = min(2 * pause, max(_LONGEST_PAUSE, due / 10))
        # What was found may be a request whose own answer is still on its way.
        await self._owners.land(search.found_numbers())


def check_settle(settle: float) -> None:
    """Refuse what is no time to settle.

    Raises:
        ValueError: It is below 0, or longer than SENS lists messages.
    """
    if type(settle) not in {int, float} or not 0 <= settle <= RETENTION:
        raise ValueError(
            f"settle must be 0 or more seconds, at most {RETENTION:.0f} since SENS lists 90 days, "
            f"got {settle!r}"
        )


# -- what was given


def _read(given: object) -> _Given:
    if isinstance(given, BulkReport):
        accepted = [one for one in given.batches if one.state is OutcomeState.ACCEPTED]
        return _Given(list(given.unknown), accepted, given)
    outcomes = list(_outcomes(given))
    return _Given(
        [one for one in outcomes if one.state is OutcomeState.UNKNOWN],
        [
            OutcomeBatch(one.state, [one.index], [None], [one.number], request_id=one.request_id)
            for one in outcomes
            if one.state is OutcomeState.ACCEPTED
        ],
        None,
    )


def _outcomes(given: object) -> Iterator[Outcome]:
    if isinstance(given, Outcome):
        yield given
    elif isinstance(given, SensError):
        if given.outcome is not None:
            yield given.outcome
        elif given.may_have_been_sent:
            raise ValueError(
                f"a {type(given).__name__} without an outcome does not say what to look for; "
                "give the run's report, or the error that `send` raised"
            )
    elif isinstance(given, OutcomeBatch):
        yield from given
    elif isinstance(given, Iterable) and not isinstance(given, str | bytes):
        for one in given:
            if not isinstance(one, Outcome | SensError | OutcomeBatch):
                raise TypeError(f"resolve takes outcomes, and {type(one).__name__} is none")
            yield from _outcomes(one)
    else:
        raise TypeError(
            "resolve takes a BulkReport, outcomes or the error of a send, "
            f"not {type(given).__name__}"
        )


# -- what is known now


def _resolution(what: _Given, search: Search, settle: float) -> Resolution:
    sought = {one.evidence.token: one for one in search.sought}
    settled: dict[int, tuple[OutcomeBatch, OutcomeBatch]] = {}

    def settle_batch(batch: OutcomeBatch) -> OutcomeBatch:
        evidence = batch.evidence
        if evidence is None or evidence.token not in sought:  # a run that still goes on adds some
            return batch
        if id(batch) not in settled:
            settled[id(batch)] = batch, _settled(batch, sought[evidence.token], settle)
        return settled[id(batch)][1]

    outcomes = [outcome.settled(settle_batch) for outcome in what.outcomes]
    reasons = Counter(
        _NO_EVIDENCE if one.evidence is None else sought[one.evidence.token].reason
        for one in outcomes
        if one.state is OutcomeState.UNKNOWN
    )
    left = [one.evidence for one in search.sought if one.is_unknown and one.evidence.is_final]
    return Resolution(
        outcomes=outcomes,
        counts=Counter(one.state for one in outcomes),
        settles_at=from_epoch(max(one.settles_at(settle) for one in left)) if left else None,
        reasons=reasons,
        reason_of={token: one.reason for token, one in sought.items() if one.is_unknown},
        suspected_duplicates=[one.duplicates for one in search.sought if one.duplicates],
        report=None if what.report is None else what.report.settled(settle_batch),
    )


def _settled(batch: OutcomeBatch, sought: Sought, settle: float) -> OutcomeBatch:
    finding = sought.finding
    if finding.verdict is Verdict.FOUND:
        at = finding.requested_at
        return attrs.evolve(
            batch,
            state=OutcomeState.ACCEPTED,
            request_id=finding.request_id,
            requested_at=None if at is None else from_epoch(at),
            error=None,
            evidence=None,
        )
    if sought.is_absent:
        error = NotFoundAfterSettling(
            f"not found after settling: SENS lists no such request {settle:g} s after "
            + ("it was signed" if sought.evidence.reserve_at is None else "its reserved time"),
            is_retryable=True,
        )
        error.__cause__ = batch.error
        return attrs.evolve(batch, state=OutcomeState.NOT_SENT, error=error, evidence=None)
    return batch
