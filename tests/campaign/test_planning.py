"""Plans: what goes into the ledger, what is refused, and what the same name means again."""

import asyncio
import re
from datetime import datetime, timedelta, timezone

import pytest
from session_helpers import jpeg, numbers

from sens_async import (
    AdRuleViolated,
    ConfigError,
    InvalidMessage,
    InvalidTemplate,
    MessageType,
    OutcomeState,
    Recipient,
    UploadedFile,
)
from sens_async.campaign import CampaignConflict, CampaignNotFound, Guarantee, Ledger
from sens_async.campaign.fingerprint import STRETCH
from sens_async.campaign.planning import _ROWS_AT_ONCE

KST = timezone(timedelta(hours=9))


async def rows(campaign):
    return [outcome async for outcome in campaign.report()]


async def test_everybody_is_in_a_plan_in_input_order(ledger: Ledger, sens):
    people = [
        Recipient("010-0000-0001", fields={"name": "김민서"}, key="a"),
        Recipient("010", fields={"name": "이도윤"}, key="b"),
        Recipient("010-0000-0002", fields={}, key="c"),
        Recipient("010-0000-0003", fields={"name": "가" * 60}, key="d"),
        Recipient("+82 10-0000-0001", fields={"name": "김민서"}, key="e"),
        "010-0000-0004",
        17,
        Recipient("010-0000-0005", content="자기 글", key="f"),
    ]
    campaign = await ledger.plan(sens, "한 번", people, "{name}님 안녕하세요")
    assert campaign.recipients == len(people)
    told = await rows(campaign)
    assert [one.index for one in told] == list(range(len(people)))
    assert [one.key for one in told] == ["a", "b", "c", "d", "e", None, None, "f"]
    assert [one.state for one in told] == [
        OutcomeState.NOT_SENT,
        OutcomeState.REJECTED,
        OutcomeState.REJECTED,
        OutcomeState.NOT_SENT,
        OutcomeState.SKIPPED,
        OutcomeState.REJECTED,
        OutcomeState.REJECTED,
        OutcomeState.NOT_SENT,
    ]
    assert [one.type for one in told if one.type] == [
        MessageType.SMS,
        MessageType.LMS,
        MessageType.SMS,
    ]
    assert told[1].to == "010"
    assert told[1].number is None
    assert told[1].error.startswith("InvalidRecipient: ")
    assert told[2].error.startswith("MissingField: ")
    assert told[4].error.startswith("DuplicateRecipient: ")
    status = await campaign.status()
    assert status.counts == {
        OutcomeState.NOT_SENT: 3,
        OutcomeState.REJECTED: 4,
        OutcomeState.SKIPPED: 1,
    }
    assert status.total == len(people)
    assert not status.is_finished


async def test_nothing_is_sent_by_planning(ledger, sens, emulator):
    await ledger.plan(sens, "one", numbers(500), "안녕하세요")
    assert not emulator.requests


async def test_a_duplicate_far_away_is_found(ledger, sens):
    people = [*numbers(30_000), "010-0000-0000"]
    campaign = await ledger.plan(sens, "one", people, "안녕하세요")
    last = (await rows(campaign))[-1]
    assert (last.index, last.state) == (30_000, OutcomeState.SKIPPED)


async def test_a_source_is_read_lazily_and_once(ledger, sens):
    taken = 0
    most_ahead = 0

    async def people():
        nonlocal taken
        for number in numbers(25_000):
            taken += 1
            yield number

    def watch(planned):
        nonlocal most_ahead
        most_ahead = max(most_ahead, taken - planned)

    campaign = await ledger.plan(sens, "one", people(), "안녕하세요", watch=watch)
    assert taken == campaign.recipients == 25_000
    assert most_ahead < 2_000


