"""Unknown outcomes settled by asking an emulator, over real sockets and on a virtual clock."""

import pytest
from session_helpers import numbers

from sens_async import OutcomeState, RequestTimeout, Settings, SensError, Timeouts
from sens_async.emulator import Emulator, EmulatorOptions

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState
SETTINGS = Settings(rate_limit=None, timeouts=Timeouts(connect=1.0, total=5.0))


@pytest.mark.parametrize("accept", [True, False])
async def test_smoke(clock, accept):
    async with Emulator(clock=clock, options=EmulatorOptions(visibility_delay=40.0)) as emulator:
        emulator.fail("drop", accept=accept, requests=[2])
        async with emulator.session(settings=SETTINGS) as sens:
            report = await sens.send_many(numbers(300), "안녕하세요")
            assert report.counts == {ACCEPTED: 200, UNKNOWN: 100}
            began = clock.time()
            once = await sens.resolve(report, wait=False)
            print(once, once.reasons)
            done = await sens.resolve(report)
            print(done, done.reasons, clock.time() - began)
            print(done.report, [r.target for r in emulator.requests][-1], len(emulator.requests))
            assert 0
