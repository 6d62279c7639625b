"""The project's checks: `nox` runs those that must pass, `nox --list` shows all."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_external_run = True
nox.options.error_on_missing_interpreters = False  # test on every Python that is found
nox.options.sessions = ["lint", "typing", "tests", "build"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
WHOLE = next((one for one in PYTHONS if one == "{}.{}".format(*sys.version_info)), PYTHONS[0])
"""The Python on which tests that take long run, too."""
EXTRAS = "campaign,cli,emulator,images,postgres"


def group(name: str) -> list[str]:
    """Give the requirements of a dependency group."""
    return list(nox.project.dependency_groups(PROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint, and spelling."""
    session.install(*group("lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("codespell", "sens_async", "tests", "benchmarks", "README.md", "CHANGELOG.md")


@nox.session
def typing(session: nox.Session) -> None:
    """Types, of the package and of code that uses it."""
    session.install(*group("typing"), "nox", f".[{EXTRAS}]")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests, against the installed wheel; the long ones on the Python that runs nox."""
    session.install(*group("tests"), f".[{EXTRAS}]")
    brief = [] if session.python == WHOLE else ["--brief"]
    run_tests(session, "-n", "auto", "--dist", "worksteal", *brief)


@nox.session
def coverage(session: nox.Session) -> None:
    """All tests once, and what they leave out."""
    session.install(*group("tests"), f".[{EXTRAS}]")
    session.run("coverage", "erase")
    run_tests(session, runner=("coverage", "run", "-m"))
    session.run("coverage", "combine")
    session.run("coverage", "report", "--skip-covered")


@nox.session(python=PYTHONS[0])
def minimums(session: nox.Session) -> None:
    """All tests with the oldest dependencies that are allowed."""
    required = PROJECT["project"]["dependencies"]
    extras = PROJECT["project"]["optional-dependencies"]
    oldest = [
        line.split(";")[0].strip().replace(">=", "==")
        for line in (*required, *(line for name in EXTRAS.split(",") for line in extras[name]))
        if ">=" in line
    ]
    session.install(*group("tests"), f".[{EXTRAS}]")
    session.install(*oldest)
    run_tests(session)


@nox.session
def build(session: nox.Session) -> None:
    """Wheel and sdist, and that both hold what they must."""
    session.install("build", "twine")
    target = Path(session.create_tmp()) / "dist"
    session.run("python", "-m", "build", "--outdir", str(target))
    session.run("twine", "check", "--strict", *map(str, target.iterdir()))
    (wheel,) = target.glob("*.whl")
    names = session.run("python", "-m", "zipfile", "-l", str(wheel), silent=True) or ""
    for wanted in ("sens_async/py.typed", "sens_async/emulator/server.py", "licenses/LICENSE"):
        if wanted not in names:
            session.error(f"the wheel lacks {wanted}")
    session.install("--force-reinstall", str(wheel))
    code = "import sens_async; print(sens_async.__version__, sens_async.SensSession)"
    session.run("python", "-P", "-c", code)
    wheel.unlink()


@nox.session
def endurance(session: nox.Session) -> None:
    """Runs of a million with faults, campaigns killed hundreds of times, stories of a ledger."""
    session.install(*group("tests"), f".[{EXTRAS}]")
    session.env.update(SENS_ENDURANCE="1000000", SENS_KILLS="2000", SENS_STORIES="10")
    names = ("integration/test_endurance", "campaign/test_kills", "campaign/test_state_machine")
    run_tests(session, "-n", "auto", "-rP", *(f"tests/{name}.py" for name in names))


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks against their goals; see `benchmarks/`."""
    session.install(*group("bench"), f".[{EXTRAS}]")
    session.run("python", "-m", "benchmarks", *session.posargs)


def run_tests(session: nox.Session, *options: str, runner: Sequence[str] = ()) -> None:
    """Run pytest so that it imports the installed package, not the checkout."""
    command = [*runner, "pytest", *options, *session.posargs]
    session.run(*command, env={"PYTHONSAFEPATH": "1", **passed_on()})


def passed_on() -> dict[str, str]:
    """Give the variables that tests look at."""
    names = ("SENS_REQUIRE_SERVICES", "SENS_TEST_POSTGRES")
    return {name: os.environ[name] for name in names if name in os.environ}