async def test_the_same_plan_again_is_the_same_campaign(ledger, sens):
    people = [Recipient(number, fields={"n": i}) for i, number in enumerate(numbers(3_000))]
    first = await ledger.plan(sens, "one", people, "{n}번째")
    again = await ledger.plan(sens, "one", iter(people), "{n}번째")
    assert again.planned_at == first.planned_at
    assert len(await ledger.list()) == 1
    assert len(await rows(again)) == 3_000


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"content": "{n}번째입니다"}, "content is another text"),
        ({"subject": "제목"}, "subject is another text"),
        ({"guarantee": "at_least_once"}, "guarantee was 'at_most_once' and is 'at_least_once'"),
        ({"duplicates": "send"}, "duplicates was 'skip' and is 'send'"),
        ({"type": "LMS"}, "type was None and is 'LMS'"),
        ({"images": [jpeg()]}, "other pictures (0 planned, 1 given)"),
        ({"skip_known_keys": True}, "skips was '' and is 'known_keys'"),
        ({"reserve_at": datetime(2025, 11, 26, 9, tzinfo=KST)}, "reserve_at was None"),
    ],
)
async def test_another_plan_under_the_name_says_what_differs(ledger, sens, change, named):
    people = [Recipient(number, fields={"n": i}) for i, number in enumerate(numbers(300))]
    await ledger.plan(sens, "one", people, "{n}번째")
    with pytest.raises(CampaignConflict, match="planned with other input") as caught:
        await ledger.plan(sens, "one", people, **{"content": "{n}번째", **change})
    assert named in str(caught.value)


async def test_another_list_under_the_name_says_where_it_differs(ledger, sens):
    people = numbers(5_000)
    await ledger.plan(sens, "one", people, "안녕하세요")
    other = [*people]
    other[3_456] = "010-9999-9999"
    with pytest.raises(CampaignConflict, match=r"first somewhere from recipient 3,001 to 4,000"):
        await ledger.plan(sens, "one", other, "안녕하세요")
    with pytest.raises(CampaignConflict, match=r"4,999 recipients instead of 5,000"):
        await ledger.plan(sens, "one", people[:-1], "안녕하세요")
    with pytest.raises(CampaignConflict, match=r"5,001 recipients instead of 5,000"):
        await ledger.plan(sens, "one", [*people, "010-1234-5678"], "안녕하세요")


async def test_identical_campaigns_have_names_of_their_own(ledger, sens):
    one = await ledger.plan(sens, "one", numbers(10), "안녕하세요")
    two = await ledger.plan(sens, "two", numbers(10), "안녕하세요")
    assert [campaign.name for campaign in await ledger.list()] == ["two", "one"]
    assert len(await rows(one)) == len(await rows(two)) == 10


async def test_a_plan_whose_source_fails_is_none(ledger, sens):
    def people():
        yield from numbers(_ROWS_AT_ONCE * 100 + 5_000)
        raise OSError("the list broke off")

    with pytest.raises(OSError, match="broke off"):
        await ledger.plan(sens, "one", people(), "안녕하세요")
    assert not await ledger.list()
    with pytest.raises(CampaignNotFound):
        await ledger.campaign("one")
    campaign = await ledger.plan(sens, "one", numbers(3), "안녕하세요")
    assert len(await rows(campaign)) == 3


async def test_a_plan_that_is_cancelled_is_none(ledger, sens):
    reached = asyncio.Event()

    async def people():
        for number in numbers(_ROWS_AT_ONCE * 100 + 5_000):
            yield number
        reached.set()
        await asyncio.Event().wait()

    planning = asyncio.create_task(ledger.plan(sens, "one", people(), "안녕하세요"))
    await reached.wait()
    planning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await planning
    assert not await ledger.list()
    campaign = await ledger.plan(sens, "one", numbers(3), "안녕하세요")
    assert len(await rows(campaign)) == 3


async def test_whoever_plans_last_under_a_name_has_it(open_ledger, sqlite_url, sens):
    ledger = await open_ledger(sqlite_url)
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def people():
        for number in numbers(25_000):
            yield number
        has_begun.set()
        await may_go_on.wait()

    first = asyncio.create_task(ledger.plan(sens, "one", people(), "안녕하세요"))
    await has_begun.wait()
    second = await ledger.plan(sens, "one", numbers(300), "다른 글")
    may_go_on.set()
    with pytest.raises(CampaignConflict, match="planned anew"):
        await first
    assert (await ledger.campaign("one")).recipients == 300
    assert len(await rows(second)) == 300


