"""Whatever happens to a ledger, in whatever order, it holds what it must."""

from itertools import count

from campaign.ledger_machine import LedgerMachine
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test


def test_a_ledger_of_one_process(tmp_path):
    numbers = count()

    def machine() -> LedgerMachine:
        return LedgerMachine(str(tmp_path / f"{next(numbers)}.db"), is_shared=False)

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=3,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
