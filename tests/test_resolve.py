"""Unknown outcomes settled by asking an emulator, over real sockets and on a virtual clock."""

import asyncio
import pickle
from collections import Counter
from datetime import datetime, timedelta

import attrs
import orjson
import pytest
from scripted import Scripted, refused, session_over
from session_helpers import jpeg, numbers

from sens_async import (
    BulkFailed,
    BulkReport,
    ConnectFailed,
    NotFoundAfterSettling,
    Outcome,
    OutcomeBatch,
    OutcomeState,
    RateLimit,
    Recipient,
    RequestTimeout,
    RunStopped,
    SensError,
    SensSession,
    SessionClosed,
    Settings,
    Timeouts,
)
from sens_async.core.schedule import from_epoch
from sens_async.emulator import Emulator, EmulatorOptions
from sens_async.transport import AiohttpTransport

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState
SETTINGS = Settings(rate_limit=None, timeouts=Timeouts(connect=1.0, total=5.0))
SETTLE = 600.0
TEXT = "안녕하세요"
NUMBER = "01000000001"


@pytest.fixture
async def start(clock):
    """Start an emulator and a session on it."""
    opened = []

    async def start(*, settings=SETTINGS, session=None, **options):
        emulator = Emulator(clock=clock, options=EmulatorOptions(**options))
        await emulator.start()
        sens = emulator.session(settings=settings, **(session or {}))
        opened.extend([emulator, sens])
        return emulator, sens

    yield start
    for one in reversed(opened):
        await one.aclose()


class Changed:
    """A transport that changes the answers on their way."""

    def __init__(self, url: str, change) -> None:
        self._inner = AiohttpTransport(url, timeouts=SETTINGS.timeouts, connections=40)
        self._change = change

    async def exchange(self, request, headers, handover):
        return self._change(request, await self._inner.exchange(request, headers, handover))

    async def aclose(self) -> None:
        await self._inner.aclose()


def asked(emulator: Emulator) -> list:
    return [entry for entry in emulator.requests if entry.endpoint in {"list", "message"}]


def request_id(emulator: Emulator, number: str = NUMBER) -> str:
    (one,) = emulator.admissions[number]
    return one.request_id


async def lost(sens: SensSession, emulator: Emulator, *, accept: bool, **call) -> SensError:
    """Send to one person, and lose the answer."""
    emulator.fail("drop", accept=accept, times=1)
    with pytest.raises(SensError) as caught:
        await sens.send(call.pop("to", NUMBER), call.pop("content", TEXT), **call)
    assert caught.value.may_have_been_sent
    return caught.value


# -- one send


async def test_a_lost_answer_of_an_accepted_send_is_found(start):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=True, to=Recipient(NUMBER, key="k"))
    resolution = await sens.resolve(error)

    (outcome,) = resolution.outcomes
    assert outcome.state is ACCEPTED
    assert outcome.request_id == request_id(emulator)
    assert (outcome.key, outcome.number, outcome.error) == ("k", NUMBER, None)
    assert resolution.counts == {ACCEPTED: 1}
    assert resolution.settles_at is None
    assert resolution.report is None
    assert outcome.evidence is None
    assert repr(resolution) == "<Resolution: ACCEPTED 1>"


async def test_what_was_not_accepted_is_not_sent_after_the_settling_time(start, clock):
    emulator, sens = await start()
    began = clock.time()
    error = await lost(sens, emulator, accept=False)
    (outcome,) = (await sens.resolve(error)).outcomes

    assert began + SETTLE <= clock.time() < began + SETTLE + 3
    assert outcome.state is NOT_SENT
    assert isinstance(outcome.error, NotFoundAfterSettling)
    assert "not found after settling" in str(outcome.error)
    assert not outcome.error.may_have_been_sent
    assert outcome.error.is_retryable
    assert isinstance(outcome.error.__cause__, SensError)
    assert len(asked(emulator)) < 25


async def test_without_waiting_it_says_when_it_can_be_settled(start, clock):
    emulator, sens = await start()
    began = clock.time()
    error = await lost(sens, emulator, accept=False)
    resolution = await sens.resolve(error, wait=False)

    assert clock.time() < began + 1
    assert resolution.counts == {UNKNOWN: 1}
    assert resolution.outcomes == [error.outcome]
    assert resolution.settles_at == error.outcome.attempted_at + timedelta(seconds=SETTLE)
    assert resolution.reasons == {"SENS lists no such request yet": 1}
    assert "settles at 2025-11-25 09:49:40 KST" in repr(resolution)
    assert len(asked(emulator)) == 1
    await clock.sleep(SETTLE + 1)
    assert (await sens.resolve(error, wait=False)).counts == {NOT_SENT: 1}


