"""What is over is let go of at once, not when the garbage collector comes by.

A report of a million is a hundred megabytes; a worker that makes one run after the other must not
hold several of them.
"""

import asyncio
import gc
import tracemalloc
import weakref
from contextlib import contextmanager

import pytest
from scripted import Scripted, refused, session_over
from session_helpers import numbers

from sens_async import BulkReport, OutcomeState, Recipient, Settings
from sens_async.bulk import Run
from sens_async.core.chunking import Chunking
from sens_async.errors import TransportError
from sens_async.outcomes import OutcomeBatch
from sens_async.sharing import SharedRequest
from sens_async.single import Single

KINDS = (BulkReport, Chunking, OutcomeBatch, Run, SharedRequest, Single)


@contextmanager
def uncollected():
    gc.collect()
    gc.freeze()  # what other tests left is not looked at again
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def alive() -> list[object]:
    # Not isinstance: hostile objects of other tests answer that with an exception.
    return [found for found in gc.get_objects() if type(found) in KINDS]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def everybody(kind: str) -> object:
    people = numbers(450)
    match kind:
        case "numbers":
            return people
        case "personal":
            return [Recipient(number, fields={"name": number}) for number in people]
        case "bad":
            return [*people[:250], "110", None, *people[250:]]

    async def slowly():
        for number in people:
            yield number

    return slowly()


@pytest.mark.parametrize("kind", ["numbers", "personal", "bad", "async"])
@pytest.mark.parametrize("answer", ["accepted", "refused", "lost"])
async def test_a_run_is_gone_with_its_report(clock, kind, answer):
    def lose(_):
        raise TransportError("lost", may_have_been_sent=True)

    answers = {"accepted": None, "refused": lambda _: refused(400), "lost": lose}
    content = "{name} 안녕하세요" if kind == "personal" else "안녕하세요"
    transport = Scripted(answers[answer])
    async with session_over(transport, clock=clock) as sens:
        with uncollected():
            report = BulkReport()
            await sens.send_many(everybody(kind), content, report=report)
            await turns()
            last = weakref.ref(report)
            del report
            assert last() is None
            assert alive() == []


async def test_a_stream_is_gone_when_it_was_read(clock):
    async with session_over(Scripted(), clock=clock) as sens:
        with uncollected():
            async with sens.send_stream(numbers(450), "안녕하세요") as outcomes:
                assert len([outcome async for outcome in outcomes]) == 450
            await turns()
            del outcomes
            assert alive() == []


@pytest.mark.parametrize("linger", [0.0, 0.05])
async def test_a_send_is_gone_with_its_receipt(clock, linger):
    settings = Settings(rate_limit=None, linger=linger)
    async with session_over(Scripted(), settings=settings, clock=clock) as sens:
        with uncollected():
            await asyncio.gather(*(sens.send(number, "안녕하세요") for number in numbers(7)))
            await turns()
            assert alive() == []


async def test_what_tells_duplicates_is_gone_before_the_report(clock):
    people = numbers(20_000)
    async with session_over(Scripted(), clock=clock) as sens:
        tracemalloc.start()
        report = await sens.send_many(people, "안녕하세요")
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert report.counts == {OutcomeState.ACCEPTED: 20_000}
    # The caller's own strings were there before; the scripted transport's log counts here, too.
    transport_log = 20_000 * 700
    assert kept < transport_log + 20_000 * 20
