"""The opt-out list: its pages, its requests, and what it leaves out of a run."""

import itertools
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from asked import NOTHING, Asked, said
from scripted import session_over

from sens_async import (
    InvalidQuery,
    InvalidRecipient,
    NotFound,
    OutcomeState,
    Recipient,
    SessionClosed,
    UnreadableResponse,
    Unsubscribed,
)
from sens_async.core.chunking import Chunker
from sens_async.core.message import Message, Rules
from sens_async.core.responses import Response
from sens_async.errors import DuplicateRecipient

NOON = datetime(2025, 11, 25, 12, 0, tzinfo=UTC)


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"010{i:08d}" for i in range(start, start + count)]


def entries(given: list[str]):
    return said([{"clientTelNo": number, "registerType": "C"} for number in given])


async def using(clock, answers, use):
    transport = Asked(answers)
    async with session_over(transport, clock=clock) as sens:
        given = await use(sens.unsubscribes)
    return given, transport


async def listed(unsubscribes, *args, **kwargs):
    return [entry.number async for entry in unsubscribes.list(*args, **kwargs)]


@pytest.mark.parametrize(
    ("sizes", "asked"), [([], 1), ([1], 1), ([99], 1), ([100], 2), ([100, 100, 7], 3)]
)
async def test_pages_are_asked_for_until_one_is_short(clock, sizes, asked):
    starts = [100 * i for i in range(len(sizes))]
    answers = [entries(numbers(size, start)) for size, start in zip(sizes, starts, strict=True)]
    found, transport = await using(clock, [*answers, NOTHING], listed)
    assert found == numbers(sum(sizes))
    assert [request.target.partition("?")[2] for request in transport.requests] == [
        f"pageIndex={page}&pageSize=100" for page in range(asked)
    ]


async def test_numbers_that_move_to_the_next_page_come_once(clock):
    answers = [entries(numbers(100)), entries(numbers(50, 98))]
    found, _ = await using(clock, answers, listed)
    assert found == numbers(148)


async def test_a_service_that_gives_one_page_for_ever_is_an_error(clock):
    with pytest.raises(UnreadableResponse, match=r"page 1 .* once more"):
        await using(clock, lambda _: entries(numbers(100)), listed)


async def test_a_service_that_goes_round_in_circles_is_an_error(clock):
    pages = itertools.cycle([entries(numbers(100)), entries(numbers(100, 100))])
    answers = itertools.islice(pages, 9)
    with pytest.raises(UnreadableResponse, match=r"page 2 .* once more"):
        await using(clock, lambda _: next(answers), listed)


async def test_times_are_milliseconds(clock):
    async def use(unsubscribes):
        return await listed(
            unsubscribes, "02-123-4567", since=NOON, until=NOON + timedelta(microseconds=1500)
        )

    _, transport = await using(clock, [NOTHING], use)
    assert transport.requests[0].target.partition("?")[2] == (
        "clientTelNo=021234567&startTime=1764072000000&endTime=1764072000001&pageIndex=0&pageSize=100"
    )


async def test_what_cannot_be_asked_is_told_at_the_call(clock):
    sens = session_over(Asked([]), clock=clock)
    for arguments, error in (
        ({"since": NOON.replace(tzinfo=None)}, InvalidQuery),
        ({"until": 5}, InvalidQuery),
        ({"since": NOON, "until": NOON - timedelta(1)}, InvalidQuery),
        ({"number": "1"}, InvalidRecipient),
    ):
        with pytest.raises(error):
            sens.unsubscribes.list(**arguments)
    await sens.aclose()
    with pytest.raises(SessionClosed):
        sens.unsubscribes.list()
    with pytest.raises(SessionClosed):
        await sens.unsubscribes.add(["01012345678"])


@pytest.mark.parametrize(
    ("verb", "method", "status"), [("add", "POST", 200), ("remove", "DELETE", 204)]
)
async def test_changes_are_bare_arrays_of_a_thousand(clock, verb, method, status):
    async def use(unsubscribes):
        given = (f"+82 10-{number[3:7]}-{number[7:]}" for number in [*numbers(2001), *numbers(9)])
        await getattr(unsubscribes, verb)(given)

    _, transport = await using(clock, lambda _: Response(status), use)
    bodies = [orjson.loads(request.body) for request in transport.requests]
    assert [len(body) for body in bodies] == [1000, 1000, 1]
    assert [entry for body in bodies for entry in body] == [
        {"clientTelNo": number} for number in numbers(2001)
    ]
    assert {request.method for request in transport.requests} == {method}


