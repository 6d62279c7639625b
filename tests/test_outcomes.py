"""One outcome for everybody, in input order, in little memory."""

import copy
import gc
import pickle
import tracemalloc
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sens_async import (
    BadRequest,
    BulkFailed,
    BulkReport,
    InvalidRecipient,
    MessageType,
    Outcome,
    OutcomeBatch,
    OutcomeState,
    Recipient,
    RequestTimeout,
    RunStopped,
)

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState
TIMED_OUT = RequestTimeout("no answer in 30 s", may_have_been_sent=True)


def number(i):
    return f"010{i:08d}"


def settled(state, indexes, *, error=None, request_id=None, kind=MessageType.SMS, **more):
    indexes = indexes if isinstance(indexes, range) else list(indexes)
    recipients = [Recipient(number(i), key=f"key-{i}") for i in indexes]
    numbers = [number(i) for i in indexes]
    return OutcomeBatch(state, indexes, recipients, numbers, kind, request_id, error, **more)


def a_report():
    """Twelve recipients; batches in the order in which they ended, not in input order."""
    report = BulkReport()
    report.add(settled(REJECTED, [5], error=InvalidRecipient("no number"), kind=None))
    report.add(settled(ACCEPTED, range(6, 10), request_id="second", kind=MessageType.LMS))
    report.add(settled(SKIPPED, [3]))
    report.add(
        settled(ACCEPTED, [0, 2, 4], request_id="first", attempts=2, attempted_at=1764031180.0)
    )
    report.add(settled(UNKNOWN, range(10, 11), error=TIMED_OUT))
    report.add(settled(NOT_SENT, range(11, 12), error=RunStopped("stopped")))
    report.add(settled(NOT_SENT, [1], error=RunStopped("stopped")))
    return report


STATES = [
    ACCEPTED, NOT_SENT, ACCEPTED, SKIPPED, ACCEPTED, REJECTED,
    ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED, UNKNOWN, NOT_SENT,
]  # fmt: skip


def test_outcomes_are_in_input_order():
    outcomes = a_report().outcomes
    assert [outcome.index for outcome in outcomes] == list(range(12))
    assert [outcome.state for outcome in outcomes] == STATES
    assert [outcome.number for outcome in outcomes] == [number(i) for i in range(12)]
    assert [outcome.key for outcome in outcomes] == [f"key-{i}" for i in range(12)]


def test_outcomes_are_a_sequence():
    outcomes = a_report().outcomes
    assert len(outcomes) == 12
    assert outcomes[-1].index == 11
    assert [outcome.index for outcome in outcomes[2:8:3]] == [2, 5]
    assert outcomes[3] in outcomes
    assert outcomes.index(outcomes[7]) == 7
    assert [outcome.index for outcome in reversed(outcomes)] == list(reversed(range(12)))
    with pytest.raises(IndexError):
        outcomes[12]
    assert repr(outcomes) == "<12 outcomes>"


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("accepted", ACCEPTED),
        ("rejected", REJECTED),
        ("skipped", SKIPPED),
        ("not_sent", NOT_SENT),
        ("unknown", UNKNOWN),
    ],
)
def test_views_by_state_keep_the_order(name, state):
    view = getattr(a_report(), name)
    assert [outcome.index for outcome in view] == [i for i, s in enumerate(STATES) if s is state]
    assert view[0].state is state
    assert len(view[:]) == len(view)


def test_counts():
    report = a_report()
    assert report.counts == {ACCEPTED: 7, NOT_SENT: 2, REJECTED: 1, SKIPPED: 1, UNKNOWN: 1}
    assert report.counts_by_type == {MessageType.SMS: 3, MessageType.LMS: 4}
    assert len(report) == 12
    assert BulkReport().counts[UNKNOWN] == 0


def test_request_ids_are_those_of_accepted_requests_in_input_order():
    assert a_report().request_ids == ["first", "second"]


