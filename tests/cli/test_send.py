"""`sens send` as a person or a script meets it: a process, its files, its exit code."""

import asyncio
import csv
import json
import signal

import pytest

pytestmark = pytest.mark.real_time

LIST = (
    "이름,휴대폰,주문\r\n"
    "홍길동,010-1111-1111,A-1\r\n"
    "김하늘,+82 10 2222 2222,A-2\r\n"
    "이솔,없음,A-3\r\n"
    "박봄,1033333333,A-4\r\n"
    "홍길동,01011111111,A-1\r\n"
)
TEXT = "{이름}님, 주문 {주문} 도착"


async def on_the_wire(emulator) -> None:
    async with asyncio.timeout(30):
        while not emulator.requests:  # noqa: ASYNC110 - another process makes them
            await asyncio.sleep(0.01)


def read(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def flat(box: str) -> str:
    """What an error's box says, on one line."""
    return " ".join(box.replace("│", " ").split())


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(LIST.encode("cp949"))
    return path


async def test_numbers_are_sent_to_and_success_is_zero(sens, emulator, environ):
    result = await sens("send", "-m", "안녕하세요", "010-1234-5678", "01023456789", environ=environ)

    assert result.code == 0, result.err
    assert set(emulator.admissions) == {"01012345678", "01023456789"}
    assert "accepted 접수" in result.out
    assert "01012345678" not in result.out


async def test_a_list_is_personalised_and_everybody_accounted_for(
    sens, emulator, environ, listed, tmp_path
):
    out, failed = tmp_path / "out.csv", tmp_path / "failed.csv"

    result = await sens(
        *("send", "-m", TEXT, "--csv", listed, "--out", out, "--failed-out", failed, "--json"),
        environ=environ,
    )

    document = json.loads(result.out)
    assert (result.code, document["exit_code"]) == (1, 1)
    assert document["accepted"] == 3
    assert (document["rejected"], document["skipped"]) == (1, 1)
    assert emulator.admissions["01033333333"][0].text == "박봄님, 주문 A-4 도착"
    states = [(row["이름"], row["sens_state"]) for row in read(out)]
    assert states == [
        ("홍길동", "ACCEPTED"),
        ("김하늘", "ACCEPTED"),
        ("이솔", "REJECTED"),
        ("박봄", "ACCEPTED"),
        ("홍길동", "SKIPPED"),
    ]
    (refused,) = read(failed)
    assert refused["이름"] == "이솔"
    assert refused["sens_reason"].startswith("InvalidRecipient: ")


async def test_a_missing_text_is_asked_for(sens, emulator, environ):
    result = await sens("send", "01012345678", environ=environ)

    assert result.code == 2
    assert "there is no text: give --content (-m)" in result.err
    assert emulator.admissions == {}


async def test_an_unknown_is_never_among_the_failed(sens, emulator, environ, tmp_path):
    emulator.fail(500, accept=True)
    failed, unknown = tmp_path / "failed.csv", tmp_path / "unknown.csv"

    result = await sens(
        *("send", "-m", "hi", "01012345678"),
        *("--failed-out", failed, "--unknown-out", unknown),
        environ=environ,
    )

    assert result.code == 1
    assert read(failed) == []
    assert [row["to"] for row in read(unknown)] == ["01012345678"]
    assert "unknown 확인 필요" in result.out
    assert "do not send to the unknown again" in " ".join(result.out.split())
    assert ("(0 rows)" in result.out, "(1 row)" in result.out) == (True, True)


async def test_the_failed_can_be_given_again_once_mended(sens, emulator, environ, listed, tmp_path):
    failed = tmp_path / "failed.csv"
    await sens("send", "-m", TEXT, "--csv", listed, "--failed-out", failed, environ=environ)
    failed.write_text(failed.read_text("utf-8-sig").replace("없음", "010-4444-4444"), "utf-8")

    result = await sens("send", "-m", TEXT, "--csv", failed, environ=environ)

    assert result.code == 0, result.err
    assert emulator.admissions["01044444444"][0].text == "이솔님, 주문 A-3 도착"


async def test_a_dry_run_tells_everything_and_sends_nothing(sens, emulator, listed):
    result = await sens("send", "-m", TEXT, "--csv", listed, "--dry-run", "--json")

    plan = json.loads(result.out)
    assert result.code == 1
    assert (plan["recipients"], plan["sendable"], plan["requests"]) == (5, 3, 1)
    assert plan["types"] == {"SMS": {"recipients": 3, "requests": 1, "bytes": [21, 23]}}
    refusals = {refusal["error"]: refusal for refusal in plan["refusals"]}
    assert refusals["InvalidRecipient"]["rows"] == [4]
    assert refusals["DuplicateRecipient"]["rows"] == [6]
    assert not emulator.requests


async def test_a_dry_run_for_people_masks_numbers(sens, listed):
    result = await sens("send", "-m", TEXT, "--csv", listed, "--dry-run")

    assert "cp949" in result.out
    assert "row 행 6" in result.out
    assert "1111-1111" not in result.out


async def test_missing_keys_are_named_and_a_usage_error(sens):
    result = await sens("send", "-m", "hi", "01012345678")

    assert result.code == 2
    assert "SENS_ACCESS_KEY" in result.err
    assert "SENS_SERVICE_ID" in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("-m", "hi"), "either numbers or --csv"),
        (("-m", "hi", "--csv", "gone.csv"), "gone.csv cannot be read"),
        (("-m", "{", "010"), "brace"),
        (("-m", "hi", "010", "--reserve-at", "soon"), "a date and a time like"),
        (("-m", "hi", "010", "--reserve-at", "2027-01-01"), "not '2027-01-01'"),
        (("-m", "hi", "010", "--reserve-at", "2027-01-01T09"), "not '2027-01-01T09'"),
        (("-m", "{이름}", "010"), "{이름} cannot be filled in: numbers alone have no columns"),
        (("-m", "hi", "010", "--type", "mms", "--dry-run"), "give --image, or leave out --type"),
        (("-m", "hi", "010", "--type", "MMS", "--dry-run"), "MMS without pictures"),
    ],
)
async def test_wrong_use_is_refused_before_anything_is_sent(
    sens, emulator, environ, arguments, match
):
    result = await sens("send", *arguments, environ=environ)

    assert result.code == 2
    assert match in flat(result.err)
    assert not emulator.requests


