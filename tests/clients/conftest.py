"""Clients of SENS by others: from npm, installed once and kept in pytest's cache."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from sens_async.emulator import Emulator, EmulatorOptions

HERE = Path(__file__).parent
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
RETRIES = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=1000")
INSTALL_SECONDS = 120
CALL_SECONDS = 30


@pytest.fixture
def tls() -> bool:
    """Whether the emulator is a proxy of the kind that CONNECT asks for."""
    return True


@pytest.fixture
async def emulator(tls):
    if tls:
        pytest.importorskip("cryptography")
    # How soon a client looks depends on the machine: nothing is listed before a test says so.
    options = EmulatorOptions(keep_bodies=True, visibility_delay=60)
    async with Emulator(tls=tls, options=options) as running:
        yield running


@pytest.fixture
def keys(emulator):
    """What a client is told of its account."""
    return {
        "SENS_ACCESS_KEY": emulator.access_key,
        "SENS_SECRET_KEY": emulator.secret_key,
        "SENS_SERVICE_ID": emulator.service_id,
        "SENS_SENDER": emulator.sender,
    }


@pytest.fixture(scope="session")
def modules(request, tmp_path_factory) -> Path:
    """The folder of modules that `package-lock.json` names."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed: npm's clients of SENS are not tried")
    lock = (HERE / "package-lock.json").read_bytes()
    kept = getattr(request.config, "cache", None)  # none under `-p no:cacheprovider`
    cache = tmp_path_factory.mktemp("npm") if kept is None else kept.mkdir("npm-clients")
    home = cache / hashlib.sha256(lock).hexdigest()[:16]
    if not home.is_dir():
        draft = cache / f"draft-{os.getpid()}"
        draft.mkdir()
        try:
            _install(npm, draft)
            with suppress(OSError):  # another run was faster
                draft.rename(home)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return home / "node_modules"


def _install(npm: str, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    try:
        done = subprocess.run(
            [npm, *INSTALL, *RETRIES],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        reason = done.stderr.strip() if done.returncode else ""
    except subprocess.TimeoutExpired:
        reason = f"npm took more than {INSTALL_SECONDS} s"
    if not reason:
        return
    if os.environ.get("SENS_REQUIRE_SERVICES") == "1":
        pytest.fail(f"npm cannot install the clients of SENS: {reason}", pytrace=False)
    pytest.skip(f"npm cannot install the clients of SENS: {reason.splitlines()[0]}")


@pytest.fixture
def call(modules, keys):
    """Call a method of an npm client in a process of its own; answers what it resolved to."""

    async def call(client, method, *args, environ):
        process = await asyncio.create_subprocess_exec(
            "node",
            HERE / "call.js",
            client,
            method,
            json.dumps(args),
            # Nothing of this machine's: its proxies and certificates are not the emulator's.
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(modules), **keys, **environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(CALL_SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    return call
