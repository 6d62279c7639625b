"""Cancelling where the answer alone does not say what became of it."""

import pytest
from asked import NOTHING, Asked, said
from scripted import session_over

from sens_async import (
    BadRequest,
    ConnectionLost,
    InvalidQuery,
    NotFound,
    ReservationNotCancellable,
    SensError,
    ServiceUnavailable,
    SessionClosed,
)
from sens_async.core.responses import Response

REFUSED = said({"status": 400, "errors": "Bad Request", "errorMessage": "no"}, 400)
DONE = Response(204)


def lost():
    return ConnectionLost("gone", may_have_been_sent=True)


def state(word):
    return said({"reserveId": "r", "reserveStatus": word, "reserveTimeZone": "Asia/Seoul"})


async def cancel(clock, answers):
    """Cancel `r`; the methods that were used."""
    transport = Asked(answers)
    async with session_over(transport, clock=clock) as sens:
        try:
            await sens.reservations.cancel("r")
        finally:
            assert all(request.body == b"" for request in transport.requests)
    return [request.method for request in transport.requests]


async def test_what_is_done_is_not_looked_up(clock):
    assert await cancel(clock, [DONE]) == ["DELETE"]


async def test_an_answer_that_was_lost_is_asked_for_again(clock):
    assert await cancel(clock, [lost(), DONE]) == ["DELETE", "DELETE"]


async def test_a_second_one_refused_because_the_first_worked_is_done(clock):
    assert await cancel(clock, [lost(), REFUSED, state("CANCELED")]) == ["DELETE", "DELETE", "GET"]


@pytest.mark.parametrize("refusal", [REFUSED, NOTHING, Response(409), Response(400, b"<html>")])
@pytest.mark.parametrize("word", ["PROCESSING", "DONE", "FAIL", "STALE", "SKIP", "PONDERING"])
async def test_what_does_not_wait_is_told_by_its_state(clock, refusal, word):
    with pytest.raises(ReservationNotCancellable) as caught:
        await cancel(clock, [refusal, state(word)])
    assert (caught.value.state, caught.value.status) == (word, refusal.status)
    assert not caught.value.may_have_been_sent


async def test_one_that_waits_and_is_refused_gives_the_refusal(clock):
    with pytest.raises(BadRequest, match="not cancelled: refused with 400: no"):
        await cancel(clock, [REFUSED, state("READY")])


async def test_one_that_there_is_not_is_not_found(clock):
    with pytest.raises(NotFound):
        await cancel(clock, [NOTHING, NOTHING])


async def test_a_state_that_cannot_be_read_leaves_the_refusal(clock):
    answers = iter([REFUSED])
    with pytest.raises(BadRequest) as caught:
        await cancel(clock, lambda _: next(answers, Response(503)))
    assert isinstance(caught.value.__cause__, ServiceUnavailable)


async def test_an_answer_that_never_comes_leaves_it_open(clock):
    with pytest.raises(ConnectionLost):
        await cancel(clock, lambda _: lost())


@pytest.mark.parametrize("reserve_id", ["", "..", None])
async def test_an_id_that_is_none_is_refused(clock, reserve_id):
    transport = Asked([])
    async with session_over(transport, clock=clock) as sens:
        for verb in (sens.reservations.get, sens.reservations.cancel):
            with pytest.raises(InvalidQuery, match="reserve_id"):
                await verb(reserve_id)
    assert transport.requests == []
    for verb in (sens.reservations.get, sens.reservations.cancel):
        with pytest.raises(SessionClosed):
            await verb("r")


async def test_every_error_is_ours(clock):
    for status in (301, 401, 403, 429, 500):
        with pytest.raises(SensError):
            await cancel(clock, lambda _, status=status: Response(status))
