"""`sens campaign`: planned, run, killed, gone on with; what is said, kept, and given as exit code."""

import asyncio
import csv
import io
import json
import os
import re
import signal
import sys

import pytest
from rich.cells import cell_len

from sens_async.cli.campaign import following
from sens_async.cli.campaign.steps import next_command
from sens_async.cli.main import app
from sens_async.emulator import Emulator, EmulatorOptions

pytestmark = pytest.mark.real_time

LIST = (
    "회원번호,이름,휴대폰\r\n"
    "A-1,홍길동,010-1111-1111\r\n"
    "A-2,김하늘,+82 10 2222 2222\r\n"
    "=A-3,이솔,=없음\r\n"
    "A-4,박봄,1033333333\r\n"
    "A-5,홍길동,01011111111\r\n"
    "A-6,정여름,\r\n"
)
TEXT = "{이름}님, 안녕하세요"
COMMANDS = ["plan", "run", "reconcile", "cancel", "status", "track", "report", "list", "purge"]


@pytest.fixture
async def emulator(request):
    """Lists at once what it has accepted; its indirect parameter is the latency in seconds."""
    options = EmulatorOptions(
        latency=getattr(request, "param", 0.0),
        visibility_delay=0,
        processing_delay=0,
        completion_delay=0,
    )
    async with Emulator(options=options) as running:
        yield running


@pytest.fixture
def environ(environ, tmp_path):
    return {**environ, "SENS_LEDGER": str(tmp_path / "ledger.db")}


@pytest.fixture
def campaign(quick, environ):
    """Run `sens campaign` in this process."""

    async def campaign(*arguments, environ=environ):
        return await quick("campaign", *arguments, environ=environ)

    return campaign


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(LIST.encode("cp949"))
    return path


@pytest.fixture
def many(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("to\n" + "".join(f"010{n:08}\n" for n in range(20_000_000, 20_003_000)))
    return path


def flat(text: str) -> str:
    """What is said, on one line, without an error's box."""
    return " ".join(text.replace("│", " ").split())


def accepted_once(emulator) -> set[str]:
    """Everybody whom the emulator has accepted; nobody twice."""
    assert {len(each) for each in emulator.admissions.values()} <= {1}
    return set(emulator.admissions)


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.01)


async def test_a_plan_is_told_and_nothing_is_sent(campaign, emulator, listed, tmp_path):
    planned = await campaign("plan", "autumn", listed, "-m", TEXT, "--key", "회원번호")
    again = await campaign("plan", "autumn", listed, "-m", TEXT, "--key", "회원번호", "--json")

    document = json.loads(again.out)
    assert (planned.code, again.code) == (0, 0), planned.err + again.err
    assert "campaign 캠페인 autumn" in planned.out
    assert "6 recipients, at_most_once" in planned.out
    assert "1 × InvalidRecipient the number is empty" in flat(planned.out)
    assert "not sent 미발송 3" in flat(planned.out)
    assert "SMS 3 · 1 request 요청" in planned.out
    assert "sens campaign run autumn\n" in planned.out
    assert (document["recipients"], document["not_sent"], document["rejected"]) == (6, 3, 2)
    assert document["types"] == {"SMS": {"recipients": 3, "accepted": 0}}
    assert (document["batches"], document["is_new"], document["exit_code"]) == (1, False, 0)
    assert not re.search(r"1111.?1111|2222.?2222|33333333", planned.out + again.out)
    assert not emulator.requests
    assert (tmp_path / "ledger.db").stat().st_mode & 0o077 == 0


