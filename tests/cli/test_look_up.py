"""What became of messages: `sens results`, `messages`, `reservations`, `unsubscribes`."""

import asyncio
import csv
import io
import json
import signal
from datetime import datetime

import pytest
from rich.cells import cell_len
from rich.console import Console

from sens_async.cli.console import THEME
from sens_async.cli.deliveries import DeliveryTable, Fates
from sens_async.core.schedule import parse_time
from sens_async.deliveries import Delivery

pytestmark = pytest.mark.real_time

RECIPIENTS = ["01012345678", "01019003001", "01019050917", "01019999999"]
"""Delivered, no subscriber, blocked, and never."""
WORDS = {
    "READY": "it waits for its time",
    "PROCESSING": "being sent",
    "CANCELED": "nothing was sent",
    "FAIL": "발송 실패",
    "DONE": "handed on",
    "STALE": "시간 초과",
    "SKIP": "does not exist any more",
}


def sent(emulator, *numbers, ago=0.0, content="안녕하세요", **more):
    body = {
        "type": "SMS",
        "from": emulator.sender,
        "content": content,
        "messages": [{"to": number} for number in numbers or RECIPIENTS],
        **more,
    }
    return emulator.seed(body, ago=ago)


def flat(text):
    return " ".join(text.replace("│", " ").split())


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True))


async def test_results_say_who_got_it_and_why_others_did_not(quick, emulator):
    request_id = sent(emulator, ago=60)

    result = await quick("results", request_id)

    assert result.code == 1
    lines = flat(result.out)
    assert "010-****-5678" in lines
    assert "3001 no such subscriber 가입자 없음" in lines
    assert "E917 blocked in the customer's database 고객 데이터베이스에서 차단됨" in lines
    assert "1 delivered 도착 2 failed 실패 1 on its way 전송 중" in lines
    assert not [number for number in RECIPIENTS if number in result.out]
    assert not [line for line in result.out.splitlines() if line.endswith(" ")]


async def test_results_of_all_delivered_are_zero_and_may_show_numbers(quick, emulator):
    request_id = sent(emulator, "01012345678", ago=60)

    result = await quick("results", request_id, "--unmasked")

    assert result.code == 0
    assert "01012345678" in result.out


async def test_results_for_machines_hold_everything(quick, emulator):
    request_id = sent(emulator, ago=60)

    result = await quick("results", request_id, "--json")

    document = json.loads(result.out)
    assert (result.code, document["exit_code"]) == (1, 1)
    assert document["request_id"] == request_id
    assert document["counts"] == {
        "delivered": 1,
        "failed": 2,
        "waiting": 0,
        "sending": 1,
        "untold": 0,
    }
    assert (document["is_final"], document["reservation"]) == (False, None)
    by_number = {row["number"]: row for row in document["deliveries"]}
    assert list(by_number) == RECIPIENTS
    failed = by_number["01019003001"]
    assert (failed["fate"], failed["code"], failed["result_class"]) == (
        "failed",
        "3001",
        "PERMANENT",
    )
    assert failed["completed_at"].endswith("+09:00")
    assert by_number["01019999999"]["code"] is None


async def test_an_id_that_is_not_listed_is_no_success(quick, emulator):
    result = await quick("results", "RSSA-nobody")
    document = json.loads((await quick("results", "RSSA-nobody", "--json")).out)

    assert result.code == 1
    assert "nothing is listed under this id 조회되지 않음" in result.out
    assert (document["deliveries"], document["exit_code"]) == ([], 1)


async def test_a_reserved_request_is_told_as_such(quick, emulator):
    request_id = sent(emulator, reserveTime="2098-12-01 09:00")

    result = await quick("results", request_id)
    document = json.loads((await quick("results", request_id, "--json")).out)

    assert result.code == 1
    assert "READY for 예약 2098-12-01 09:00 KST" in flat(result.out)
    assert document["reservation"]["is_cancellable"] is True


async def test_waiting_follows_to_the_final_state(quick, emulator):
    request_id = sent(emulator, "01012345678", ago=2)

    result = await quick("results", request_id, "--wait", "--timeout", "1.6", "--json")

    document = json.loads(result.out)
    assert (result.code, document["is_final"]) == (0, True)
    assert [row["fate"] for row in document["deliveries"]] == ["delivered"]


async def test_waiting_for_a_reservation_says_so(quick, emulator):
    request_id = sent(emulator, reserveTime="2098-12-01 09:00")

    result = await quick("results", request_id, "--timeout", "0.5")

    assert result.code == 1
    assert "READY for 예약 2098-12-01 09:00 KST" in flat(result.out)


