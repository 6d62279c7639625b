"""An emulator and sessions on it, all on the test's virtual clock."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from virtual_time import VirtualClock

from sens_async import SensSession, Settings
from sens_async.emulator import Emulator, EmulatorOptions

DATA = Path(__file__).parent / "data"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes what the test has opened, last opened first."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def start(stack: AsyncExitStack, clock: VirtualClock) -> Callable[..., object]:
    """Start a further emulator, with the given `EmulatorOptions`."""

    async def start(*, seed: int = 0, **options) -> Emulator:
        emulator = Emulator(clock=clock, seed=seed, options=EmulatorOptions(**options))
        return await stack.enter_async_context(emulator)

    return start


@pytest.fixture
async def emulator(start) -> Emulator:
    """An emulator with default options."""
    return await start()


@pytest.fixture
async def open_session(stack: AsyncExitStack, emulator: Emulator) -> Callable[..., object]:
    """Open a session on `emulator` (or another), without a rate limit unless one is given.

    Keywords are those of `Settings`; `session` holds further arguments of `SensSession`.
    """

    async def open_session(at: Emulator = emulator, *, session=None, **settings) -> SensSession:
        settings.setdefault("rate_limit", None)
        opened = at.session(settings=Settings(**settings), **(session or {}))
        return await stack.enter_async_context(opened)

    return open_session


@pytest.fixture
async def sens(open_session) -> SensSession:
    """A session on `emulator` without a rate limit."""
    return await open_session()


@pytest.fixture(scope="session")
def self_signed() -> ssl.SSLContext:
    """TLS of a server whose certificate nobody has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "test-only-certificate.pem", DATA / "test-only-key.pem")
    return context
