"""Virtual time for every async test, and no task may outlive its test."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from pytest_asyncio import is_async_test
from virtual_time import VirtualClock, VirtualLoop

TURNS_TO_END = 10
"""Turns of the loop that a task which is already ending may still take."""


LONG = (
    "campaign/disks/",
    "campaign/test_attacks.py",
    "campaign/test_kill",
    "campaign/test_ledgers.py",
    "campaign/test_planning.py",
    "campaign/test_state_machine.py",
    "campaign/test_stopped_workers.py",
    "campaign/test_tracking.py",
    "cli/test_campaign.py",
    "cli/test_endings.py",
    "cli/test_losses.py",
    "cli/test_send.py",
    "cli/test_terminal.py",
    "clients/",
    "integration/test_endurance.py",
    "integration/test_faults.py::test_a_server_that_closes_idle_connections",
    "integration/test_random_runs.py",
    "test_linger.py::test_every_send_ends_in_one_honest_outcome",
    "test_send_stream.py::test_a_million_recipients",
)
"""What takes half of the time: runs by the thousand, and commands in processes of their own."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--brief",
        action="store_true",
        help="leave out what takes long and was shown on another Python",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--brief"):
        return
    long = [
        item
        for item in items
        if item.nodeid.removeprefix("tests/").startswith(LONG) or "[postgres" in item.nodeid
    ]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in set(long)]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "real_time: run on an ordinary event loop, for peers outside the test's loop"
    )


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping:
    if item.get_closest_marker("real_time"):
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualLoop}


@pytest.fixture(autouse=True)
def _no_task_is_left(request: pytest.FixtureRequest) -> None:
    if is_async_test(request.node):
        request.getfixturevalue("no_task_is_left")


@pytest.fixture
async def no_task_is_left() -> AsyncIterator[None]:
    """Fail the test when, after all its fixtures have ended, a task still runs."""
    yield
    for _ in range(TURNS_TO_END):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0)
    pytest.fail(f"tasks left running: {sorted(map(repr, left))}", pytrace=False)


@pytest.fixture
async def clock() -> VirtualClock:
    """The test loop's time; 2025-11-25 09:39:40 in Korea at the start."""
    return VirtualClock()