async def test_ctrl_c_ends_waiting_with_what_is_known(sens, emulator, environ):
    request_id = sent(emulator, ago=60)
    process = await sens.start("results", request_id, "--wait", environ=environ)
    async with asyncio.timeout(30):
        while not any(request.status == 200 for request in emulator.requests):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    process.send_signal(signal.SIGINT)
    result = await sens.finish(process)

    assert (result.code, result.err) == (130, "")
    assert "1 delivered 도착 2 failed 실패 1 on its way 전송 중" in flat(result.out)


async def test_a_terminal_is_shown_the_waiting_and_then_folded_lines(sens, emulator, environ):
    request_id = sent(emulator, ago=60)

    result = await sens.on_terminal("results", request_id, "--timeout", "0.3", environ=environ)

    waiting, _, told = result.out.rpartition("results 결과")
    assert result.code == 1
    assert "following 결과 확인 중" in waiting
    assert "on its way 전송 중" in told
    assert "…" not in told
    assert max(map(cell_len, told.splitlines())) <= 80


async def test_messages_are_found_by_what_is_asked(quick, emulator):
    sent(emulator, ago=3 * 3600)
    sent(emulator, "01055556666", ago=60)

    recent = await quick("messages", "--since", "2h", "--json")
    failed = await quick("messages", "--since", "1d", "--failed", "--json")
    to_one = await quick("messages", "--since", "1d", "--to", "010-1234-5678", "--json")
    late = await quick("messages", "--since", "1d", "--until", "2h", "--type", "sms", "--json")
    none = await quick("messages", "--since", "1d", "--type", "MMS")

    documents = [json.loads(result.out) for result in (recent, failed, to_one, late)]
    found = [[row["number"] for row in document["messages"]] for document in documents]
    assert found == [["01055556666"], RECIPIENTS[1:3], RECIPIENTS[:1], RECIPIENTS]
    assert all(document["is_whole"] and document["exit_code"] == 0 for document in documents)
    assert (none.code, none.out.strip()) == (0, "no such messages 해당 내역 없음")


async def test_a_table_grows_page_by_page_and_stops_at_the_limit(quick, emulator):
    for start in range(0, 300, 100):
        sent(emulator, *(f"0102{number:07}" for number in range(start, start + 100)), ago=60)

    everybody = await quick("messages", "--since", "1h")
    some = await quick("messages", "--since", "1h", "--limit", "150")
    cut = json.loads((await quick("messages", "--since", "1h", "--limit", "5", "--json")).out)

    assert everybody.code == some.code == 0
    assert everybody.out.count("requested 요청") == 1
    assert everybody.out.count("010-****-") == 300
    assert some.out.count("010-****-") == 150
    assert "there are more" in some.out
    assert "there are more" not in everybody.out
    assert (len(cut["messages"]), cut["is_whole"], cut["exit_code"]) == (5, False, 0)


async def test_a_csv_is_whole_and_no_formula(quick, emulator, tmp_path):
    sent(emulator, "01012345678", ago=60, content='=HYPERLINK("x")\n안녕')
    path = tmp_path / "sent.csv"

    printed = await quick("messages", "--since", "1h", "--csv", "-")
    written = await quick("messages", "--since", "1h", "--csv", path)
    again = await quick("messages", "--since", "1h", "--csv", path)
    forced = await quick("messages", "--since", "1h", "--csv", path, "--overwrite")

    (row,) = rows_of(printed.out)
    assert (row["number"], row["fate"], row["result_korean"]) == (
        "01012345678",
        "delivered",
        "전송 성공",
    )
    assert row["content"] == '\'=HYPERLINK("x")\n안녕'
    assert rows_of(path.read_text("utf-8")) == [row]
    assert (written.code, again.code, forced.code) == (0, 2, 0)
    assert written.out == ""
    assert "1 row" in written.err
    assert "give --overwrite" in flat(again.err)
    assert [path.name for path in tmp_path.iterdir()] == ["sent.csv"]


async def test_a_csv_of_results_is_given_to_send_again(quick, emulator, tmp_path):
    request_id = sent(emulator, ago=60)
    path = tmp_path / "results.csv"
    await quick("results", request_id, "--csv", path)

    plan = await quick("send", "-m", "hi", "--csv", path, "--dry-run", "--json")

    assert json.loads(plan.out)["sendable"] == 4


