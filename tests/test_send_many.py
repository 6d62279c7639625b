"""`send_many`: sources, reports, cancellation at every point, fairness and pace."""

import asyncio
import random
from collections import Counter
from itertools import chain, count

import pytest
from session_helpers import OPEN, StepCounter, Taken, check, jpeg, numbers, of_endpoint, sent

from sens_async import (
    BulkFailed,
    BulkReport,
    Credentials,
    DuplicateRecipient,
    InvalidMessage,
    InvalidRecipient,
    MessageType,
    MissingField,
    OutcomeState,
    RateLimit,
    Recipient,
    RunStopped,
    SendTimeout,
    SensSession,
    Settings,
    Timeouts,
)
from sens_async.emulator import Emulator, EmulatorOptions

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState


class SourceBroke(Exception):
    pass


@pytest.fixture
async def emulator(clock):
    async with Emulator(clock=clock, options=EmulatorOptions(keep_bodies=True)) as emulator:
        yield emulator


@pytest.fixture
async def sens(emulator):
    async with emulator.session(settings=OPEN) as session:
        yield session


def within(max_in_flight: int, **settings) -> Settings:
    return Settings(rate_limit=None, max_in_flight=max_in_flight, **settings)


# -- sources


@pytest.mark.parametrize(
    "source",
    [
        list,
        tuple,
        iter,
        lambda items: (item for item in items),
        lambda items: Taken(items).slowly(),
        lambda items: dict.fromkeys(items).keys(),
        lambda items: map(Recipient, items),
    ],
    ids=["list", "tuple", "iterator", "generator", "async generator", "keys", "recipients"],
)
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1234])
async def test_any_source_of_any_length_goes_out_once(emulator, sens, source, size):
    report = await sens.send_many(source(numbers(size)), "안녕하세요")

    assert [outcome.number for outcome in report.outcomes] == numbers(size)
    assert report.counts == Counter({ACCEPTED: size} if size else {})
    assert emulator.admissions.keys() == set(numbers(size))
    assert emulator.admissions.total == size
    sizes = [request.recipients for request in emulator.requests]
    assert len(sizes) == -(-size // 100)
    assert max(sizes, default=0) <= 100
    assert len(report.request_ids) == len(sizes)
    assert (report.stopped_by, len(report)) == (None, size)


async def test_a_list_of_everything_gives_everyone_an_outcome(emulator, sens):
    items = [
        "010-0000-0001",
        "bad",
        "01000000001",
        3,
        None,
        Recipient("01000000002", content="😀"),
        Recipient("01000000003", content="가" * 60, key="long"),
        Recipient("+82 10 0000 0004", fields={"name": "홍길동"}, key="k4"),
        Recipient(to=None),
        b"01000000005",
        ("01000000006",),
        "\uff10\uff11\uff10-\uff10\uff10\uff10\uff10-\uff10\uff10\uff10\uff17",
        "1000000008",
    ]

    report = await sens.send_many(items, "안녕하세요")

    check(report, emulator, items)
    states = [outcome.state for outcome in report.outcomes]
    assert states == [
        *(ACCEPTED, REJECTED, SKIPPED, REJECTED, REJECTED, REJECTED, ACCEPTED, ACCEPTED),
        *(REJECTED, REJECTED, REJECTED, ACCEPTED, ACCEPTED),
    ]
    assert [outcome.key for outcome in report.outcomes if outcome.key] == ["long", "k4"]
    assert isinstance(report.outcomes[1].error, InvalidRecipient)
    assert isinstance(report.outcomes[2].error, DuplicateRecipient)
    assert report.outcomes[6].type is MessageType.LMS
    assert report.counts_by_type == {MessageType.SMS: 4, MessageType.LMS: 1}
    assert report.outcomes[11].number == "01000000007"
    assert report.outcomes[12].number == "01000000008"
    assert report.recipients(REJECTED) == [outcome.recipient for outcome in report.rejected]
    with pytest.raises(BulkFailed, match="7 of 13 recipients") as caught:
        report.raise_for_failures()
    assert sum(caught.value.counts) == 7


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("01012345678", "str or Recipient, got str"),
        (b"01012345678", "got bytes"),
        (bytearray(b"01012345678"), "got bytearray"),
        ({"01012345678": "안녕"}, "got dict"),
        (Recipient("01012345678"), r"got Recipient.*send\(\)"),
        (None, "got NoneType"),
        (1012345678, "got int"),
    ],
)
async def test_what_is_no_list_is_a_type_error(emulator, sens, source, says):
    with pytest.raises(TypeError, match=says):
        await sens.send_many(source, "안녕하세요")
    with pytest.raises(TypeError, match=says):
        sens.send_stream(source, "안녕하세요")

    assert not emulator.requests


