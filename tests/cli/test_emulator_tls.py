"""`sens emulator --tls`: what it tells people and programs, and the file it leaves or does not."""

import asyncio
import json
import shlex
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sens_async.cli.main import app

pytestmark = pytest.mark.real_time
pytest.importorskip("cryptography")


async def lines_until(process, wanted):
    """What it prints, as far as a line that begins so."""
    lines = []
    async with asyncio.timeout(30):
        while not lines or not lines[-1].startswith(wanted):
            lines.append((await process.stdout.readline()).decode())
            assert lines[-1], lines
    return lines


async def test_people_are_shown_what_sends_any_client_to_it(sens, tmp_path):
    path = tmp_path / "our ca.pem"
    process = await sens.start("emulator", "--ca-file", path, environ={"PYTHONUNBUFFERED": "1"})
    lines = await lines_until(process, "export CURL_CA_BUNDLE")
    written = path.read_text()
    process.send_signal(signal.SIGTERM)
    await sens.finish(process)

    exports = [shlex.split(line)[1] for line in lines if line.startswith("export ")]
    environ = dict(one.split("=", 1) for one in exports)
    assert "for clients whose host is fixed 주소가 고정된 클라이언트용\n" in lines
    assert environ["HTTPS_PROXY"] == environ["SENS_BASE_URL"]
    names = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    assert [environ[name] for name in names] == [str(path)] * 4
    assert written.startswith("-----BEGIN CERTIFICATE-----")


async def test_programs_are_told_of_proxy_and_file(sens):
    process = await sens.start("emulator", "--tls", "--json")
    async with asyncio.timeout(30):
        ready = json.loads(await process.stdout.readline())
    before = is_there(ready)
    process.send_signal(signal.SIGTERM)
    result = await sens.finish(process)

    assert ready["proxy"] == ready["url"]
    assert (before, is_there(ready)) == (True, False)
    assert (result.code, result.out, result.err) == (0, "", "")


def is_there(ready):
    return Path(ready["ca_file"]).exists()


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("mine")
    result = CliRunner().invoke(app, ["emulator", "--ca-file", str(path)])

    assert result.exit_code == 2
    assert "no certificate of an emulator" in " ".join(result.output.replace("│", "").split())
    assert path.read_text() == "mine"