def test_recipients_are_given_back_as_they_were_given():
    report = a_report()
    given_back = report.recipients(NOT_SENT, "UNKNOWN")
    assert [recipient.key for recipient in given_back] == ["key-1", "key-10", "key-11"]
    assert given_back[0] is report.outcomes[1].recipient
    assert report.recipients() == []


@pytest.mark.parametrize("state", ["unknown", "SENT", None, 5])
def test_recipients_of_a_state_that_there_is_not(state):
    with pytest.raises(ValueError):
        a_report().recipients(state)


def test_failures_are_raised_once_for_each_cause_with_their_number():
    report = BulkReport()
    report.add(settled(ACCEPTED, range(5), request_id="r"))
    report.add(settled(NOT_SENT, range(5, 9), error=RunStopped("stopped")))
    report.add(settled(REJECTED, [9], error=BadRequest("no", status=400)))
    report.add(settled(NOT_SENT, range(10, 12), error=RunStopped("stopped")))
    report.add(settled(UNKNOWN, [12], error=TIMED_OUT))
    with pytest.raises(BulkFailed, match=r"^8 of 13 recipients were not accepted") as caught:
        report.raise_for_failures()
    failed = caught.value
    assert [(type(e), n) for e, n in zip(failed.exceptions, failed.counts, strict=True)] == [
        (RunStopped, 6),
        (BadRequest, 1),
        (RequestTimeout, 1),
    ]
    assert failed.may_have_been_sent
    assert not failed.is_retryable


def test_failures_can_be_caught_by_kind():
    report = BulkReport()
    report.add(settled(REJECTED, range(1200), error=BadRequest("no")))
    report.add(settled(UNKNOWN, range(1200, 1203), error=TIMED_OUT))
    caught = {}
    try:
        report.raise_for_failures()
    except* BadRequest as group:
        caught["refused"] = group.counts
    except* RequestTimeout as group:
        caught["unknown"] = group.counts
    assert caught == {"refused": (1200,), "unknown": (3,)}


@pytest.mark.parametrize("states", [[], [ACCEPTED], [SKIPPED], [ACCEPTED, SKIPPED]])
def test_nothing_is_raised_if_nothing_failed(states):
    report = BulkReport()
    for index, state in enumerate(states):
        report.add(settled(state, [index], request_id="r" if state is ACCEPTED else None))
    report.raise_for_failures()


def test_a_report_that_is_still_filling_shows_what_is_known():
    report = BulkReport()
    assert list(report.outcomes) == []
    report.add(settled(ACCEPTED, [7, 9], request_id="r"))
    before = report.outcomes
    assert [outcome.index for outcome in before] == [7, 9]
    report.add(settled(ACCEPTED, range(8, 9), request_id="s"))
    assert [outcome.index for outcome in report.outcomes] == [7, 8, 9]
    assert [outcome.index for outcome in before] == [7, 9]
    assert [outcome.index for outcome in report.accepted] == [7, 8, 9]


def test_report_shows_counts_and_why_it_stopped():
    assert repr(BulkReport()) == "<BulkReport: empty>"
    report = a_report()
    report.stopped_by = BadRequest("no")
    assert repr(report).startswith("<BulkReport: ")
    assert "ACCEPTED 7" in repr(report)
    assert repr(report).endswith("; stopped by BadRequest>")


def test_elapsed_stands_still_after_the_run():
    report = BulkReport()
    assert report.elapsed == 0.0
    ticks = iter([1.0, 2.0, 5.0])
    with report.timed(lambda: next(ticks)):
        assert report.elapsed == 1.0
        assert report.elapsed == 2.0
    assert report.elapsed == 5.0
    assert report.elapsed == 5.0


def test_a_report_is_for_one_run():
    report = BulkReport()
    with report.timed(float):
        pass
    with pytest.raises(ValueError, match="given to a run before"), report.timed(float):
        pass


