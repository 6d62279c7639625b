"""`linger`: several `send`s in one request, each with its own receipt or error."""

import asyncio
import logging
import random
from collections import Counter

import orjson
import pytest
from scripted import Scripted, accepted, needs_eager_tasks, refused, session_over
from session_helpers import StepCounter, jpeg, numbers, sent
from virtual_time import VirtualClock

from sens_async import (
    AuthenticationFailed,
    BadRequest,
    ConnectFailed,
    ConnectionLost,
    InvalidRecipient,
    MessageType,
    OutcomeState,
    RateLimit,
    Receipt,
    Recipient,
    RequestTimeout,
    RetryPolicy,
    SendTimeout,
    SensError,
    SessionClosed,
    Settings,
    Timeouts,
    TransportError,
)
from sens_async.emulator import Emulator, EmulatorOptions

LINGER = 0.05


def lingering(**options) -> Settings:
    return Settings(**{"linger": LINGER, "rate_limit": None, **options})


ONE_A_MINUTE = lingering(rate_limit=RateLimit(requests=1, per=60.0))


@pytest.fixture
async def emulator(clock):
    async with Emulator(clock=clock, options=EmulatorOptions(keep_bodies=True)) as emulator:
        yield emulator


@pytest.fixture
async def sens(emulator):
    async with emulator.session(settings=lingering()) as session:
        yield session


@pytest.fixture
async def slow(emulator):
    """A session that may make one request a minute, and has just made it."""
    async with emulator.session(settings=ONE_A_MINUTE) as session:
        await session.send("01099999999", "안녕하세요")
        yield session


def begin(sens, people, text="안녕하세요", **options) -> list[asyncio.Task]:
    return [asyncio.create_task(sens.send(one, text, **options)) for one in people]


