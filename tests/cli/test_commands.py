"""The other subcommands: quick, quiet, and true in their exit codes."""

import asyncio
import json
import signal
import sys

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

import sens_async
from sens_async.cli.main import app
from sens_async.cli.poster import draw_coupon

pytestmark = pytest.mark.real_time


@pytest.fixture
def invoke():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [*arguments])


@pytest.mark.parametrize("command", ["send", "campaign", "demo", "upload", "check", "emulator"])
async def test_every_command_explains_itself_in_80_columns(sens, command):
    result = await sens.on_terminal(command, "--help")

    assert result.code == 0
    assert "Usage" in result.out
    assert "…" not in result.out
    assert max(map(cell_len, result.out.splitlines())) <= 80


def test_the_version_is_that_of_the_package(invoke):
    assert invoke("--version").stdout == f"sens-async {sens_async.__version__}\n"


def test_check_counts_as_the_service_does(invoke):
    result = invoke("check", "안녕 SENS", "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (document["type"], document["size_bytes"], document["limit_bytes"]) == ("SMS", 9, 90)


def test_check_says_what_cannot_be_encoded_and_what_to_write(invoke):
    result = invoke("check", "가을 — 할인 🌸")

    assert result.exit_code == 1
    assert "em dash" in result.stdout
    assert "'-'" in result.stdout
    assert "'🌸' cherry blossom" in result.stdout
    assert json.loads(invoke("check", "할인 🌸", "--json").stdout)["fits"] is False


def test_check_refuses_a_text_of_nothing(invoke):
    result = invoke("check", " ")

    assert result.exit_code == 1
    assert "empty 내용 없음" in result.stdout
    assert json.loads(invoke("check", "", "--json").stdout)["fits"] is False


def test_check_reads_files(invoke, tmp_path):
    (tmp_path / "text.txt").write_text("가" * 46 + "\n", encoding="utf-8")

    document = json.loads(invoke("check", "--file", str(tmp_path / "text.txt"), "--json").stdout)

    assert (document["type"], document["size_bytes"]) == ("LMS", 92)
    assert invoke("check").exit_code == 2
    assert invoke("check", "--file", str(tmp_path / "gone.txt")).exit_code == 2


async def test_upload_prints_the_file_id(sens, emulator, environ, tmp_path):
    picture = tmp_path / "coupon.jpg"
    picture.write_bytes(draw_coupon())

    result = await sens("upload", picture, "--json", environ=environ)

    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["file_id"] == emulator.uploads[0].file_id
    assert document["expires_at"].endswith("+09:00")


async def test_an_upload_that_fails_says_why(sens, emulator, environ, tmp_path):
    picture = tmp_path / "no.jpg"
    picture.write_bytes(b"this is no picture")
    assert (await sens("upload", picture, environ=environ)).code == 2

    picture.write_bytes(draw_coupon())
    result = await sens("upload", picture, environ={**environ, "SENS_SECRET_KEY": "wrong"})
    assert result.code == 1
    assert "AuthenticationFailed" in result.err


async def test_the_emulator_says_when_it_is_ready_and_ends_quietly(sens):
    process = await sens.start("emulator", "--json", "--fault", "requests 1: 503")
    async with asyncio.timeout(30):
        ready = json.loads(await process.stdout.readline())
    environ = {
        "SENS_BASE_URL": ready["url"],
        "SENS_ACCESS_KEY": ready["access_key"],
        "SENS_SECRET_KEY": ready["secret_key"],
        "SENS_SERVICE_ID": ready["service_id"],
        "SENS_SENDER": ready["sender"],
    }
    first = await sens("send", "-m", "hi", "01012345678", environ=environ)
    second = await sens("send", "-m", "hi", "01012345678", environ=environ)
    process.send_signal(signal.SIGTERM)
    result = await sens.finish(process)

    assert (first.code, second.code) == (1, 0)
    assert (result.code, result.out, result.err) == (0, "", "")


async def test_the_emulator_says_what_would_never_arrive(sens):
    accepting = await sens.start("emulator", environ={"PYTHONUNBUFFERED": "1"})
    environ = await told(accepting)
    sent = await sens("send", "-m", "hi", "01012345678", "--from", "023334444", environ=environ)
    async with asyncio.timeout(30):
        while b"3023" not in (line := await accepting.stdout.readline()):
            assert line
    accepting.send_signal(signal.SIGTERM)
    await sens.finish(accepting)

    assert sent.code == 0
    assert (
        line.decode() == "1 accepted would fail at delivery 전송 실패: 3023 sender not registered\n"
    )


async def test_the_emulator_can_refuse_an_unregistered_sender(sens):
    refusing = await sens.start(
        "emulator", "--unregistered-sender", "refuse", environ={"PYTHONUNBUFFERED": "1"}
    )
    environ = await told(refusing)
    result = await sens("send", "-m", "hi", "01012345678", "--from", "023334444", environ=environ)
    refusing.send_signal(signal.SIGTERM)
    await sens.finish(refusing)

    assert result.code == 1
    assert "BadRequest 400" in result.out


async def told(emulator) -> dict[str, str]:
    """The variables that it prints."""
    environ = {}
    async with asyncio.timeout(30):
        while "SENS_SENDER" not in environ:
            line = (await emulator.stdout.readline()).decode()
            assert line
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                environ[name] = value
    return environ


def test_an_emulator_with_a_fault_that_is_none_is_refused(invoke):
    result = invoke("emulator", "--fault", "requests x: tsunami")

    assert result.exit_code == 2


async def test_the_demo_sends_to_nobody_twice(sens):
    result = await sens("demo", "--recipients", "2000", "--seed", "7", "--faults", "2%", "--json")

    assert result.code == 0, result.out + result.err
    document = json.loads(result.out)
    assert document["recipients"] == 2000
    assert document["admissions"]["twice"] == 0
    assert document["admissions"]["accepted_missing"] == 0
    assert document["admissions"]["messages"] == document["admissions"]["people"]
    assert document["rejected"] > 0
    assert document["skipped"] > 0


async def test_the_demo_reads_well_without_a_terminal(sens):
    result = await sens("demo", "--recipients", "300", "--faults", "0%")

    assert result.code == 0, result.out + result.err
    assert "nobody twice 중복 발송 없음" in result.out
    assert "\x1b" not in result.out
    assert len(result.out.splitlines()) < 40
    assert not [line for line in result.out.splitlines() if line.endswith(" ")]


async def test_help_waits_for_nothing_heavy():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys, sens_async.cli.main; print({'PIL', 'sens_async.emulator'} & set(sys.modules))",
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()

    assert out.decode().strip() == "set()"
