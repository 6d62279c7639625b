"""Reading back: which questions are asked, and what comes of their answers."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from asked import NOTHING, Asked, page, row, said
from scripted import session_over

from sens_async import (
    BadRequest,
    ConfigError,
    ConnectionLost,
    Delivery,
    DeliveryStatus,
    InvalidQuery,
    InvalidRecipient,
    MessageType,
    NotFound,
    PermissionDenied,
    Receipt,
    SessionClosed,
    UnreadableResponse,
)
from sens_async.core.schedule import KST

LIST = "ncp:sms:kr:000000000001:demo/messages?"
REQUEST_ID = "RSLA-1764031180535-0001-00000001-aBcDeFgH"
TODAY = datetime(2025, 11, 25, 9, 0, tzinfo=KST)
EAST = timezone(timedelta(hours=12))


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"010{i:08d}" for i in range(start, start + count)]


async def read(iterator) -> list[Delivery]:
    return [delivery async for delivery in iterator]


@pytest.fixture
async def asking(clock):
    """Give sessions whose questions a test answers."""
    sessions = []

    def ask(answer):
        transport = Asked(answer)
        sessions.append(session_over(transport, clock=clock))
        return sessions[-1], transport

    yield ask
    for session in sessions:
        await session.aclose()


async def test_a_window_is_asked_for_in_korean_time_by_hundreds(asking):
    sens, asked = asking([page(row())])
    since = datetime(2025, 11, 25, 0, 0, 0, 999_999, tzinfo=UTC)
    found = await read(sens.messages(since=since, until=since + timedelta(minutes=30)))
    assert [delivery.number for delivery in found] == ["01000000001"]
    assert asked.requests[0].method == "GET"
    assert asked.targets == [
        (
            f"{LIST}requestStartTime=2025-11-25%2009%3A00%3A00"
            "&requestEndTime=2025-11-25%2009%3A30%3A01&pageSize=100"
        )
    ]


async def test_the_end_of_a_window_is_now(asking):
    sens, asked = asking([NOTHING])
    assert await read(sens.messages(since=TODAY)) == []
    assert "requestEndTime=2025-11-25%2009%3A39%3A41" in asked.targets[0]


async def test_pages_are_followed_by_their_tokens(asking):
    sens, asked = asking(
        [
            page(*map(row, numbers(100)), hasMore=True, nextToken="a b/+="),
            page(*map(row, numbers(100, 100)), hasMore=True, nextToken="second"),
            page(*map(row, numbers(3, 200)), nextToken="third"),
        ]
    )
    found = await read(sens.messages(request_id=REQUEST_ID))
    assert [delivery.number for delivery in found] == numbers(203)
    first = f"{LIST}requestId={REQUEST_ID}&pageSize=100"
    assert asked.targets == [
        first,
        f"{first}&nextToken=a%20b%2F%2B%3D",
        f"{first}&nextToken=second",
    ]


async def test_a_long_window_is_cut_and_its_seams_come_once(asking):
    seam = TODAY + timedelta(days=30)
    at = seam.strftime("%Y-%m-%d %H:%M:%S")
    sens, asked = asking(
        [
            page(row("01000000001"), row("01000000002", at)),
            page(row("01000000002", at), row("01000000003")),
        ]
    )
    found = await read(sens.messages(since=TODAY, until=TODAY + timedelta(days=45)))
    assert [delivery.number for delivery in found] == ["01000000001", "01000000002", "01000000003"]
    assert len(asked.requests) == 2
    assert "requestEndTime=2025-12-25%2009%3A00%3A00" in asked.targets[0]
    assert "requestStartTime=2025-12-25%2009%3A00%3A00" in asked.targets[1]


async def test_windows_by_completion_are_of_a_day(asking):
    sens, asked = asking(lambda _: NOTHING)
    await read(sens.messages(completed_since=TODAY, completed_until=TODAY + timedelta(days=3)))
    assert len(asked.requests) == 4
    assert "completeStartTime=2025-11-25%2009%3A00%3A00" in asked.targets[0]
    assert "completeEndTime=2025-11-26%2009%3A00%3A00" in asked.targets[0]


async def test_every_filter_is_sent(asking):
    sens, asked = asking([NOTHING])
    await read(
        sens.messages(
            request_id="r/1", message_id="m&1", type="LMS", content_type="AD", country_code="82",
            status="COMPLETED", status_name="fail", sender="02-0000-0000", to="010-0000-0001",
        )
    )  # fmt: skip
    assert asked.targets == [
        (
            f"{LIST}requestId=r%2F1&messageId=m%261&type=LMS&contentType=AD&countryCode=82"
            "&status=COMPLETED&statusName=fail&from=0200000000&to=01000000001&pageSize=100"
        )
    ]


@pytest.mark.parametrize(
    ("filters", "error", "words"),
    [
        ({}, InvalidQuery, "give one of"),
        ({"since": TODAY, "request_id": "r"}, InvalidQuery, "give one of"),
        ({"until": TODAY}, InvalidQuery, "until wants since"),
        ({"since": TODAY.replace(tzinfo=None)}, InvalidQuery, "since .* has no time zone"),
        ({"since": "yesterday"}, InvalidQuery, "since must be a datetime, got str"),
        ({"since": TODAY, "until": TODAY - timedelta(1)}, InvalidQuery, "is before since"),
        ({"completed_since": TODAY + timedelta(1)}, InvalidQuery, "completed_until .* is before"),
        ({"since": datetime(1, 1, 1, tzinfo=EAST)}, InvalidQuery, "beyond the calendar"),
        ({"request_id": ""}, InvalidQuery, "request_id is empty"),
        ({"request_id": 5}, InvalidQuery, "request_id is no str but int"),
        ({"request_id": "\ud800"}, InvalidQuery, "half a character"),
        ({"request_id": "r", "type": "KAKAO"}, InvalidQuery, "'SMS', 'LMS', 'MMS', got 'KAKAO'"),
        ({"request_id": "r", "status": "DONE"}, InvalidQuery, "status must be one of"),
        ({"request_id": "r", "status_name": "ok"}, InvalidQuery, "'success' or 'fail'"),
        ({"request_id": "r", "country_code": "+82"}, InvalidQuery, "digits"),
        ({"request_id": "r", "to": "1"}, InvalidRecipient, "no Korean phone number"),
        ({"request_id": "r", "sender": "1"}, ConfigError, "sender"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_told_at_the_call(asking, filters, error, words):
    sens, asked = asking([])
    with pytest.raises(error, match=words):
        sens.messages(**filters)
    assert asked.requests == []


async def test_one_message_is_looked_up_by_its_quoted_id(asking):
    sens, asked = asking([page(row())])
    found = await sens.message("0-ESA/2021 7?")
    assert found.number == "01000000001"
    assert asked.targets == ["ncp:sms:kr:000000000001:demo/messages/0-ESA%2F2021%207%3F"]


@pytest.mark.parametrize("message_id", ["", " ", "..", ".", None, 7])
async def test_an_id_that_would_ask_something_else_is_refused(asking, message_id):
    sens, asked = asking([])
    with pytest.raises(InvalidQuery, match="message_id"):
        await sens.message(message_id)
    assert asked.requests == []


@pytest.mark.parametrize("answer", [NOTHING, page(), said({"error": {"errorCode": "300"}}, 404)])
async def test_a_message_that_is_not_known_is_not_found(asking, answer):
    sens, _ = asking([answer])
    with pytest.raises(NotFound) as caught:
        await sens.message("m")
    assert caught.value.status == 404
    assert not caught.value.may_have_been_sent


async def test_a_404_with_an_error_body_is_no_empty_list(asking):
    body = {"status": 404, "error": "Not Found", "message": "No such service"}
    sens, _ = asking([said(body, 404)])
    with pytest.raises(NotFound, match=r"No such service.*service_id"):
        await read(sens.deliveries("r"))


@pytest.mark.parametrize(
    "answer",
    [
        NOTHING,
        page(),
        said({"statusCode": "202", "statusName": "reserved"}),
        said({"statusCode": "202", "statusName": "reserved", "messages": None}),
        said({"messages": []}),
    ],
)
async def test_nothing_yet_is_no_error(asking, answer):
    sens, asked = asking([answer])
    assert await read(sens.deliveries(REQUEST_ID)) == []
    assert len(asked.requests) == 1


async def test_a_receipt_shows_only_its_own_rows(asking):
    sens, _ = asking([page(*map(row, numbers(5)))])
    receipt = Receipt(
        request_id=REQUEST_ID, requested_at=None, number=numbers(5)[3], type=MessageType.SMS
    )
    assert [d.number for d in await read(sens.deliveries(receipt))] == [receipt.number]


@pytest.mark.parametrize("written", ["4155552671", "14155552671"])
async def test_a_receipt_from_abroad_is_found_with_and_without_country_code(asking, written):
    sens, _ = asking([page(row(written, countryCode="1"), row("4155550000", countryCode="1"))])
    receipt = Receipt(
        request_id=REQUEST_ID, requested_at=None, number="4155552671", type=MessageType.SMS
    )
    assert [d.number for d in await read(sens.deliveries(receipt))] == [written]


async def test_a_delivery_says_all_that_the_service_does(asking):
    sens, _ = asking(
        [page(row(type="MMS", subject="안내", files=[{"fileId": "f1", "name": "a.jpg"}]))]
    )
    assert await sens.message("m") == Delivery(
        message_id="00000000-0000-4000-8000-001000000001",
        request_id=REQUEST_ID,
        number="01000000001",
        sender="0200000000",
        type=MessageType.MMS,
        content_type="COMM",
        country_code="82",
        subject="안내",
        content="안녕하세요",
        status=DeliveryStatus.COMPLETED,
        code="0",
        status_name="success",
        message="성공",
        telco="SKT",
        requested_at=datetime(2025, 11, 25, 9, 39, 40, tzinfo=KST),
        completed_at=datetime(2025, 11, 25, 9, 39, 48, tzinfo=KST),
        file_ids=("f1",),
    )


async def test_a_row_of_2021_is_enough(asking):
    old = {"messageId": "0-ESA-202109-1234567-0", "requestTime": "2021-09-01 10:00:00",
           "from": "0200000000", "to": "01000000001", "contentType": "COMM", "countryCode": "82"}  # fmt: skip
    sens, _ = asking([page(old)])
    (found,) = await read(sens.deliveries("r"))
    assert found.number == "01000000001"
    assert found.status is found.code is found.result is None
    assert not found.is_final


# -- lists that do not end


async def test_pages_without_tokens_are_followed_by_number(asking):
    sens, asked = asking(
        [
            page(*map(row, numbers(100)), hasMore=True, pageIndex=0),
            page(*map(row, numbers(100, 100)), hasMore=True, pageIndex=1),
            page(*map(row, numbers(1, 200)), hasMore=False, pageIndex=2),
        ]
    )
    assert len(await read(sens.deliveries("r"))) == 201
    assert [target.partition("pageSize=100")[2] for target in asked.targets] == [
        "", "&pageIndex=1", "&pageIndex=2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "envelope",
    [
        {"hasMore": True},
        {"hasMore": True, "nextToken": "again"},
        {"nextToken": "again"},
        {"hasMore": "true", "nextToken": "again"},
    ],
)
async def test_a_list_that_repeats_itself_is_an_error_after_what_it_gave(asking, envelope):
    sens, asked = asking(lambda _: page(*map(row, numbers(100)), **{"hasMore": None, **envelope}))
    reading = sens.deliveries("r")
    assert [(await anext(reading)).number for _ in range(100)] == numbers(100)
    with pytest.raises(UnreadableResponse, match="says that it has more"):
        await anext(reading)
    assert len(asked.requests) == 2


async def test_empty_pages_that_promise_more_are_believed_twice(asking):
    count = 0

    def endless(_):
        nonlocal count
        count += 1
        return page(hasMore=True, nextToken=f"token {count}")

    sens, asked = asking(endless)
    with pytest.raises(UnreadableResponse, match="nothing new"):
        await read(sens.deliveries("r"))
    assert len(asked.requests) == 3


async def test_an_empty_page_in_between_ends_nothing(asking):
    sens, _ = asking([page(hasMore=True, nextToken="a"), page(row())])
    assert len(await read(sens.deliveries("r"))) == 1


async def test_a_list_that_moves_while_it_is_read_gives_its_rows_once(asking):
    sens, _ = asking(
        [
            page(*map(row, numbers(100)), hasMore=True, nextToken="a"),
            page(*map(row, numbers(100, 98))),
        ]
    )
    assert [d.number for d in await read(sens.deliveries("r"))] == numbers(198)


# -- failures


async def test_a_page_that_is_lost_is_asked_for_again(asking):
    sens, asked = asking(
        [
            page(row("01000000001"), hasMore=True, nextToken="a"),
            ConnectionLost("gone", may_have_been_sent=True),
            said({"error": {"errorCode": "500", "message": "Endpoint Error"}}, 503),
            page(row("01000000002")),
        ]
    )
    assert [d.number for d in await read(sens.deliveries("r"))] == ["01000000001", "01000000002"]
    assert asked.targets[1] == asked.targets[2] == asked.targets[3]


async def test_what_cannot_be_read_is_raised_and_nothing_was_sent(asking):
    sens, _ = asking(lambda _: ConnectionLost("gone", may_have_been_sent=True))
    with pytest.raises(ConnectionLost) as caught:
        await read(sens.deliveries("r"))
    assert not caught.value.may_have_been_sent


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"status": 400, "errors": "Bad Request", "errorMessage": "no window"}, BadRequest),
        (403, {"status": 403, "error": "Forbidden", "message": "not yours"}, PermissionDenied),
        (400, {"status": 400, "errors": ["first", "second"]}, BadRequest),
    ],
)
async def test_refusals_are_raised_at_once(asking, status, body, error):
    sens, asked = asking([said(body, status)])
    with pytest.raises(error) as caught:
        await read(sens.deliveries("r"))
    assert caught.value.status == status
    assert len(asked.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "messages",
        {"ok": False},
        {"messages": {}},
        {"messages": [None]},
        {"messages": [{"to": None}]},
        {"messages": [{}]},
        {"statusCode": "202", "statusName": "fail"},
    ],
)
async def test_an_answer_that_is_no_list_is_an_error_not_an_empty_one(asking, body):
    sens, _ = asking(lambda _: said(body))
    with pytest.raises(UnreadableResponse):
        await read(sens.deliveries("r"))


async def test_a_closed_session_answers_nothing(asking):
    sens, asked = asking(lambda _: page(row(), hasMore=True, nextToken=str(len(asked.requests))))
    reading = sens.deliveries("r")
    await anext(reading)
    await sens.aclose()
    with pytest.raises(SessionClosed):
        await anext(reading)
    for ask in (lambda: sens.messages(since=TODAY), lambda: sens.deliveries("r")):
        with pytest.raises(SessionClosed):
            ask()
    with pytest.raises(SessionClosed):
        await sens.message("m")


async def test_a_reading_may_be_left(asking):
    sens, asked = asking([page(*map(row, numbers(100)), hasMore=True, nextToken="a")])
    async for _ in sens.deliveries("r"):
        break
    assert len(asked.requests) == 1