async def test_one_process_plans_a_name_at_a_time(open_ledger, postgres_url, sens):
    one, two = await open_ledger(postgres_url), await open_ledger(postgres_url)
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def people():
        has_begun.set()
        yield "010-0000-0001"
        await may_go_on.wait()

    first = asyncio.create_task(one.plan(sens, "one", people(), "안녕하세요"))
    await has_begun.wait()
    with pytest.raises(CampaignConflict, match="another process plans campaign 'one'"):
        await two.plan(sens, "one", numbers(300), "안녕하세요")
    may_go_on.set()
    assert (await first).recipients == 1


async def test_an_empty_list_is_a_campaign(ledger, sens):
    campaign = await ledger.plan(sens, "nobody", [], "안녕하세요")
    assert await rows(campaign) == []
    status = await campaign.run(sens)
    assert status.is_finished
    assert status.total == 0


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", None, 7])
async def test_a_name_must_be_one(ledger, sens, name):
    with pytest.raises(ValueError, match="name"):
        await ledger.plan(sens, name, numbers(1), "안녕하세요")


async def test_a_wrong_call_plans_nothing(ledger, sens):
    with pytest.raises(InvalidTemplate):
        await ledger.plan(sens, "one", numbers(1), "{")
    with pytest.raises(TypeError):
        await ledger.plan(sens, "one", "01012345678", "안녕하세요")
    with pytest.raises(ConfigError, match="'at_most_once', 'effectively_once'"):
        await ledger.plan(sens, "one", numbers(1), "안녕하세요", guarantee="exactly_once")
    with pytest.raises(InvalidMessage, match="skip_unsubscribed"):
        await ledger.plan(sens, "one", numbers(1), "안녕하세요", skip_unsubscribed=True)
    file = UploadedFile(
        file_id="1", expires_at=datetime.now(KST), name="a.jpg", size_bytes=1, digest=""
    )
    with pytest.raises(InvalidMessage, match="not an UploadedFile"):
        await ledger.plan(sens, "one", numbers(1), "안녕하세요", images=[file])
    assert not await ledger.list()


async def test_an_advertisement_may_be_planned_at_night(ledger, sens, clock):
    """It is refused when it would go out, not when it is written down."""
    await asyncio.sleep(14 * 3_600)
    campaign = await ledger.plan(sens, "ad", numbers(3), "(광고) 세일", content_type="AD")
    status = await campaign.run(sens)
    assert isinstance(status.stopped_by, AdRuleViolated)
    assert status.counts == {OutcomeState.NOT_SENT: 3}
    await asyncio.sleep(10 * 3_600)
    assert (await campaign.run(sens)).is_finished


async def test_who_has_opted_out_is_skipped(ledger, sens, emulator):
    await sens.unsubscribes.add(["010-0000-0001"])
    campaign = await ledger.plan(
        sens, "ad", numbers(3), "(광고) 세일", content_type="AD", skip_unsubscribed=True
    )
    told = await rows(campaign)
    assert [one.state for one in told] == [
        OutcomeState.NOT_SENT,
        OutcomeState.SKIPPED,
        OutcomeState.NOT_SENT,
    ]
    assert told[1].error.startswith("Unsubscribed: ")


KEYED = [Recipient(number, key=f"order-{i}") for i, number in enumerate(numbers(250))]