async def ends(tasks) -> list[Receipt | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


def sizes(emulator) -> list[int]:
    return [request.recipients for request in emulator.requests]


# -- together


async def test_a_thousand_sends_share_ten_requests(sens, emulator):
    people = numbers(1000)
    receipts = await ends(begin(sens, people))

    assert sizes(emulator) == [100] * 10
    assert [receipt.number for receipt in receipts] == people
    assert all(receipt.type is MessageType.SMS for receipt in receipts)
    assert all(receipt.attempts == 1 and receipt.requested_at for receipt in receipts)
    by_request = Counter(receipt.request_id for receipt in receipts)
    assert set(by_request.values()) == {100}
    for receipt in receipts:
        (admission,) = emulator.admissions[receipt.number]
        assert admission.request_id == receipt.request_id


async def test_each_gets_the_text_meant_for_it(sens, emulator):
    people = numbers(50)
    tasks = [
        asyncio.create_task(sens.send(number, f"인증번호 {i:06d} {'가' * (i % 3)}"))
        for i, number in enumerate(people)
    ]
    tasks += begin(sens, [Recipient("01077777777", fields={"name": '"홍"'})], "{name}님")
    tasks += begin(sens, [Recipient("01088888888", content="내 글")])
    await ends(tasks)

    assert sizes(emulator) == [52]
    for i, number in enumerate(people):
        assert emulator.admissions[number][0].text == f"인증번호 {i:06d} {'가' * (i % 3)}"
    assert emulator.admissions["01077777777"][0].text == '"홍"님'
    assert emulator.admissions["01088888888"][0].text == "내 글"


async def test_a_common_text_is_written_once(sens, emulator):
    await ends(begin(sens, numbers(3)))
    (body,) = sent(emulator)

    assert body["content"] == "안녕하세요"
    assert all(set(one) == {"to"} for one in body["messages"])


async def test_what_differs_in_its_envelope_goes_apart(sens, emulator):
    ways = [
        {},
        {"subject": "안내"},
        {"type": "LMS"},
        {"sender": "0299999999"},
        {"content_type": "AD", "text": "(광고) 안녕하세요"},
        {"images": [jpeg("a")]},
        {"images": [jpeg("b")]},
        {"text": "가" * 50},
    ]
    people = numbers(2 * len(ways))
    tasks = []
    for way, pair in zip(ways, zip(people[::2], people[1::2], strict=True), strict=True):
        tasks += begin(sens, pair, **way)
    outcomes = await ends(tasks)

    assert all(isinstance(outcome, Receipt) for outcome in outcomes), outcomes
    bodies = [orjson.loads(r.body) for r in emulator.requests if r.endpoint == "messages"]
    assert len(bodies) < len(tasks)
    for body in bodies:
        assert len({people.index(one["to"]) // 2 for one in body["messages"]} - {2, 7}) <= 1
    subjects = {number: emulator.admissions[number][0].subject for number in people}
    assert {number for number, subject in subjects.items() if subject} == set(people[2:4])


async def test_subjects_of_ones_own_stay_with_their_texts(sens, emulator):
    people = numbers(3)
    tasks = [
        asyncio.create_task(sens.send(number, f"글 {i}", subject=f"제목 {i}"))
        for i, number in enumerate(people)
    ]
    await ends(tasks)

    assert sizes(emulator) == [3]
    for i, number in enumerate(people):
        (one,) = emulator.admissions[number]
        assert (one.subject, one.text) == (f"제목 {i}", f"글 {i}")


async def test_a_number_stands_in_a_request_but_once(sens, emulator):
    receipts = await ends(begin(sens, ["01011112222"] * 3 + ["01033334444"]))

    assert sorted(sizes(emulator)) == [1, 1, 2]
    assert len({receipt.request_id for receipt in receipts}) == 3
    assert len(emulator.admissions["01011112222"]) == 3


async def test_a_reservation_is_never_shared(sens, emulator, clock):
    """Cancelling one would cancel all."""
    from datetime import UTC, datetime

    later = datetime.fromtimestamp(clock.time() + 7200, UTC)
    await ends(begin(sens, numbers(3), reserve_at=later))

    assert sizes(emulator) == [1, 1, 1]


async def test_what_is_wrong_by_itself_is_told_at_once(sens, emulator, clock):
    began = clock.monotonic()
    with pytest.raises(InvalidRecipient) as caught:
        await sens.send("110", "안녕하세요")

    assert caught.value.outcome.state is OutcomeState.REJECTED
    assert clock.monotonic() == began
    assert emulator.requests == []


# -- how long


async def test_a_lone_send_waits_no_longer_than_linger(sens, clock):
    began = clock.monotonic()
    await sens.send("01011112222", "안녕하세요")

    assert clock.monotonic() - began == pytest.approx(LINGER, abs=0.02)


async def test_a_full_request_does_not_linger(clock):
    transport = Scripted()
    async with session_over(transport, settings=lingering(), clock=clock) as sens:
        began = clock.monotonic()
        tasks = begin(sens, numbers(150))
        await asyncio.wait(tasks[:100])
        assert clock.monotonic() - began < LINGER
        await ends(tasks)
        assert clock.monotonic() - began == pytest.approx(LINGER, abs=0.01)


async def test_lingering_holds_nobody_back_but_the_waiting(clock):
    """Requests overlap as they please: a window begins while others are on the wire."""
    transport = Scripted(seconds=1.0)
    async with session_over(transport, settings=lingering(), clock=clock) as sens:
        began = clock.monotonic()
        tasks = []
        for number in numbers(400):
            tasks += begin(sens, [number])
            await clock.sleep(0.001)
        await ends(tasks)
        assert clock.monotonic() - began < 0.4 + LINGER + 1.0 + 0.1
    assert transport.most_in_flight >= 6
    assert len(transport.requests) <= 9


async def test_without_linger_everybody_goes_alone(emulator):
    async with emulator.session(settings=Settings(rate_limit=None)) as sens:
        await ends(begin(sens, numbers(5)))

    assert sizes(emulator) == [1] * 5


# -- refusals and faults


async def test_a_refusal_of_one_does_not_fail_the_others(sens, emulator):
    people = numbers(60)
    emulator.refuse_numbers = {people[17]}
    outcomes = await ends(begin(sens, people))

    refused = outcomes.pop(17)
    assert isinstance(refused, BadRequest)
    assert refused.outcome.state is OutcomeState.REJECTED
    assert (refused.outcome.number, refused.outcome.index) == (people[17], 0)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert emulator.admissions.total == 59
    assert len(emulator.requests) <= 14


async def test_a_wrong_key_is_told_to_each(emulator):
    emulator.fail("unauthorized")
    async with emulator.session(settings=lingering()) as sens:
        errors = await ends(begin(sens, numbers(7)))

    assert all(isinstance(error, AuthenticationFailed) for error in errors)
    assert len(set(map(id, errors))) == 7
    assert [error.outcome.number for error in errors] == numbers(7)
    assert {error.outcome.state for error in errors} == {OutcomeState.NOT_SENT}
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("accept", [False, True])
async def test_a_lost_answer_leaves_everybody_unknown_and_nobody_twice(sens, emulator, accept):
    emulator.fail("drop", accept=accept, times=1)
    errors = await ends(begin(sens, numbers(7)))

    assert all(isinstance(error, ConnectionLost) for error in errors)
    assert all(error.may_have_been_sent for error in errors)
    assert [error.outcome.number for error in errors] == numbers(7)
    assert {error.outcome.state for error in errors} == {OutcomeState.UNKNOWN}
    assert all(error.outcome.attempted_at for error in errors)
    assert emulator.admissions.total == (7 if accept else 0)
    assert len(emulator.requests) == 1


async def test_throttling_pauses_and_all_go(sens, emulator):
    emulator.fail("throttle", times=2)
    receipts = await ends(begin(sens, numbers(7)))

    assert {receipt.attempts for receipt in receipts} == {3}
    assert emulator.admissions.total == 7


# -- leaving


async def test_a_leader_who_leaves_takes_nobody_along(sens, emulator):
    first, *others = begin(sens, numbers(5))
    await asyncio.sleep(0)
    first.cancel()
    outcomes = await ends(others)

    assert first.cancelled()
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert sizes(emulator) == [4]


async def test_if_all_leave_nothing_is_sent(sens, emulator, clock):
    tasks = begin(sens, numbers(5))
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await ends(tasks)
    await clock.sleep(1.0)

    assert emulator.requests == []
    assert isinstance(await sens.send("01011112222", "안녕하세요"), Receipt)


async def test_whoever_waits_for_the_rate_limit_may_still_leave(slow, emulator, clock):
    tasks = begin(slow, numbers(5))
    await clock.sleep(10.0)
    tasks[0].cancel()
    tasks[3].cancel()
    await ends(tasks)

    assert sizes(emulator) == [1, 3]
    assert "01000000000" not in emulator.admissions
    assert "01000000003" not in emulator.admissions


async def test_if_all_leave_the_rate_limit_nothing_is_sent(slow, emulator, clock):
    tasks = begin(slow, numbers(5))
    await clock.sleep(10.0)
    for task in tasks:
        task.cancel()
    await ends(tasks)
    await clock.sleep(100.0)

    assert sizes(emulator) == [1]
    assert slow.queue.waiting == 0


async def test_out_of_time_while_waiting_is_certainly_not_sent(slow, emulator, clock):
    quick = begin(slow, numbers(2), timeout=5.0)
    patient = begin(slow, numbers(3, start=100))
    errors = await ends(quick)
    await ends(patient)

    assert all(isinstance(error, SendTimeout) for error in errors)
    assert {error.outcome.state for error in errors} == {OutcomeState.NOT_SENT}
    assert sizes(emulator) == [1, 3]
    assert "01000000000" not in emulator.admissions


async def test_out_of_time_on_the_wire_is_unknown_and_logged(clock, caplog):
    caplog.set_level(logging.WARNING, "sens_async")
    transport = Scripted(seconds=10.0)
    async with session_over(transport, settings=lingering(), clock=clock) as sens:
        quick = begin(sens, numbers(1), timeout=5.0)
        patient = begin(sens, numbers(1, start=1))
        (error,) = await ends(quick)
        assert isinstance(error, RequestTimeout)
        assert error.may_have_been_sent
        assert error.outcome.state is OutcomeState.UNKNOWN
        assert error.outcome.attempts == 1
        assert error.outcome.attempted_at is not None
        (receipt,) = await ends(patient)
        assert isinstance(receipt, Receipt)
    assert "unattended send to 010-****-0000 was accepted: RSLA-1" in caplog.text
    assert transport.requests == [numbers(2)]


async def test_cancelled_on_the_wire_is_finished_and_logged(clock, caplog):
    caplog.set_level(logging.WARNING, "sens_async")
    transport = Scripted(seconds=10.0)
    async with session_over(transport, settings=lingering(), clock=clock) as sens:
        leaver, stayer = begin(sens, numbers(2))
        await clock.sleep(1.0)
        leaver.cancel()
        await asyncio.wait([leaver])
        assert clock.monotonic() < 1010.0
        assert isinstance(await stayer, Receipt)
        assert leaver.cancelled()
    assert caplog.text.count("unattended") == 1


async def test_a_failure_nobody_waits_for_is_logged(emulator, sens, caplog, clock):
    caplog.set_level(logging.WARNING, "sens_async")
    emulator.fail("late", delay=5.0, times=1)
    emulator.fail("drop", times=1)
    async with emulator.session(settings=lingering(timeouts=Timeouts(total=3.0, connect=1.0))) as s:
        tasks = begin(s, numbers(2))
        await clock.sleep(LINGER + 0.01)
        for task in tasks:
            task.cancel()
        await ends(tasks)
    assert "unattended send to 010-****-0000 failed" in caplog.text


# -- closing


async def test_closing_sends_nothing_that_still_gathers(emulator):
    sens = emulator.session(settings=lingering())
    tasks = begin(sens, numbers(3))
    await asyncio.sleep(0)
    await sens.aclose()
    errors = await ends(tasks)

    assert all(isinstance(error, SessionClosed) for error in errors)
    assert len(set(map(id, errors))) == 3
    assert {error.outcome.state for error in errors} == {OutcomeState.NOT_SENT}
    assert emulator.requests == []


async def test_closing_sends_nothing_that_waits_for_the_rate_limit(emulator, clock):
    sens = emulator.session(settings=ONE_A_MINUTE)
    await sens.send("01099999999", "안녕하세요")
    tasks = begin(sens, numbers(3))
    await clock.sleep(1.0)
    await sens.aclose()
    errors = await ends(tasks)

    assert all(isinstance(error, SessionClosed) for error in errors)
    assert {error.outcome.state for error in errors} == {OutcomeState.NOT_SENT}
    assert sizes(emulator) == [1]


async def test_closing_finishes_what_is_on_the_wire(clock):
    transport = Scripted(seconds=10.0)
    sens = session_over(transport, settings=lingering(), clock=clock)
    tasks = begin(sens, numbers(3))
    await clock.sleep(1.0)
    await sens.aclose()

    assert all(isinstance(outcome, Receipt) for outcome in await ends(tasks))


async def test_closing_in_a_hurry_leaves_what_is_on_the_wire_unknown(clock):
    transport = Scripted(seconds=10.0)
    sens = session_over(transport, settings=lingering(), clock=clock)
    tasks = begin(sens, numbers(3))
    await clock.sleep(1.0)
    await sens.aclose(timeout=2.0)
    errors = await ends(tasks)

    assert all(isinstance(error, ConnectionLost) for error in errors)
    assert all(error.may_have_been_sent for error in errors)
    assert {error.outcome.state for error in errors} == {OutcomeState.UNKNOWN}


# -- whatever happens


@pytest.mark.parametrize("seed", range(20))
async def test_every_send_ends_in_one_honest_outcome(clock, seed):
    """Senders come, leave and run out of time at random while requests meet faults."""
    rng = random.Random(f"linger {seed}")
    random.seed(seed)
    states: Counter = Counter()
    options = EmulatorOptions(latency=rng.choice([0.0, 0.05, 1.0]))
    async with Emulator(clock=clock, seed=seed, options=options) as emulator:
        for kind in ("drop", "reset", "hang", "half", 503, "garbage", "no_id"):
            emulator.fail(kind, probability=0.05, accept=rng.random() < 0.5)
        emulator.fail("throttle", probability=0.05)
        people = numbers(300)
        emulator.refuse_numbers = set(rng.sample(people, 3))
        rate = rng.choice([None, RateLimit(requests=5)])
        settings = lingering(rate_limit=rate, timeouts=Timeouts(total=8.0, connect=2.0))
        async with emulator.session(settings=settings) as sens:
            tasks = {}
            for number in people:
                timeout = rng.choice([None, None, 0.02, 1.0, 20.0])
                tasks[number] = asyncio.create_task(sens.send(number, "안녕", timeout=timeout))
                if rng.random() < 0.2:
                    await clock.sleep(rng.random() * 0.1)
                if rng.random() < 0.05:
                    rng.choice(list(tasks.values())).cancel()
            if rng.random() < 0.3:
                await sens.aclose(timeout=rng.choice([None, 0.5]))
            await asyncio.wait(tasks.values())
        await clock.sleep(100.0)
        for number, task in tasks.items():
            admitted = len(emulator.admissions[number]) if number in emulator.admissions else 0
            assert admitted <= 1, f"{number} was accepted twice"
            if task.cancelled():
                continue
            error = task.exception()
            if error is None:
                assert admitted == 1
                states["ACCEPTED"] += 1
                assert task.result().request_id == emulator.admissions[number][0].request_id
                continue
            assert isinstance(error, SensError), error
            if isinstance(error, SessionClosed) and error.outcome is None:
                continue  # it came to a closed session
            states[error.outcome.state] += 1
            assert error.outcome.number == number
            assert error.may_have_been_sent is (error.outcome.state is OutcomeState.UNKNOWN)
            if error.outcome.state is not OutcomeState.UNKNOWN:
                assert admitted == 0, f"{number}: {error!r}, and it was accepted"
    assert states["ACCEPTED"] or states["UNKNOWN"]


@needs_eager_tasks
async def test_it_works_with_eager_tasks(clock):
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    transport = Scripted()
    async with session_over(transport, settings=lingering(), clock=clock) as sens:
        receipts = await ends(begin(sens, numbers(250)))

    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    assert sorted(map(len, transport.requests)) == [50, 100, 100]


async def test_a_bug_in_a_transport_is_told_to_each(clock, caplog):
    def fail(_):
        raise KeyError("bug")

    transport = Scripted(fail)
    async with session_over(transport, settings=lingering(), clock=clock) as sens:
        errors = await ends(begin(sens, numbers(3)))

    assert all(isinstance(error, ConnectionLost) for error in errors)
    assert all(error.may_have_been_sent for error in errors)
    assert {error.outcome.state for error in errors} == {OutcomeState.UNKNOWN}
    assert "KeyError: 'bug'" in caplog.text


async def test_a_request_that_waits_takes_its_text_when_it_goes(clock):
    """A person who left is not in what is signed, and who stays is not shifted."""
    transport = Scripted(lambda _: accepted())
    settings = ONE_A_MINUTE
    async with session_over(transport, settings=settings, clock=clock) as sens:
        await sens.send("01099999999", "안녕하세요")
        tasks = [
            asyncio.create_task(sens.send(number, f"글 {i}")) for i, number in enumerate(numbers(4))
        ]
        await clock.sleep(1.0)
        tasks[1].cancel()
        await ends(tasks)
    said = {number: row for number, row in transport.admissions.items() if number != "01099999999"}
    body = transport.bodies[-1]
    assert {n: rows[0].get("content", body["content"]) for n, rows in said.items()} == {
        "01000000000": "글 0",
        "01000000002": "글 2",
        "01000000003": "글 3",
    }


# -- found by attack


async def test_what_stopped_a_request_for_others_does_not_speak_for_those_not_sent(clock):
    """Split parts may be lost; whoever was in none of them is provably not sent."""
    people = numbers(100)

    def answer(given):
        if people[1] in given and len(given) > 1:
            return refused(400)
        raise TransportError("lost", may_have_been_sent=True)

    async with session_over(Scripted(answer), settings=lingering(), clock=clock) as sens:
        errors = await ends(begin(sens, people))
    states = Counter(error.outcome.state for error in errors)

    assert states[OutcomeState.NOT_SENT] > 0
    assert states[OutcomeState.UNKNOWN] > 0
    for error in errors:
        assert error.may_have_been_sent is (error.outcome.state is OutcomeState.UNKNOWN)


@pytest.mark.parametrize("way", ["timeout", "cancel"])
@pytest.mark.parametrize("first", ["throttled", "refused connection"])
async def test_between_attempts_one_may_still_leave(clock, way, first):
    def answer(given):
        if len(transport.requests) > 1:
            return accepted()
        if first == "throttled":
            return refused(429, "420", retry_after="10")
        raise ConnectFailed("refused", is_retryable=True)

    transport = Scripted(answer, marks=first == "throttled")
    settings = lingering(retry=RetryPolicy(backoff=20.0, max_wait=20.0))
    async with session_over(transport, settings=settings, clock=clock) as sens:
        timeout = 0.1 if way == "timeout" else None
        leaver = asyncio.create_task(sens.send("01000000000", "안녕", timeout=timeout))
        stayer = asyncio.create_task(sens.send("01000000001", "안녕"))
        await clock.sleep(0.09)
        assert len(transport.requests) == 1
        transport._marks = True
        if way == "cancel":
            leaver.cancel()
        left, stayed = await ends([leaver, stayer])

    if way == "timeout":
        assert isinstance(left, SendTimeout)
        assert left.outcome.state is OutcomeState.NOT_SENT
    assert isinstance(stayed, Receipt)
    assert transport.requests == [["01000000000", "01000000001"], ["01000000001"]]


async def test_strangers_with_bad_numbers_fail_nobody_else(clock):
    people = numbers(4)
    bad = {people[0], people[2], people[3]}
    transport = Scripted(lambda given: refused(400) if bad & set(given) else accepted())
    async with session_over(transport, settings=lingering(), clock=clock) as sens:
        outcomes = await ends(begin(sens, people))

    assert isinstance(outcomes[1], Receipt)
    for place in (0, 2, 3):
        assert isinstance(outcomes[place], BadRequest)
        assert outcomes[place].outcome.state is OutcomeState.REJECTED


@pytest.mark.parametrize("linger", [0.0, LINGER])
async def test_a_send_cancelled_as_its_answer_comes_is_logged(clock, caplog, linger):
    caplog.set_level(logging.WARNING, "sens_async")
    settings = Settings(rate_limit=None, linger=linger)
    told = 0
    for turn in range(40):
        caplog.clear()
        transport = Scripted()
        async with session_over(transport, settings=settings, clock=clock) as sens:
            task = asyncio.create_task(sens.send("01011112222", "안녕하세요"))
            with StepCounter({turn: task.cancel}):
                await asyncio.wait([task])
        if task.cancelled() and transport.admissions:
            told += 1
            assert caplog.text.count("was accepted: RSLA-1") == 1, f"at turn {turn}"
    assert told > 1


async def test_what_is_no_picture_is_told_as_ever(sens):
    with pytest.raises(TypeError, match="got bytearray"):
        await sens.send("01011112222", "안녕하세요", images=[bytearray(b"x")])


@needs_eager_tasks
async def test_a_clock_that_never_waits_forgets_nobody(clock):
    class Hasty(VirtualClock):
        async def sleep(self, seconds) -> None: ...

    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    async with session_over(Scripted(), settings=lingering(), clock=Hasty()) as sens:
        assert isinstance(await sens.send("01011112222", "안녕하세요"), Receipt)
