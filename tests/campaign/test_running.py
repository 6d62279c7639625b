"""Runs of campaigns against the emulator, judged by its admission log."""

import asyncio
from collections import Counter
from contextlib import nullcontext
from datetime import timedelta

import orjson
import pytest
from session_helpers import jpeg, numbers, of_endpoint, sent

from sens_async import (
    AuthenticationFailed,
    InvalidSchedule,
    OutcomeState,
    QuotaExceeded,
    Recipient,
    RetryPolicy,
    SessionClosed,
    Settings,
    Timeouts,
)
from sens_async.campaign import CampaignConflict, CampaignStatus, Ledger, LedgerError
from sens_async.core.schedule import KST, from_epoch

TEXT = "안녕하세요"


async def rows(campaign):
    return [outcome async for outcome in campaign.report()]


async def check(campaign, emulator, *, most: int = 1):
    """Everybody has one outcome; it agrees with the log, which holds nobody more than `most`."""
    told = await check_log(campaign, emulator, most=most)
    status = await campaign.status()
    assert +status.counts == +Counter(one.state for one in told)
    return told


async def check_log(campaign, emulator, *, most: int = 1):
    told = await rows(campaign)
    assert [one.index for one in told] == list(range(campaign.recipients))
    log = emulator.admissions
    assert max(map(len, log.values()), default=0) <= most
    for one in told:
        admitted = {admission.request_id for admission in log.get(one.number or "", ())}
        if one.state is OutcomeState.ACCEPTED:
            assert one.request_id in admitted
        elif one.state is not OutcomeState.UNKNOWN:
            assert not admitted, f"{one!r} is in the log"
    return told


async def test_everybody_is_sent_to_once(ledger: Ledger, sens, emulator):
    campaign = await ledger.plan(sens, "one", numbers(2_345), TEXT)
    status = await campaign.run(sens)
    assert status.is_finished
    assert status.counts == {OutcomeState.ACCEPTED: 2_345}
    assert status.counts_by_type == {"SMS": 2_345}
    assert (status.stopped_by, status.in_flight, status.unproven) == (None, 0, 0)
    await check(campaign, emulator)
    assert len(emulator.admissions) == 2_345
    assert len(of_endpoint(emulator, "messages")) == 24


async def test_running_again_sends_nothing(ledger, sens, emulator):
    campaign = await ledger.plan(sens, "one", numbers(250), TEXT)
    await campaign.run(sens)
    status = await campaign.run(sens)
    assert status.is_finished
    assert len(of_endpoint(emulator, "messages")) == 3


async def test_texts_subjects_pictures_and_types_arrive_as_planned(ledger, sens, emulator):
    people = [
        Recipient("010-0000-0001", fields={"이름": "김민서"}),
        Recipient("010-0000-0002", fields={"이름": "이도윤"}, subject="따로"),
        Recipient("010-0000-0003", content="자기 글"),
    ]
    picture = jpeg("a")
    campaign = await ledger.plan(sens, "one", people, "{이름}님", subject="제목", images=[picture])
    assert (await campaign.run(sens)).is_finished
    (one,), (two,), (three,) = (emulator.admissions[f"0100000000{i}"] for i in (1, 2, 3))
    assert [one.text, two.text, three.text] == ["김민서님", "이도윤님", "자기 글"]
    assert [one.subject, two.subject, three.subject] == ["제목", "따로", "제목"]
    assert {one.type, two.type, three.type} == {"MMS"}
    assert len(one.file_ids) == 1


async def test_texts_of_different_length_have_requests_of_their_own(ledger, sens, emulator):
    people = [
        Recipient(number, fields={"x": "가" * (60 if i % 7 == 0 else 3)})
        for i, number in enumerate(numbers(1_000))
    ]
    campaign = await ledger.plan(sens, "one", people, "{x}")
    assert (await campaign.run(sens)).is_finished
    await check(campaign, emulator)
    for i, person in enumerate(people):
        (admission,) = emulator.admissions[person.to]
        assert admission.text == person.fields["x"]
        assert admission.type == ("LMS" if i % 7 == 0 else "SMS")


