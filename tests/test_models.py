"""The values users hand in and get back."""

import pickle
from datetime import datetime

import attrs
import pytest

from sens_async import ContentType, MessageType, OutcomeState, Receipt, Recipient, UploadedFile
from sens_async.core.schedule import KST

NOW = datetime(2025, 11, 25, 9, 39, 40, tzinfo=KST)


@pytest.mark.parametrize(
    ("enum", "values"),
    [
        (MessageType, ["SMS", "LMS", "MMS"]),
        (ContentType, ["COMM", "AD"]),
        (OutcomeState, ["ACCEPTED", "REJECTED", "SKIPPED", "NOT_SENT", "UNKNOWN"]),
    ],
)
def test_enums_are_their_wire_names(enum, values):
    assert [str(member) for member in enum] == values
    assert [enum(value) for value in values] == list(enum)
    assert enum(values[0]) == values[0]
    assert f"{enum(values[0])}" == values[0]


def test_a_recipient_needs_a_number_only():
    recipient = Recipient("010-1234-5678")
    assert recipient.to == "010-1234-5678"
    assert recipient.content is recipient.subject is recipient.key is None
    assert recipient.fields == {}


def test_recipients_do_not_share_their_fields():
    assert Recipient("1").fields is not Recipient("2").fields


@pytest.mark.parametrize("wrong", [None, 5, b"010", [], {}, object(), "틀린 번호"])
def test_bad_data_raises_nothing_yet(wrong):
    recipient = Recipient(wrong, wrong, wrong, wrong, wrong)
    assert recipient.to is wrong
    assert "Recipient(" in repr(Recipient(wrong))


def test_recipients_of_equal_content_are_equal():
    assert Recipient("1", fields={"a": 1}) == Recipient("1", fields={"a": 1})
    assert Recipient("1") != Recipient("2")


def test_repr_of_a_recipient_shows_neither_number_nor_text_nor_fields():
    recipient = Recipient(
        "010-1234-5678", "비밀 본문", "비밀 제목", {"이름": "홍길동", "번호": "A-1"}, key="order-17"
    )
    assert (
        repr(recipient) == "Recipient(010-****-5678, content=<5 characters>, "
        "subject=<5 characters>, fields=<2>, key='order-17')"
    )
    assert repr(Recipient("01012345678")) == "Recipient(010-****-5678)"


@pytest.mark.parametrize("wrong", [5, None, 1.5, object])
def test_repr_of_a_recipient_with_fields_of_no_length_is_no_error(wrong):
    assert repr(Recipient("01012345678", fields=wrong)).startswith("Recipient(010-****-5678")


def test_a_receipt_shows_a_masked_number():
    receipt = Receipt(
        request_id="RSLA-1", requested_at=NOW, number="01012345678", type=MessageType.SMS
    )
    assert "01012345678" not in repr(receipt)
    assert "010-****-5678" in repr(receipt)
    assert "RSLA-1" in repr(receipt)
    assert (receipt.reserve_at, receipt.attempts) == (None, 1)


def test_an_uploaded_file_may_be_the_callers_own():
    file = UploadedFile(file_id="f", expires_at=NOW)
    assert (file.name, file.size_bytes, file.digest) == ("", 0, "")


@pytest.mark.parametrize(
    "value",
    [
        Receipt(request_id="r", requested_at=None, number="01012345678", type=MessageType.MMS),
        UploadedFile(file_id="f", expires_at=NOW, name="n.jpg", size_bytes=5, digest="ab"),
        Recipient("01012345678", fields={"a": 1}, key="k"),
        MessageType.LMS,
        OutcomeState.UNKNOWN,
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_survive_pickle(value):
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        Receipt(request_id="r", requested_at=None, number="01012345678", type=MessageType.MMS),
        UploadedFile(file_id="f", expires_at=NOW),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_library_gives_does_not_change(value):
    name = attrs.fields(type(value))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, "other")