async def test_nobody_is_no_request(clock):
    _, transport = await using(clock, [], lambda unsubscribes: unsubscribes.add([]))
    assert transport.requests == []


async def test_a_number_that_is_none_is_named_before_anything_is_sent(clock):
    async def use(unsubscribes):
        for verb in (unsubscribes.add, unsubscribes.remove):
            with pytest.raises(InvalidRecipient, match=r"^numbers\[1\]: "):
                await verb(["01012345678", "1588-0000"])
            for wrong in ("01012345678", b"010", {"01012345678": 1}, 5, None):
                with pytest.raises(TypeError, match="numbers must be an iterable of str") as raised:
                    await verb(wrong)
                assert str(raised.value).endswith("; a single one goes in a list")

    _, transport = await using(clock, [], use)
    assert transport.requests == []


async def test_a_change_that_is_refused_is_raised(clock):
    refusal = said({"status": 404, "error": "Not Found", "message": "no"}, 404)
    with pytest.raises(NotFound):
        await using(clock, [refusal], lambda unsubscribes: unsubscribes.remove(["01012345678"]))


async def test_numbers_are_written_as_recipients_are(clock):
    answer = entries(["010-0000-0001", "01000000002", "15880000"])
    found, _ = await using(clock, [answer], lambda unsubscribes: unsubscribes.numbers())
    assert found == {"01000000001", "01000000002", "15880000"}


# -- what is left out of a run

AD = {"content_type": "AD", "sender": "0212345678", "rules": Rules()}


def opened(content="(광고) 할인", out=(), *, skip_duplicates=True):
    message = Message.compile(content, **AD)
    chunking = Chunker(Rules()).open(message, skip_duplicates=skip_duplicates)
    chunking.leave_out(frozenset(out))
    return chunking


@pytest.mark.parametrize("skip_duplicates", [True, False])
@pytest.mark.parametrize(
    ("content", "make"),
    [
        ("(광고) 할인", lambda number: number),
        ("(광고) {name}님", lambda number: Recipient(number, fields={"name": number})),
        (None, lambda number: Recipient(number, content=f"(광고) {number}")),
        ("(광고) 할인", lambda number: Recipient(number, subject="제목")),
    ],
)  # fmt: skip
def test_who_has_opted_out_goes_into_no_request(content, make, skip_duplicates):
    chunking = opened(content, numbers(150, 20), skip_duplicates=skip_duplicates)
    items = [make(number) for number in numbers(300)]
    batches, settled = [], []
    for start in range(0, 300, 100):
        fed = chunking.feed(items[start : start + 100], 0.0)
        batches += fed.batches
        settled += fed.settled
    batches += chunking.flush()
    assert sorted(number for batch in batches for number in batch.numbers) == [
        *numbers(20), *numbers(130, 170),
    ]  # fmt: skip
    skipped = [outcome for batch in settled for outcome in batch]
    assert [outcome.index for outcome in skipped] == list(range(20, 170))
    assert [outcome.recipient for outcome in skipped] == items[20:170]
    for outcome in skipped:
        assert outcome.state is OutcomeState.SKIPPED
        assert isinstance(outcome.error, Unsubscribed)


def test_one_who_has_opted_out_is_no_duplicate():
    fed = opened(out=numbers(1)).feed([*numbers(1), *numbers(1), *numbers(2)], 0.0)
    kinds = [type(outcome.error) for batch in fed.settled for outcome in batch]
    assert kinds == [Unsubscribed] * 3
    fed = opened(out=numbers(1)).feed([*numbers(2), *numbers(2)], 0.0)
    kinds = [type(outcome.error) for batch in fed.settled for outcome in batch]
    assert kinds == [Unsubscribed, Unsubscribed, DuplicateRecipient]