class TestFaults:
    async def test_throttling_is_waited_for(self, ledger, sens, emulator):
        emulator.fail("throttle", requests="2-4", retry_after=2)
        campaign = await ledger.plan(sens, "one", numbers(1_000), TEXT)
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 1_000}
        await check(campaign, emulator)

    async def test_a_bad_number_is_found_and_the_others_go(self, ledger, sens, emulator):
        people = [Recipient(number, key=f"k{i}") for i, number in enumerate(numbers(300))]
        emulator.refuse_numbers = {"01000000142"}
        campaign = await ledger.plan(sens, "one", people, TEXT)
        status = await campaign.run(sens)
        assert status.is_finished
        assert status.counts == {OutcomeState.ACCEPTED: 299, OutcomeState.REJECTED: 1}
        told = await check(campaign, emulator)
        assert told[142].state is OutcomeState.REJECTED
        assert told[142].error.startswith("BadRequest: ")
        assert [one.key for one in told] == [f"k{i}" for i in range(300)]

    async def test_a_request_that_is_too_large_is_halved(self, ledger, sens, emulator):
        emulator.fail("too_large", requests=1)
        campaign = await ledger.plan(sens, "one", numbers(100), TEXT)
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 100}
        await check(campaign, emulator)

    async def test_a_doomed_campaign_stops_and_goes_on_later(self, ledger, sens, emulator):
        emulator.fail("quota", requests=5)
        campaign = await ledger.plan(sens, "one", numbers(2_000), TEXT)
        status = await campaign.run(sens)
        assert isinstance(status.stopped_by, QuotaExceeded)
        assert not status.is_finished
        assert status.counts[OutcomeState.NOT_SENT] > 0
        assert status.counts[OutcomeState.UNKNOWN] == 0
        await check(campaign, emulator)
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 2_000}
        await check(campaign, emulator)

    async def test_a_refused_envelope_stops_after_a_handful(self, ledger, sens, emulator):
        emulator.fail("bad_request", requests="1-")
        campaign = await ledger.plan(sens, "one", numbers(5_000), TEXT)
        status = await campaign.run(sens)
        assert status.counts == {OutcomeState.NOT_SENT: 5_000}
        assert type(status.stopped_by).__name__ == "BadRequest"
        assert len(of_endpoint(emulator, "messages")) <= 8
        emulator.clear_faults()
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 5_000}
        await check(campaign, emulator)

    async def test_wrong_keys_send_nothing(self, ledger, sens, emulator, stack):
        campaign = await ledger.plan(sens, "one", numbers(500), TEXT)
        emulator.fail("unauthorized", requests="1-4")
        status = await campaign.run(sens)
        assert isinstance(status.stopped_by, AuthenticationFailed)
        assert status.counts == {OutcomeState.NOT_SENT: 500}
        await check(campaign, emulator)

    async def test_nobody_listens(self, ledger, sens, emulator, stack):
        campaign = await ledger.plan(sens, "one", numbers(500), TEXT)
        settings = Settings(
            base_url="http://127.0.0.1:9", retry=RetryPolicy(max_attempts=2), rate_limit=None
        )
        nowhere = await stack.enter_async_context(emulator.session(settings=settings))
        status = await campaign.run(nowhere)
        assert status.counts == {OutcomeState.NOT_SENT: 500}
        told = await rows(campaign)
        assert told[0].error.startswith("ConnectFailed: ")
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 500}
        await check(campaign, emulator)

    async def test_a_row_of_unknowns_pauses_and_stops(self, ledger, sens, emulator, clock):
        emulator.fail("drop", requests="1-", accept=False)
        campaign = await ledger.plan(sens, "one", numbers(5_000), TEXT)
        began = clock.monotonic()
        status = await campaign.run(sens)
        assert clock.monotonic() - began >= 30
        assert status.stopped_by is not None
        assert status.counts[OutcomeState.UNKNOWN] <= 1_000
        assert status.counts[OutcomeState.NOT_SENT] >= 4_000