async def test_duplicates_and_long_texts_are_parted_in_a_plan(campaign, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(f"to,글\n01011111111,짧음\n010-1111-1111,짧음\n01022222222,{'긴' * 60}\n")

    planned = await campaign("plan", "mixed", path, "-m", "{글}")

    assert "skipped 제외 1 1 × DuplicateRecipient" in flat(planned.out)
    assert "LMS 1, SMS 1 · 2 requests 요청" in planned.out


async def test_other_input_under_a_name_is_refused_and_says_what_differs(
    campaign, listed, tmp_path
):
    longer = tmp_path / "longer.csv"
    longer.write_text(LIST + "A-7,새사람,01044444444\n")
    await campaign("plan", "autumn", listed, "-m", TEXT)

    text = await campaign("plan", "autumn", listed, "-m", "{이름}님, 안녕!")
    other = await campaign("plan", "autumn", longer, "-m", TEXT, "--json")

    assert (text.code, other.code) == (1, 1)
    assert "content is another text" in text.err
    assert json.loads(other.out)["error"] == "CampaignConflict"
    assert "7 recipients instead of 6" in json.loads(other.out)["message"]


async def test_a_campaign_from_plan_to_purge(campaign, emulator, listed, tmp_path):
    await campaign("plan", "autumn", listed, "-m", TEXT, "--key", "회원번호")
    out = tmp_path / "out.csv"

    ran = await campaign("run", "autumn")
    tracked = await campaign("track", "autumn", "--rate", "100")
    asked = await campaign("reconcile", "autumn")
    reported = await campaign("report", "autumn", "--csv", out)
    seen = await campaign("list")
    purged = await campaign("purge", "--older-than", "0d")
    after = await campaign("report", "autumn", "--csv", "-")

    assert {ran.code, tracked.code, reported.code, seen.code, purged.code, after.code} == {0}
    assert accepted_once(emulator) == {"01011111111", "01022222222", "01033333333"}
    assert "accepted 접수 3" in flat(ran.out)
    assert "sens campaign track autumn\n" in ran.out
    assert "results 결과 3 delivered 도착" in flat(tracked.out)
    assert "results 결과 3 delivered 도착" in flat(asked.out)
    assert "campaign track" not in asked.out
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["to"], row["key"], row["sens_state"], row["sens_end"]) for row in rows] == [
        ("01011111111", "A-1", "ACCEPTED", "DELIVERED"),
        ("01022222222", "A-2", "ACCEPTED", "DELIVERED"),
        ("'=없음", "'=A-3", "REJECTED", ""),
        ("01033333333", "A-4", "ACCEPTED", "DELIVERED"),
        ("01011111111", "A-5", "SKIPPED", ""),
        ("", "A-6", "REJECTED", ""),
    ]
    assert rows[2]["sens_reason"].startswith("InvalidRecipient: ")
    assert "finished 완료" in seen.out
    assert purged.out == "purged 삭제됨  autumn\n"
    gone = list(csv.DictReader(io.StringIO(after.out)))
    assert {(row["to"], row["key"], row["sens_number"]) for row in gone} == {("", "", "")}
    assert [row["sens_state"] for row in gone] == [row["sens_state"] for row in rows]
    assert "numbers, texts and keys were removed" in after.err


async def test_a_report_is_not_written_over_and_says_why(campaign, listed, tmp_path):
    await campaign("plan", "autumn", listed, "-m", TEXT)
    out = tmp_path / "out.csv"
    out.write_text("before")

    refused = await campaign("report", "autumn", "--csv", out)
    both = await campaign("report", "autumn", "--csv", "-", "--json")
    assert (refused.code, both.code, out.read_text()) == (2, 2, "before")

    written = await campaign("report", "autumn", "--csv", out, "--overwrite", "--json")
    shown = await campaign("report", "autumn")

    document = json.loads(written.out)
    assert (written.code, document["exit_code"], shown.code) == (3, 3, 3)
    assert {cause["error"] for cause in document["causes"]} == {
        "InvalidRecipient",
        "DuplicateRecipient",
    }
    assert f"{out} (6 rows)" in written.err
    assert "1 × DuplicateRecipient  010-****-1111 was already given this text" in shown.out
    assert "sens campaign run autumn\n" in shown.out


