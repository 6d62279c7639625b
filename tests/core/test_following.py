"""Following: each message ends at most once, and nobody is lost between ended and pending."""

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sens_async.core.followed import GIVE_UP_AFTER, UNLISTED_AFTER
from sens_async.core.following import Following
from sens_async.core.schedule import from_epoch
from sens_async.deliveries import Delivery, DeliveryEnd, DeliveryStatus
from sens_async.models import OutcomeState, Recipient, Reservation, ReservationStatus
from sens_async.outcomes import OutcomeBatch

READY, PROCESSING, COMPLETED = DeliveryStatus
EPOCH = 1764031180.0
NUMBERS = ["01000000001", "01000000002", "01000000003"]


def row(number=NUMBERS[0], status=COMPLETED, message_id="", **fields):
    fields = {"code": "0" if status == COMPLETED else None, **fields}
    message_id = f"m-{number}" if message_id == "" else message_id
    return Delivery(number=number, message_id=message_id, status=status, **fields)


def follow(numbers=NUMBERS, **options):
    following = Following()
    request = following.add("r", numbers, **options)
    following.begin(0.0, EPOCH)
    return following, request


def pending(following):
    return [(each.number, each.status) for each in following.pending()]


# -- the law

statuses = st.sampled_from([None, READY, PROCESSING, COMPLETED, "QUEUED", "DELIVERED", "completed"])
rows = st.builds(
    Delivery,
    number=st.sampled_from([*NUMBERS, "8201000000001", "01099999999"]),
    message_id=st.sampled_from([None, "a", "b", "c", "d"]),
    country_code=st.sampled_from([None, "82", "1"]),
    status=statuses,
    code=st.sampled_from([None, "0", "3001"]),
    status_name=st.sampled_from([None, "success", "fail", "odd"]),
)
states = st.sampled_from([*ReservationStatus, "ODD"])
events = st.one_of(
    st.tuples(st.just("row"), rows),
    st.tuples(st.just("read"), st.booleans()),
    st.tuples(st.just("failed"), st.none()),
    st.tuples(st.just("reserved"), st.tuples(states, st.none() | st.floats(-1e4, 1e6))),
    st.tuples(st.just("not reserved"), st.none() | st.floats(-1e4, 1e6)),
    st.tuples(st.just("pass"), st.floats(0, 4000)),
)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 2), events), max_size=60),
    st.lists(st.sampled_from([None, 1, 900, 90_000]), min_size=3, max_size=3),
)
def test_everybody_ends_at_most_once_and_nobody_is_lost(story, reserved):
    following, now = Following(), 0.0
    people = [["01000000001"], NUMBERS, None]
    requests = [
        following.add(f"r{i}", numbers, reserve_at=wait and from_epoch(EPOCH + wait))
        for i, (numbers, wait) in enumerate(zip(people, reserved, strict=True))
    ]
    following.begin(now, EPOCH)
    finals, named = Counter(), set()
    for which, (event, detail) in story:
        request = requests[which]
        if event == "row":
            before = following.ended.total()
            name = detail.message_id or detail.number
            if which == 2 and request.left:
                named.add(name)
            delivery = request.take(detail)
            if delivery is not None:
                assert delivery.request_id == f"r{which}"
                who = name if which == 2 else detail.number.removeprefix("82")
                assert not finals[which, who]
                assert following.ended.total() - before == delivery.is_final
                finals[which, who] += delivery.is_final
        elif event == "read":
            request.read(now, says_reserved=detail)
        elif event == "failed":
            request.failed(now)
        elif event == "reserved":
            status, due_in = detail
            request.reserved(Reservation(reserve_id="r", status=status), now, due_in=due_in)
        elif event == "not reserved":
            request.not_reserved(now, due_in=detail)
        else:
            now += detail
        left = [sum(p.request_id == f"r{i}" for p in following.pending()) for i in range(3)]
        assert left == [each.left for each in requests]
        is_open = any(p.number is None for p in following.pending())
        assert following.ended.total() + sum(left) == 4 + len(named) + is_open
    due = following.next_round(now)
    if due is not None:
        assert following.round(max(now, due))
        assert all(request.left for request in following.round(now))


