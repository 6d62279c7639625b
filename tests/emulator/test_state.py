import base64
import re

import pytest

from sens_async.emulator import EmulatorOptions
from sens_async.emulator.answers import Refused
from sens_async.emulator.state import State

NOW = 1764031180.535


def state(seed=0, **options):
    return State(sender="0200000000", options=EmulatorOptions(**options), seed=seed)


def stored(service, jpeg, now=NOW):
    body = {"fileName": "a.jpg", "fileBody": base64.b64encode(jpeg()).decode()}
    return service.files.upload(body, now).file_id


def test_every_recipient_of_an_accepted_request_is_admitted_once(message):
    service = state()
    batch = service.send(message("01000000001", "01000000002"), NOW)
    again = service.send(message("01000000002", content="또 안녕하세요"), NOW + 1)

    assert list(service.admissions) == ["01000000001", "01000000002"]
    first, second = service.admissions["01000000002"]
    assert (first.request_id, first.text, first.at) == (batch.request_id, "안녕하세요", NOW)
    assert (second.request_id, second.text) == (again.request_id, "또 안녕하세요")
    assert service.admissions.total == 3


def test_the_log_is_live(message):
    service = state()
    log = service.admissions
    service.send(message("01000000001"), NOW)
    assert len(log) == 1
    service.send(message("01000000002"), NOW)

    assert len(log) == 2
    assert repr(log) == "<AdmissionLog: 2 messages in 2 requests>"


def test_an_admission_shows_what_is_delivered_and_what_was_asked_for(message, jpeg):
    service = state()
    file_id = stored(service, jpeg)
    asked = message(
        type="MMS",
        contentType="AD",
        subject="제" * 21,
        content="(광고) " + "가" * 1000,
        files=[{"fileId": file_id}],
        reserveTime="2025-11-25 18:30",
    )
    service.send(asked, NOW)
    [admission] = service.admissions["01000000001"]

    assert admission.type == "MMS"
    assert admission.content_type == "AD"
    assert admission.content == asked["content"]
    assert admission.text == "(광고) " + "가" * 996
    assert admission.subject == "제" * 20
    assert (admission.sender, admission.country_code) == ("0200000000", "82")
    assert admission.file_ids == (file_id,)
    assert admission.reserve_at == "2025-11-25T18:30:00+09:00"
    assert admission.failure is None


def test_a_refused_request_admits_nobody(message):
    service = state()
    with pytest.raises(Refused):
        service.send(message("01000000001", "not a number"), NOW)

    assert not service.admissions
    assert service.admissions.total == 0


@pytest.mark.parametrize(("kind", "prefix"), [("SMS", "RSSA"), ("LMS", "RSLA"), ("MMS", "RSLA")])
def test_request_ids_have_the_documented_shape(message, kind, prefix):
    request_id = state().send(message(type=kind), NOW).request_id

    assert re.fullmatch(rf"{prefix}-1764031180535-\d{{4}}-\d{{8}}-[A-Za-z0-9]{{8}}", request_id)


def test_ids_are_unique_and_repeat_with_the_seed(message):
    def ids(service):
        batches = [service.send(message("01000000001", "01000000002"), NOW) for _ in range(50)]
        return [a.message_id for batch in batches for a in batch] + [b.request_id for b in batches]

    assert len(set(ids(state()))) == 150
    assert ids(state(seed=7)) == ids(state(seed=7))
    assert not set(ids(state(seed=7))) & set(ids(state(seed=8)))


def test_message_ids_look_like_uuids(message):
    [admission] = state().send(message(), NOW)

    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}", admission.message_id
    )


def test_an_unregistered_sender_fails_later_or_at_once(message):
    service = state()
    service.send(message(sender="0299999999"), NOW)

    assert service.admissions["01000000001"][0].failure == "3023"
    with pytest.raises(Refused, match="not a registered calling number"):
        state(unregistered_sender="refuse").send(message(sender="0299999999"), NOW)


