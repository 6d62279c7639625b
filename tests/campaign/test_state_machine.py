"""Whatever happens to a ledger, in whatever order, it says nothing that is not so.

`nox -s endurance` tells more stories; some rare mutants of the library are found there alone.
"""

import os
from itertools import count

import pytest
from campaign.ledger_machine import LedgerMachine
from campaign.sqlite_at_once import use_sqlite_at_once
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

TIMES = int(os.environ.get("SENS_STORIES", "1"))
"""So many times as many stories."""


@pytest.mark.parametrize(("processes", "stories"), [(1, 20), (2, 30)])
def test_a_ledger_is_right_whatever_happens(
    processes: int, stories: int, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    use_sqlite_at_once(monkeypatch)
    numbers = count()
    run_state_machine_as_test(
        lambda: LedgerMachine(str(tmp_path / f"{next(numbers)}.db"), processes),
        settings=settings(
            max_examples=TIMES * stories,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