# -- a service that a test plays


class Service:
    """One request's messages, as a bad day shows them.

    Attributes:
        asked: When it was asked.
    """

    def __init__(self, numbers, luck, fails=0.1):
        self.asked = []
        self._luck = luck
        self._fails = fails
        self._visible = luck.uniform(0, 90)
        self._ends = {number: self._visible + luck.expovariate(1 / 60) for number in numbers}
        self._codes = {number: luck.choice(["0", "0", "3001"]) for number in numbers}

    def ask(self, request, now, found):
        self.asked.append(now)
        listed = [*self._ends] if now >= self._visible else []
        self._luck.shuffle(listed)
        if self._luck.random() < 0.2:  # rows that were there are gone again
            del listed[self._luck.randrange(len(listed) + 1) :]
        is_lost = self._luck.random() < self._fails
        for number in listed[: len(listed) // 2] if is_lost else listed:
            done = now - self._luck.uniform(0, 10) >= self._ends[number]  # some replicas lag
            status = COMPLETED if done else self._luck.choice([READY, PROCESSING, "ODD"])
            code = self._codes[number] if done else None
            delivery = request.take(row(number, status, code=code))
            if delivery is not None:
                found(delivery)
        if is_lost:
            request.failed(now)
        else:
            request.read(now)


def run(following, services, *, until=float("inf")):
    """Follow to the end; gives the deliveries, the time, and the sizes of the rounds."""
    now, told, sizes = 0.0, [], []
    following.begin(now, EPOCH)
    while (due := following.next_round(now)) is not None and now < until:
        now = max(now, due)
        asked = following.round(now)
        assert asked, "a round that asks nothing would go round for ever"
        assert len(set(asked)) == len(asked)
        sizes.append(len(asked))
        for request in asked:
            services[request.request_id].ask(request, now, told.append)
    return told, now, sizes


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_the_service_shows_each_ends_exactly_once(seed):
    luck = random.Random(seed)
    following, services = Following(), {}
    people = [f"010{i:08d}" for i in range(luck.randrange(1, 200))]
    for start in range(0, len(people), 40):
        numbers = people[start : start + 40]
        following.add(f"r{start}", numbers)
        services[f"r{start}"] = Service(numbers, luck)
    told, _, sizes = run(following, services)
    finals = Counter(delivery.number for delivery in told if delivery.is_final)
    assert finals == dict.fromkeys(people, 1)
    assert following.ended.total() == len(people)
    assert not pending(following)
    assert max(sizes) <= len(services)
    for service in services.values():
        pauses = [b - a for a, b in itertools.pairwise(service.asked)]
        assert min(pauses, default=1) >= 0.75
        assert len(service.asked) <= 60


def test_who_does_not_move_is_not_asked_about_with_those_who_do():
    class Steps:
        """One of four messages gets a step farther with every question; or none does."""

        def __init__(self, steps):
            self.asked, self._steps = 0, steps

        def ask(self, request, now, found):
            if self.asked < len(self._steps):
                request.take(row(*self._steps[self.asked]))
            request.read(now)
            self.asked += 1

    people = [f"010{i:08d}" for i in range(4)]
    steps = [(number, status) for number in people for status in (READY, PROCESSING, COMPLETED)]
    following = Following()
    services = {"lively": Steps(steps), "still": Steps([])}
    following.add("lively", people)
    following.add("still", NUMBERS)
    _, now, _ = run(following, services, until=12.0)
    assert services["lively"].asked == 12
    assert now < 20
    assert services["still"].asked <= 7


# -- bounds


def test_a_message_without_a_result_is_given_up_after_a_day():
    class Stuck:
        asked = 0

        def ask(self, request, now, found):
            self.asked += 1
            request.take(row(NUMBERS[0]))
            request.take(row(NUMBERS[1], PROCESSING))
            request.read(now)

    following = Following()
    following.add("r", NUMBERS)
    stuck = Stuck()
    _, now, _ = run(following, {"r": stuck})
    assert GIVE_UP_AFTER - 60 <= now <= GIVE_UP_AFTER + 60
    assert pending(following) == [(NUMBERS[1], PROCESSING), (NUMBERS[2], None)]
    assert following.ended == {DeliveryEnd.DELIVERED: 1}
    assert stuck.asked <= 24 * 60 + 20  # once a minute


@pytest.mark.parametrize("numbers", [NUMBERS, None])
def test_what_is_never_listed_is_given_up_after_an_hour(numbers):
    class Nothing:
        def ask(self, request, now, found):
            request.read(now)

    following = Following()
    following.add("r", numbers)
    _, now, _ = run(following, {"r": Nothing()})
    assert UNLISTED_AFTER <= now <= UNLISTED_AFTER + 120
    assert len(pending(following)) == (3 if numbers else 1)


def test_an_outage_proves_nothing():
    class Down:
        def ask(self, request, now, found):
            if now < 5 * UNLISTED_AFTER:
                request.failed(now)
            else:
                Service(NUMBERS, random.Random(0), fails=0).ask(request, now, found)

    following = Following()
    following.add("r", NUMBERS)
    told, _, _ = run(following, {"r": Down()})
    assert len([delivery for delivery in told if delivery.is_final]) == 3


# -- whose row it is


def test_deliveries_have_key_and_index():
    people = [Recipient(number, key=f"k{i}") for i, number in enumerate(NUMBERS)]
    batch = OutcomeBatch(OutcomeState.ACCEPTED, [7, 3, 5], people, NUMBERS, request_id="r")
    following, request = follow(NUMBERS, batch=batch)
    (first, *_) = following.pending()
    assert (first.key, first.index, first.number, first.status) == ("k0", 7, NUMBERS[0], None)
    found = [request.take(row(number)) for number in reversed(NUMBERS)]
    assert [(d.key, d.index, d.request_id) for d in found] == [
        ("k2", 5, "r"),
        ("k1", 3, "r"),
        ("k0", 7, "r"),
    ]


def test_rows_of_others_are_passed_over():
    following, request = follow(NUMBERS[:1])
    assert request.take(row(NUMBERS[1])) is None
    assert pending(following) == [(NUMBERS[0], None)]


def test_a_number_abroad_is_known_with_its_country_code():
    following, request = follow(["4155552671"])
    assert request.take(row("14155552671", country_code="1")).is_delivered
    assert not pending(following)


def test_whoever_a_list_names_is_told_by_id():
    following, request = follow(None)
    assert request.take(row(message_id="a")) is not None
    assert request.take(row(message_id="b", status=READY)) is not None
    assert request.take(row(message_id="a")) is None
    assert pending(following) == [(NUMBERS[0], READY), (None, None)]


def test_a_list_is_whole_when_it_stays_as_it_is():
    following, request = follow(None)
    request.take(row(message_id="a"))
    request.read(1.0)
    assert following.next_round(1.0) == 11.0
    request.take(row(NUMBERS[1], message_id="b"))
    request.failed(11.0)
    request.read(13.0)
    assert pending(following) == [(None, None)]
    request.read(23.0)
    assert not pending(following)
    assert following.next_round(23.0) is None
    assert following.ended == {DeliveryEnd.DELIVERED: 2}


# -- steps


def test_what_lags_behind_is_not_told_again():
    _, request = follow()
    seen = [None, READY, None, PROCESSING, READY, None, "ODD", PROCESSING, READY, COMPLETED, READY]
    told = [request.take(row(status=status)) for status in seen]
    assert [d.status for d in told if d] == [
        None, READY, PROCESSING, "ODD", PROCESSING, COMPLETED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"code": "0"}, DeliveryEnd.DELIVERED),
        ({"code": "3001"}, DeliveryEnd.FAILED),
        ({"code": None, "status_name": "success"}, DeliveryEnd.DELIVERED),
        ({"code": "0", "status_name": "fail"}, DeliveryEnd.FAILED),
        ({"code": None}, DeliveryEnd.COMPLETED),
    ],
)
def test_the_end_is_what_the_row_says(fields, end):
    following, request = follow()
    assert request.take(row(**fields)).end is end
    assert following.ended == {end: 1}