async def test_a_report_that_nobody_reads_to_its_end_ends_silently(
    sens, campaign, environ, tmp_path
):
    path = tmp_path / "more.csv"
    path.write_text("to\n" + "".join(f"010{n:08}\n" for n in range(20_000_000, 20_020_000)))
    await campaign("plan", "autumn", path, "-m", "hi")

    reading, writing = os.pipe()
    report = ("campaign", "report", "autumn", "--csv", "-")
    process = await sens.start(*report, environ=environ, stdout=writing)
    os.close(writing)
    begun = await asyncio.to_thread(os.read, reading, 100)
    os.close(reading)
    result = await sens.finish(process)

    assert begun.startswith(b'"to","key"')
    assert (result.code, result.err) == (1, "")


async def test_the_unknown_are_asked_for_and_settled(campaign, emulator, many):
    emulator.fail("drop", accept=True, requests=[2])
    await campaign("plan", "autumn", many, "-m", "hi")

    ran = await campaign("run", "autumn", "--json")

    document = json.loads(ran.out)
    assert ran.code == 0, ran.out + ran.err
    assert (document["accepted"], document["unknown"], document["is_finished"]) == (3000, 0, True)
    assert len(accepted_once(emulator)) == 3000


@pytest.mark.parametrize(
    ("guarantee", "until", "ending", "code"),
    [
        ("at_most_once", " until [0-9:]{8}", "; Ctrl-C leaves them unknown 종료", 3),
        ("at_least_once", "", "", 0),
    ],
)
async def test_who_is_asked_for_is_told_once_off_a_terminal(
    *, campaign, emulator, listed, guarantee, until, ending, code
):
    emulator.fail("drop", times=3)
    await campaign("plan", "autumn", listed, "-m", "hi", "--guarantee", guarantee)

    ran = await campaign("run", "autumn", "--settle", "2")

    asking = [line for line in ran.out.splitlines() if "asking SENS" in line]
    assert ran.code == code, ran.out + ran.err
    assert len(asking) == 1
    assert re.fullmatch(rf"asking SENS for 3 unknown{until} 확인 중{ending}", asking[0])
    assert ("/s" in ran.out) == (not code)  # no rate where nobody was accepted


async def test_what_sens_does_not_list_is_sent_again_where_that_is_asked_for(
    campaign, emulator, many
):
    emulator.fail("drop", requests=[2])
    await campaign("plan", "autumn", many, "-m", "hi")

    left = await campaign("run", "autumn", "--no-wait")
    absent = await campaign("reconcile", "autumn", "--settle", "0", "--json")
    state = await campaign("status", "autumn")
    listed = await campaign("list")
    ended = await campaign("run", "autumn", "--guarantee", "effectively_once", "--settle", "0")

    assert (left.code, absent.code, state.code, ended.code) == (3, 3, 3, 0)
    assert "unknown 확인 필요 100 100 × ConnectionLost" in flat(left.out)
    assert "100 still unknown: SENS lists no such request yet" in left.out
    assert "ask SENS for the 100 unknown, all settled by " in left.out
    assert "sens campaign reconcile autumn\n" in left.out
    assert "warning" not in left.err
    assert "warning 경고 --settle 0 is below 600" in absent.err
    document = json.loads(absent.out)
    assert (document["unknown"], document["unproven"]) == (100, 100)
    assert "100 not listed by SENS after settling 목록에 없음" in state.out
    over, resend = (
        "it is over; 100 unproven are left as they are",
        "may send twice if SENS lists late",
    )
    assert 0 < state.out.index(over) < state.out.index(resend)
    assert "sens campaign run autumn --guarantee effectively_once\n" in state.out
    assert state.out.count("sens campaign report autumn --csv report.csv\n") == 1
    assert "over, 100 unproven 미확인" in listed.out
    assert len(accepted_once(emulator)) == 3000


async def test_who_may_have_got_it_twice_is_told(campaign, emulator, many):
    emulator.fail("drop", requests=[2])
    await campaign("plan", "autumn", many, "-m", "hi", "--guarantee", "at_least_once")

    ran = await campaign("run", "autumn")

    assert ran.code == 0
    assert "100 may have got it twice 중복 가능" in ran.out