async def test_the_list_is_never_written_over(sens, environ, listed):
    before = listed.read_bytes()

    result = await sens("send", "-m", TEXT, "--csv", listed, "--out", listed, environ=environ)

    assert result.code == 2
    assert listed.read_bytes() == before


async def test_results_of_before_are_kept_unless_told_otherwise(
    sens, emulator, environ, listed, tmp_path
):
    out, failed = tmp_path / "out.csv", tmp_path / "failed.csv"
    out.write_text("before")
    failed.write_text("before")
    command = ("send", "-m", TEXT, "--csv", listed, "--out", out, "--failed-out", failed)

    refused = await sens(*command, environ=environ)
    assert refused.code == 2
    assert "exist already: give --overwrite" in flat(refused.err)
    assert "failed.csv" in flat(refused.err).replace(" ", "")
    assert out.read_text() == failed.read_text() == "before"
    assert not emulator.requests

    assert (await sens(*command, "--overwrite", environ=environ)).code == 1
    assert len(read(out)) == 5


async def test_a_text_that_names_no_column_is_refused_at_once(sens, emulator, environ, listed):
    for dry in ((), ("--dry-run",)):
        result = await sens(
            "send", "-m", "{이름}", "--subject", "{name}", "--csv", listed, *dry, environ=environ
        )
        assert result.code == 2
        assert "{name} is no column of list.csv; it has 이름, 휴대폰, 주문" in flat(result.err)
    assert not emulator.requests