# -- reservations


def reservation(status):
    return Reservation(reserve_id="r", status=status)


def test_a_waiting_reservation_is_left_alone_until_its_time_or_an_hour():
    for due_in, wait in ((600.0, 605.0), (90_000.0, 3600.0)):
        following, request = follow()
        request.read(0.0, says_reserved=True)
        assert request.is_suspect(0.0)
        request.reserved(reservation(ReservationStatus.READY), 0.0, due_in=due_in)
        assert request.waits
        assert following.next_round(0.0) == wait


def test_one_that_is_late_is_asked_about_as_others_are():
    following, request = follow()
    for due_in in (-10.0, None):
        request.reserved(reservation(ReservationStatus.READY), 100.0, due_in=due_in)
        assert 100.0 < following.next_round(100.0) < 103.0


def test_what_was_reserved_waits_for_its_time_even_where_nothing_is_known_of_it():
    following, request = follow(reserve_at=from_epoch(EPOCH + 5000.0))
    assert request.waits
    assert following.next_round(0.0) == 3600.0
    request.not_reserved(3600.0, due_in=1400.0)
    assert request.waits
    assert following.next_round(3600.0) == 5005.0
    request.not_reserved(5005.0, due_in=-5.0)
    assert not request.waits
    assert following.next_round(5005.0) == 5005.0
    request.read(5005.0)
    assert following.next_round(5005.0 + UNLISTED_AFTER) is not None
    request.read(5005.0 + UNLISTED_AFTER)
    assert following.next_round(5005.0 + UNLISTED_AFTER) is None