async def test_what_stops_a_run_is_told_and_how_to_go_on(campaign, emulator, environ, many):
    await campaign("plan", "autumn", many, "-m", "hi")
    wrong = {**environ, "SENS_SECRET_KEY": "wrong"}

    shown = await campaign("run", "autumn", environ=wrong)
    told = await campaign("run", "autumn", "--json", environ=wrong)

    document = json.loads(told.out)
    assert (shown.code, told.code, document["exit_code"]) == (1, 1, 1)
    assert "stopped 중단 by AuthenticationFailed" in shown.out
    assert "send to the 3,000 not sent to yet" in shown.out
    assert document["stopped_by"]["error"] == "AuthenticationFailed"
    assert document["not_sent"] == 3000
    assert {cause["state"] for cause in document["causes"]} == {"NOT_SENT"}
    assert (await campaign("run", "autumn")).code == 0
    assert len(accepted_once(emulator)) == 3000


async def test_failed_deliveries_are_told_by_code(campaign, emulator, listed):
    await campaign("plan", "autumn", listed, "-m", TEXT, "--from", "023334444")
    await campaign("run", "autumn")

    tracked = await campaign("track", "autumn", "--rate", "100")

    assert tracked.code == 0, tracked.out + tracked.err
    assert "results 결과 3 failed 실패" in flat(tracked.out)
    assert "3 × 3023 the caller's number is not registered" in flat(tracked.out)


async def test_a_message_without_result_keeps_a_tracking_unfinished(campaign, emulator, listed):
    await campaign("plan", "autumn", listed, "-m", TEXT)
    await campaign("run", "autumn")
    emulator.fail(503, endpoint="list")

    tracked = await campaign("track", "autumn", "--timeout", "0.3", "--json")

    assert tracked.code == 3
    assert json.loads(tracked.out)["is_finished"] is True