async def test_a_wrong_call_takes_nothing_from_the_source(emulator, sens):
    source = Taken(numbers(10))

    with pytest.raises(InvalidMessage, match="'twice'"):
        await sens.send_many(source, "안녕하세요", duplicates="twice")
    with pytest.raises(InvalidMessage, match=r"brace|\{"):
        await sens.send_many(source, "{name")

    assert not source.taken
    assert not emulator.requests


async def test_a_list_is_read_lazily_and_no_further_than_there_is_room(emulator, sens):
    emulator.fail("hang")
    endless = Taken(f"010{i:08d}" for i in count())
    report = BulkReport()
    sending = asyncio.create_task(sens.send_many(endless, "안녕하세요", report=report))
    await asyncio.sleep(1)

    taken = len(endless.taken)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert 100 <= taken <= 33 * 100
    check(report, emulator, endless.taken)


# -- what goes out


async def test_personal_texts_split_themselves_into_sms_and_lms(emulator, sens):
    people = [
        Recipient(number, fields={"name": "홍길동" * (1 + 15 * (i % 3 == 0))})
        for i, number in enumerate(numbers(300))
    ]

    report = await sens.send_many(people, "{name}님, 주문이 도착했습니다")

    assert report.counts_by_type == {MessageType.SMS: 200, MessageType.LMS: 100}
    assert len(emulator.requests) == 3
    for person, number in zip(people, numbers(300), strict=True):
        (admission,) = emulator.admissions[number]
        assert admission.text == f"{person.fields['name']}님, 주문이 도착했습니다"


async def test_the_text_that_most_share_is_written_once(emulator, sens):
    people = [Recipient(to, content="특별한 안내" if i == 7 else None) for i, to in _each(100)]

    await sens.send_many(people, "모두의 안내")

    (body,) = sent(emulator)
    assert body["content"] == "모두의 안내"
    assert [m for m in body["messages"] if "content" in m] == [
        {"to": numbers(100)[7], "content": "특별한 안내"}
    ]


def _each(size):
    return enumerate(numbers(size))


async def test_every_parameter_of_the_call_reaches_every_request(emulator, sens, clock):
    from datetime import timedelta

    from sens_async.core.schedule import from_epoch

    report = await sens.send_many(
        [Recipient(to, subject="{나}" if i % 2 else None) for i, to in _each(150)],
        "(광고) 할인",
        subject="안내",
        type="MMS",
        images=[jpeg("a"), jpeg("b")],
        content_type="AD",
        sender="02-1234-5678",
        reserve_at=from_epoch(clock.time()) + timedelta(hours=1),
    )

    assert report.counts == {ACCEPTED: 150}
    for body in sent(emulator):
        assert {name: body[name] for name in body.keys() - {"messages"}} == {
            "type": "MMS",
            "contentType": "AD",
            "countryCode": "82",
            "from": "0212345678",
            "subject": body["subject"],
            "content": "(광고) 할인",
            "files": [{"fileId": file.file_id} for file in emulator.uploads],
            "reserveTime": "2025-11-25 10:40",
            "reserveTimeZone": "Asia/Seoul",
        }
    subjects = {n: a.subject for n in numbers(150) for a in emulator.admissions[n]}
    assert subjects == {n: "{나}" if i % 2 else "안내" for i, n in _each(150)}


async def test_a_missing_field_costs_only_the_one_who_lacks_it(emulator, sens):
    people = [Recipient(to, fields={"name": None} if i == 5 else {"name": i}) for i, to in _each(9)]

    report = await sens.send_many([*people, "01099999999"], "{name}님")

    assert [outcome.index for outcome in report.rejected] == [5, 9]
    assert {type(outcome.error) for outcome in report.rejected} == {MissingField}
    assert report.counts[ACCEPTED] == 8


async def test_duplicates_are_skipped_when_their_final_text_is_the_same(emulator, sens):
    people = [
        *("01000000001", "010-0000-0001", Recipient("01000000001", content="다른 안내")),
        *(Recipient("821000000001", content="안내"), "01000000002"),
    ]

    report = await sens.send_many(people, "안내")

    assert [o.state for o in report.outcomes] == [ACCEPTED, SKIPPED, ACCEPTED, SKIPPED, ACCEPTED]
    assert [a.text for a in emulator.admissions["01000000001"]] == ["안내", "다른 안내"]
    for body in sent(emulator):
        assert len({m["to"] for m in body["messages"]}) == len(body["messages"])


