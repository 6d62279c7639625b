"""The judge is judged: each broken law is seen, named, and nothing else is."""

import attrs
import pytest
from integration.invariants import LawBroken, check_report

from sens_async import OutcomeState, RunStopped
from sens_async.emulator.admissions import Admission
from sens_async.outcomes import OutcomeBatch

A, B = "01000000001", "01000000002"


def admission(number: str, request_id: str, text: str = "안녕") -> Admission:
    blank = dict.fromkeys(Admission._fields, None)
    return Admission(
        **{**blank, "number": number, "request_id": request_id, "content": text, "text": text}
    )


def outcomes(state: OutcomeState, *numbers: str, request_id: str | None = None) -> list:
    error = None
    if state is not OutcomeState.ACCEPTED:
        error = RunStopped("over", may_have_been_sent=state is OutcomeState.UNKNOWN)
    batch = OutcomeBatch(
        state, range(len(numbers)), numbers, numbers, error=error, request_id=request_id
    )
    return list(batch)


def test_what_agrees_passes():
    log = {A: [admission(A, "r1")], B: [admission(B, "r1")]}
    accepted = outcomes(OutcomeState.ACCEPTED, A, B, request_id="r1")

    assert check_report(accepted, [A, B], log)[OutcomeState.ACCEPTED] == 2


@pytest.mark.parametrize("state", [OutcomeState.NOT_SENT, OutcomeState.REJECTED])
def test_who_is_in_the_log_cannot_be_called_unsent(state):
    with pytest.raises(LawBroken, match="no outcome says that it may be"):
        check_report(outcomes(state, A), [A], {A: [admission(A, "r1")]})


@pytest.mark.parametrize("log", [{}, {A: [admission(A, "another")]}])
def test_who_is_accepted_has_to_be_in_the_log_under_that_request(log):
    with pytest.raises(LawBroken):
        check_report(outcomes(OutcomeState.ACCEPTED, A, request_id="r1"), [A], log)


def test_unknown_allows_either():
    unknown = outcomes(OutcomeState.UNKNOWN, A, B)

    counts = check_report(unknown, [A, B], {A: [admission(A, "r1")]})
    assert counts["unknown, in fact accepted"] == 1


def test_nobody_is_accepted_twice():
    with pytest.raises(LawBroken, match="accepted twice"):
        check_report(
            outcomes(OutcomeState.UNKNOWN, A), [A], {A: [admission(A, "r1"), admission(A, "r2")]}
        )


def test_every_recipient_has_one_outcome():
    once = outcomes(OutcomeState.NOT_SENT, A)

    with pytest.raises(LawBroken, match="2 were given"):
        check_report(once, [A, B], {})
    with pytest.raises(LawBroken, match="1 were given"):
        check_report(once + once, [A], {})


def test_an_error_may_not_contradict_its_outcome():
    [outcome] = outcomes(OutcomeState.NOT_SENT, A)
    wrong = attrs.evolve(outcome._batch, error=RunStopped("over", may_have_been_sent=True))

    with pytest.raises(LawBroken, match="may_have_been_sent is wrong"):
        check_report(wrong, [A], {})