async def test_a_list_that_breaks_keeps_what_came(quick, emulator, tmp_path):
    sent(emulator, *(f"0102{number:07}" for number in range(100)), ago=60)
    sent(emulator, "01055556666", ago=60)
    path = tmp_path / "part.csv"
    emulator.fail(403, endpoint="list", requests=range(2, 3))
    result = await quick("messages", "--since", "1h", "--csv", path)
    emulator.fail(403, endpoint="list", requests=range(4, 5))
    document = json.loads((await quick("messages", "--since", "1h", "--json")).out)

    assert result.code == 1
    assert len(rows_of(path.read_text("utf-8"))) == 100
    assert "100 rows, incomplete 불완전" in result.err
    assert "PermissionDenied" in result.err
    assert len(document["messages"]) == 100
    assert document["stopped_by"]["error"] == "PermissionDenied"
    assert (document["is_whole"], document["exit_code"]) == (False, 1)


async def test_a_refusal_leaves_no_file_and_names_the_doctor(quick, environ, tmp_path):
    environ = {**environ, "SENS_SECRET_KEY": "wrong"}
    path = tmp_path / "sent.csv"

    result = await quick("messages", "--csv", path, environ=environ)
    document = json.loads((await quick("results", "R", "--json", environ=environ)).out)

    assert result.code == 1
    assert "AuthenticationFailed" in result.err
    assert "sens doctor" in result.err
    assert not list(tmp_path.iterdir())
    assert document["stopped_by"]["status"] == 401


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("messages", "--since", "soon"), "--since is 2025-11-25, '2025-11-25 09:00' (KST)"),
        (("messages", "--since", "2099-01-01"), "lies in the future"),
        (("messages", "--since", "1h", "--until", "2h"), "is before --since"),
        (("messages", "--to", "nobody"), "holds 'n'"),
        (("messages", "--type", "FAX"), "FAX"),
        (("messages", "--json", "--csv", "-"), "either --json or --csv"),
        (("messages", "--limit", "0"), "--limit"),
        (("results", " "), "request_id is empty"),
        (("results", "R", "--timeout", "0"), "timeout"),
        (("reservations", "status", ".."), "lead the path elsewhere"),
        (("unsubscribes", "add"), "either numbers or --file"),
        (("unsubscribes", "add", "5"), "no Korean phone number"),
        (("unsubscribes", "list", "--since", "x"), "--since is"),
    ],
)
async def test_wrong_input_is_a_usage_error(quick, emulator, arguments, match):
    result = await quick(*arguments)

    assert result.code == 2
    assert match in flat(result.err)
    assert not emulator.requests


async def test_a_window_beyond_what_is_listed_is_warned_of(quick):
    result = await quick("messages", "--since", "120d")

    assert result.code == 0
    assert "the last 90 days only" in result.out


@pytest.mark.parametrize("state", WORDS)
async def test_every_state_of_a_reservation_is_explained(quick, emulator, state):
    request_id = sent(emulator, reserveTime="2098-12-01 09:00")
    if state == "CANCELED":
        await quick("reservations", "cancel", request_id)
    elif state != "READY":
        if state != "PROCESSING":
            emulator.end_reservation(request_id, state)
        due = datetime.fromisoformat(emulator.reservations[0].reserve_at).timestamp()
        emulator.clock.set(due + (0.2 if state == "PROCESSING" else 60))

    result = await quick("reservations", "status", request_id)
    document = json.loads((await quick("reservations", "status", request_id, "--json")).out)

    assert result.code == 0
    assert state in result.out
    assert WORDS[state] in result.out
    assert document["status"] == state
    assert document["is_cancellable"] == (state == "READY")


async def test_a_reservation_is_cancelled_once_and_for_all(quick, emulator):
    request_id = sent(emulator, reserveTime="2098-12-01 09:00")

    first = await quick("reservations", "cancel", request_id)
    second = await quick("reservations", "cancel", request_id, "--json")
    unknown = await quick("reservations", "cancel", "nobody")

    assert (first.code, second.code, unknown.code) == (0, 0, 1)
    assert "cancelled 취소됨" in first.out
    assert json.loads(second.out) == {"reserve_id": request_id, "status": "CANCELED"}
    assert "NotFound" in unknown.err


async def test_cancelling_asks_on_a_terminal(sens, emulator, environ):
    request_id = sent(emulator, reserveTime="2098-12-01 09:00")

    no = await sens.on_terminal("reservations", "cancel", request_id, environ=environ, typed="n\n")

    assert no.code == 1
    assert "2098-12-01 09:00 KST" in no.out
    assert "모두 취소할까요?" in no.out
    assert emulator.reservations[0].status == "READY"