@pytest.mark.parametrize("emulator", [0.2], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_finishes_what_is_on_the_wire_and_says_how_to_go_on(
    *, sens, campaign, emulator, environ, many, number
):
    await campaign("plan", "autumn", many, "-m", "hi")
    run = ("campaign", "run", "autumn", "--in-flight", "2")

    process = await sens.start(*run, environ=environ)
    await until(lambda: emulator.requests)
    process.send_signal(number)
    stopped = await sens.finish(process)
    state = json.loads((await campaign("status", "autumn", "--json")).out)
    at_once = len(accepted_once(emulator))
    ended = await campaign("run", "autumn")

    assert (stopped.code, ended.code) == (130, 0), stopped.err + ended.err
    assert "stopping: what is on the wire is finished 중단 중" in stopped.out
    assert "interrupted 중단됨" in stopped.out
    assert "sens campaign run autumn\n" in stopped.out
    assert 0 < at_once == state["accepted"] < 3000
    assert (state["unknown"], state["in_flight"]) == (0, 0)
    assert len(accepted_once(emulator)) == 3000


@pytest.mark.parametrize("emulator", [60.0], indirect=True)
async def test_a_second_ctrl_c_does_not_wait(sens, campaign, emulator, environ, many):
    await campaign("plan", "autumn", many, "-m", "hi")
    process = await sens.start(
        "campaign", "run", "autumn", "--in-flight", "2", "--json", environ=environ
    )
    await until(lambda: emulator.requests)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        assert b"stopping" in await process.stderr.readline()
    process.send_signal(signal.SIGINT)
    stopped = await sens.finish(process)

    document = json.loads(stopped.out)
    assert (stopped.code, document["exit_code"]) == (130, 130)
    assert 0 < document["unknown"] <= 200
    assert document["unknown"] + document["not_sent"] == 3000


@pytest.mark.parametrize("emulator", [0.2], indirect=True)
async def test_a_killed_run_is_gone_on_with_and_another_is_kept_off(
    sens, campaign, emulator, environ, many
):
    # What was killed between its intent and its request is not listed, and is sent again.
    await campaign("plan", "autumn", many, "-m", "hi", "--guarantee", "effectively_once")
    process = await sens.start("campaign", "run", "autumn", "--in-flight", "2", environ=environ)
    await until(lambda: emulator.requests)
    other = await campaign("run", "autumn")
    beside = await campaign("status", "autumn", "--json")
    process.kill()
    await sens.finish(process)
    dead = await campaign("status", "autumn")
    ended = await campaign("run", "autumn", "--settle", "1")

    assert (other.code, beside.code, dead.code, ended.code) == (1, 3, 3, 0), ended.out
    assert f"in use by process {process.pid}" in flat(other.err)
    assert json.loads(beside.out)["in_flight"] > 0
    assert "in flight 전송 중, unless what sent them has died" in dead.out
    assert len(accepted_once(emulator)) == 3000


@pytest.mark.parametrize("emulator", [0.1], indirect=True)
@pytest.mark.parametrize("columns", [60, 120])
async def test_a_run_is_watched_on_a_terminal(sens, campaign, environ, many, columns):
    await campaign("plan", "autumn", many, "-m", "hi")

    ran = await sens.on_terminal(
        "campaign", "run", "autumn", "--in-flight", "2", environ=environ, columns=columns
    )

    live, _, summary = ran.out.rpartition("  accepted 접수  3,000")
    assert ran.code == 0, ran.out
    assert "sending 발송" in live
    assert re.search(r"\d+ not sent 미발송   [1-4]00 in flight", live)
    assert max(map(cell_len, summary.splitlines())) <= columns


async def test_a_wrong_plan_is_cancelled_and_mended(sens, campaign, environ, listed, emulator):
    await campaign("plan", "autumn", listed, "-m", "typo", "--key", "회원번호")

    cancel = ("campaign", "cancel", "autumn")
    no = await sens.on_terminal(*cancel, environ=environ, typed="n\n")
    kept = await campaign("status", "autumn", "--json")
    yes = await sens.on_terminal(*cancel, environ=environ, typed="y\n")
    again = await campaign("run", "autumn", "--json")
    options = ("--key", "회원번호", "--skip-known-keys")
    mended = await campaign("plan", "autumn2", listed, "-m", TEXT, *options)
    sent = await campaign("run", "autumn2", "--json")
    purged = await campaign("purge", "autumn", "--yes")

    assert (no.code, yes.code, again.code, mended.code, sent.code, purged.code) == (
        1,
        0,
        0,
        0,
        0,
        0,
    )
    assert "Leave out the 3 not sent to yet? There is no way back." in flat(no.out)
    assert json.loads(kept.out)["not_sent"] == 3
    assert "3 × RunStopped the campaign was cancelled before their turn" in flat(yes.out)
    assert json.loads(again.out)["skipped"] == 4
    assert json.loads(sent.out)["accepted"] == 3
    assert len(accepted_once(emulator)) == 3


async def test_a_plan_shows_what_may_be_a_mistake(campaign, tmp_path):
    blank = tmp_path / "blank.csv"
    blank.write_text("이름,전화\n,010-0000-0001\n이도윤,010-0000-0002\n", encoding="utf-8")
    empty = tmp_path / "empty.csv"
    empty.write_text("이름,전화\n", encoding="utf-8")

    shown = await campaign("plan", "autumn", blank, "-m", "{이름}님, 할인")
    told = await campaign("plan", "winter", blank, "-m", "{이름}님, 할인", "--json")
    refused = await campaign("plan", "spring", empty, "-m", "{이름}님, 할인")
    known = await campaign("list", "--json")

    assert "first text 첫 문구 님, 할인" in flat(shown.out)
    assert "1 row has an empty {이름} 빈 칸" in flat(shown.out)
    assert json.loads(told.out)["empty_fields"] == {"이름": 1}
    assert refused.code == 2
    assert "empty.csv has no rows" in flat(refused.err)
    assert [one["campaign"] for one in json.loads(known.out)["campaigns"]] == ["winter", "autumn"]


async def test_how_it_stands_is_told_now_and_then_off_a_terminal(campaign, many, monkeypatch):
    monkeypatch.setattr(following, "_EVERY", 0.0)
    await campaign("plan", "autumn", many, "-m", "hi")

    ran = await campaign("run", "autumn")

    assert re.search(r"^[\d,]+ accepted 접수   [\d,]+ not sent 미발송", ran.out, re.MULTILINE)


async def test_wrong_keys_lead_to_the_doctor(campaign, environ, listed, emulator):
    await campaign("plan", "autumn", listed, "-m", "hi")
    emulator.fail(401)

    ran = await campaign("run", "autumn")

    assert ran.code == 1
    assert "sens doctor" in ran.out


async def test_a_purge_asks_and_leaves_alone_what_is_not_over(
    sens, campaign, environ, listed, tmp_path
):
    await campaign("plan", "autumn", listed, "-m", TEXT)
    await campaign("plan", "winter", listed, "-m", TEXT, "--duplicates", "send")
    await campaign("run", "autumn")

    early = await campaign("purge", "winter")
    young = await campaign("purge", "--older-than", "90d")
    purge = ("campaign", "purge", "--older-than", "0d")
    no = await sens.on_terminal(*purge, environ=environ, typed="n\n")
    kept = json.loads((await campaign("list", "--json")).out)["campaigns"]
    yes = await sens.on_terminal(*purge, environ=environ, typed="y\n")
    after = json.loads((await campaign("list", "--json")).out)["campaigns"]

    assert (early.code, young.code, no.code, yes.code) == (1, 0, 1, 0)
    assert "is not over" in flat(early.err)
    assert "nothing to purge" in young.out
    assert "of autumn? There is no way back." in flat(no.out)
    assert [one["campaign"] for one in kept] == ["winter", "autumn"]
    assert [one["purged_at"] for one in kept] == [None, None]
    assert [one["is_finished"] for one in after] == [False, True]
    assert [one["purged_at"] is not None for one in after] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("plan", "a", "gone.csv", "-m", "hi"), "gone.csv cannot be read"),
        (("plan", "a", "{list}", "-m", "{nobody}"), "{nobody} is no column of list.csv"),
        (("plan", "a", "{list}"), "there is no text: give --content (-m)"),
        (("plan", "a", "{list}", "-m", "hi", "--skip-known-keys"), "give their column as --key"),
        (("plan", "a", "{list}", "-m", "hi", "--skip-unsubscribed"), "give --ad"),
        (("plan", "a", "{list}", "-m", "hi", "--reserve-at", "2020-01-01 09:00"), "10 minutes"),
        (("plan", " ", "{list}", "-m", "hi"), "printable text of 1 to 200 characters"),
        (("run", "a", "--settle", "-1"), "0 to 7689600 seconds"),
        (("run", "a", "--guarantee", "hope"), "'at_most_once', 'effectively_once'"),
        (("status", "a"), "there is no ledger"),
        (("purge",), "either a NAME or --older-than"),
        (("purge", "--older-than", "old"), "such as 12h, 90d or 12w"),
    ],
)
async def test_wrong_use_is_refused(campaign, emulator, listed, arguments, match):
    given = [str(listed) if word == "{list}" else word for word in arguments]

    result = await campaign(*given)

    assert result.code == 2, result.out + result.err
    assert match in flat(result.err)
    assert not emulator.requests


