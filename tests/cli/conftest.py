"""The command as a process of its own, and a SENS for it to talk to."""

import asyncio
import os
import re
import sys
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from sens_async.emulator import Emulator, EmulatorOptions


class Finished(NamedTuple):
    """What a process left."""

    code: int
    out: str
    err: str


@pytest.fixture
async def emulator(request):
    """Its indirect parameter is the latency in seconds."""
    options = EmulatorOptions(latency=getattr(request, "param", 0.0))
    async with Emulator(options=options) as running:
        yield running


@pytest.fixture
def environ(emulator):
    return {
        "SENS_BASE_URL": emulator.url,
        "SENS_ACCESS_KEY": emulator.access_key,
        "SENS_SECRET_KEY": emulator.secret_key,
        "SENS_SERVICE_ID": emulator.service_id,
        "SENS_SENDER": emulator.sender,
    }


class Command:
    """Runs `sens`."""

    def __init__(self) -> None:
        self._started = []

    async def __call__(self, *arguments, environ=None) -> Finished:
        return await self.finish(await self.start(*arguments, environ=environ))

    async def on_terminal(self, *arguments, environ=None, typed="", columns=80) -> Finished:
        """Run on a terminal; what it shows, without colours, is `out`."""
        pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (50, columns))
        process = await self.start(
            *arguments,
            environ={"TERM": "xterm", **(environ or {})},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        os.write(master, typed.encode())
        async with asyncio.timeout(60):
            shown = await asyncio.to_thread(_read_to_end, master)
            code = await process.wait()
        return Finished(code, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.replace("\r", "")), "")

    async def start(self, *arguments, environ=None, **streams):
        # A runner in parallel says how wide it is; the terminal of these tests has its own width.
        not_kept = ("SENS_", "NCLOUD_", "COLUMNS", "LINES")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(not_kept)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sens_async",
            *map(str, arguments),
            env={**kept, "PYTHONUTF8": "1", **(environ or {})},
            **{
                "stdin": asyncio.subprocess.DEVNULL,
                "stdout": asyncio.subprocess.PIPE,
                "stderr": asyncio.subprocess.PIPE,
                **streams,
            },
        )
        self._started.append(process)
        return process

    async def finish(self, process) -> Finished:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return Finished(process.returncode, *(_decoded(stream or b"") for stream in (out, err)))

    async def aclose(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp949")


def _read_to_end(terminal: int) -> str:
    shown = b""
    try:
        while part := os.read(terminal, 65_536):
            shown += part
    except OSError:  # what Linux says when the other end is closed
        pass
    finally:
        os.close(terminal)
    return shown.decode()


@pytest.fixture
async def sens():
    command = Command()
    yield command
    await command.aclose()


@pytest.fixture
def quick(environ):
    """Run `sens` in a thread of this process: the same command, without a process to start."""
    runner = CliRunner()

    async def run(*arguments, environ=environ) -> Finished:
        from sens_async.cli.main import app

        cleared = {name: None for name in os.environ if name.startswith(("SENS_", "NCLOUD_"))}
        result = await asyncio.to_thread(
            runner.invoke, app, [*map(str, arguments)], env={**cleared, **environ}
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Finished(result.exit_code, result.stdout, result.stderr)

    return run