async def test_reasons_are_not_mixed_and_rows_are_those_of_the_spreadsheet(sens, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        'phone,이름\n010-1234,"두\n줄"\n\n없음,a\n,b\n1.06E+09,c\n010-12345,d\n01012345678,e\n'
    )

    result = await sens("send", "-m", "{이름}", "--csv", path, "--dry-run", "--json")

    refusals = json.loads(result.out)["refusals"]
    assert [
        (r["count"], r["rows"], r["is_example"], r["message"].split(";")[0]) for r in refusals
    ] == [
        (2, [2, 7], True, "**** is no Korean phone number (7 digits)"),
        (1, [4], False, "**** holds '없' at index 0"),
        (1, [5], False, "the number is empty"),
        (1, [6], False, "the number is in Excel's scientific notation (such as 1.06E+09), which loses digits"),
    ]  # fmt: skip


async def test_a_dry_run_warns_of_what_may_be_a_mistake(sens, tmp_path):
    path, picture = tmp_path / "list.csv", tmp_path / "coupon.jpg"
    path.write_text("phone,이름\n01012345678,뷁\n01023456789,\n01034567890, \n")
    picture.touch()
    send = ("send", "-m", "{이름}님, 안녕하세요", "--csv", path, "--dry-run")

    result = await sens(*send, "--image", picture, "--reserve-at", "2099-12-01 09:00")
    document = json.loads((await sens(*send, "--json")).out)

    shown = flat(result.out)
    assert "reserved 예약 2099-12-01 09:00 KST" in shown
    assert "warning 경고 2 rows have an empty {이름}" in shown
    assert "warning 경고 '뷁' is in CP949 and not in KS X 1001" in shown
    assert "warning 경고 SENS keeps pictures about 6 days" in shown
    assert "no sender yet: give --from or set SENS_SENDER" in shown
    assert (document["empty_fields"], document["cp949_only"]) == ({"이름": 2}, "뷁")
    assert document["reserve_at"] is None


async def test_a_reservation_is_told_when_it_is_made(sens, environ):
    send = ("send", "-m", "뷁", "01012345678", "--reserve-at", "2099-12-01 09:00")

    result = await sens(*send, environ=environ)
    document = json.loads((await sens(*send, "--json", environ=environ)).out)

    assert "reserved 예약 2099-12-01 09:00 KST" in result.out
    assert document["reserve_at"] == "2099-12-01T09:00:00+09:00"
    assert result.err.startswith("warning 경고 a text holds characters that CP949 has")


async def test_settings_that_are_wrong_are_called_what_the_command_calls_them(sens, environ):
    send = ("send", "-m", "hi", "01012345678")

    unsent = await sens(*send, environ={**environ, "SENS_SENDER": ""})
    strange = await sens(*send, environ={**environ, "SENS_BASE_URL": "ftp://here"})
    plain = await sens(*send, environ={**environ, "SENS_BASE_URL": "http://a.example"})

    assert {unsent.code, strange.code, plain.code} == {2}
    assert "no sender: give --from or set SENS_SENDER" in flat(unsent.err)
    assert "SENS_BASE_URL must be like" in flat(strange.err)
    assert "'ftp://here'" in flat(strange.err)
    assert "SENS_BASE_URL http://a.example is not encrypted" in flat(plain.err)
    assert "allow_insecure" not in plain.err