async def test_duplicates_are_sent_on_demand_but_never_in_one_request(emulator, sens):
    report = await sens.send_many(["01000000001"] * 5, "안내", duplicates="send")

    assert report.counts == {ACCEPTED: 5}
    assert len(emulator.admissions["01000000001"]) == 5
    assert [request.recipients for request in emulator.requests] == [1] * 5


# -- the report


async def test_a_report_given_in_fills_while_the_run_goes_on(emulator, clock):
    report = BulkReport()
    seen = []
    async with emulator.session(settings=Settings(rate_limit=RateLimit(requests=1))) as sens:
        sending = asyncio.create_task(sens.send_many(numbers(1000), "안녕", report=report))
        while not sending.done():
            await asyncio.sleep(1)
            seen.append((len(report), round(report.elapsed)))

    assert await sending is report
    assert [size for size, _ in seen] == sorted(size for size, _ in seen)
    assert len({size for size, _ in seen}) >= 9
    assert [seconds for _, seconds in seen[:5]] == [1, 2, 3, 4, 5]
    assert report.elapsed == pytest.approx(9, abs=0.2)
    check(report, emulator, numbers(1000))


async def test_a_report_that_is_looked_at_during_the_run_is_right_at_its_end(emulator, sens):
    report = BulkReport()

    async def look():
        while len(report) < 3000:
            assert len(report.outcomes) == len(report)
            assert all(outcome.state is ACCEPTED for outcome in report.outcomes[::500])
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await sens.send_many(numbers(3000), "안녕", report=report)
    await looking

    check(report, emulator, numbers(3000))


async def test_outcomes_tell_when_and_how_often(emulator, sens, clock):
    emulator.fail("throttle", requests=1, retry_after=5)

    report = await sens.send_many(numbers(3), "안녕")

    assert {outcome.attempts for outcome in report.outcomes} == {2}
    (at,) = {outcome.attempted_at for outcome in report.outcomes}
    assert at.timestamp() == pytest.approx(clock.time(), abs=0.1)


# -- a source that breaks


@pytest.mark.parametrize("after", [0, 1, 100, 250, 1050])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_source_that_breaks_ends_the_run_after_what_is_in_flight(
    emulator, clock, after, is_async
):
    emulator.fail("late", delay=10.0)

    def broken():
        yield from numbers(after)
        raise SourceBroke

    source = Taken(broken())
    report = BulkReport()
    async with emulator.session(settings=within(4)) as sens:
        with pytest.raises(SourceBroke):
            await sens.send_many(source.slowly() if is_async else source, "안녕", report=report)
        assert sens.queue.in_flight == sens.queue.waiting == 0

    assert len(source.taken) == after
    check(report, emulator, source.taken)
    assert report.counts[UNKNOWN] == 0
    assert isinstance(report.stopped_by, RunStopped)
    assert isinstance(report.stopped_by.__cause__, SourceBroke)
    assert all(request.status == 202 for request in emulator.requests)


async def test_what_was_on_the_wire_when_the_source_broke_is_accepted(emulator, sens):
    emulator.fail("late", delay=10.0)

    async def broken():
        for number in numbers(200):
            yield number
        await asyncio.sleep(5)
        raise SourceBroke

    report = BulkReport()
    with pytest.raises(SourceBroke):
        await sens.send_many(broken(), "안녕", report=report)

    assert report.counts == {ACCEPTED: 200}


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_source_that_is_interrupted_leaves_no_one_without_an_outcome(
    emulator, sens, is_async
):
    """Interrupts, exits and the failures of a test are no `Exception`s."""

    class Interrupt(BaseException):
        pass

    def interrupted():
        yield from numbers(250)
        raise Interrupt

    source, report = Taken(interrupted()), BulkReport()
    with pytest.raises(Interrupt):
        await sens.send_many(source.slowly() if is_async else source, "안녕", report=report)

    check(report, emulator, source.taken)


async def test_an_iterable_that_cannot_be_iterated_says_so(emulator, sens):
    class Broken:
        def __iter__(self):
            raise SourceBroke

    with pytest.raises(SourceBroke):
        await sens.send_many(Broken(), "안녕")

    assert not emulator.requests


# -- cancellation