async def test_numbers_are_opted_out_listed_and_back(quick, emulator, tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_bytes(
        "이름,휴대폰\n홍길동,010-4444-5555\n없음,\n김하늘,1066667777\n".encode("cp949")
    )

    added = await quick("unsubscribes", "add", "010-2222-3333", "01022223333")
    of_file = await quick("unsubscribes", "add", "--file", path, "--json")
    table = await quick("unsubscribes", "list")
    listed = json.loads((await quick("unsubscribes", "list", "--json")).out)
    printed = rows_of((await quick("unsubscribes", "list", "--csv", "-")).out)
    one = await quick("unsubscribes", "list", "--number", "010-2222-3333", "--unmasked")
    removed = await quick("unsubscribes", "remove", "01022223333", "01044445555")

    assert "added 등록됨  1 number" in added.out
    assert json.loads(of_file.out) == {"added": 2}
    assert "010-****-5555" in table.out
    assert "by hand 수동" in table.out
    assert "01044445555" not in table.out
    numbers = ["01022223333", "01044445555", "01066667777"]
    assert [row["number"] for row in listed["unsubscribes"]] == numbers
    assert [row["number"] for row in printed] == numbers
    assert "01022223333" in one.out
    assert "01044445555" not in one.out
    assert "removed 해제됨  2 numbers" in removed.out
    assert [entry.number for entry in emulator.unsubscribes] == numbers[2:]


async def test_a_file_with_a_wrong_number_changes_nothing(quick, emulator, tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("phone\n010-4444-5555\n010-1234\n")

    result = await quick("unsubscribes", "remove", "--file", path)

    assert result.code == 2
    assert "numbers.txt, row 행 3" in flat(result.err)
    assert not emulator.requests


async def test_nobody_has_opted_out(quick):
    assert "nobody has opted out 수신거부 없음" in (await quick("unsubscribes", "list")).out


def delivery(**facts):
    given = {
        "number": "01012345678",
        "type": "SMS",
        "telco": "ETC-UNHEARD-OF",
        "status": "COMPLETED",
        "requested_at": parse_time("2025-11-25 09:39:40"),
        **facts,
    }
    return Delivery(**given)


UNUSUAL = [
    delivery(code="E917", status_name="fail"),
    delivery(code="9999", status_name="fail", message="새로운 사유"),
    delivery(code="9998", status_name="fail"),
    delivery(status_name="fail"),
    delivery(status="ON_THE_MOON", telco=None),
    delivery(status=None, type=None, requested_at=None),
    delivery(number="8613812345678901"),
]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("of_one_request", [True, False])
def test_a_table_of_anything_fits_a_terminal(columns, of_one_request):
    console = Console(file=io.StringIO(), width=columns, theme=THEME)
    table = DeliveryTable(console, of_one_request=of_one_request, unmasked=True)
    for row in UNUSUAL:
        table.add(row)
    table.end()

    shown = console.file.getvalue()
    assert max(map(cell_len, shown.splitlines())) <= columns
    words = flat(shown)
    assert "…" not in shown
    for word in ("E917", "새로운", "9998", "no code", "not told 불명 ON_THE_MOON"):
        assert word in words


@pytest.mark.parametrize("of_one_request", [True, False])
def test_a_narrow_terminal_still_tells_who_got_it(of_one_request):
    console = Console(file=io.StringIO(), width=40, theme=THEME)
    table = DeliveryTable(console, of_one_request=of_one_request, unmasked=False)
    for row in [delivery(code="0"), *UNUSUAL]:
        table.add(row)
    table.end()

    shown = console.file.getvalue()
    assert max(map(cell_len, shown.splitlines())) <= 40
    assert "010-****-5678  delivered 도착" in shown
    assert "010-****-5678  failed 실패  E917" in shown


def test_reasons_are_counted_the_commonest_first():
    fates = Fates([*UNUSUAL[:3], UNUSUAL[1], delivery(code="0")])

    assert [line.plain for line in fates.lines()] == [
        "1 delivered 도착   4 failed 실패",
        "2 × 9999 새로운 사유",
        "1 × E917 blocked in the customer's database 고객 데이터베이스에서 차단됨",
        "1 × 9998 unknown result code 알 수 없는 결과 코드",
    ]


@pytest.mark.parametrize(
    "command",
    [
        *("results", "messages", "reservations status", "reservations cancel", "doctor"),
        *("unsubscribes list", "unsubscribes add", "unsubscribes remove"),
    ],
)
async def test_every_command_explains_itself(quick, command):
    result = await quick(*command.split(), "--help")

    assert result.code == 0
    assert "Usage" in result.out
    assert "Exits with 0" in result.out
    assert "…" not in result.out


async def test_who_reaches_nobody_is_sent_to_the_doctor(quick, environ):
    result = await quick("messages", environ={**environ, "SENS_BASE_URL": "http://127.0.0.1:1"})

    assert result.code == 1
    assert "Connect call failed" in result.err
    assert "sens doctor finds out why" in result.err