class TestGuarantees:
    @pytest.mark.parametrize("guarantee", ["at_most_once", "effectively_once"])
    async def test_what_was_accepted_is_found(self, ledger, sens, emulator, guarantee):
        emulator.fail("drop", requests="3-5", accept=True)
        campaign = await ledger.plan(sens, "one", numbers(1_000), TEXT, guarantee=guarantee)
        status = await campaign.run(sens)
        assert status.counts == {OutcomeState.ACCEPTED: 1_000}
        await check(campaign, emulator)

    async def test_at_most_once_leaves_alone_what_is_not_found(self, ledger, sens, emulator, clock):
        emulator.fail("drop", requests="3-4")
        campaign = await ledger.plan(sens, "one", numbers(1_000), TEXT)
        began = clock.time()
        status = await campaign.run(sens)
        assert 600 <= clock.time() - began < 700
        assert status.counts == {OutcomeState.ACCEPTED: 800, OutcomeState.UNKNOWN: 200}
        assert status.unproven == 200
        assert not status.is_finished
        told = await check(campaign, emulator)
        unknown = [one for one in told if one.state is OutcomeState.UNKNOWN]
        assert all(one.is_unproven for one in unknown)
        assert unknown[0].error.startswith("NotFoundAfterSettling: ")
        requests = len(of_endpoint(emulator, "messages"))
        assert (await campaign.run(sens)).unproven == 200
        assert len(of_endpoint(emulator, "messages")) == requests

    async def test_effectively_once_sends_again_what_is_not_found(
        self, ledger, sens, emulator, clock
    ):
        emulator.fail("drop", requests="3-4")
        emulator.fail("drop", requests="6-7", accept=True)
        campaign = await ledger.plan(
            sens, "one", numbers(1_000), TEXT, guarantee="effectively_once"
        )
        began = clock.time()
        status = await campaign.run(sens)
        assert 600 <= clock.time() - began < 700
        assert status.counts == {OutcomeState.ACCEPTED: 1_000}
        assert status.possible_duplicates == 0
        await check(campaign, emulator)

    async def test_a_copy_that_comes_late_is_found_in_time(self, ledger, sens, emulator):
        emulator.fail("late", requests="2-3", delay=280)
        campaign = await ledger.plan(
            sens, "one", numbers(1_000), TEXT, guarantee="effectively_once"
        )
        status = await campaign.run(sens)
        assert status.counts == {OutcomeState.ACCEPTED: 1_000}
        await check(campaign, emulator)

    async def test_settling_too_early_sends_twice(self, ledger, sens, emulator):
        """The control: what the default settling time is for."""
        emulator.fail("late", requests="2-3", delay=280)
        campaign = await ledger.plan(
            sens, "one", numbers(1_000), TEXT, guarantee="effectively_once"
        )
        await campaign.run(sens, settle=0)
        await asyncio.sleep(400)
        assert max(map(len, emulator.admissions.values())) == 2

    async def test_at_least_once_sends_again_at_once_and_says_so(
        self, ledger, sens, emulator, clock
    ):
        emulator.fail("drop", requests="3-4", accept=True)
        emulator.fail(500, endpoint="list")
        campaign = await ledger.plan(sens, "one", numbers(1_000), TEXT, guarantee="at_least_once")
        began = clock.time()
        status = await campaign.run(sens)
        assert clock.time() - began < 60
        assert status.counts == {OutcomeState.ACCEPTED: 1_000}
        assert status.possible_duplicates == 200
        told = await check(campaign, emulator, most=2)
        doubled = {n for n, admitted in emulator.admissions.items() if len(admitted) == 2}
        assert {one.number for one in told if one.possible_duplicate} == doubled

    async def test_at_least_once_has_an_end(self, ledger, sens, emulator):
        emulator.fail("drop", accept=True)
        emulator.fail(500, endpoint="list")
        campaign = await ledger.plan(sens, "one", numbers(100), TEXT, guarantee="at_least_once")
        await campaign.run(sens, settle=1)
        assert len(emulator.admissions["01000000000"]) == 3

    async def test_at_least_once_looks_before_it_sends_again(self, ledger, sens, emulator):
        emulator.fail("drop", requests="3-4", accept=True)
        campaign = await ledger.plan(sens, "one", numbers(1_000), TEXT, guarantee="at_least_once")
        status = await campaign.run(sens)
        assert status.counts == {OutcomeState.ACCEPTED: 1_000}
        assert status.possible_duplicates <= 200
        await check(campaign, emulator, most=2)

    async def test_a_stronger_guarantee_takes_up_what_was_left(self, ledger, sens, emulator):
        emulator.fail("drop", requests="3-4")
        campaign = await ledger.plan(sens, "one", numbers(1_000), TEXT)
        assert (await campaign.run(sens)).unproven == 200
        status = await campaign.run(sens, guarantee="effectively_once")
        assert status.counts == {OutcomeState.ACCEPTED: 1_000}
        await check(campaign, emulator)

    async def test_unknown_can_be_looked_up_without_sending(self, ledger, sens, emulator):
        emulator.fail("drop", requests="3", accept=True)
        emulator.fail("drop", requests="4")
        campaign = await ledger.plan(
            sens, "one", numbers(1_000), TEXT, guarantee="effectively_once"
        )
        status = await campaign.run(sens, wait=False)
        assert status.counts[OutcomeState.UNKNOWN] > 0
        await asyncio.sleep(60)  # by then it is listed
        status = await campaign.reconcile(sens, wait=False)
        assert status.counts == {OutcomeState.ACCEPTED: 900, OutcomeState.UNKNOWN: 100}
        assert status.settles_at is not None
        assert sum(status.reasons.values()) == 100
        requests = len(of_endpoint(emulator, "messages"))
        status = await campaign.reconcile(sens)
        assert status.counts == {OutcomeState.ACCEPTED: 900, OutcomeState.NOT_SENT: 100}
        assert len(of_endpoint(emulator, "messages")) == requests
        assert (await campaign.run(sens)).is_finished
        await check(campaign, emulator)

    async def test_a_list_that_proves_nothing_sends_nobody_twice(self, ledger, sens, emulator):
        """SENS loses its list: accepted requests are not in it either."""
        campaign = await ledger.plan(
            sens, "one", numbers(1_000), TEXT, guarantee="effectively_once"
        )
        emulator.fail("drop", requests="3", accept=True)
        emulator.fail(404, endpoint="list", body="")
        status = await campaign.run(sens)
        assert status.counts[OutcomeState.UNKNOWN] == 100
        assert status.reasons
        await check(campaign, emulator)


