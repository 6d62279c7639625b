"""Figures as a person says them."""

import pytest

from sens_async.cli.console import count, label, rate, seconds, size
from sens_async.cli.reasons import Reasons
from sens_async.cli.tally import Tally
from sens_async.errors import BadRequest, InvalidRecipient
from sens_async.models import MessageType, OutcomeState
from sens_async.outcomes import OutcomeBatch


@pytest.mark.parametrize(
    ("duration", "said"),
    [(0.8, "0.80 s"), (12.34, "12.3 s"), (245.2, "4 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(duration, said):
    assert seconds(duration) == said


def test_counts_rates_and_sizes():
    assert (count(1234567), rate(9000, 1.5), rate(1, 0)) == ("1,234,567", "6,000/s", "-")
    assert (size(999), size(74_012)) == ("999 B", "74.0 kB")


def test_states_are_told_in_both_languages():
    said = [label(state).plain for state in OutcomeState]

    assert said == [
        "accepted 접수",
        "refused 거절",
        "skipped 제외",
        "not sent 미발송",
        "unknown 확인 필요",
    ]


def settled(state, indexes, **facts):
    return OutcomeBatch(state, indexes, [None] * len(indexes), [None] * len(indexes), **facts)


def test_a_tally_tells_reasons_apart_and_keeps_the_first_of_each():
    tally = Tally()
    tally.add(settled(OutcomeState.ACCEPTED, range(3), type=MessageType.SMS, request_id="R"))
    tally.add(settled(OutcomeState.REJECTED, [9], error=InvalidRecipient("**** has 7 digits")))
    tally.add(settled(OutcomeState.REJECTED, [4], error=InvalidRecipient("010-**** has 13 digits")))
    tally.add(settled(OutcomeState.REJECTED, [7, 8], error=InvalidRecipient("it is empty")))
    tally.add(settled(OutcomeState.REJECTED, [5], error=BadRequest("no", status=400)))

    assert [(cause.name, cause.count, cause.text) for cause in tally.causes] == [
        ("InvalidRecipient", 2, "e.g. 010-**** has 13 digits"),
        ("InvalidRecipient", 2, "it is empty"),
        ("BadRequest 400", 1, "no"),
    ]
    assert (tally.total, tally.requests, tally.types) == (8, 1, {MessageType.SMS: 3})
    assert not tally.is_success


def test_rows_of_a_reason_keep_the_examples_own_apart():
    reasons = Reasons()
    for place in (4, 5):
        reasons.add(OutcomeState.REJECTED, InvalidRecipient("same"), [place - 2], [place])
    for place in range(6, 16):
        error = InvalidRecipient(f"value '{place}'")
        reasons.add(OutcomeState.REJECTED, error, [place - 2], [place])

    varied, same = reasons.sorted()
    assert (varied.text, varied.rows) == (
        "e.g. value '6'",
        "row 행 6; alike 같은 이유 7, 8, 9, 10, …",
    )
    assert (same.text, same.rows) == ("same", "row 행 4, 5")


def test_a_run_of_accepted_and_skipped_is_a_success():
    tally = Tally()
    tally.add(settled(OutcomeState.ACCEPTED, [0], type=MessageType.LMS))
    tally.add(settled(OutcomeState.SKIPPED, [1]))

    assert tally.is_success