async def test_an_unknown_name_is_an_error_and_no_ledger_is_made(
    campaign, environ, listed, tmp_path
):
    await campaign("plan", "autumn", listed, "-m", TEXT)

    unknown = await campaign("run", "winter")
    elsewhere = await campaign("list", "--ledger", tmp_path / "other.db")
    keyless = await campaign("status", "autumn", environ={"SENS_LEDGER": environ["SENS_LEDGER"]})

    assert (unknown.code, elsewhere.code, keyless.code) == (1, 2, 3)
    assert "CampaignNotFound: campaign 'winter'" in unknown.err
    assert f"{environ['SENS_LEDGER']} has 'autumn'" in unknown.err
    assert not (tmp_path / "other.db").exists()


async def test_keys_of_other_campaigns_are_left_out(campaign, emulator, listed):
    plan = ("-m", TEXT, "--key", "회원번호", "--skip-known-keys")
    await campaign("plan", "autumn", listed, *plan)
    await campaign("run", "autumn")

    second = await campaign("plan", "winter", listed, *plan, "--json")

    document = json.loads(second.out)
    assert (document["skipped"], document["not_sent"]) == (3, 1)  # A-5 was left out before


async def test_reservations_are_told_and_wait_for_nothing(campaign, emulator, listed):
    at = ("--reserve-at", "2099-12-01 09:00")

    planned = await campaign("plan", "autumn", listed, "-m", TEXT, *at)
    ran = await campaign("run", "autumn")

    assert (planned.code, ran.code) == (0, 0)
    assert "reserved 예약 2099-12-01 09:00 KST" in planned.out
    assert "reserved 예약 2099-12-01 09:00 KST" in ran.out


