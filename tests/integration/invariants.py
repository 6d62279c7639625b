"""The two laws, judged by the emulator's admission log and never by the client's own counts.

I1  Nobody is accepted twice.
I2  Every recipient has exactly one outcome, and it agrees with the log: `ACCEPTED` is in it under
    that request, `UNKNOWN` may be, all others are not.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sens_async import BulkReport, Outcome, OutcomeState
from sens_async.emulator.admissions import Admission

NOT_IN_THE_LOG = {OutcomeState.REJECTED, OutcomeState.SKIPPED, OutcomeState.NOT_SENT}


class LawBroken(AssertionError):
    """One of the two laws does not hold."""


def check_report(
    report: BulkReport | Iterable[Outcome],
    inputs: Sequence[object],
    admissions: Mapping[str, Sequence[Admission]],
) -> Counter[OutcomeState]:
    """Check both laws for everything an emulator has accepted, when nothing is late any more.

    Args:
        report: All outcomes, in any order.
        inputs: What was given, in order; the very objects.
        admissions: `Emulator.admissions`.

    Returns:
        Recipients by state, and under `"unknown, in fact accepted"` those of the unknown whom
        the log holds.

    Raises:
        LawBroken: Naming who.
    """
    outcomes = list(report.outcomes if isinstance(report, BulkReport) else report)
    check_once(admissions)
    _check_complete(outcomes, inputs)
    for outcome in outcomes:
        _check_error(outcome)
    counts = Counter(outcome.state for outcome in outcomes)
    counts["unknown, in fact accepted"] = _check_log(outcomes, admissions)
    if isinstance(report, BulkReport):
        _check(
            +report.counts == +Counter(outcome.state for outcome in outcomes),
            f"the report counts {report.counts}",
        )
    return counts


def check_once(admissions: Mapping[str, Sequence[Admission]]) -> None:
    """I1: no number was accepted twice with the same text."""
    for number, accepted in admissions.items():
        if len(accepted) > 1:
            texts = Counter((one.content, one.subject) for one in accepted)
            _check(max(texts.values()) == 1, f"{number} was accepted twice: {accepted}")


def _check_complete(outcomes: Sequence[Outcome], inputs: Sequence[object]) -> None:
    indexes = sorted(outcome.index for outcome in outcomes)
    _check(
        indexes == list(range(len(inputs))),
        f"{len(inputs)} were given, {len(outcomes)} outcomes came, of {len(set(indexes))} of them",
    )
    for outcome in outcomes:
        _check(
            outcome.recipient is inputs[outcome.index],
            f"{outcome} is not of the one given at its place",
        )


def _check_error(outcome: Outcome) -> None:
    """What an outcome says of itself has to agree with its state."""
    error = outcome.error
    if outcome.state is OutcomeState.ACCEPTED:
        _check(error is None and bool(outcome.request_id), f"{outcome!r} has {error!r}")
        return
    may_have_been_sent = outcome.state is OutcomeState.UNKNOWN
    _check(
        error is not None and error.may_have_been_sent is may_have_been_sent,
        f"{outcome!r} has {error!r}, whose may_have_been_sent is wrong",
    )
    _check(outcome.request_id is None, f"{outcome!r} has a request id")


def _check_log(outcomes: Sequence[Outcome], admissions: Mapping[str, Sequence[Admission]]) -> int:
    """I2: each admission is claimed by one outcome; how many are claimed by unknowns."""
    open_claims: defaultdict[str, int] = defaultdict(int)
    claimed: set[tuple[str, str | None]] = set()
    for outcome in outcomes:
        number = outcome.number or ""
        if outcome.state is OutcomeState.UNKNOWN:
            open_claims[number] += 1
        elif outcome.state is OutcomeState.ACCEPTED:
            claim = number, outcome.request_id
            _check(claim not in claimed, f"{outcome!r}: two outcomes claim one admission")
            claimed.add(claim)
    unknown_but_accepted = 0
    for number, accepted in admissions.items():
        for one in accepted:
            if (number, one.request_id) in claimed:
                claimed.remove((number, one.request_id))
                continue
            _check(
                open_claims[number] > 0,
                f"{number} was accepted as {one.request_id}, and no outcome says that it may be",
            )
            open_claims[number] -= 1
            unknown_but_accepted += 1
    _check(not claimed, f"ACCEPTED, but not in the log: {sorted(map(str, claimed))[:5]}")
    return unknown_but_accepted


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise LawBroken(what)