def test_an_outcome_says_everything_of_one_recipient():
    outcome = a_report().outcomes[2]
    assert outcome.index == 2
    assert outcome.recipient == Recipient(number(2), key="key-2")
    assert outcome.type is MessageType.SMS
    assert outcome.request_id == "first"
    assert outcome.error is None
    assert outcome.attempts == 2
    assert outcome.attempted_at.isoformat() == "2025-11-25T09:39:40+09:00"
    assert outcome.attempted_at.utcoffset() == timedelta(hours=9)
    assert a_report().outcomes[0 + 3].attempted_at is None


@pytest.mark.parametrize("recipient", ["010-0000-0001", 5, None, ("010", "key")])
def test_only_a_recipient_has_a_key(recipient):
    batch = OutcomeBatch(REJECTED, [0], [recipient], [None])
    assert batch[0].key is None
    assert batch[0].recipient == recipient


def test_a_batch_is_a_sequence_of_outcomes():
    batch = settled(ACCEPTED, range(100, 105), request_id="r")
    assert len(batch) == 5
    assert [outcome.index for outcome in batch] == [100, 101, 102, 103, 104]
    assert batch[-1].index == 104
    assert [outcome.index for outcome in batch[1:3]] == [101, 102]
    for beyond in (5, -6):
        with pytest.raises(IndexError):
            batch[beyond]
    assert repr(batch) == "<OutcomeBatch of 5: ACCEPTED>"


def test_equal_outcomes_are_equal_and_others_are_not():
    one, same = a_report().outcomes[2], a_report().outcomes[2]
    assert one == same
    assert hash(one) == hash(same)
    assert one != a_report().outcomes[4]
    assert one != "ACCEPTED"
    assert len({*a_report().outcomes[:5], one}) == 5


def test_repr_masks_the_number_and_shows_no_recipient():
    shown = repr(settled(ACCEPTED, [12345678], request_id="RSLA-1")[0])
    assert shown == "<Outcome 12345678 010-****-5678 ACCEPTED RSLA-1>"
    shown = repr(settled(UNKNOWN, [0], error=TIMED_OUT)[0])
    assert shown == "<Outcome 0 010-****-0000 UNKNOWN RequestTimeout: no answer in 30 s>"
    shown = repr(OutcomeBatch(REJECTED, [3], ["Kim 01012345678"], [None])[0])
    assert shown == "<Outcome 3 ? REJECTED>"


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))]
)
def test_an_outcome_survives_pickle_and_copy_alone(twin):
    for outcome in a_report().outcomes:
        again = twin(outcome)
        assert type(again) is Outcome
        for name in ("index", "recipient", "key", "number", "state", "type", "request_id"):
            assert getattr(again, name) == getattr(outcome, name)
        assert (again.attempts, again.attempted_at) == (outcome.attempts, outcome.attempted_at)
        assert str(again.error) == str(outcome.error)
        assert type(again.error) is type(outcome.error)
        if outcome.error is None:
            assert again == outcome


def test_a_pickled_outcome_does_not_carry_its_whole_batch():
    batch = settled(ACCEPTED, range(100), request_id="r")
    assert len(pickle.dumps(batch[0])) < len(pickle.dumps(batch)) / 5


