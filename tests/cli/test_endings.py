"""Commands that ask are ended early: nothing is left behind, and machines can read the rest."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sens_async.__main__ import main

pytestmark = pytest.mark.real_time


@pytest.fixture
def interrupted(sens, emulator, environ):
    """Run a command whose question gets no answer, and end it once it has asked."""

    async def interrupted(number, *arguments):
        for endpoint in ("list", "message", "reservation", "cancel", "add_unsubscribes"):
            emulator.fail("hang", endpoint=endpoint)
        process = await sens.start(*arguments, environ=environ)
        async with asyncio.timeout(30):
            while not emulator.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        process.send_signal(number)
        return await sens.finish(process)

    return interrupted


async def test_a_polite_kill_is_as_good_as_ctrl_c(interrupted, tmp_path):
    result = await interrupted(signal.SIGTERM, "messages", "--csv", tmp_path / "out.csv")

    assert (result.code, result.err) == (130, "")
    assert not [*tmp_path.iterdir()]


def test_ctrl_c_before_anything_is_begun_is_no_traceback(monkeypatch):
    class Interrupting:
        def find_spec(self, name, *_):
            if name == "sens_async.cli.main":
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "sens_async.cli.main", raising=False)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 130


@pytest.mark.parametrize(
    "arguments",
    ["reservations cancel R", "messages"],
)
async def test_machines_are_told_of_an_early_end(interrupted, arguments):
    result = await interrupted(signal.SIGINT, *arguments.split(), "--json")

    assert (result.code, result.err) == (130, "")
    document = json.loads(result.out)
    assert document.get("error") == "Interrupted" or document["exit_code"] == 130


async def test_the_doctor_tells_what_was_found_until_then(interrupted):
    result = await interrupted(signal.SIGINT, "doctor", "--json")

    document = json.loads(result.out)
    assert (result.code, document["exit_code"], document["is_well"]) == (130, 130, False)
    assert document["checks"][-1]["check"] == "tls"


@pytest.fixture
def full():
    """A disk that is full."""
    path = Path("/dev/full")
    if not path.exists():
        pytest.skip("needs a disk that is always full")
    with path.open("wb") as file:
        yield file


@pytest.mark.parametrize(
    ("arguments", "unbuffered"), [(["doctor", "--json"], ""), (["unsubscribes", "list"], "1")]
)
async def test_a_full_disk_is_told_in_one_line(sens, environ, full, arguments, unbuffered):
    environ = {**environ, "PYTHONUNBUFFERED": unbuffered}
    process = await sens.start(*arguments, environ=environ, stdout=full)
    result = await sens.finish(process)

    said = "sens: standard output cannot be written: No space left on device\n"
    assert (result.code, result.err) == (1, said)


async def test_nobody_reads_on_and_nothing_is_said(sens, environ):
    reading, writing = os.pipe()
    os.close(reading)
    process = await sens.start("doctor", "--json", environ=environ, stdout=writing)
    os.close(writing)
    result = await sens.finish(process)

    assert (result.code, result.err) == (1, "")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes it")
async def test_a_command_works_without_a_standard_output():
    line = f"exec {shlex.quote(sys.executable)} -m sens_async check hello >&-"
    process = await asyncio.create_subprocess_exec("sh", "-c", line, stderr=subprocess.PIPE)
    assert await process.communicate() == (None, b"")
    assert process.returncode == 0
