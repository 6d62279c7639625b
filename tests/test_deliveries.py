"""A delivery: how it ended, and what of it is shown."""

import copy
import pickle

import pytest

from sens_async import (
    Delivery,
    DeliveryStatus,
    Reservation,
    ReservationStatus,
    ResultClass,
    Unsubscribe,
)

ENDS = [
    # status, status_name, code, is_delivered, is_failed
    (None, None, None, False, False),
    ("READY", None, None, False, False),
    ("PROCESSING", "success", "0", False, False),
    ("COMPLETED", "success", "0", True, False),
    ("COMPLETED", "SUCCESS", "0", True, False),
    ("COMPLETED", "fail", "3001", False, True),
    ("COMPLETED", None, "0", True, False),
    ("COMPLETED", None, "3001", False, True),
    ("COMPLETED", "success", None, True, False),
    ("COMPLETED", "fail", None, False, True),
    ("COMPLETED", "fail", "0", False, True),
    ("COMPLETED", None, None, False, False),
    ("COMPLETED", "puzzled", "0", False, False),
    ("ARCHIVED", "success", "0", False, False),
]


@pytest.mark.parametrize(("status", "status_name", "code", "delivered", "failed"), ENDS)
def test_completed_is_not_delivered(status, status_name, code, delivered, failed):
    delivery = Delivery(number="01000000001", status=status, status_name=status_name, code=code)
    assert (delivery.is_delivered, delivery.is_failed) == (delivered, failed)
    assert delivery.is_final == (status == "COMPLETED")


def test_a_result_is_explained():
    assert Delivery(number="010").result is None
    result = Delivery(number="010", code="3001").result
    assert (result.kind, result.english) == (ResultClass.PERMANENT, "no such subscriber")
    assert Delivery(number="010", code="X1").result.kind is ResultClass.UNKNOWN


def test_repr_shows_neither_numbers_nor_texts():
    delivery = Delivery(
        message_id="m-1", number="01012345678", sender="0212345678", subject="제목이다",
        content="비밀 본문", status=DeliveryStatus.COMPLETED, code="0", telco="SKT",
    )  # fmt: skip
    assert (
        repr(delivery) == "<Delivery m-1 010-****-5678 COMPLETED 0 SKT "
        "subject=<4 characters> content=<5 characters>>"
    )
    assert "12345678" not in repr(Unsubscribe(number="01012345678"))


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))]
)
def test_values_survive_copying_and_pickling(twin):
    for value in (
        Delivery(number="010", status=DeliveryStatus.READY, file_ids=("f",)),
        Reservation(reserve_id="r", status=ReservationStatus.READY),
        Unsubscribe(number="010", how="C"),
    ):
        assert twin(value) == value
        assert hash(twin(value)) == hash(value)


@pytest.mark.parametrize(
    ("status", "is_final", "is_cancellable"),
    [
        ("READY", False, True),
        ("PROCESSING", False, False),
        ("CANCELED", True, False),
        ("FAIL", True, False),
        ("DONE", True, False),
        ("STALE", True, False),
        ("SKIP", True, False),
    ],
)
def test_the_seven_states_of_a_reservation(status, is_final, is_cancellable):
    reservation = Reservation(reserve_id="r", status=ReservationStatus(status))
    assert (reservation.is_final, reservation.is_cancellable) == (is_final, is_cancellable)
    assert len(ReservationStatus) == 7


def test_a_state_that_is_not_known_ends_nothing():
    reservation = Reservation(reserve_id="r", status="PONDERING")
    assert not reservation.is_final
    assert not reservation.is_cancellable


@pytest.mark.parametrize(
    ("how", "is_manual"), [("M", True), ("C", False), (None, False), ("X", False)]
)
def test_how_a_number_came_on_the_list(how, is_manual):
    assert Unsubscribe(number="010", how=how).is_manual is is_manual