class TestKnownKeys:
    async def test_whoever_was_sent_to_under_a_key_is_skipped(self, ledger, sens, emulator):
        first = await ledger.plan(sens, "one", KEYED[:150], "안녕하세요")
        assert (await first.run(sens)).is_finished
        second = await ledger.plan(sens, "two", KEYED, "다른 글", skip_known_keys=True)
        told = await rows(second)
        assert [one.index for one in told] == list(range(250))
        assert {one.state for one in told[:150]} == {OutcomeState.SKIPPED}
        assert {one.state for one in told[150:]} == {OutcomeState.NOT_SENT}
        assert told[0].error.startswith("DuplicateRecipient: ")
        assert (await second.run(sens)).is_finished
        assert {len(one) for one in emulator.admissions.values()} == {1}
        assert [one.request_id is not None for one in await rows(second)] == [
            one.index >= 150 for one in told
        ]

    async def test_whoever_is_about_to_be_sent_to_is_skipped_too(self, ledger, sens):
        await ledger.plan(sens, "one", KEYED[:150], "안녕하세요")
        second = await ledger.plan(sens, "two", KEYED, "안녕하세요", skip_known_keys=True)
        assert (await second.status()).counts[OutcomeState.SKIPPED] == 150

    async def test_whoever_was_refused_is_not(self, ledger, sens):
        bad = [Recipient("010", key="order-1")]
        await ledger.plan(sens, "one", bad, "안녕하세요")
        good = [Recipient("010-1234-5678", key="order-1")]
        second = await ledger.plan(sens, "two", good, "안녕하세요", skip_known_keys=True)
        assert (await second.status()).counts == {OutcomeState.NOT_SENT: 1}

    async def test_keys_are_not_looked_at_unless_asked(self, ledger, sens):
        await ledger.plan(sens, "one", KEYED, "안녕하세요")
        second = await ledger.plan(sens, "two", KEYED, "다른 글")
        assert (await second.status()).counts == {OutcomeState.NOT_SENT: 250}

    async def test_two_plans_at_once_do_not_take_the_same_key(self, ledger, open_ledger, url, sens):
        people = [Recipient(number, key=number) for number in numbers(STRETCH + 1)]
        both_have_looked = asyncio.Barrier(2)

        async def source():
            for place, person in enumerate(people):
                if place == STRETCH:
                    await both_have_looked.wait()
                yield person

        other = ledger if "://" not in url else await open_ledger()  # a file has one owner
        plans = [
            one.plan(sens, name, source(), "안녕", skip_known_keys=True)
            for one, name in ((ledger, "one"), (other, "two"))
        ]
        first, second = await asyncio.gather(*plans, return_exceptions=True)
        name = "two"
        if isinstance(first, CampaignConflict):
            first, second, name = second, first, "one"
        assert (await first.status()).counts == {OutcomeState.NOT_SENT: STRETCH + 1}
        assert re.match("1,00[01] keys were taken by another campaign", str(second))
        second = await ledger.plan(sens, name, people, "안녕", skip_known_keys=True)
        assert (await second.status()).counts == {OutcomeState.SKIPPED: STRETCH + 1}

    async def test_who_is_found_by_halving_keeps_the_key(self, ledger, sens, emulator):
        first = await ledger.plan(sens, "one", KEYED[:100], "안녕하세요")
        emulator.fail("bad_request", requests=1)
        assert (await first.run(sens)).is_finished
        second = await ledger.plan(sens, "two", KEYED[:100], "안녕", skip_known_keys=True)
        assert (await second.status()).counts == {OutcomeState.SKIPPED: 100}


async def test_a_campaign_says_what_it_is(ledger, sens):
    at = datetime(2025, 11, 26, 9, tzinfo=KST)
    campaign = await ledger.plan(
        sens,
        "모두",
        numbers(3),
        "(광고) {이름}님",
        subject="제목",
        content_type="AD",
        images=[jpeg()],
        reserve_at=at,
        guarantee="effectively_once",
    )
    found = await ledger.campaign("모두")
    for one in (campaign, found):
        assert one.guarantee is Guarantee.EFFECTIVELY_ONCE
        assert (one.content, one.subject, one.content_type) == ("(광고) {이름}님", "제목", "AD")
        assert (one.reserve_at, one.pictures, one.purged_at) == (at, 1, None)
        assert one.service_id == sens.service_id
        assert one.sender == sens.sender
    assert repr(found) == "<Campaign '모두': 3 recipients, effectively_once>"


async def test_outcomes_can_be_read_by_state_and_requests_counted_by_type(ledger, sens):
    people = [
        "01011111111",
        "no number",
        Recipient("01022222222", content="긴" * 60),
        "01011111111",
    ]
    campaign = await ledger.plan(sens, "mixed", people, "hi")

    left_out = [OutcomeState.SKIPPED, OutcomeState.REJECTED]
    read = [outcome async for outcome in campaign.report(left_out)]
    status = await campaign.status()

    assert [(one.index, one.state) for one in read] == [
        (1, OutcomeState.REJECTED),
        (3, OutcomeState.SKIPPED),
    ]
    assert status.planned_by_type == {MessageType.SMS: 1, MessageType.LMS: 1}
    assert (status.batches, dict(status.counts_by_type)) == (2, {})