async def test_a_campaign_says_nothing_of_anothers_unknowns(ledger, sens, emulator):
    one = await ledger.plan(sens, "one", numbers(100), TEXT)
    two = await ledger.plan(sens, "two", numbers(100, 500), TEXT)
    emulator.fail("drop", requests=1)
    await one.run(sens, wait=False)
    status = await two.run(sens)
    assert status.is_finished
    assert not status.reasons
    assert status.settles_at is None
    for verb in (two.run, two.reconcile):
        asked = len(of_endpoint(emulator, "list"))
        assert (await verb(sens)).reasons == {}
        assert len(of_endpoint(emulator, "list")) == asked
    assert sum((await one.reconcile(sens, wait=False)).reasons.values()) == 100


class TestEqualCampaigns:
    @pytest.mark.parametrize("accept", [(True, True), (True, False), (False, False)])
    async def test_one_is_never_taken_for_the_other(self, ledger, sens, emulator, accept):
        one = await ledger.plan(sens, "one", numbers(600), TEXT, guarantee="effectively_once")
        two = await ledger.plan(sens, "two", numbers(600), TEXT, guarantee="effectively_once")
        emulator.fail("drop", probability=0.3, accept=accept[0])
        emulator.fail("drop", probability=0.3, accept=accept[1])
        statuses = await asyncio.gather(one.run(sens), two.run(sens))
        assert [status.counts for status in statuses] == [{OutcomeState.ACCEPTED: 600}] * 2
        told = [await check(campaign, emulator, most=2) for campaign in (one, two)]
        assert {len(admitted) for admitted in emulator.admissions.values()} == {2}
        ids = [{outcome.request_id for outcome in outcomes} for outcomes in told]
        assert ids[0].isdisjoint(ids[1])

    async def test_one_that_is_unknown_holds_the_other_up(self, ledger, sens, emulator):
        one = await ledger.plan(sens, "one", numbers(100), TEXT)
        two = await ledger.plan(sens, "two", numbers(100), TEXT)
        emulator.fail("drop", requests=1, accept=True)
        emulator.fail(500, endpoint="list")
        assert (await one.run(sens, wait=False)).counts == {OutcomeState.UNKNOWN: 100}
        status = await two.run(sens, wait=False)
        assert status.counts == {OutcomeState.NOT_SENT: 100}
        assert isinstance(status.stopped_by, CampaignConflict)
        emulator.clear_faults()
        assert (await two.run(sens)).counts == {OutcomeState.ACCEPTED: 100}
        assert (await one.status()).counts == {OutcomeState.ACCEPTED: 100}
        assert len(emulator.admissions["01000000000"]) == 2

    async def test_the_same_text_twice_in_one_list_goes_twice(self, ledger, sens, emulator):
        people = [*numbers(100), *numbers(100)]
        campaign = await ledger.plan(sens, "one", people, TEXT, duplicates="send")
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 200}
        told = await check(campaign, emulator, most=2)
        assert len({one.request_id for one in told}) == 2

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"content": "hello"}, {"content": "hello "}),
            ({"content": "hello\nyou"}, {"content": "hello\r\nyou"}),
            ({"content": "é"}, {"content": "e\u0301"}),
            ({"content": "가" * 60}, {"content": "가" * 60, "subject": "제목"}),
        ],
    )
    async def test_what_may_be_taken_for_it_holds_it_up_as_well(
        self, ledger, open_session, emulator, first, second
    ):
        sens = await open_session(unencodable="replace")
        one = await ledger.plan(sens, "one", numbers(100), **first)
        two = await ledger.plan(sens, "two", numbers(100), **second)
        emulator.fail("drop", requests=1)
        await one.run(sens, wait=False)
        assert (await two.run(sens, wait=False)).counts == {OutcomeState.NOT_SENT: 100}
        assert (await two.run(sens)).counts == {OutcomeState.ACCEPTED: 100}
        assert (await one.status()).unproven == 100
        assert {len(admitted) for admitted in emulator.admissions.values()} == {1}

    async def test_the_part_of_one_may_be_equal_to_another(self, ledger, sens, emulator):
        one = await ledger.plan(sens, "one", ["010-0000-0001"], TEXT)
        two = await ledger.plan(sens, "two", ["010-0000-0001", "010-0000-0002"], TEXT)
        emulator.fail("drop", requests=1, accept=True)
        assert (await one.run(sens, wait=False)).counts[OutcomeState.UNKNOWN] == 1
        emulator.fail("bad_request", requests=2)
        assert (await two.run(sens)).counts == {OutcomeState.ACCEPTED: 2}
        assert (await one.status()).counts == {OutcomeState.ACCEPTED: 1}
        ids = {one.request_id for one in emulator.admissions["01000000001"]}
        told = [(await rows(campaign))[0].request_id for campaign in (one, two)]
        assert set(told) == ids
        assert len(ids) == 2

    async def test_one_that_was_sent_again_blindly_is_not_taken_for_the_other(
        self, ledger, sens, emulator
    ):
        one = await ledger.plan(sens, "one", numbers(100), TEXT, guarantee="at_least_once")
        two = await ledger.plan(sens, "two", numbers(100), TEXT, guarantee="effectively_once")
        emulator.fail("drop", requests=1, accept=True)
        emulator.fail("quota", requests=2)
        emulator.fail(500, endpoint="list")
        await one.run(sens)
        emulator.clear_faults()
        emulator.fail("drop", requests="3", accept=False)
        assert (await two.run(sens)).counts == {OutcomeState.ACCEPTED: 100}
        told = await rows(two)
        assert {admission.request_id for admission in emulator.admissions["01000000000"]} > {
            told[0].request_id
        }

    async def test_an_older_one_does_not_keep_it_from_being_taken_up(self, ledger, sens, emulator):
        for name in ("one", "two"):
            campaign = await ledger.plan(sens, name, numbers(100), TEXT)
            emulator.fail("drop", times=1)
            assert (await campaign.run(sens)).unproven == 100
            emulator.clear_faults()
            await asyncio.sleep(700)
        status = await campaign.run(sens, guarantee="effectively_once")
        assert status.counts == {OutcomeState.ACCEPTED: 100}