@pytest.fixture
def many(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("to\n" + "".join(f"010{n:08}\n" for n in range(20_000_000, 20_005_000)))
    return path


@pytest.mark.parametrize("emulator", [0.2], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_finishes_what_is_on_the_wire_and_writes_everybody(
    sens, emulator, environ, many, number
):
    out = many.parent / "out.csv"
    process = await sens.start(
        *("send", "-m", "hi", "--csv", many, "--out", out, "--in-flight", "2"), environ=environ
    )
    await on_the_wire(emulator)
    process.send_signal(number)
    result = await sens.finish(process)

    rows = read(out)
    accepted = {row["sens_number"] for row in rows if row["sens_state"] == "ACCEPTED"}
    assert result.code == 130, result.err
    assert len(rows) == 5_000
    assert {row["sens_state"] for row in rows} == {"ACCEPTED", "NOT_SENT"}
    assert accepted == set(emulator.admissions)


@pytest.mark.parametrize("emulator", [60.0], indirect=True)
async def test_a_second_ctrl_c_waits_for_nobody_and_calls_them_unknown(
    sens, emulator, environ, many, tmp_path
):
    out = tmp_path / "out.csv"
    process = await sens.start("send", "-m", "hi", "--csv", many, "--out", out, environ=environ)
    await on_the_wire(emulator)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        assert b"stopping" in await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    result = await sens.finish(process)

    states = [row["sens_state"] for row in read(out)]
    assert result.code == 130, result.err
    assert len(states) == 5_000
    assert set(states) == {"UNKNOWN", "NOT_SENT"}


async def test_a_reservation_that_is_too_near_is_refused_and_leaves_no_file(
    sens, environ, tmp_path
):
    out = tmp_path / "out.csv"

    result = await sens(
        *("send", "-m", "hi", "01012345678", "--reserve-at", "2020-01-01 09:00", "--out", out),
        environ=environ,
    )

    assert result.code == 2
    assert "--reserve-at 2020-01-01 09:00" in flat(result.err)
    assert "10 minutes ahead" in flat(result.err)
    assert list(tmp_path.iterdir()) == []


async def test_what_dooms_the_run_is_told_and_nobody_is_lost(sens, environ, listed, tmp_path):
    out = tmp_path / "out.csv"

    result = await sens(
        *("send", "-m", TEXT, "--csv", listed, "--out", out),
        environ={**environ, "SENS_SECRET_KEY": "wrong"},
    )

    assert result.code == 1
    assert "AuthenticationFailed" in result.out
    assert len(read(out)) == 5


async def test_the_unknown_are_settled_by_asking(sens, emulator, environ, tmp_path):
    out, unknown = tmp_path / "out.csv", tmp_path / "unknown.csv"
    emulator.fail("drop", accept=True, requests=[1])

    result = await sens(
        *("send", "-m", "안녕하세요", "010-1234-5678", "01023456789", "--resolve"),
        *("--out", out, "--unknown-out", unknown),
        environ=environ,
    )

    assert result.code == 0, result.out + result.err
    assert "asking SENS for 2 unknown" in " ".join(result.out.split())
    (batch,) = emulator.admissions.batches
    assert [row["sens_state"] for row in read(out)] == ["ACCEPTED", "ACCEPTED"]
    assert {row["sens_request_id"] for row in read(out)} == {batch.request_id}
    assert read(unknown) == []


async def test_why_they_are_still_unknown_is_told(sens, emulator, environ):
    emulator.fail("drop", accept=True, requests=[1])
    emulator.fail("unauthorized", endpoint="list")

    result = await sens("send", "-m", "안녕하세요", "010-1234-5678", "--resolve", environ=environ)

    assert result.code == 1
    assert "1 still unknown: SENS could not be asked: AuthenticationFailed" in result.out


async def test_an_interrupted_search_leaves_them_unknown(sens, emulator, environ, tmp_path):
    out = tmp_path / "out.csv"
    emulator.fail("drop", requests=[1])
    process = await sens.start(
        *("send", "-m", "안녕하세요", "010-1234-5678", "--resolve", "--json", "--out", out),
        environ=environ,
    )
    async with asyncio.timeout(30):
        while "list" not in {entry.endpoint for entry in emulator.requests}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    result = await sens.finish(process)

    assert result.code == 130
    assert json.loads(result.out)["unknown"] == 1
    assert [row["sens_state"] for row in read(out)] == ["UNKNOWN"]
