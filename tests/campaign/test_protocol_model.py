"""The campaign protocol, checked in every state that it can reach.

Nobody is sent to twice, and what the ledger says is so: under crashes, pauses, takeovers and a
network that holds, drops and delays. Rules that look alike and are not safe are found out, which
shows that the models would find a fault.
"""

from collections.abc import Callable
from functools import cache

import pytest
from campaign import identical_model as two
from campaign import protocol_model as one
from campaign.breadth_first import Exploration, S
from campaign.protocol_model import LAG, SETTLE, VALIDITY, Guarantee, Ledger, Protocol

AT_MOST, EFFECTIVELY, AT_LEAST = Guarantee


@cache
def everything(rules: Protocol | two.Campaigns) -> Exploration:
    return Exploration(rules.start(), rules.steps)


def assert_never(explored: Exploration[S], wrong: Callable[[S], bool]) -> None:
    state = explored.first(wrong)
    assert state is None, f"{wrong.__name__}, by these steps:\n{explored.trace(state)}"


def assert_finds(rules: Protocol | two.Campaigns, wrong: Callable[[S], bool]) -> str:
    """Give one of the shortest ways to what is wrong."""
    explored = Exploration(rules.start(), rules.steps, wrong)
    assert explored.last is not None, f"never {wrong.__name__} in {len(explored.states)} states"
    return explored.trace(explored.last)


def assert_gets(
    explored: Exploration[S],
    goal: Callable[[S], bool],
    *,
    source: Callable[[S], bool] = lambda _: True,
    without: tuple[str, ...] = ("crash",),
) -> None:
    """Assert that a goal can be reached, whatever has happened, if some things happen no more."""
    stuck = next(filter(source, explored.stranded(goal, without=without)), None)
    assert stuck is None, f"stuck after these steps:\n{explored.trace(stuck)}"


# -- one batch


@pytest.mark.parametrize(
    ("rules", "may_send_twice"),
    [
        pytest.param(Protocol(has_intent=False), True, id="no intent"),
        pytest.param(Protocol(AT_LEAST), True, id="unknowns are sent again"),
        pytest.param(Protocol(AT_MOST), False, id="unknowns are never sent again"),
        pytest.param(Protocol(settle=0), True, id="no settling"),
        pytest.param(Protocol(validity=99), True, id="signatures never expire"),
        pytest.param(Protocol(signs_when_sending=True), True, id="signed when sending"),
        pytest.param(Protocol(settle=VALIDITY), True, id="settles as signatures expire"),
        pytest.param(Protocol(settle=VALIDITY + LAG), True, id="settles before the list is whole"),
        pytest.param(Protocol(), False, id="as it is meant"),
    ],
)
def test_who_may_send_twice(rules, may_send_twice):
    if may_send_twice:
        assert_finds(rules, one.is_sent_twice)
    else:
        assert_never(everything(rules), one.is_sent_twice)


SAFE = [
    pytest.param(Protocol(AT_MOST, workers=3), id="at most once"),
    pytest.param(Protocol(AT_MOST, workers=3, settle=0), id="at most once, no settling"),
    pytest.param(Protocol(EFFECTIVELY, workers=3), id="effectively once"),
    pytest.param(Protocol(EFFECTIVELY, lead=1), id="effectively once, a clock that is ahead"),
    pytest.param(Protocol(EFFECTIVELY, early_settle=0), id="effectively after at most once"),
    pytest.param(Protocol(AT_LEAST), id="at least once"),
]


@pytest.mark.parametrize("rules", SAFE)
def test_the_ledger_is_honest(rules):
    explored = everything(rules)
    assert_never(explored, one.is_sent_twice_unflagged)
    assert_never(explored, one.is_dishonest)
    assert len(explored.states) > 300


@pytest.mark.parametrize("rules", SAFE)
def test_every_batch_ends_with_an_outcome(rules):
    assert_gets(everything(rules), one.is_over)


