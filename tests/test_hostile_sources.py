"""Sources and recipients that do what nobody expects: whoever was taken has one outcome."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import pytest
from scripted import Scripted, session_over
from session_helpers import check, jpeg, numbers

from sens_async import (
    BulkReport,
    InvalidMessage,
    OutcomeState,
    Recipient,
    SessionClosed,
    Settings,
    Timeouts,
)
from sens_async.emulator import Emulator, EmulatorOptions

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState

SECONDS = 600.0
"""Far more than anything here takes: what is over it hangs."""


class Broke(BaseException):
    """No `Exception`, as an interrupt is none."""


class NotAvailable:
    """As pandas' NA: equal to nothing, neither true nor false."""

    def __eq__(self, other):
        return self

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = object.__hash__


class OddKey:
    """A key that meets `name` in a mapping and cannot be compared with it."""

    def __hash__(self):
        return hash("name")

    def __eq__(self, other):
        raise RuntimeError("no comparison")


class Unreadable(Recipient):
    @property
    def to(self):
        raise RuntimeError("no number")

    @to.setter
    def to(self, value):
        pass


class NoClass:
    @property
    def __class__(self):
        raise RuntimeError("no class")


class UnhashableText(str):
    __slots__ = ()
    __hash__ = None


class BadHash(str):
    __slots__ = ()

    def __hash__(self):
        raise RuntimeError("no hash")

    __eq__ = str.__eq__


class NoItems(Mapping):
    def __getitem__(self, key):
        raise RuntimeError("no item")

    def __iter__(self):
        raise RuntimeError("no keys")

    def __len__(self):
        return 1


class RaisingDict(dict):
    def __getitem__(self, key):
        raise RuntimeError("no item")