class TestAtLeastOnceIsHonest:
    async def test_a_refusal_after_an_unknown_is_no_rejection(self, ledger, sens, emulator):
        campaign = await ledger.plan(sens, "one", numbers(1), TEXT, guarantee="at_least_once")
        emulator.fail("drop", requests=1, accept=True)
        emulator.fail("bad_request", requests=2)
        emulator.fail(500, endpoint="list")
        status = await campaign.run(sens)
        assert status.counts == {OutcomeState.UNKNOWN: 1}
        assert not status.is_finished
        await check(campaign, emulator)

    async def test_not_sent_again_after_an_unknown_is_unknown(self, ledger, sens, emulator):
        campaign = await ledger.plan(sens, "one", numbers(1), TEXT, guarantee="at_least_once")
        emulator.fail("drop", requests=1, accept=True)
        emulator.fail("quota", requests=2)
        emulator.fail(500, endpoint="list")
        status = await campaign.run(sens)
        assert status.counts == {OutcomeState.UNKNOWN: 1}
        await check(campaign, emulator)
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 1}
        assert (await campaign.status()).possible_duplicates == 1


async def test_what_sens_lists_no_more_holds_nobody_up(ledger, sens, emulator):
    campaign = await ledger.plan(sens, "one", numbers(100), TEXT, guarantee="effectively_once")
    emulator.fail("drop", requests=1, accept=True)
    await campaign.run(sens, wait=False)
    await asyncio.sleep(90 * 86_400)
    status = await campaign.run(sens)
    assert (status.counts, status.unproven) == ({OutcomeState.UNKNOWN: 100}, 100)
    await campaign.purge()