async def test_found_early_is_done_early(start, clock):
    emulator, sens = await start(visibility_delay=100.0)
    began = clock.time()
    error = await lost(sens, emulator, accept=True)

    assert (await sens.resolve(error)).counts == {ACCEPTED: 1}
    assert began + 100 <= clock.time() < began + 200


async def test_a_copy_that_arrives_late_is_found(start, clock):
    emulator, sens = await start(visibility_delay=120.0)
    emulator.fail("late", delay=299.0, times=1)
    with pytest.raises(RequestTimeout) as caught:
        await sens.send(NUMBER, TEXT)

    assert (await sens.resolve(caught.value)).counts == {ACCEPTED: 1}
    assert len(emulator.admissions[NUMBER]) == 1


async def test_a_settling_time_too_short_goes_wrong(start):
    emulator, sens = await start(visibility_delay=100.0)
    error = await lost(sens, emulator, accept=True)

    assert (await sens.resolve(error, settle=0.0)).counts == {NOT_SENT: 1}
    assert NUMBER in emulator.admissions


async def test_out_of_time_while_the_background_still_sends(start):
    emulator, sens = await start(latency=3.0)
    with pytest.raises(RequestTimeout) as caught:
        await sens.send(NUMBER, TEXT, timeout=1.0)

    (outcome,) = (await sens.resolve(caught.value)).outcomes
    assert outcome.request_id == request_id(emulator)


async def test_another_text_to_the_same_person_is_not_taken_for_it(start):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=False, content="인증번호 1234")
    await sens.send(NUMBER, "인증번호 5678")

    assert (await sens.resolve(error)).counts == {NOT_SENT: 1}


async def test_twins_settled_one_by_one_do_not_share_a_request(start, clock):
    emulator, sens = await start()
    errors = [await lost(sens, emulator, accept=accept) for accept in (False, True)]
    await clock.sleep(SETTLE + 1)
    resolutions = [await sens.resolve(error) for error in errors]

    assert [one.outcomes[0].state for one in resolutions] == [ACCEPTED, NOT_SENT]
    again = await sens.resolve(errors[0])
    assert again.outcomes == resolutions[0].outcomes


async def test_twins_settled_at_the_same_time_do_not_share_a_request(start):
    emulator, sens = await start()
    errors = [await lost(sens, emulator, accept=accept) for accept in (True, False)]
    resolutions = await asyncio.gather(*map(sens.resolve, errors))

    states = [one.outcomes[0].state for one in resolutions]
    assert sorted(states) == [ACCEPTED, NOT_SENT]


async def test_the_same_message_whose_answer_is_on_its_way_is_another(clock):
    class Slow(Changed):
        answered = asyncio.Event()

        async def exchange(self, request, headers, handover):
            answer = await super().exchange(request, headers, handover)
            if answer.status == 202:
                await self.answered.wait()
            return answer

    async with Emulator(clock=clock) as emulator:
        transport = Slow(emulator.url, lambda _, answer: answer)
        async with emulator.session(settings=SETTINGS, transport=transport) as sens:
            error = await lost(sens, emulator, accept=False)
            sending = asyncio.create_task(sens.send(NUMBER, TEXT))
            await clock.sleep(3.0)
            assert NUMBER in emulator.admissions
            asking = asyncio.create_task(sens.resolve(error, wait=False))
            await clock.sleep(1.0)
            assert asked(emulator)
            transport.answered.set()
            receipt = await sending
            assert (await asking).counts == {UNKNOWN: 1}
            assert (await sens.resolve(error)).counts == {NOT_SENT: 1}
            assert receipt.request_id == request_id(emulator)
        await transport.aclose()


async def test_the_same_message_twice_is_told(start):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=True)
    async with emulator.session(settings=SETTINGS) as stranger:
        receipt = await stranger.send(NUMBER, TEXT)
    await asyncio.sleep(1.0)
    resolution = await sens.resolve(error)

    first, second = (one.request_id for one in emulator.admissions[NUMBER])
    assert resolution.outcomes[0].request_id == first
    assert resolution.suspected_duplicates == [(first, second)]
    assert second == receipt.request_id
    assert "1 suspected duplicates" in repr(resolution)


@pytest.mark.parametrize("text", ["줄\r\n바꿈 & <b>", "뷁 전각ＡＢＣ", "\u110b\u1161\u11ab"])
async def test_texts_as_people_write_them_are_recognised(start, text):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=True, content=text, subject="제목")

    assert (await sens.resolve(error)).counts == {ACCEPTED: 1}


async def test_a_picture_message_is_recognised(start):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=True, images=[jpeg()])

    assert error.outcome.evidence.file_ids
    assert (await sens.resolve(error)).counts == {ACCEPTED: 1}


