"""Every Python example of the README runs, against the emulator, as a reader would run it."""

import ast
import contextlib
import inspect
import io
import re
import types
from pathlib import Path

import httpx
import pytest
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from virtual_time import hold_for_databases

from sens_async.emulator import Emulator, EmulatorOptions

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
SCRIPTS = [block for block in BLOCKS if "app = " not in block]
APPS = [block for block in BLOCKS if "app = " in block]


@pytest.fixture
async def emulator(monkeypatch, tmp_path, clock):
    """An emulator that `SensSession.from_env` finds, and a folder with a picture in it."""
    Image.new("RGB", (2000, 1000), "teal").save(tmp_path / "poster.jpg")
    monkeypatch.chdir(tmp_path)
    hold_for_databases(monkeypatch)
    quick = EmulatorOptions(visibility_delay=0, processing_delay=0, completion_delay=0)
    async with Emulator(options=quick) as emulator:
        monkeypatch.setenv("SENS_ACCESS_KEY", emulator.access_key)
        monkeypatch.setenv("SENS_SECRET_KEY", emulator.secret_key)
        monkeypatch.setenv("SENS_SERVICE_ID", emulator.service_id)
        monkeypatch.setenv("SENS_SENDER", emulator.sender)
        monkeypatch.setenv("SENS_BASE_URL", emulator.url)
        yield emulator


async def run(source: str) -> tuple[dict, str]:
    """Run a block with `await` at its top level; give its names and what it printed."""
    code = compile(source, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict = {"__name__": "readme"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = types.FunctionType(code, names)()
        if inspect.isawaitable(result):
            await result
    return names, printed.getvalue()


def test_the_readme_has_its_examples():
    assert len(SCRIPTS) >= 7
    assert len(APPS) == 2


@pytest.mark.parametrize("source", SCRIPTS, ids=range(len(SCRIPTS)))
async def test_example_runs(source, emulator):
    await run(source)


async def test_first_example_prints_what_it_says(emulator):
    _, printed = await run(SCRIPTS[0])

    assert "<BulkReport: ACCEPTED 2>" in printed
    assert emulator.admissions["01022223333"][0].text.startswith("김민서님")


async def test_list_example_names_who_was_refused(emulator):
    _, printed = await run(SCRIPTS[1])

    assert "customer-19" in printed
    assert emulator.admissions["01033334444"][0].text == "최지우님, 주문 A-1002이 출발했습니다"


async def test_stream_example_sends_to_everybody(emulator):
    await run(SCRIPTS[2])

    assert len(emulator.admissions) == 1000


async def test_picture_example_uploads_once(emulator):
    await run(SCRIPTS[3])

    assert [file.uploads for file in emulator.uploads] == [1]


async def test_aiohttp_application_sends(emulator):
    names, _ = await run(APPS[0])

    async with TestClient(TestServer(names["app"])) as client:
        good = await client.post("/remind", data={"phone": "010-1234-5678"})
        bad = await client.post("/remind", data={"phone": "12"})

        assert good.status == 200
        assert bad.status == 400
    assert len(emulator.admissions["01012345678"]) == 1


async def test_fastapi_application_sends(emulator):
    names, _ = await run(APPS[1])
    app = names["app"]

    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            good = await client.post("/remind/010-1234-5678")
            bad = await client.post("/remind/12")

    assert good.json()["request_id"] == emulator.admissions["01012345678"][0].request_id
    assert bad.status_code == 400


def test_two_commands_are_the_ones_that_are_tested():
    commands = re.findall(r"^python3 -m venv .*$", README.read_text("utf-8"), re.MULTILINE)

    assert len(commands) == 2
    assert commands[0].endswith(".venv/bin/sens demo")
    assert commands[1].endswith(".venv/bin/nox")


@pytest.mark.parametrize("script", [".ci/run"])
def test_ci_runs_the_test_command(script):
    path = README.parent / script
    if not path.exists():
        pytest.skip("not in the sdist")
    commands = re.findall(r"^python3 -m venv .*$", README.read_text("utf-8"), re.MULTILINE)

    assert commands[1] in path.read_text("utf-8")
