import pytest

from sens_async.emulator import FaultKind, parse_fault
from sens_async.emulator.faults import FaultPlan, make_fault
from sens_async.emulator.script import parse_script


def met(plan, times, endpoint="messages"):
    """The ordinals, from 1, of the requests that meet a fault."""
    return [i for i in range(1, times + 1) if plan.take(endpoint) is not None]


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        (3, [3]),
        ("3", [3]),
        ("3-5", [3, 4, 5]),
        (" 3 - 5 ", [3, 4, 5]),
        ("6-", [6, 7, 8]),
        (range(2, 9, 3), [2, 5, 8]),
        ({1, 4}, [1, 4]),
        ([1, 4], [1, 4]),
        (None, [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_requests_are_counted_from_one(requests, expected):
    plan = FaultPlan()
    plan.add(make_fault("drop", requests=requests))

    assert met(plan, 8) == expected


def test_each_endpoint_is_counted_by_itself():
    plan = FaultPlan()
    plan.add(make_fault("drop", requests=2, endpoint="files"))

    assert met(plan, 3, "messages") == []
    assert met(plan, 3, "files") == [2]


def test_the_first_fault_that_matches_wins():
    plan = FaultPlan()
    plan.add(make_fault("drop", requests="2-3"))
    plan.add(make_fault("reset", requests="3-4"))

    assert [fault and fault.kind for fault in (plan.take("messages") for _ in range(5))] == [
        None,
        "drop",
        "drop",
        "reset",
        None,
    ]


def test_a_fault_shows_at_most_so_many_times():
    plan = FaultPlan()
    plan.add(make_fault("drop", requests="2-", times=2))

    assert met(plan, 6) == [2, 3]


def test_chance_repeats_with_the_seed():
    def lucky(seed):
        plan = FaultPlan(seed)
        plan.add(make_fault("drop", probability=0.1))
        return met(plan, 2000)

    assert 130 < len(lucky(1)) < 270
    assert lucky(1) == lucky(1)
    assert lucky(1) != lucky(2)


def test_a_plan_that_is_cleared_goes_on_counting_and_one_that_is_reset_does_not():
    plan = FaultPlan()
    plan.take("messages")
    plan.clear()
    plan.add(make_fault("drop", requests=2))
    assert met(plan, 1) == [1]

    plan.reset()
    plan.add(make_fault("drop", requests=2))
    assert met(plan, 3) == [2]


@pytest.mark.parametrize("kind", [503, "503"])
def test_a_status_is_a_kind(kind):
    fault = make_fault(kind)

    assert (fault.kind, fault.status) == (FaultKind.STATUS, 503)


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("explode", {}, "no fault 'explode', only status, drop"),
        (99, {}, "status"),
        ("drop", {"requests": "0"}, "counted from 1"),
        ("drop", {"requests": "5-3"}, "counted from 1"),
        ("drop", {"requests": "three"}, "like 3, 3-5 or 3-"),
        ("drop", {"probability": 0}, "probability"),
        ("drop", {"probability": 1.5}, "probability"),
        ("drop", {"endpoint": "mesages"}, "endpoint"),
        ("drop", {"times": 0}, "times"),
        ("late", {"delay": -1}, "delay"),
        ("rate", {"retry_after": "1\r\nX: y"}, "retry_after"),
        ("fail_status", {"endpoint": "files"}, "no statusName"),
    ],
)
def test_a_fault_out_of_its_range_is_refused(kind, options, reason):
    with pytest.raises(ValueError, match=reason):
        make_fault(kind, **options)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("requests 3-5: 503", make_fault(503, requests="3-5")),
        ("request 3 : drop", make_fault("drop", requests=3)),
        ("requests 20-: hang times=1", make_fault("hang", requests="20-", times=1)),
        ("1%: drop after accept", make_fault("drop", probability=0.01, accept=True)),
        ("requests 2- 0.5%: reset", make_fault("reset", requests="2-", probability=0.005)),
        ("files requests 1: 500", make_fault(500, requests=1, endpoint="files")),
        ("files: half-head", make_fault("half_head", endpoint="files")),
        ("messages 5%: half", make_fault("half", probability=0.05)),
        (
            "requests 7: throttle retry-after=2",
            make_fault("throttle", requests=7, retry_after=2),
        ),
        (
            'too_many retry-after="Wed, 21 Oct 2026 07:28:00 GMT"',
            make_fault("too_many", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
        ),
        (
            "html status=400 body='<p>no: sign in'",
            make_fault("html", status=400, body="<p>no: sign in"),
        ),
        ("  late delay=30  ", make_fault("late", delay=30.0)),
        ("late after accept delay=0.5", make_fault("late", delay=0.5, accept=True)),
    ],
)
def test_a_line_reads_as_the_fault_it_says(line, expected):
    assert parse_fault(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        ":",
        "requests: drop",
        "requests 3 drop",
        "3-5: drop",
        "list: drop",
        "drop before accept",
        "drop after acceptance",
        "drop times",
        "drop times=many",
        "drop speed=3",
        "drop body='",
        "150%: drop",
        "explode",
    ],
)
def test_a_line_that_cannot_be_read_is_an_error(line):
    with pytest.raises(ValueError, match=r"."):
        parse_fault(line)


def test_a_script_has_a_fault_on_each_line():
    script = "requests 1: drop\n\n  requests 2: 503\n"

    assert parse_script(script) == [make_fault("drop", requests=1), make_fault(503, requests=2)]
