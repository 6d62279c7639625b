"""One long run in which one request in a hundred meets a fault, judged by the admission log.

`nox -s endurance` makes it a million recipients; here it is as many as do not keep anybody waiting.
"""

import os

import pytest
from integration.invariants import check_report

from sens_async import OutcomeState, Recipient, Settings
from sens_async.emulator import Emulator, EmulatorOptions

RECIPIENTS = int(os.environ.get("SENS_ENDURANCE", "30000"))
KINDS = ["drop", "reset", "half", "half_head", "garbage", "no_id", 500, 503, "html"]


@pytest.mark.parametrize("is_personal", [False, True], ids=["shared", "personalised"])
async def test_a_long_run_agrees_with_the_admission_log(clock, is_personal):
    if is_personal:
        people = [Recipient(f"010{i:08d}", fields={"name": f"고객 {i}"}) for i in range(RECIPIENTS)]
    else:
        people = [f"010{i:08d}" for i in range(RECIPIENTS)]
    content = "{name}님, 주문이 도착했습니다" if is_personal else "주문이 도착했습니다"
    options = EmulatorOptions(latency=0.02, keep_texts=False)
    async with Emulator(clock=clock, seed=RECIPIENTS, options=options) as emulator:
        for kind in KINDS:
            for accept in (False, True):
                emulator.fail(kind, accept=accept, probability=0.01 / (2 * len(KINDS)))
        emulator.fail("throttle", probability=0.001)
        async with emulator.session(settings=Settings(rate_limit=None)) as sens:
            report = await sens.send_many(people, content)

    counts = check_report(report, people, emulator.admissions)
    assert report.stopped_by is None
    assert counts[OutcomeState.ACCEPTED] > 0.97 * RECIPIENTS
    assert 0 < counts[OutcomeState.UNKNOWN] < 0.03 * RECIPIENTS
    assert max(map(len, emulator.admissions.values())) == 1