class TestInterruptions:
    async def test_cancelling_finishes_what_is_in_flight(self, ledger, open_session, emulator):
        sens = await open_session(max_in_flight=4)
        campaign = await ledger.plan(sens, "one", numbers(5_000), TEXT)
        enough = asyncio.Event()

        def watch(status: CampaignStatus) -> None:
            if status.counts[OutcomeState.ACCEPTED] >= 1_000:
                enough.set()

        running = asyncio.create_task(campaign.run(sens, watch=watch))
        await enough.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        status = await campaign.status()
        assert status.counts[OutcomeState.UNKNOWN] == 0
        assert status.counts[OutcomeState.NOT_SENT] > 1_000
        await check(campaign, emulator)
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 5_000}
        await check(campaign, emulator)

    async def test_cancelling_twice_leaves_what_is_in_flight_unknown(
        self, ledger, open_session, emulator
    ):
        sens = await open_session(max_in_flight=4)
        campaign = await ledger.plan(sens, "one", numbers(2_000), TEXT)
        emulator.fail("hang", requests="5-", accept=True)
        running = asyncio.create_task(campaign.run(sens))
        await asyncio.sleep(10)  # nothing moves any more
        running.cancel()
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        status = await campaign.status()
        assert 0 < status.counts[OutcomeState.UNKNOWN] <= 400
        emulator.clear_faults()
        await check(campaign, emulator)
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 2_000}
        await check(campaign, emulator)

    async def test_closing_the_session_ends_the_questions(
        self, ledger, open_session, emulator, clock
    ):
        sens = await open_session()
        campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
        emulator.fail("drop", requests=1)
        tasks = [asyncio.create_task(campaign.run(sens)) for _ in range(2)]
        await asyncio.sleep(200)
        tasks.append(asyncio.create_task(campaign.reconcile(sens)))
        await asyncio.sleep(1)
        closed_at = clock.time()
        await sens.aclose()
        for status in await asyncio.gather(*tasks):
            assert isinstance(status.stopped_by, SessionClosed)
            assert status.counts == {OutcomeState.UNKNOWN: 3}
        assert clock.time() - closed_at < 1.0

    @pytest.mark.parametrize("fault", [None, "drop"])
    @pytest.mark.parametrize("fails", [False, True])
    async def test_a_ledger_that_closes_behind_its_session_lets_runs_end(
        self, url, emulator, clock, fault, *, fails
    ):
        settings = Settings(rate_limit=None, max_in_flight=2)
        enough = asyncio.Event()
        with pytest.raises(ZeroDivisionError) if fails else nullcontext():
            async with (
                Ledger.open(url, clock=clock) as ledger,
                emulator.session(settings=settings) as sens,
            ):
                campaign = await ledger.plan(sens, "one", numbers(3_000), TEXT)
                if fault is not None:
                    emulator.fail(fault, requests="5-10")
                running = asyncio.create_task(campaign.run(sens, watch=lambda _: enough.set()))
                await enough.wait()
                await asyncio.sleep(0 if fault is None else 100)
                assert not fails or 1 / 0
        status = await running
        assert isinstance(status.stopped_by, SessionClosed)
        assert max(map(len, emulator.admissions.values()), default=1) == 1

    async def test_closing_the_session_ends_the_run(self, ledger, open_session, emulator):
        sens = await open_session(max_in_flight=2)
        campaign = await ledger.plan(sens, "one", numbers(3_000), TEXT)
        enough = asyncio.Event()

        def watch(status: CampaignStatus) -> None:
            if status.counts[OutcomeState.ACCEPTED] >= 500:
                enough.set()

        running = asyncio.create_task(campaign.run(sens, watch=watch))
        await enough.wait()
        await sens.aclose()
        status = await running
        assert isinstance(status.stopped_by, SessionClosed)
        assert (await campaign.status()).counts[OutcomeState.UNKNOWN] == 0
        again = await open_session()
        assert (await campaign.run(again)).counts == {OutcomeState.ACCEPTED: 3_000}
        await check(campaign, emulator)

    async def test_counts_are_live(self, ledger, sens):
        campaign = await ledger.plan(sens, "one", numbers(1_000), TEXT)
        seen = []
        await campaign.run(
            sens, watch=lambda s: seen.append((s.counts[OutcomeState.ACCEPTED], s.in_flight))
        )
        accepted = [count for count, _ in seen]
        assert accepted == sorted(accepted)
        assert len(set(accepted)) >= 10
        assert max(in_flight for _, in_flight in seen) > 0
        assert seen[-1] == (1_000, 0)


