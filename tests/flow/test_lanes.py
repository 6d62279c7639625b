"""Whose turn it is."""

from hypothesis import given
from hypothesis import strategies as st

from sens_async.flow.lanes import BULK_PATIENCE, Lane, Turns


def test_lanes_read_as_words():
    assert [str(lane) for lane in Lane] == ["interactive", "bulk"]


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_waiting_bulk_is_never_passed_over_more_than_the_patience(crowd):
    turns = Turns()
    passed_over = 0
    for interactive_waits, bulk_waits in crowd:
        waits = {Lane.INTERACTIVE: interactive_waits, Lane.BULK: bulk_waits}
        lane = next((lane for lane in turns.order() if waits[lane]), None)
        if lane is None:
            continue
        turns.took(lane, bulk_waits=bulk_waits)
        passed_over = passed_over + 1 if lane is Lane.INTERACTIVE and bulk_waits else 0

        assert passed_over <= BULK_PATIENCE


def test_interactive_goes_first_as_long_as_nobody_is_passed_over():
    turns = Turns()
    for _ in range(10):
        assert turns.order()[0] is Lane.INTERACTIVE
        turns.took(Lane.INTERACTIVE, bulk_waits=False)