async def test_the_rows_of_2021_are_looked_up_one_by_one(start):
    emulator, sens = await start(list_fields="2021")
    error = await lost(sens, emulator, accept=True)
    await sens.send(NUMBER, "다른 글")

    (outcome,) = (await sens.resolve(error)).outcomes
    assert outcome.request_id == emulator.admissions[NUMBER][0].request_id


async def test_the_same_message_accepted_a_moment_before_is_another(start):
    emulator, sens = await start()
    receipt = await sens.send(NUMBER, TEXT)
    error = await lost(sens, emulator, accept=False)

    assert (await sens.resolve(error)).counts == {NOT_SENT: 1}
    assert receipt.request_id == request_id(emulator)


async def test_rows_without_texts_are_looked_up_once_for_a_request(start):
    emulator, _ = await start()

    def without_texts(request, answer):
        if request.method != "GET" or "/messages?" not in request.target or not answer.body:
            return answer
        body = orjson.loads(answer.body)
        for row in body.get("messages", ()):
            row.pop("content")
        return answer._replace(body=orjson.dumps(body))

    transport = Changed(emulator.url, without_texts)
    async with emulator.session(settings=SETTINGS, transport=transport) as sens:
        emulator.fail("drop", accept=True, requests=[1])
        report = await sens.send_many(numbers(100), TEXT)
        assert (await sens.resolve(report)).counts == {ACCEPTED: 100}
    await transport.aclose()
    assert [entry.endpoint for entry in emulator.requests].count("message") == 1


# -- reservations


@pytest.mark.parametrize(
    ("accept", "reserved_rows"), [(True, "empty"), (True, "ready"), (False, "empty")]
)
async def test_a_reserved_send_settles_after_its_time(start, clock, accept, reserved_rows):
    emulator, sens = await start(reserved_rows=reserved_rows)
    at = from_epoch(clock.time()).replace(second=0, microsecond=0) + timedelta(minutes=40)
    error = await lost(sens, emulator, accept=accept, reserve_at=at)
    once = await sens.resolve(error, wait=False)
    assert once.settles_at == at + timedelta(seconds=SETTLE) or reserved_rows == "ready"
    resolution = await sens.resolve(error)

    now = from_epoch(clock.time())
    if accept:
        assert resolution.counts == {ACCEPTED: 1}
        assert now < at + timedelta(seconds=SETTLE)
    else:
        assert resolution.counts == {NOT_SENT: 1}
        assert at + timedelta(seconds=SETTLE) <= now
        assert "after its reserved time" in str(resolution.outcomes[0].error)
    assert len(asked(emulator)) < 80


# -- runs


async def unknown_run(sens, emulator, *, accept, people=None, content=TEXT, **call) -> BulkReport:
    """A run whose second request is lost."""
    emulator.fail("drop", accept=accept, requests=[2])
    people = numbers(300) if people is None else people
    report = await sens.send_many(people, content, **call)
    assert report.counts[UNKNOWN]
    return report


@pytest.mark.parametrize("accept", [True, False])
async def test_a_report_is_settled(start, accept):
    emulator, sens = await start()
    report = await unknown_run(sens, emulator, accept=accept)
    resolution = await sens.resolve(report)

    state = ACCEPTED if accept else NOT_SENT
    assert resolution.counts == {state: 100}
    assert [one.index for one in resolution.outcomes] == [one.index for one in report.unknown]
    after = resolution.report
    assert after.counts == Counter(ACCEPTED=300) if accept else Counter(ACCEPTED=200, NOT_SENT=100)
    assert [one.index for one in after.outcomes] == list(range(300))
    assert after.elapsed == report.elapsed
    assert len(after.request_ids) == 2 + accept
    assert report.counts[UNKNOWN] == 100  # the one given is as it was
    with pytest.raises(ValueError, match="given to a run before"):
        await sens.send_many([], TEXT, report=after)


@pytest.mark.parametrize("accept", [True, False])
async def test_texts_of_ones_own_are_recognised(start, accept):
    emulator, sens = await start()
    people = [Recipient(n, fields={"name": f"손님{n}"}, key=n) for n in numbers(300)]
    people[150].content = '따로 "쓴" 글'
    report = await unknown_run(
        sens, emulator, accept=accept, people=people, content="{name}님, 안녕하세요"
    )
    resolution = await sens.resolve(report)

    assert set(resolution.counts) == {ACCEPTED if accept else NOT_SENT}
    assert all(one.key == one.number for one in resolution.outcomes)


async def test_requests_accepted_in_the_same_run_do_not_count(start):
    emulator, sens = await start()
    people = numbers(100) * 2
    emulator.fail("drop", requests=[2])
    report = await sens.send_many(people, TEXT, duplicates="send")
    assert report.counts == {ACCEPTED: 100, UNKNOWN: 100}

    assert (await sens.resolve(report)).counts == {NOT_SENT: 100}
    assert (await sens.resolve(report.outcomes)).counts == {NOT_SENT: 100}