async def test_a_report_is_of_one_moment(ledger, sens, emulator):
    """Batches that are divided while a report is read do not confuse it."""
    campaign = await ledger.plan(sens, "one", numbers(600), TEXT)
    emulator.refuse_numbers = {"01000000150", "01000000450"}
    running = asyncio.create_task(campaign.run(sens))
    while not running.done():
        assert [one.index for one in await rows(campaign)] == list(range(600))
        await asyncio.sleep(0.01)
    assert (await running).counts == {OutcomeState.ACCEPTED: 598, OutcomeState.REJECTED: 2}
    await check(campaign, emulator)


async def test_a_server_that_goes_away_stops_the_run(postgres_url, open_session, emulator, clock):
    sens = await open_session(max_in_flight=2)
    async with Ledger.open(postgres_url, clock=clock) as ledger:
        campaign = await ledger.plan(sens, "one", numbers(10_000), TEXT)
        enough = asyncio.Event()

        def watch(status: CampaignStatus) -> None:
            if status.counts[OutcomeState.ACCEPTED] >= 500:
                enough.set()

        running = asyncio.create_task(campaign.run(sens, watch=watch))
        await enough.wait()
        async with ledger.storage.engine.sql.connect() as connection:
            await connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(LedgerError):
            await running
        assert len(emulator.admissions) < 10_000
        told = await check_log(campaign, emulator)
        assert Counter(one.state for one in told)[OutcomeState.NOT_SENT] > 0
    # Leases are the server's time, which is real: this one's worker is dead for certain.
    async with Ledger.open(postgres_url, clock=clock) as ledger:
        async with ledger.storage.writing() as connection:
            await connection.exec_driver_sql("UPDATE sens_batch SET lease_until = 0")
        campaign = await ledger.campaign("one")
        assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 10_000}
        await check(campaign, emulator)


