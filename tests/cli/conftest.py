"""The command as a process of its own, and a SENS for it to talk to."""

import asyncio
import os
import sys
from typing import NamedTuple

import pytest

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

    async def start(self, *arguments, environ=None):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SENS_", "NCLOUD_"))}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sens_async",
            *map(str, arguments),
            env={**kept, "PYTHONUTF8": "1", **(environ or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._started.append(process)
        return process

    async def finish(self, process) -> Finished:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return Finished(process.returncode, out.decode(), err.decode())

    async def aclose(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
async def sens():
    command = Command()
    yield command
    await command.aclose()