@pytest.mark.parametrize("accepted", [0, 1, 2, 3])
async def test_identical_requests_are_told_apart_by_their_number(start, accepted):
    emulator, sens = await start(visibility_delay=(0.0, 120.0))
    for i in range(3):
        emulator.fail("drop", accept=i < accepted, requests=[i + 1])
    report = await sens.send_many(numbers(100) * 3, TEXT, duplicates="send")
    assert report.counts == {UNKNOWN: 300}
    after = (await sens.resolve(report)).report

    assert +after.counts == +Counter({ACCEPTED: 100 * accepted, NOT_SENT: 300 - 100 * accepted})
    assert set(after.request_ids) == {batch.request_id for batch in emulator.admissions.batches}


async def test_a_report_that_still_fills_is_settled_as_far_as_it_was(start, clock):
    emulator, sens = await start()
    emulator.fail("drop", requests=[1, 2])

    async def people():
        for number in numbers(200):
            if number == numbers(200)[100]:
                await asyncio.sleep(100.0)
            yield number

    report = BulkReport()
    running = asyncio.create_task(sens.send_many(people(), TEXT, report=report))
    await clock.sleep(50.0)
    resolution = await sens.resolve(report)
    await running

    assert resolution.counts == {NOT_SENT: 100}
    assert resolution.report.counts[UNKNOWN] == 100


async def test_what_is_listed_after_all_is_not_called_absent(start, clock):
    """One is thought absent while another is waited for; then it shows after all."""
    emulator, sens = await start(visibility_delay=700.0)
    first = await lost(sens, emulator, accept=True)
    await clock.sleep(300.0)
    second = await lost(sens, emulator, accept=False, content="다른 글")
    resolution = await sens.resolve([first, second])

    assert [one.state for one in resolution.outcomes] == [ACCEPTED, NOT_SENT]


async def test_outcomes_of_a_stream_and_single_ones_are_taken(start):
    emulator, sens = await start()
    emulator.fail("drop", accept=True, requests=[2])
    async with sens.send_stream(numbers(200), TEXT) as stream:
        outcomes = [outcome async for outcome in stream]
    some = [one for one in outcomes if one.state is UNKNOWN][10:13]

    assert (await sens.resolve(outcomes)).counts == {ACCEPTED: 100}
    assert (await sens.resolve(some)).counts == {ACCEPTED: 3}
    assert (await sens.resolve(iter(some))).counts == {ACCEPTED: 3}
    assert (await sens.resolve(some[0])).counts == {ACCEPTED: 1}


async def test_what_was_pickled_is_recognised_in_another_session(start):
    emulator, sens = await start()
    report = await unknown_run(sens, emulator, accept=True)
    error = await lost(sens, emulator, accept=False, to="01099999999")
    some = [pickle.loads(pickle.dumps(one)) for one in (*report.unknown[:2], error)]
    assert len({one.evidence.token for one in some[:2]}) == 1
    async with emulator.session(settings=SETTINGS) as other:
        resolution = await other.resolve(some)

    assert [one.state for one in resolution.outcomes] == [ACCEPTED, ACCEPTED, NOT_SENT]
    assert resolution.outcomes[0].index == report.unknown[0].index


async def test_an_abandoned_run_is_settled(start, clock):
    emulator, sens = await start(latency=3.0)
    report = BulkReport()
    running = asyncio.create_task(sens.send_many(numbers(300), TEXT, report=report))
    await clock.sleep(1.0)
    for _ in range(2):
        running.cancel()
        await clock.sleep(0.1)
    await asyncio.wait([running])
    assert report.counts[UNKNOWN] == 300
    resolution = await sens.resolve(report)

    assert resolution.counts[UNKNOWN] == 0
    assert resolution.counts[ACCEPTED] == emulator.admissions.total


async def test_only_unknown_outcomes_hold_texts(start):
    emulator, sens = await start()
    report = await unknown_run(sens, emulator, accept=True)

    assert [one.evidence is not None for one in report.outcomes].count(True) == 100
    assert {one.state for one in report.outcomes if one.evidence} == {UNKNOWN}
    evidence = report.unknown[0].evidence
    assert evidence.texts == (TEXT,)
    assert TEXT not in repr(evidence)
    assert evidence.numbers[0] not in repr(evidence)


# -- shared requests