def test_an_error_and_its_own_outcome_survive_pickle_together():
    error = BadRequest("no", status=400)
    error.outcome = settled(REJECTED, [7], error=error)[0]
    again = pickle.loads(pickle.dumps(error))
    assert again.outcome.error.status == 400
    assert again.outcome.index == 7
    outcome = pickle.loads(pickle.dumps(error.outcome))
    assert outcome.error.outcome.index == 7


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda report: pickle.loads(pickle.dumps(report))])
def test_a_report_survives_pickle_and_copy(twin):
    report = a_report()
    with report.timed(iter([1.0, 3.5]).__next__):
        assert report.elapsed == 1.0
    report.stopped_by = RunStopped("stopped")
    assert report.outcomes[0].index == 0
    again = twin(report)
    assert [outcome.state for outcome in again.outcomes] == STATES
    assert again.counts == report.counts
    assert again.counts_by_type == report.counts_by_type
    assert again.request_ids == report.request_ids
    assert again.elapsed == 3.5
    assert str(again.stopped_by) == "stopped"
    again.add(settled(ACCEPTED, [12], request_id="third"))
    assert len(again) == len(report) + 1


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(0, 60))
def test_any_way_of_ending_gives_everybody_their_own_outcome_in_order(data, size):
    order = data.draw(st.permutations(range(size)))
    report, state_of, start = BulkReport(), {}, 0
    while start < size:
        part = order[start : start + data.draw(st.integers(1, 10))]
        start += len(part)
        in_a_row = part == list(range(part[0], part[0] + len(part)))
        state = data.draw(st.sampled_from(OutcomeState))
        report.add(settled(state, range(part[0], part[-1] + 1) if in_a_row else part))
        state_of |= dict.fromkeys(part, state)
    outcomes = report.outcomes
    assert [outcome.index for outcome in outcomes] == list(range(size))
    assert [outcome.number for outcome in outcomes] == [number(i) for i in range(size)]
    assert [outcome.state for outcome in outcomes] == [state_of[i] for i in range(size)]
    assert sum(report.counts.values()) == size
    for state in OutcomeState:
        expected = [report.outcomes[i].recipient for i in range(size) if state_of[i] is state]
        assert report.recipients(state) == expected


def test_a_look_at_everybody_costs_a_few_bytes_each():
    report = BulkReport()
    count = 50_000
    shared = "010-0000-0000"
    for start in range(0, count, 100):
        report.add(
            OutcomeBatch(ACCEPTED, range(start, start + 100), [shared] * 100, [shared] * 100)
        )
    gc.collect()
    tracemalloc.start()
    try:
        assert sum(1 for _ in report.outcomes) == count
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept / count < 16


def test_outcomes_that_follow_each_other_take_no_memory_each():
    report = BulkReport()
    for start in range(0, 1_000_000, 100):
        indexes = range(start, start + 100)
        shared = ["01012345678"] * 100
        report.add(OutcomeBatch(OutcomeState.ACCEPTED, indexes, shared, shared))
    tracemalloc.start()
    outcomes = report.outcomes
    assert outcomes[999_999].index == 999_999
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert used < 1_000_000


@given(st.permutations(range(8)), st.data())
def test_places_are_right_however_batches_lie(order, data):
    """Batches that follow each other and batches that overlap are read in other ways."""
    cuts = sorted(data.draw(st.sets(st.integers(0, 40), min_size=8, max_size=8)))
    pieces = [range(a, b) for a, b in pairwise([0, *cuts, 45])]
    report = BulkReport()
    if data.draw(st.booleans()):
        pieces[2:4] = [[*pieces[2], *pieces[3]][::2], [*pieces[2], *pieces[3]][1::2]]
    for place in order:
        indexes = pieces[place]
        state = [OutcomeState.ACCEPTED, OutcomeState.UNKNOWN][place % 2]
        people = [str(i) for i in indexes]
        report.add(OutcomeBatch(state, indexes, people, people))
    expected = sorted(i for place in order for i in pieces[place])
    outcomes = report.outcomes

    assert [o.index for o in outcomes] == expected
    assert [outcomes[i].recipient for i in range(len(outcomes))] == list(map(str, expected))
    assert [o.index for o in outcomes[::-3]] == expected[::-3]
    assert [o.index for o in outcomes[-2:]] == expected[-2:]
    both = [*report.accepted, *report.unknown]
    assert sorted(o.index for o in both) == expected
    for outside in (len(expected), -len(expected) - 1):
        with pytest.raises(IndexError):
            outcomes[outside]
