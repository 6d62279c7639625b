"""What is shown: on a terminal of any width, in a pipe, and where letters are missing."""

import json

import pytest
from rich.cells import cell_len

pytestmark = pytest.mark.real_time

LIST = "phone,이름\n01012345678,홍길동\n01023456789,정🌸\n010-1234,강하늘\n01034567890,\n"
TEXT = "{이름}님, 안녕하세요"
ALLOWED = "other area codes, 070 and 080 (10 or 11)"


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(LIST, encoding="utf-8")
    return path


@pytest.mark.parametrize("encoding", ["cp949", "ascii"])
async def test_a_stream_without_the_letters_ends_no_run(sens, emulator, environ, listed, encoding):
    environ = {**environ, "PYTHONIOENCODING": encoding}

    result = await sens("send", "-m", TEXT, "--csv", listed, environ=environ)
    plan = await sens("send", "-m", TEXT, "--csv", listed, "--dry-run", environ=environ)
    document = await sens("send", "-m", TEXT, "--csv", listed, "--json", environ=environ)
    demo = await sens("demo", "--recipients", "200", "--faults", "0%", environ=environ)

    assert (result.code, plan.code, document.code, demo.code) == (1, 1, 1, 0)
    assert len(emulator.admissions["01012345678"]) == 2
    assert "\\U0001f338" in result.out
    assert "\\U0001f338" in plan.out
    assert "Traceback" not in result.err + plan.err + document.err + demo.err
    assert document.out.isascii()
    assert "🌸" in json.loads(document.out)["causes"][0]["message"]


async def test_a_pipe_gets_whole_lines_without_padding(sens, environ, listed):
    for dry in (("--dry-run",), ()):
        result = await sens("send", "-m", TEXT, "--csv", listed, *dry, environ=environ)

        (line,) = [line for line in result.out.splitlines() if ALLOWED in line]
        assert "InvalidRecipient  **** is no Korean phone number" in line
        assert "…" not in result.out
        assert not [line for line in result.out.splitlines() if line.endswith(" ")]


@pytest.mark.parametrize("columns", [60, 100])
async def test_a_terminal_gets_folded_lines_and_every_word(sens, environ, listed, columns):
    for dry in (("--dry-run",), ("--yes",)):
        result = await sens.on_terminal(
            "send", "-m", TEXT, "--csv", listed, *dry, environ=environ, columns=columns
        )

        assert ALLOWED in " ".join(result.out.split())
        assert "…" not in result.out
        assert max(map(cell_len, result.out.splitlines())) <= columns


async def test_it_asks_with_all_that_is_about_to_happen(sens, emulator, environ, listed):
    send = ("send", "-m", TEXT, "--csv", listed, "--reserve-at", "2099-12-01 09:00")

    no = await sens.on_terminal(*send, environ=environ, typed="n\n")
    assert not emulator.requests
    yes = await sens.on_terminal(*send, environ=environ, typed="y\n")

    assert (no.code, yes.code) == (1, 1)
    for shown in (no.out, yes.out):
        before, asked, _ = shown.partition("Send to 2? 2명에게 보낼까요?")
        assert asked
        assert "홍길동님, 안녕하세요" in before
        assert "refused 거절  1  UnencodableText" in before
        assert "2099-12-01 09:00 KST" in before
        assert "1 row has an empty {이름}" in before
        assert emulator.sender in before
        assert emulator.url in before
        assert "SMS                         2" in before
    assert set(emulator.admissions) == {"01012345678", "01034567890"}


async def test_a_warning_stands_above_the_bar(sens, environ):
    result = await sens.on_terminal("send", "-m", "뷁", "01012345678", environ=environ)

    assert result.code == 0
    assert "\nwarning 경고 a text holds characters that CP949 has" in result.out