async def test_senders_of_a_shared_request_are_settled_alike(start):
    emulator, sens = await start(settings=attrs.evolve(SETTINGS, linger=0.05))
    emulator.fail("drop", accept=True, times=1)
    sends = [sens.send(number, TEXT) for number in numbers(5)]
    errors = await asyncio.gather(*sends, return_exceptions=True)
    errors = [pickle.loads(pickle.dumps(error)) for error in errors]
    resolution = await sens.resolve(errors)

    (batch,) = emulator.admissions.batches
    assert [one.request_id for one in resolution.outcomes] == [batch.request_id] * 5
    assert [one.number for one in resolution.outcomes] == numbers(5)
    assert (await sens.resolve(errors[3])).outcomes[0].request_id == batch.request_id


async def test_who_left_a_shared_request_and_who_stayed_looked_for_the_same(start):
    emulator, sens = await start(settings=attrs.evolve(SETTINGS, linger=0.05))
    emulator.fail("late", delay=30.0, times=1)
    sends = [sens.send(n, TEXT, timeout=1.0 if i else None) for i, n in enumerate(numbers(3))]
    errors = await asyncio.gather(*sends, return_exceptions=True)
    assert len({error.outcome.evidence.token for error in errors}) == 1

    assert (await sens.resolve(errors)).counts == {ACCEPTED: 3}


async def test_who_left_a_shared_request_is_settled_though_others_stayed(start):
    _, sens = await start(settings=attrs.evolve(SETTINGS, linger=0.05), latency=3.0)
    quick = asyncio.create_task(sens.send("01000000001", TEXT, timeout=1.0))
    patient = asyncio.create_task(sens.send("01000000002", TEXT))
    with pytest.raises(RequestTimeout) as caught:
        await quick
    (outcome,) = (await sens.resolve(caught.value)).outcomes

    assert outcome.request_id == (await patient).request_id


async def test_who_left_a_shared_request_is_not_in_its_next_attempt(start, clock):
    emulator, sens = await start(settings=attrs.evolve(SETTINGS, linger=0.05), latency=3.0)
    emulator.fail("throttle", times=1, retry_after=2)
    quick = asyncio.create_task(sens.send("01000000001", TEXT, timeout=1.0))
    patient = asyncio.create_task(sens.send("01000000002", TEXT))
    with pytest.raises(RequestTimeout) as caught:
        await quick
    await patient

    assert list(emulator.admissions) == ["01000000002"]
    assert (await sens.resolve(caught.value)).counts == {NOT_SENT: 1}


async def test_a_shared_request_all_have_left_is_not_tried_again(start, clock):
    emulator, sens = await start(settings=attrs.evolve(SETTINGS, linger=0.05), latency=3.0)
    emulator.fail("throttle", times=1, retry_after=2)
    sends = [sens.send(number, TEXT, timeout=1.0) for number in numbers(2)]
    errors = await asyncio.gather(*sends, return_exceptions=True)
    await clock.sleep(30.0)

    assert len(emulator.requests) == 1
    assert (await sens.resolve(errors)).counts == {NOT_SENT: 2}


async def test_who_left_a_shared_request_that_went_in_parts_stays_unknown(start, clock):
    emulator, sens = await start(settings=attrs.evolve(SETTINGS, linger=0.05), latency=1.0)
    emulator.refuse_numbers = {"01000000003"}
    sends = [sens.send(n, TEXT, timeout=1.5 if i == 0 else None) for i, n in enumerate(numbers(4))]
    error, *_ = await asyncio.gather(*sends, return_exceptions=True)
    assert error.outcome.state is UNKNOWN
    resolution = await sens.resolve(error)

    assert resolution.counts == {UNKNOWN: 1}
    assert numbers(4)[0] in emulator.admissions


async def test_who_left_before_and_after_a_shared_request_was_split_are_told_apart(start):
    emulator, sens = await start(settings=attrs.evolve(SETTINGS, linger=0.05), latency=1.0)
    people = numbers(5)
    emulator.refuse_numbers = {people[4]}
    timeouts = (0.5, 1.5, None, None, None)
    sends = [sens.send(n, TEXT, timeout=t) for n, t in zip(people, timeouts, strict=True)]
    early, late, *_ = await asyncio.gather(*sends, return_exceptions=True)
    for errors in ([early, late], [late, early]):
        resolution = await sens.resolve(errors)
        states = {one.number: one.state for one in resolution.outcomes}
        assert states == {people[0]: NOT_SENT, people[1]: UNKNOWN}

    assert people[0] not in emulator.admissions
    assert people[1] in emulator.admissions