@pytest.mark.parametrize("rules", SAFE)
def test_a_planned_batch_can_always_go(rules):
    assert_gets(
        everything(rules),
        lambda state: state.row.state is Ledger.ACCEPTED,
        source=lambda state: state.row.state is Ledger.PLANNED and not one.is_over(state),
    )


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(Protocol(survives_power_loss=False), id="an intent that power loss undoes"),
        pytest.param(Protocol(heeds_lost_claim=False), id="an intent that changed no row"),
        pytest.param(Protocol(guards_outcome=False), id="an outcome without its fence"),
        pytest.param(Protocol(guards_absence=False), id="an absence without its fence"),
        pytest.param(Protocol(is_due_when_asking=False), id="asked early, believed late"),
        pytest.param(Protocol(lead=1, settles_from_commit=True), id="settling from the commit"),
        pytest.param(Protocol(early_settle=0, asks_again=False), id="unproven, not asked again"),
    ],
)
def test_each_rule_is_needed(rules):
    assert_finds(rules, one.is_sent_twice)


def test_what_is_sent_again_at_once_may_have_been_accepted_whatever_comes_of_that():
    assert_finds(Protocol(AT_LEAST), one.is_accepted_and_planned)
    assert_finds(Protocol(AT_LEAST, keeps_doubt=False), one.is_dishonest)


def test_a_counterexample_tells_what_happened():
    trace = assert_finds(Protocol(settle=VALIDITY), one.is_sent_twice)
    steps = [line.split("  ")[0] for line in trace.splitlines()]
    assert steps[1:4] == [
        "a worker claims the batch",
        "the claimant commits its intent",
        "the claimant sends",
    ]
    assert steps.count("a tick passes") == VALIDITY
    assert "a reconciler writes that it is absent" in steps


# -- two identical batches

PAIRS = [
    pytest.param((AT_MOST, AT_MOST), id="at most once both"),
    pytest.param((AT_MOST, EFFECTIVELY), id="at most and effectively once"),
    pytest.param((EFFECTIVELY, EFFECTIVELY), id="effectively once both"),
    pytest.param((AT_LEAST, EFFECTIVELY), id="at least and effectively once"),
]


@pytest.mark.parametrize("guarantees", PAIRS)
def test_without_a_rule_identical_batches_are_mixed_up(guarantees):
    assert_finds(two.Campaigns(guarantees, two.Rule.NONE), two.is_mixed_up)


@pytest.mark.parametrize("guarantees", PAIRS)
def test_identical_batches_are_never_mixed_up(guarantees):
    explored = everything(two.Campaigns(guarantees))
    assert_never(explored, two.is_wrong)
    assert len(explored.states) > 1_000


ABANDONED = ("campaign 1", "of campaign 1, a reconciler")
"""Steps of a campaign that nobody goes on with, and whose unknowns nobody asks for."""


def second_is_over(state: two.State) -> bool:
    return two.is_over(state, 1)


@pytest.mark.parametrize("guarantees", PAIRS)
def test_an_abandoned_campaign_holds_up_no_identical_one(guarantees):
    assert_gets(everything(two.Campaigns(guarantees)), second_is_over, without=ABANDONED)


def test_leases_of_all_campaigns_must_be_looked_after():
    explored = everything(two.Campaigns((AT_MOST, AT_MOST)))
    nobody = (*ABANDONED, "of campaign 1, the lease")
    assert any(explored.stranded(second_is_over, without=nobody))


@pytest.mark.parametrize("rule", [two.Rule.OPEN, two.Rule.EITHER])
def test_where_unknowns_hold_up_those_of_all_campaigns_must_be_asked_for(rule):
    explored = everything(two.Campaigns((AT_MOST, EFFECTIVELY), rule))
    assert_never(explored, two.is_wrong)
    assert_gets(explored, second_is_over, without=("campaign 1",))
    assert any(explored.stranded(second_is_over, without=ABANDONED))


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(
            two.Campaigns((AT_LEAST, EFFECTIVELY), two.Rule.OPEN), id="behind one sent again"
        ),
        pytest.param(
            two.Campaigns((AT_MOST, EFFECTIVELY), two.Rule.OPEN, settles=(0, SETTLE)),
            id="behind one settled early",
        ),
        pytest.param(
            two.Campaigns((EFFECTIVELY, EFFECTIVELY), needs_id=False),
            id="behind one accepted without an id",
        ),
    ],
)
def test_what_the_rule_leaves_out_mixes_them_up(rules):
    assert_finds(rules, two.is_mixed_up)


def test_early_settling_mixes_nothing_up_while_every_doubtful_attempt_holds_up():
    assert_never(
        everything(two.Campaigns((AT_MOST, EFFECTIVELY), settles=(0, SETTLE))), two.is_wrong
    )