def test_registered_senders_can_be_named(message):
    service = state(senders={"15880000"})
    service.send(message("01000000001", sender="15880000"), NOW)
    service.send(message("01000000002", sender="0200000000"), NOW)

    assert service.admissions["01000000001"][0].failure is None
    assert service.admissions["01000000002"][0].failure == "3023"


def test_what_cannot_be_delivered_is_accepted_with_the_code_it_will_fail_with(message):
    service = state()
    items = [
        {"to": "01000000001"},
        {"to": "123"},
        {"to": "01000000003", "content": "축하해요 🎉"},
    ]
    service.send(message(messages=items), NOW)

    failures = {number: a.failure for number, [a] in service.admissions.items()}
    assert failures == {"01000000001": None, "123": "3003", "01000000003": "3022"}


def test_a_picture_has_to_be_known_and_alive(message, jpeg):
    service = state(file_lifetime=100.0)
    file_id = stored(service, jpeg)

    with pytest.raises(Refused, match="unknown"):
        service.send(message(type="MMS", files=[{"fileId": "0" * 32}]), NOW)
    with pytest.raises(Refused, match="expired"):
        service.send(message(type="MMS", files=[{"fileId": file_id}]), NOW + 100)


def test_a_picture_that_expires_before_the_reserved_time_fails_then(message, jpeg):
    service = state(file_lifetime=3600.0)
    files = [{"fileId": stored(service, jpeg)}]
    service.send(
        message("01000000001", type="MMS", files=files, reserveTime="2025-11-25 10:39"), NOW
    )
    service.send(
        message("01000000002", type="MMS", files=files, reserveTime="2025-11-25 10:40"), NOW
    )

    assert service.admissions["01000000001"][0].failure is None
    assert service.admissions["01000000002"][0].failure == "S007"


def test_a_refused_number_refuses_the_whole_request(message):
    service = state()
    service.refuse_numbers.add("01000000002")

    with pytest.raises(Refused) as caught:
        service.send(message("01000000001", "01000000002"), NOW)
    service.send(message("01000000001"), NOW)

    assert (caught.value.status, caught.value.code) == (400, None)
    assert list(service.admissions) == ["01000000001"]


def test_a_quota_counts_recipients_and_refuses_what_would_pass_it(message):
    service = state(quota=3)
    service.send(message("01000000001", "01000000002"), NOW)
    with pytest.raises(Refused) as caught:
        service.send(message("01000000003", "01000000004"), NOW)
    service.send(message("01000000005"), NOW)

    assert (caught.value.status, caught.value.code) == (429, "400")
    assert service.admissions.total == 3


def test_a_rate_lets_so_many_through_in_any_second():
    service = state(rate=2)
    service.enter(10.0)
    service.enter(10.9)
    with pytest.raises(Refused) as caught:
        service.enter(10.99)
    service.enter(11.0)
    with pytest.raises(Refused):
        service.enter(11.89)
    service.enter(11.9)

    assert (caught.value.status, caught.value.code) == (429, "420")


def test_texts_need_not_be_kept(message):
    service = state(keep_texts=False)
    service.send(message(type="LMS", subject="안내", content="축하해요 🎉"), NOW)
    [admission] = service.admissions["01000000001"]

    assert (admission.text, admission.content, admission.subject) == ("", "", None)
    assert admission.failure == "3022"


def test_reset_forgets_everything_but_which_ids_were_used(message, jpeg):
    service = state(quota=1, rate=1)
    service.enter(1.0)
    file_id = stored(service, jpeg)
    before = service.send(message(), NOW).request_id
    service.refuse_numbers.add("01000000001")
    service.reset()
    service.enter(1.0)

    assert not service.admissions
    assert service.files.files == []
    assert service.send(message(), NOW).request_id != before
    with pytest.raises(Refused, match="unknown"):
        service.files.find(file_id, NOW)