# -- what cannot be read


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (404, {}),
        (503, {}),
        ("html", {"status": 200}),
        ("html", {"status": 404}),
        ("half", {}),
        ("unauthorized", {}),
        ("forbidden", {}),
        ("too_many", {}),
    ],
)
async def test_what_cannot_be_read_is_never_absent(start, clock, kind, options):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=False)
    emulator.fail(kind, endpoint="list", **options)
    await clock.sleep(SETTLE + 1)
    once = await sens.resolve(error, wait=False)
    assert once.counts == {UNKNOWN: 1}
    assert "could not be asked" in next(iter(once.reasons))
    assert (await sens.resolve(error)).counts == {UNKNOWN: 1}
    emulator.clear_faults()
    assert (await sens.resolve(error)).counts == {NOT_SENT: 1}


async def test_a_list_that_says_no_more_than_reserved_is_not_empty(start, clock):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=False)
    body = b'{"statusCode":"202","statusName":"reserved","messages":[]}'
    emulator.fail(200, endpoint="list", body=body)
    await clock.sleep(SETTLE + 1)
    assert (await sens.resolve(error)).counts == {UNKNOWN: 1}


async def test_reading_is_tried_again_until_it_is_settled(start, clock):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=True)
    emulator.fail("half", endpoint="list", times=40)

    assert (await sens.resolve(error)).counts == {ACCEPTED: 1}


async def test_a_request_that_cannot_be_read_whole_is_neither_found_nor_absent(start, clock):
    emulator, sens = await start()
    report = await unknown_run(sens, emulator, accept=True)
    await clock.sleep(SETTLE + 1)
    # Two windows are read, then each of the five attempts to read what was found fails.
    emulator.fail(503, endpoint="list", requests=[i for i in range(1, 99) if (i - 1) % 7 >= 2])
    resolution = await sens.resolve(report)

    assert resolution.counts == {UNKNOWN: 100}
    assert "may be it" in next(iter(resolution.reasons))


async def test_a_list_without_what_is_known_to_be_accepted_proves_nothing(start, clock):
    emulator, sens = await start()
    report = await unknown_run(sens, emulator, accept=True)
    emulator.fail(404, endpoint="list", body=b"")  # as if it took times for another zone's
    await clock.sleep(SETTLE + 1)
    resolution = await sens.resolve(report)

    assert resolution.counts == {UNKNOWN: 100}
    assert "its list proves nothing" in next(iter(resolution.reasons))


async def test_requests_accepted_after_the_unknown_one_show_whether_the_list_is_good(start):
    slow = Settings(rate_limit=RateLimit(requests=1, per=5.0), timeouts=SETTINGS.timeouts)
    emulator, sens = await start(settings=slow)
    emulator.fail("drop", accept=True, requests=[1])
    report = await sens.send_many(numbers(300), TEXT)
    emulator.fail(404, endpoint="list", body=b"")
    async with emulator.session(settings=SETTINGS) as other:  # which asks when the first is due
        assert (await other.resolve(report)).counts == {UNKNOWN: 100}


def of_others(messages):
    messages.append(messages[0] | {"to": "01099999999", "messageId": "m", "requestId": "other"})


def only_of_others(messages):
    for row in messages:
        row.update(to="01099999999", messageId=f"m{row['messageId']}", requestId="other")


def masked(messages):
    for row in messages:
        row["to"] = row["to"][:3] + "****" + row["to"][-4:]


def with_its_country(messages):
    for row in messages:
        row["from"] = "82" + row["from"][1:]


@pytest.mark.parametrize("people", [1, 3])
@pytest.mark.parametrize("change", [of_others, only_of_others, masked, with_its_country])
async def test_rows_that_are_not_what_was_asked_for_make_nothing_absent(clock, change, people):
    def alter(request, answer):
        is_changed = "requestId=" in request.target or change in (masked, with_its_country)
        if answer.status != 200 or not is_changed:
            return answer
        body = orjson.loads(answer.body)
        change(body["messages"])
        return answer._replace(body=orjson.dumps(body))

    async with Emulator(clock=clock) as emulator:
        transport = Changed(emulator.url, alter)
        async with emulator.session(settings=SETTINGS, transport=transport) as sens:
            emulator.fail("drop", accept=True, times=1)
            report = await sens.send_many(numbers(people), TEXT)
            await clock.sleep(SETTLE + 1)
            resolution = await sens.resolve(report)
            is_certain = change is of_others or (change is only_of_others and people == 1)
            assert resolution.counts == {ACCEPTED if is_certain else UNKNOWN: people}
        await transport.aclose()


async def test_dates_that_are_not_korean_make_nothing_absent(clock):
    """That the service writes Korean time is an inference from its samples."""

    def alter(_, answer):
        if answer.status != 200:
            return answer
        body = orjson.loads(answer.body)
        for row in body["messages"]:
            korean = datetime.fromisoformat(row["requestTime"])
            row["requestTime"] = f"{korean - timedelta(hours=9)}"
        return answer._replace(body=orjson.dumps(body))

    async with Emulator(clock=clock) as emulator:
        transport = Changed(emulator.url, alter)
        async with emulator.session(settings=SETTINGS, transport=transport) as sens:
            emulator.fail("drop", accept=True, times=1)
            report = await sens.send_many(numbers(3), TEXT)
            await clock.sleep(SETTLE + 1)
            assert (await sens.resolve(report)).counts == {UNKNOWN: 3}
        await transport.aclose()