class Loud:
    """A value that cannot be written."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __str__(self):
        raise self._error


TO = "010-9999-0001"
ODD = {
    "a content that is neither true nor false": Recipient(TO, content=NotAvailable()),
    "a subject that is neither true nor false": Recipient(TO, subject=NotAvailable()),
    "a number that is neither true nor false": Recipient(NotAvailable()),
    "a number that raises": Unreadable(TO),
    "a key that raises": Recipient(TO, fields={OddKey(): "x"}),
    "a value that raises": Recipient(TO, fields={"name": Loud(RuntimeError("no text"))}),
    "fields that raise": Recipient(TO, fields=NoItems()),
    "a dict that raises": Recipient(TO, fields=RaisingDict(name="x")),
    "fields without a class": Recipient(TO, fields=NoClass()),
    "no class": NoClass(),
    "a field that is not there": Recipient(TO, fields={"name": None}),
    "no fields": Recipient(TO, fields=None),
    "a list": [TO],
    "not a number": float("nan"),
}
odd = pytest.mark.parametrize("name", list(ODD))  # pytest itself looks at the values


def personal(count: int, start: int = 0) -> list[Recipient]:
    return [Recipient(number, fields={"name": "김"}) for number in numbers(count, start)]


async def run_of(session, source, content="{name}님", **call) -> BulkReport:
    async with asyncio.timeout(SECONDS):
        return await session.send_many(source, content, **call)


def by_index(report, index):
    return next(outcome for outcome in report.outcomes if outcome.index == index)


@odd
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("duplicates", ["skip", "send"])
async def test_an_odd_recipient_is_rejected_and_the_others_go(name, duplicates, is_async, clock):
    async def slowly():
        for one in people:
            yield one

    transport, item = Scripted(), ODD[name]
    people = [*personal(150), item, *personal(150, 1_000)]
    async with session_over(transport, clock=clock) as session:
        source = slowly() if is_async else people
        report = await run_of(session, source, duplicates=duplicates)

    assert report.counts == {ACCEPTED: 300, REJECTED: 1}
    culprit = by_index(report, 150)
    assert culprit.state is REJECTED
    assert isinstance(culprit.error, InvalidMessage)
    assert culprit.recipient is item
    assert len(transport.admissions) == 300
    assert max(map(len, transport.admissions.values())) == 1
    assert repr(report)
    assert all(map(repr, report.outcomes))


@odd
async def test_an_odd_recipient_of_a_single_send_is_refused_by_name(name, clock):
    transport = Scripted()
    async with session_over(transport, clock=clock) as session:
        with pytest.raises(InvalidMessage) as caught:
            await session.send(ODD[name], "{name}님")

    assert caught.value.outcome.state is REJECTED
    assert transport.requests == []


@pytest.mark.parametrize("text", ["제 글", "긴 글" * 40], ids=["short", "long"])
@pytest.mark.parametrize("kind", [UnhashableText, BadHash])
@pytest.mark.parametrize("field", ["content", "subject"])
async def test_texts_that_cannot_be_hashed_lose_nobody(field, kind, text, clock):
    transport, text = Scripted(), kind(text if field == "content" else text[:9])
    people = [*personal(150), Recipient(TO, **{field: text}), *personal(150, 1_000)]
    people[150].fields = {"name": "박"}
    report = BulkReport()
    async with session_over(transport, clock=clock) as session:
        running = asyncio.create_task(run_of(session, people, report=report))
        await asyncio.wait({running})

    check(report, transport, people[: len(report)])
    assert running.exception() is None
    assert by_index(report, 150).state in {ACCEPTED, REJECTED}
    assert report.counts[ACCEPTED] >= 300


@pytest.mark.parametrize("kind", [UnhashableText, BadHash])
@pytest.mark.parametrize("wrap", [lambda number: number, Recipient])
@pytest.mark.parametrize("field", ["number", "value"])
async def test_numbers_and_values_that_cannot_be_hashed_lose_nobody(field, wrap, kind, clock):
    value = kind("박")
    odd = Recipient(TO, fields={"name": value}) if field == "value" else wrap(kind(TO))
    transport, people = Scripted(), [*numbers(150), odd, *numbers(150, 1_000)]
    async with session_over(transport, clock=clock) as session:
        report = await run_of(session, people, "안녕" if field == "number" else "{name}님")

    check(report, transport, people)
    assert by_index(report, 150).state in {ACCEPTED, REJECTED}
    assert report.counts[ACCEPTED] + report.counts[REJECTED] == 301


@pytest.mark.parametrize("value", [NotAvailable(), Decimal("NaN"), float("nan")])
async def test_a_value_that_is_none_in_other_words_is_not_written_out(value, clock):
    transport = Scripted()
    people = [*personal(150), Recipient(TO, fields={"name": value}), *personal(150, 1_000)]
    async with session_over(transport, clock=clock) as session:
        report = await run_of(session, people)

    check(report, transport, people)
    assert report.counts == {ACCEPTED: 300, REJECTED: 1}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("place", [0, 50, 150, 260])
async def test_what_is_no_recipient_s_fault_ends_the_run_loudly_and_completely(
    place, is_async, clock
):
    taken = []

    def quickly():
        for one in people:
            taken.append(one)
            yield one

    async def slowly():
        for one in people:
            taken.append(one)
            yield one
            await asyncio.sleep(0)

    transport, people = Scripted(), personal(400)
    people[place].fields = {"name": Loud(Broke())}
    report = BulkReport()
    async with session_over(transport, clock=clock) as session:
        with pytest.raises(Broke):
            await run_of(session, slowly() if is_async else quickly(), report=report)

    check(report, transport, taken)
    assert by_index(report, place).state is NOT_SENT
    assert report.stopped_by is not None


# -- sources that meddle


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("place", [0, 1, 50, 99, 100, 150, 499])
async def test_a_source_may_stop_the_stream_that_reads_it(place, is_async, clock):
    taken = []

    def quickly():
        for i, one in enumerate(people):
            if i == place:
                stream.stop()
            taken.append(one)
            yield one

    async def slowly():
        for one in quickly():
            yield one

    transport, people = Scripted(), ["bad", *numbers(499)]
    async with session_over(transport, clock=clock) as session, asyncio.timeout(SECONDS):
        stream = session.send_stream(slowly() if is_async else quickly(), "안녕")
        report = BulkReport()
        async with stream:
            async for batch in stream.batches():
                report.add(batch)
        await asyncio.sleep(1)

    check(report, transport, taken)
    assert report.counts == stream.counts
    assert len(taken) < 500 or place > 400


@pytest.mark.parametrize("place", [0, 50, 150, 250, 499])
async def test_a_source_may_close_the_session_that_reads_it(place, clock):
    taken = []

    async def source():
        for i, one in enumerate(people):
            if i == place:
                await session.aclose()
            taken.append(one)
            yield one

    transport, people, report = Scripted(seconds=0.1), numbers(500), BulkReport()
    session = session_over(transport, clock=clock)
    running = asyncio.create_task(session.send_many(source(), "안녕", report=report))
    ended, _ = await asyncio.wait({running}, timeout=5)
    assert ended
    async with asyncio.timeout(5):
        await session.aclose()
    assert running.exception() is None or isinstance(running.exception(), SessionClosed)
    check(report, transport, taken)


async def test_a_source_may_begin_to_close_the_session(clock):
    taken, closing = [], []

    def source():
        for i, one in enumerate(people):
            if i == 150:
                closing.append(asyncio.ensure_future(session.aclose()))
            taken.append(one)
            yield one

    transport, people = Scripted(seconds=0.1), ["bad", *numbers(499)]
    session = session_over(transport, clock=clock)
    report = await run_of(session, source(), "안녕")
    await asyncio.gather(*closing)
    check(report, transport, taken)


@pytest.mark.parametrize("max_in_flight", [1, 32])
async def test_a_source_may_use_the_session_that_reads_it(max_in_flight, clock):
    async def source():
        for i, one in enumerate(numbers(500)):
            if i % 100 == 0:
                await session.send("01099999999", f"{i}")
            if i % 250 == 0:
                await session.send_many(numbers(10, 5_000 + i), "안녕")
            yield one

    transport = Scripted()
    settings = Settings(rate_limit=None, max_in_flight=max_in_flight)
    async with session_over(transport, settings=settings, clock=clock) as session:
        report = await run_of(session, source(), "안녕")

    assert report.counts == {ACCEPTED: 500}


@pytest.mark.parametrize(("patience", "at_most"), [(0.0, 0.1), (0.2, 0.5), (None, 5.5)])
async def test_closing_does_not_wait_for_ever_for_a_source_to_end(patience, at_most, clock, caplog):
    connection_is_back = asyncio.Event()

    async def source():
        try:
            for one in numbers(150):
                yield one
            await asyncio.sleep(3600)
        finally:
            await connection_is_back.wait()  # a database whose server is away

    loop = asyncio.get_running_loop()
    settings = Settings(rate_limit=None, timeouts=Timeouts(connect=1, total=5))
    transport, report = Scripted(), BulkReport()
    session = session_over(transport, settings=settings, clock=clock)
    running = asyncio.create_task(session.send_many(source(), "안녕", report=report))
    await asyncio.sleep(0.05)

    began = loop.time()
    async with asyncio.timeout(SECONDS):
        await session.aclose(patience)
    assert loop.time() - began <= at_most
    assert running.done()
    check(report, transport, numbers(150))
    assert "source of recipients goes on" in caplog.text
    connection_is_back.set()


async def test_a_source_that_never_waits_lets_others_run(clock):
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    async def source():
        for _ in range(20_000):
            yield "bad"

    async with session_over(Scripted(), clock=clock) as session:
        beating = asyncio.create_task(beat())
        report = await run_of(session, source(), "안녕")
        beating.cancel()

    assert report.counts == {REJECTED: 20_000}
    assert beats >= 200  # at least once for each hundred


async def test_a_source_that_never_waits_can_be_stopped(clock):
    taken = 0

    async def source():
        nonlocal taken
        while True:
            taken += 1
            yield "bad"

    report = BulkReport()
    async with session_over(Scripted(), clock=clock) as session:
        running = asyncio.create_task(session.send_many(source(), "안녕", report=report))
        for _ in range(100):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running}, timeout=5)

    assert running.cancelled()
    assert report.counts == {REJECTED: taken}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("what", ["bad", "01012345678"])
async def test_a_slow_consumer_holds_back_those_who_cannot_be_sent_to(what, is_async, clock):
    taken = 0

    def quickly():
        nonlocal taken
        for _ in range(50_000):
            taken += 1
            yield what

    async def slowly():
        for one in quickly():
            yield one

    settings = Settings(rate_limit=None, max_in_flight=2)
    async with (
        session_over(Scripted(), settings=settings, clock=clock) as session,
        session.send_stream(slowly() if is_async else quickly(), "안녕") as stream,
    ):
        await anext(stream)
        await asyncio.sleep(5)
        assert taken <= 1_000
        read = 1
        async for _ in stream:
            read += 1
            if read == 3_000:
                break
        assert taken <= 4_000


# -- what is changed while it is used


async def test_a_list_of_images_may_change_during_a_run(clock):
    def source():
        for i, one in enumerate(numbers(300)):
            if i == 150:
                images.append(jpeg("b"))
            yield one

    images = [jpeg("a")]
    options = EmulatorOptions(keep_bodies=True)
    async with Emulator(clock=clock, options=options) as emulator:
        settings = Settings(rate_limit=None, max_in_flight=1)
        async with emulator.session(settings=settings) as session:
            report = await run_of(session, source(), "안녕", images=images)

    assert report.counts == {ACCEPTED: 300}
    assert len(emulator.uploads) == 1
    admitted = [one for messages in emulator.admissions.values() for one in messages]
    assert {one.type for one in admitted} == {"MMS"}


async def test_a_list_of_images_may_be_emptied_once_a_send_has_begun(clock):
    images = [jpeg("a")]
    async with Emulator(clock=clock) as emulator, emulator.session() as session:
        sending = asyncio.create_task(session.send("01012345678", "안녕", images=images))
        await asyncio.sleep(0)
        images.clear()
        receipt = await sending

    assert receipt.type == "MMS"
    assert len(emulator.uploads) == 1


async def test_one_recipient_given_again_and_again_goes_where_it_was_when_it_was_taken(clock):
    def source():
        for number in numbers(250):
            one.to = number
            yield one

    one, transport = Recipient(""), Scripted()
    async with session_over(transport, clock=clock) as session:
        report = await run_of(session, source(), "안녕")

    assert len(report) == 250
    assert all(len(messages) == 1 for messages in transport.admissions.values())
