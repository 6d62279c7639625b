"""Disks that fail on order."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from campaign.disks.disk import Disk

SOURCE = Path(__file__).with_name("volatile_disk.c")


@pytest.fixture(scope="session")
def volatile_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that a process has to be started with to be on a `Disk`."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or sys.maxsize < 2**32:
        pytest.skip("a disk that fails on order needs 64-bit Linux")
    if compiler is None:
        if os.environ.get("SENS_REQUIRE_SERVICES") == "1":
            pytest.fail("there is no C compiler (cc)", pytrace=False)
        pytest.skip("there is no C compiler (cc)")
    library = tmp_path_factory.mktemp("volatile-disk") / "volatile_disk.so"
    warnings = ("-Wall", "-Wextra", "-Werror", "-Wno-format-truncation")
    command = (compiler, "-shared", "-fPIC", "-O1", *warnings, "-o", library, SOURCE, "-pthread")
    subprocess.run(command, check=True)
    return library


@pytest.fixture
async def disk(volatile_disk: Path, tmp_path: Path) -> AsyncIterator[Disk]:
    """An empty disk, for tests marked `real_time`."""
    disk = Disk(volatile_disk, tmp_path)
    yield disk
    await disk.aclose()