async def test_longer_ago_than_lists_go_back_stays_unknown(start, clock):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=True)
    await clock.sleep(90 * 86_400.0)
    resolution = await sens.resolve(error)

    assert resolution.counts == {UNKNOWN: 1}
    assert "longer ago" in next(iter(resolution.reasons))


async def test_questions_keep_to_the_rate_limit(start, clock):
    settings = attrs.evolve(SETTINGS, rate_limit=RateLimit(requests=2))
    emulator, sens = await start(settings=settings)
    for i in range(4):
        emulator.fail("drop", accept=True, requests=[i + 1])
    report = await sens.send_many(numbers(400), TEXT)
    began = clock.time()

    assert (await sens.resolve(report)).counts == {ACCEPTED: 400}
    assert clock.time() - began >= 3.0


# -- clocks


@pytest.mark.parametrize("ahead", [-3600.0, -280.0, 45.0, 290.0, 3600.0])
@pytest.mark.parametrize("late", [0.0, 9.0])
async def test_a_wrong_clock_misses_nothing(start, clock, ahead, late):
    """A clock less than five minutes wrong is not refused, and so not corrected."""
    wrong = type(clock)()
    wrong.offset = ahead
    emulator, sens = await start(visibility_delay=120.0, session={"clock": wrong})
    if late:
        emulator.fail("late", delay=late, requests=[1, 2])
    else:
        emulator.fail("drop", accept=True, requests=[1, 2])
    with pytest.raises(SensError) as caught:
        await sens.send(NUMBER, TEXT)
    if not caught.value.may_have_been_sent:
        pytest.skip("refused")
    resolution = await sens.resolve(caught.value)

    assert resolution.counts[NOT_SENT] == (NUMBER not in emulator.admissions)
    assert resolution.counts[UNKNOWN] == 0


async def test_a_clock_ahead_does_not_end_the_settling_early(start, clock):
    wrong = type(clock)()
    wrong.offset = 240.0
    emulator, sens = await start(session={"clock": wrong})
    began = clock.time()
    error = await lost(sens, emulator, accept=False)

    assert (await sens.resolve(error)).counts == {NOT_SENT: 1}
    assert clock.time() >= began + 240 + SETTLE


async def test_a_clock_set_ahead_is_not_trusted_where_answers_have_no_date(start, clock):
    wrong = type(clock)()
    emulator, _ = await start()
    transport = Changed(emulator.url, lambda _, answer: answer._replace(date=None))
    async with emulator.session(settings=SETTINGS, transport=transport, clock=wrong) as sens:
        began = clock.time()
        error = await lost(sens, emulator, accept=False)
        settling = asyncio.create_task(sens.resolve(error))
        await clock.sleep(100.0)
        wrong.offset = 240.0
        assert (await settling).counts == {NOT_SENT: 1}
    await transport.aclose()
    assert clock.time() >= began + SETTLE


async def test_a_signature_time_is_the_gateways(start, clock):
    """Also where no answer came that told it."""
    wrong = type(clock)()
    wrong.offset = -3600.0
    _, sens = await start(latency=3.0, session={"clock": wrong})
    await sens.send(NUMBER, "그 전의 글")
    with pytest.raises(RequestTimeout) as caught:
        await sens.send(NUMBER, TEXT, timeout=1.0)

    assert caught.value.outcome.evidence.signed_at == pytest.approx(clock.time(), abs=3.0)
    assert (await sens.resolve(caught.value)).counts == {ACCEPTED: 1}


async def test_a_clock_set_ahead_meanwhile_makes_nothing_older(start, clock):
    wrong = type(clock)()
    emulator, sens = await start(session={"clock": wrong})
    began = clock.time()
    error = await lost(sens, emulator, accept=False)
    settling = asyncio.create_task(sens.resolve(error))
    await clock.sleep(100.0)
    wrong.offset = 3600.0

    assert (await settling).counts == {NOT_SENT: 1}
    assert clock.time() >= began + SETTLE


# -- what is given


async def test_nothing_unknown_asks_nothing(start):
    emulator, sens = await start()
    report = await sens.send_many(numbers(10), TEXT)
    refusal = SensError("no")
    with pytest.raises(SensError) as caught:
        await sens.send("no number", TEXT)
    for given in (report, report.outcomes, [], BulkReport(), refusal, caught.value):
        resolution = await sens.resolve(given)
        assert resolution.outcomes == []
        assert resolution.settles_at is None
        assert (resolution.report is None) is not isinstance(given, BulkReport)
        assert repr(resolution) == "<Resolution: nothing was unknown>"
    assert asked(emulator) == []


