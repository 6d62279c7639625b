"""Where and with what something was measured."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attrs

__all__ = ["Machine"]

LIBRARIES = (
    "sens-async",
    "aiohttp",
    "attrs",
    "cattrs",
    "orjson",
    "httpx",
    "requests",
    "uvloop",
    "aiolimiter",
    "pyrate-limiter",
)


@attrs.frozen
class Machine:
    """A machine and its software.

    Attributes:
        date: UTC, ISO 8601.
        processor: Its model.
        cores: How many.
        system: Kernel and release.
        python: Implementation and version.
        libraries: Versions by name; those that are not installed are left out.
    """

    date: str
    processor: str
    cores: int
    system: str
    python: str
    libraries: dict[str, str]

    @classmethod
    def here(cls) -> "Machine":
        """Describe this one."""
        return cls(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            processor=_processor(),
            cores=os.cpu_count() or 0,
            system=f"{platform.system()} {platform.release()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            libraries=_versions(),
        )


def _processor() -> str:
    """Give the model's name; only Linux keeps it where it can be read without asking a program."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