def test_what_was_reserved_for_the_past_is_looked_for_at_once():
    following, request = follow(reserve_at=from_epoch(EPOCH - 5.0))
    assert not request.waits
    assert following.next_round(0.0) < 0.0


@pytest.mark.parametrize("status", ["CANCELED", "FAIL", "STALE", "SKIP"])
def test_who_has_gone_out_all_the_same_is_followed(status):
    following, request = follow()
    request.take(row(NUMBERS[0], READY))
    request.take(row(NUMBERS[1], PROCESSING))
    request.reserved(reservation(ReservationStatus(status)), 9.0, due_in=None)
    assert following.next_round(9.0) == 9.0  # its list is looked at before anybody ends
    assert len(pending(following)) == 3
    request.read(9.0)
    assert pending(following) == [(NUMBERS[1], PROCESSING)]
    end = DeliveryEnd.CANCELED if status == "CANCELED" else DeliveryEnd.NOT_SENT
    assert following.ended == {end: 2}
    assert request.take(row(NUMBERS[0])) is None
    assert request.take(row(NUMBERS[1])).is_delivered


def test_only_what_does_not_move_may_be_reserved():
    _, request = follow()
    assert not request.is_suspect(59.0)
    assert request.is_suspect(60.0)
    request.reserved(reservation("ODD"), 60.0, due_in=None)
    assert not request.is_suspect(100.0)
    assert request.is_suspect(120.0)
    request.not_reserved(130.0, due_in=None)
    assert not request.is_suspect(500.0)
    _, request = follow()
    request.take(row(status=PROCESSING))
    assert not request.is_suspect(500.0)
    _, request = follow(may_be_reserved=False)
    assert not request.is_suspect(500.0)