async def test_an_outcome_made_by_hand_stays_unknown(start):
    emulator, sens = await start()
    batch = OutcomeBatch(UNKNOWN, [0], [NUMBER], [NUMBER], error=RunStopped("?"))
    resolution = await sens.resolve([Outcome(batch, 0)])

    assert resolution.counts == {UNKNOWN: 1}
    assert resolution.settles_at is None
    assert "does not hold what a search needs" in next(iter(resolution.reasons))
    assert asked(emulator) == []


@pytest.mark.parametrize("settle", [-1.0, float("inf"), float("nan"), "600", None, True])
async def test_no_settling_time(start, settle):
    _, sens = await start()
    with pytest.raises(ValueError, match="settle must be 0 or more"):
        await sens.resolve([], settle=settle)


@pytest.mark.parametrize("settle", [90 * 86_400, 1e12, 1e300])
async def test_no_settling_time_is_longer_than_lists_go_back(start, settle):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=True)
    with pytest.raises(ValueError, match="at most 7689600 "):
        await sens.resolve(error, settle=settle, wait=False)
    assert not asked(emulator)


@pytest.mark.parametrize("given", [None, 5, "text", b"x", [5], ["RSLA-1"], ValueError("no")])
async def test_what_is_no_outcome(start, given):
    _, sens = await start()
    with pytest.raises(TypeError, match="resolve takes"):
        await sens.resolve(given)


async def test_an_error_that_does_not_say_what_to_look_for(start):
    emulator, sens = await start()
    report = await unknown_run(sens, emulator, accept=True)
    with pytest.raises(BulkFailed) as caught:
        report.raise_for_failures()
    with pytest.raises(ValueError, match="give the run's report"):
        await sens.resolve(caught.value)


# -- ending early


async def test_cancelled_it_changes_nothing(start, clock):
    emulator, sens = await start()
    report = await unknown_run(sens, emulator, accept=False)
    settling = asyncio.create_task(sens.resolve(report))
    await clock.sleep(50.0)
    settling.cancel()
    await asyncio.wait([settling])
    assert settling.cancelled()
    assert report.counts[UNKNOWN] == 100

    assert (await sens.resolve(report)).counts == {NOT_SENT: 100}


async def test_closed_meanwhile(start, clock):
    emulator, sens = await start()
    error = await lost(sens, emulator, accept=False)
    settling = asyncio.create_task(sens.resolve(error))
    await clock.sleep(50.0)
    await sens.aclose()
    with pytest.raises(SessionClosed):
        await settling
    with pytest.raises(SessionClosed):
        await sens.resolve(error)


@pytest.mark.parametrize("days", [0, 30])
async def test_closing_does_not_leave_it_asleep(start, clock, days):
    emulator, sens = await start()
    at = from_epoch(clock.time() + days * 86_400) if days else None
    error = await lost(sens, emulator, accept=False, reserve_at=at)
    settling = asyncio.create_task(sens.resolve(error))
    await clock.sleep(200.0 + days * 7_200)
    closed_at = clock.time()
    await sens.aclose()
    with pytest.raises(SessionClosed):
        await settling
    assert clock.time() - closed_at < 1.0


# -- nothing else is unknown


@pytest.mark.parametrize("linger", [0.0, 0.05])
async def test_a_bug_in_a_transport_leaves_something_to_look_for(clock, linger):
    def answer(_):
        raise RuntimeError("a bug")

    settings = Settings(rate_limit=None, linger=linger)
    async with session_over(Scripted(answer), settings=settings, clock=clock) as sens:
        with pytest.raises(SensError) as caught:
            await sens.send(NUMBER, TEXT)
    assert caught.value.outcome.state is UNKNOWN
    assert caught.value.outcome.evidence is not None


async def test_only_the_last_attempt_is_unknown(clock):
    """So there is one signature time to look around."""

    def answer(_):
        attempts = len(transport.requests)
        if attempts == 1:
            return refused(429, "410", retry_after="10")
        if attempts == 2:
            raise ConnectFailed("refused", is_retryable=True)
        return refused(503, "500")

    transport = Scripted(answer)
    transport._marks = False
    async with session_over(transport, settings=SETTINGS, clock=clock) as sens:
        with pytest.raises(SensError) as caught:
            await sens.send(NUMBER, TEXT)
    evidence = caught.value.outcome.evidence
    assert len(transport.requests) == 3
    assert evidence.signed_at == pytest.approx(clock.time(), abs=0.5)