async def test_a_stream_without_the_letters_ends_no_run(sens, emulator, environ, listed):
    environ = {**environ, "PYTHONIOENCODING": "ascii"}

    planned = await sens("campaign", "plan", "autumn", listed, "-m", TEXT, environ=environ)
    ran = await sens("campaign", "run", "autumn", environ=environ)

    assert (planned.code, ran.code) == (0, 0), planned.err + ran.err
    assert "Traceback" not in planned.err + ran.err


@pytest.mark.parametrize(
    ("package", "ledger", "extra"),
    [("sqlalchemy", "a.db", "campaign"), ("asyncpg", "postgresql://u:secret@h/d", "postgres")],
)
async def test_an_extra_that_is_missing_is_named_in_one_line(
    *, sens, environ, tmp_path, package, ledger, extra
):
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError(name={package!r})\n")
    (tmp_path / "a.db").touch()
    path = ":".join([str(tmp_path), *filter(None, sys.path)])

    result = await sens(
        *("campaign", "list", "--ledger", tmp_path / ledger if extra == "campaign" else ledger),
        environ={**environ, "PYTHONPATH": path},
    )

    said = f"sens campaign needs {package}: pip install 'sens-async[{extra}]'\n"
    assert (result.code, result.out, result.err) == (1, "", said)


async def test_help_waits_for_no_database():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys, sens_async.cli.main; print('sqlalchemy' in sys.modules)",
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()

    assert out.decode().strip() == "False"


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_explains_itself_in_80_columns(quick, environ, command):
    result = await quick("campaign", command, "--help", environ={**environ, "COLUMNS": "80"})

    assert result.code == 0
    assert "…" not in result.out.replace("postgresql://…", "")
    assert max(map(cell_len, result.out.splitlines())) <= 80


def test_every_command_is_tested_for_its_help():
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    assert {command.name for command in groups["campaign"].registered_commands} == {*COMMANDS}


def test_the_next_command_can_be_pasted_and_shows_no_password(monkeypatch):
    monkeypatch.setenv("SENS_LEDGER", "")
    assert next_command("run", "가을 행사", url="sens-campaigns.db") == (
        "sens campaign run '가을 행사'"
    )
    assert next_command("run", "a", url="my file.db") == (
        "sens campaign run a --ledger 'my file.db'"
    )
    secret = "postgresql://me:secret@host/sens"
    assert next_command("run", "a", url=secret) == "sens campaign run a --ledger …"
    monkeypatch.setenv("SENS_LEDGER", secret)
    assert next_command("run", "a", url=secret) == "sens campaign run a"