async def test_the_session_must_be_of_the_service(ledger, sens, stack, emulator):
    campaign = await ledger.plan(sens, "one", numbers(3), TEXT)
    other = await stack.enter_async_context(emulator.session(service_id="ncp:sms:kr:1:other"))
    for verb in (campaign.run, campaign.reconcile, campaign.track):
        with pytest.raises(CampaignConflict, match="was planned for service"):
            await verb(other)


async def test_a_reserved_campaign_goes_out_in_time_or_not_at_all(ledger, sens, emulator, clock):
    at = from_epoch(clock.time()).astimezone(KST) + timedelta(hours=1)
    campaign = await ledger.plan(sens, "one", numbers(300), TEXT, reserve_at=at)
    late = await ledger.plan(sens, "late", numbers(300, 1_000), TEXT, reserve_at=at)
    assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 300}
    await check(campaign, emulator)
    await asyncio.sleep(3_600)
    status = await late.run(sens)
    assert isinstance(status.stopped_by, InvalidSchedule)
    assert status.counts == {OutcomeState.NOT_SENT: 300}


async def test_each_request_is_signed_with_its_intents_time(ledger, sens, emulator):
    emulator.fail("throttle", requests="2")
    campaign = await ledger.plan(sens, "one", numbers(500), TEXT)
    await campaign.run(sens)
    told = {one.number: one for one in await rows(campaign)}
    for request in of_endpoint(emulator, "messages"):
        if request.status == 202:
            first = orjson.loads(request.body)["messages"][0]["to"]
            signed = int(request.headers["x-ncp-apigw-timestamp"])
            assert round(told[first].attempted_at.timestamp() * 1000) == signed


async def test_a_slow_answer_is_given_up_and_found(ledger, open_session, emulator):
    sens = await open_session(timeouts=Timeouts(connect=1, total=5))
    emulator.fail("late", requests="2", delay=60)
    campaign = await ledger.plan(sens, "one", numbers(300), TEXT)
    assert (await campaign.run(sens)).counts == {OutcomeState.ACCEPTED: 300}
    await check(campaign, emulator)
    assert len(sent(emulator)) == 3
