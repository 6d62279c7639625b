import pytest
from emulator_calls import listed

from sens_async.emulator import Emulator, EmulatorOptions
from sens_async.emulator.results import ordered_code


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("01019003001", "3001"),
        ("01019000000", "0"),
        ("01019009999", "9999"),
        ("01019050917", "E917"),
        ("01019190004", "S004"),
        ("01019051917", None),
        ("010190030011", None),
        ("01000003001", None),
        ("01012345678", None),
        ("01119003001", None),
    ],
)
def test_a_magic_number_says_its_code(number, code):
    assert ordered_code(number) == code


def test_no_number_of_a_long_list_from_zero_is_magic():
    assert not any(ordered_code(f"010{i:08}") for i in range(0, 19_000_000, 997))


@pytest.mark.parametrize(("on", "code"), [(True, "3001"), (False, "0")])
async def test_magic_numbers_can_be_switched_off(start, clock, on, code):
    client = await start(magic_numbers=on)
    await client.send("01019003001")
    await clock.sleep(10)

    assert client.emulator.inbox.last().code == code


async def test_a_magic_number_takes_its_time(start, clock):
    client = await start()
    await client.send("01019990050", "01019999999")
    await clock.sleep(49)
    early = [message.status for message in client.emulator.inbox]
    await clock.sleep(1)
    late = {message.number: message.status for message in client.emulator.inbox}
    await clock.sleep(1e6)

    assert early == ["PROCESSING", "PROCESSING"]
    assert late == {"01019990050": "COMPLETED", "01019999999": "PROCESSING"}
    assert client.emulator.inbox.last("01019999999").status == "PROCESSING"


async def test_the_cause_of_a_failure_that_is_the_messages_own_comes_first(start, clock):
    client = await start()
    client.emulator.results["01000000002"] = "2003"
    client.emulator.results["01019003001"] = "0"
    items = [
        {"to": "01000000001"},
        {"to": "01000000002"},
        {"to": "01019003001"},
        {"to": "01000000003", "content": "🎉"},
        {"to": "123"},
    ]
    await client.send(messages=items)
    await client.send("01019003002", sender="0299999999")
    await clock.sleep(10)

    assert {message.number: message.code for message in client.emulator.inbox} == {
        "01000000001": "0",
        "01000000002": "2003",
        "01019003001": "0",
        "01000000003": "3022",
        "123": "3003",
        "01019003002": "3023",
    }


async def test_carriers(start, clock):
    client = await start(carriers=("SKT",))
    await client.send("01000000001", "0212345678")
    await client.send("15551234567", countryCode="1")
    await clock.sleep(10)

    assert {message.number: message.telco for message in client.emulator.inbox} == {
        "01000000001": "SKT",
        "0212345678": "ETC",
        "15551234567": "ETC",
    }


@pytest.mark.parametrize(
    ("option", "moments"),
    [
        ("quota_per_day", ["2025-11-25T23:59:59", "2025-11-26T00:00:00"]),
        ("quota_per_month", ["2025-11-30T23:59:59", "2025-12-01T00:00:00"]),
    ],
)
async def test_a_quota_begins_anew_with_the_korean_day_or_month(start, option, moments):
    client = await start(**{option: 2})
    await client.send("01000000001", "01000000002")
    refused = await client.send("01000000003")
    replies = []
    for moment in moments:
        await client.call("POST", "/_emulator/clock", f'{{"set": "{moment}+09:00"}}'.encode(), {})
        replies.append(await client.send("01000000003"))

    assert (refused.status, refused.json["error"]["errorCode"]) == (429, "400")
    assert [reply.status for reply in replies] == [429, 202]


async def test_the_rate_may_be_told_as_throttling(start):
    client = await start(rate=1, rate_code="410")
    await client.send()

    assert (await client.send()).json["error"]["errorCode"] == "410"


async def test_an_upload_that_is_recognised_may_have_a_new_id(start, jpeg):
    client = await start(reupload="new")
    first, second = await client.upload("a.jpg", jpeg()), await client.upload("a.jpg", jpeg())
    ids = [first.json["fileId"], second.json["fileId"]]
    sent = [await client.send(type="MMS", files=[{"fileId": file_id}]) for file_id in ids]

    assert len(set(ids)) == 2
    assert [reply.status for reply in sent] == [202, 202]
    assert [(file.name, file.uploads) for file in client.emulator.uploads] == [("a.jpg", 2)]


async def test_pictures_are_listed_by_id_and_name(start, jpeg):
    client = await start(visibility_delay=0)
    file_id = (await client.upload("a.jpg", jpeg())).json["fileId"]
    request_id = (await client.send(type="MMS", files=[{"fileId": file_id}])).json["requestId"]
    [row] = (await listed(client, requestId=request_id)).json["messages"]

    assert row["files"] == [{"fileId": file_id, "name": "a.jpg"}]


@pytest.mark.parametrize("option", ["visibility_delay", "processing_delay", "completion_delay"])
@pytest.mark.parametrize("span", [-1, (2, 1), (0, float("inf")), float("nan")])
def test_a_delay_out_of_its_range_is_refused_by_name(option, span):
    with pytest.raises(ValueError, match=option):
        EmulatorOptions(**{option: span})


def test_a_run_repeats_with_its_seed(clock_free_send):
    assert clock_free_send(1) == clock_free_send(1)
    assert clock_free_send(1) != clock_free_send(2)


@pytest.fixture
def clock_free_send(message):
    def send(seed):
        options = EmulatorOptions(completion_delay=(0, 100), visibility_delay=(0, 100))
        emulator = Emulator(seed=seed, options=options)
        emulator.clock.set(1764031180.0)
        emulator.seed(message("01000000001", "01000000002"), ago=1000)
        return [round(found.completed_at - found.at, 6) for found in emulator.inbox]

    return send