async def cancelled_at(emulator, settings, turns, *, source, arguments=(), faults=()):
    """Send, and cancel at the given turns of the loop; True if it came to its end before."""
    emulator.reset()
    emulator.refuse_numbers = set()
    for fault, options in faults:
        emulator.fail(fault, **options)
    taken, report = Taken(source()), BulkReport()
    items = taken if settings.max_in_flight % 2 else taken.slowly(0.01, every=60)
    async with emulator.session(settings=settings) as sens:
        sending = asyncio.create_task(
            sens.send_many(items, "안녕하세요", report=report, **dict(arguments))
        )
        with StepCounter(dict.fromkeys(turns, sending.cancel)):
            await asyncio.wait({sending})
        elapsed = report.elapsed
        assert sens.queue.in_flight == sens.queue.waiting == 0 or len(turns) > 1
        await asyncio.sleep(60)
        assert report.elapsed == elapsed, "the run went on"
    if sending.cancelled():
        with pytest.raises(asyncio.CancelledError) as caught:
            await sending
        assert type(caught.value) is asyncio.CancelledError
    check(report, emulator, taken.taken)
    assert not taken.interrupted, "the cancellation reached into the source"
    return not sending.cancelled(), report


SCENARIOS = {
    "list": {"settings": within(3)},
    "async source": {"settings": within(2)},
    "rate limit": {"settings": Settings(rate_limit=RateLimit(requests=4), max_in_flight=3)},
    "throttled": {
        "settings": within(3),
        "faults": [("throttle", {"requests": "2-3", "retry_after": 5})],
    },
    "refused and hunted": {
        "settings": within(3),
        "faults": [("bad_request", {"requests": {2, 3, 4}}), ("too_large", {"requests": {6}})],
    },
    "late": {"settings": within(2), "faults": [("late", {"delay": 3.0})]},
    "pictures": {"settings": within(3), "arguments": {"images": [jpeg()]}},
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_run_may_be_cancelled_at_any_turn_of_the_loop(emulator, name):
    states = Counter()
    is_done = False
    for turn in count():
        is_done, report = await cancelled_at(
            emulator, turns=[turn], source=lambda: numbers(450), **SCENARIOS[name]
        )
        assert not report.unknown, "what was on the wire was not waited for"
        states.update(report.counts)
        if is_done:
            break
        assert turn < 1000

    assert report.counts == {ACCEPTED: 450}
    assert turn >= 10
    assert states[NOT_SENT] > 0


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_run_may_be_cancelled_twice_at_any_turns_of_the_loop(emulator, name):
    luck = random.Random(2)
    for turn in chain(range(0, 60, 3), range(60, 120, 20)):
        gap = luck.choice([1, 2, 3, 5, 8, 20])
        await cancelled_at(
            emulator,
            turns=[turn, turn + gap],
            source=lambda: numbers(450),
            **SCENARIOS[name],
        )


async def test_cancelling_waits_for_what_is_on_the_wire_and_sends_nothing_more(emulator, clock):
    emulator.fail("late", delay=20.0)
    report = BulkReport()
    async with emulator.session(settings=within(4)) as sens:
        await _warm(emulator, sens)
        began = clock.monotonic()
        sending = asyncio.create_task(sens.send_many(numbers(2000), "안녕", report=report))
        await asyncio.sleep(5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        ended = clock.monotonic()

    assert ended - began == pytest.approx(20, abs=0.5)
    assert report.counts[ACCEPTED] == 400
    assert report.counts[UNKNOWN] == 0
    assert isinstance(report.stopped_by, RunStopped)
    assert all(isinstance(outcome.error, RunStopped) for outcome in report.not_sent)


async def _warm(emulator, sens):
    """Have the run's envelope proved, so that all slots are used at once."""
    emulator.clear_faults()
    await sens.send("01099999999", "안녕")
    emulator.reset()
    emulator.fail("late", delay=20.0)


async def test_a_second_cancellation_makes_what_is_on_the_wire_unknown_at_once(emulator, clock):
    emulator.fail("late", delay=20.0)
    report = BulkReport()
    async with emulator.session(settings=within(4)) as sens:
        sending = asyncio.create_task(sens.send_many(numbers(2000), "안녕", report=report))
        await asyncio.sleep(5)
        sending.cancel()
        await asyncio.sleep(5)
        assert not sending.done()
        second = clock.monotonic()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert clock.monotonic() == second
        assert report.counts[UNKNOWN] == 400
        assert report.counts[ACCEPTED] == 0
        assert all(outcome.error.may_have_been_sent for outcome in report.unknown)
        await asyncio.sleep(60)

    assert len(emulator.admissions) <= 400


async def test_what_is_on_the_wire_holds_a_cancelled_run_no_longer_than_its_timeout(
    emulator, clock
):
    emulator.fail("hang", accept=True)
    report = BulkReport()
    async with emulator.session(settings=within(4, timeouts=Timeouts(total=7.0))) as sens:
        sending = asyncio.create_task(sens.send_many(numbers(2000), "안녕", report=report))
        began = clock.monotonic()
        await asyncio.sleep(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    assert clock.monotonic() - began == pytest.approx(7, abs=0.5)
    assert report.counts[UNKNOWN] == 400
    assert len(emulator.requests) == 4


async def test_cancelling_while_pictures_are_uploaded_sends_nothing(emulator, sens):
    emulator.fail("late", endpoint="files", delay=10.0)
    report = BulkReport()
    sending = asyncio.create_task(
        sens.send_many(numbers(300), "안내", images=[jpeg()], report=report)
    )
    await asyncio.sleep(5)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    await asyncio.sleep(60)
    assert not of_endpoint(emulator, "messages")
    assert report.counts[ACCEPTED] == report.counts[UNKNOWN] == 0


async def test_cancelling_never_reaches_into_the_source(emulator, sens):
    source = Taken(numbers(10))
    report = BulkReport()
    sending = asyncio.create_task(
        sens.send_many(source.slowly(30.0, every=5), "안녕", report=report)
    )
    await asyncio.sleep(10)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert report.counts == {ACCEPTED: 5}
    await asyncio.sleep(60)
    assert not source.interrupted
    check(report, emulator, source.taken)
    assert len(source.taken) <= 6


async def test_a_session_is_as_good_as_new_after_a_cancelled_run(emulator, sens):
    emulator.fail("late", times=20, delay=1.0)
    sending = asyncio.create_task(sens.send_many(numbers(5000), "안녕"))
    await asyncio.sleep(1.5)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    report = await sens.send_many(numbers(500, start=10_000), "안녕")

    assert report.counts == {ACCEPTED: 500}


async def test_a_task_group_and_asyncio_timeout_may_cancel_a_run(emulator, sens):
    emulator.fail("late", delay=20.0)
    report = BulkReport()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await sens.send_many(numbers(5000), "안녕", report=report)

    check(report, emulator, numbers(5000)[: len(report)])
    assert report.counts[UNKNOWN] == 0


# -- deadline


async def test_a_run_that_is_over_time_reports(emulator, clock):
    limit = Settings(rate_limit=RateLimit(requests=1), max_in_flight=4)
    async with emulator.session(settings=limit) as sens:
        began = clock.monotonic()
        report = await sens.send_many(numbers(3000), "안녕", timeout=9.5)

    assert clock.monotonic() - began == pytest.approx(9.5, abs=0.1)
    check(report, emulator, numbers(3000))
    assert report.counts == {ACCEPTED: 1000, NOT_SENT: 2000}
    assert isinstance(report.stopped_by, SendTimeout)


async def test_a_deadline_does_not_wait_for_an_endless_source(emulator, sens, clock):
    source = Taken(f"010{i:08d}" for i in count())
    began = clock.monotonic()

    report = await sens.send_many(source.slowly(1.0), "안녕", timeout=9.5)

    assert clock.monotonic() - began == pytest.approx(9.5, abs=0.1)
    await asyncio.sleep(2)
    check(report, emulator, source.taken)
    assert report.counts[ACCEPTED] >= 8


async def test_a_deadline_that_is_not_reached_changes_nothing(emulator, sens):
    report = await sens.send_many(numbers(300), "안녕", timeout=5)

    assert (report.counts, report.stopped_by) == ({ACCEPTED: 300}, None)


# -- sharing


async def test_runs_take_turns(emulator):
    async with emulator.session(settings=within(2)) as sens:
        await sens.send("01099999999", "안녕")
        emulator.reset()
        emulator.fail("late", delay=1.0)
        reports = await asyncio.gather(
            *(sens.send_many(numbers(2000, start=i * 2000), f"안녕 {i}") for i in range(3))
        )

    assert {report.counts[ACCEPTED] for report in reports} == {2000}
    order = [body["content"] for body in sent(emulator)]
    for seen in range(6, 60, 6):
        shares = Counter(order[:seen])
        assert max(shares.values()) - min(shares.values()) <= 4, order


async def test_a_small_run_does_not_wait_for_a_large_one(emulator):
    limit = Settings(rate_limit=RateLimit(requests=10), max_in_flight=4)
    async with emulator.session(settings=limit) as sens:
        large = asyncio.create_task(sens.send_many(numbers(20_000), "큰"))
        await asyncio.sleep(3)
        small = await sens.send_many(numbers(300, start=20_000), "작은")
        await large

    assert small.elapsed < 2
    assert large.result().elapsed > 15


async def test_a_send_overtakes_a_run_that_waits(emulator, clock):
    limit = Settings(rate_limit=RateLimit(requests=10), max_in_flight=2)
    async with emulator.session(settings=limit) as sens:
        running = asyncio.create_task(sens.send_many(numbers(10_000), "안녕"))
        await asyncio.sleep(2)
        began = clock.monotonic()
        await sens.send("01099999999", "인증번호 1234")
        waited = clock.monotonic() - began
        await running

    assert waited < 0.25


async def test_sessions_of_several_tenants_do_not_mix(clock):
    async with (
        Emulator(clock=clock, service_id="ncp:sms:kr:1:a", access_key="A" * 20) as first,
        Emulator(clock=clock, service_id="ncp:sms:kr:2:b", access_key="B" * 20) as second,
        first.session(settings=OPEN) as one,
        second.session(settings=OPEN) as other,
    ):
        await asyncio.gather(
            one.send_many(numbers(500), "하나"),
            other.send_many(numbers(500, start=500), "둘"),
        )

        assert sorted(first.admissions) == numbers(500)
        assert sorted(second.admissions) == numbers(500, start=500)


# -- pace


async def test_a_slow_source_does_not_hold_a_partial_batch(emulator, sens, clock):
    source = Taken(numbers(9))
    began = clock.time()

    report = await sens.send_many(source.slowly(30.0, every=3), "안녕")

    waits = [request.at - began - 30 * i for i, request in enumerate(emulator.requests)]
    assert len(waits) == 3
    assert all(0.9 <= wait <= 1.6 for wait in waits[:2])
    assert report.counts == {ACCEPTED: 9}


async def test_a_trickle_is_sent_about_every_second(emulator, sens):
    report = await sens.send_many(Taken(numbers(100)).slowly(0.1), "안녕")

    assert report.counts == {ACCEPTED: 100}
    assert 6 <= len(emulator.requests) <= 12


async def test_a_signature_is_made_after_the_wait_for_the_rate_limit(emulator):
    limit = Settings(rate_limit=RateLimit(requests=1, per=400.0))
    async with emulator.session(settings=limit) as sens:
        report = await sens.send_many(numbers(300), "안녕")

    assert report.counts == {ACCEPTED: 300}
    assert len(emulator.requests) == 3
    for request in emulator.requests:
        stamp = int(request.headers["x-ncp-apigw-timestamp"]) / 1000
        assert stamp == pytest.approx(request.at, abs=0.1)


async def test_the_rate_is_kept_and_used(emulator, clock):
    limit = Settings(rate_limit=RateLimit(requests=50), max_in_flight=16)
    async with emulator.session(settings=limit) as sens:
        await sens.send_many(numbers(50_000), "안녕")

    times = [request.at for request in emulator.requests]
    assert times[-1] - times[0] == pytest.approx(499 / 50, rel=0.01)
    assert all(times[i + 51] - times[i] >= 0.999 for i in range(len(times) - 51))


async def test_recipients_may_be_what_is_limited(emulator):
    limit = Settings(rate_limit=RateLimit(requests=100, recipients=500), max_in_flight=8)
    async with emulator.session(settings=limit) as sens:
        report = await sens.send_many(numbers(5000), "안녕")

    assert report.elapsed == pytest.approx(10, abs=0.5)


class _Broken:
    """A transport with a bug that shows after the bytes may have left."""

    async def exchange(self, request, headers, handover):
        raise KeyError("a bug")

    async def aclose(self):
        pass


async def test_a_bug_in_a_transport_is_raised_and_leaves_nobody_not_sent_by_mistake(clock):
    report = BulkReport()
    keys = Credentials("KEY", "secret")
    async with SensSession(
        keys, service_id="svc", sender="0200000000", transport=_Broken(), clock=clock
    ) as sens:
        with pytest.raises(KeyError, match="a bug"):
            await sens.send_many(numbers(450), "안녕", report=report)

    met_it = [outcome for outcome in report.outcomes if outcome.attempts]
    assert met_it
    assert all(outcome.state is OutcomeState.UNKNOWN for outcome in met_it)
    assert len(report) == 450
