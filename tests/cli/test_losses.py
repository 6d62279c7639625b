"""A disk that is full, and other places that take no more: what is said, kept and not lost."""

import csv
import errno
import json
import os
from pathlib import Path

import pytest

from sens_async.cli.console import make_console
from sens_async.cli.losses import tell_losses
from sens_async.cli.order import Order
from sens_async.cli.results import Results
from sens_async.cli.run import Run
from sens_async.cli.table import Table
from sens_async.models import ContentType, OutcomeState
from sens_async.outcomes import OutcomeBatch

pytestmark = pytest.mark.real_time

SIZE = 3_000
NUMBERS = [f"010{n:08}" for n in range(20_000_000, 20_000_000 + SIZE)]


def read(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def file_limit(size: int):
    """Options of a process whose files cannot grow over a size, as on a full disk."""
    resource = pytest.importorskip("resource")
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("phone,name\n" + "".join(f"{number},홍길동\n" for number in NUMBERS))
    return path


@pytest.mark.parametrize("emulator", [0.02], indirect=True)
@pytest.mark.parametrize("options", [(), ("--json",)])
async def test_a_full_disk_stops_the_run_and_keeps_what_was_written(
    sens, emulator, environ, listed, options
):
    out = listed.parent / "out.csv"
    process = await sens.start(
        *("send", "-m", "{name}", "--csv", listed, "--out", out, "--in-flight", "2", *options),
        environ=environ,
        **file_limit(60_000),
    )
    result = await sens.finish(process)

    rows, accepted = read(out), set(emulator.admissions)
    assert result.code == 1
    assert "Traceback" not in result.err
    assert {path.name for path in listed.parent.iterdir()} == {"list.csv", "out.csv"}
    assert [row["phone"] for row in rows] == NUMBERS[: len(rows)]
    assert {row["phone"] for row in rows if row["sens_state"] == "ACCEPTED"} <= accepted
    assert {row["sens_state"] for row in rows} == {"ACCEPTED"}
    assert len(rows) <= len(accepted) < SIZE
    assert f"{out} is incomplete 불완전: it holds {len(rows)} rows" in result.err
    assert f"{len(accepted):,} accepted, 0 unknown" in result.err
    assert "do not send the list again as it is" in result.err
    if options:
        document = json.loads(result.out)
        assert document["exit_code"] == 1
        assert (document["accepted"], document["unknown"]) == (len(accepted), 0)
        assert document["not_sent"] == SIZE - len(accepted)
        assert document["files"] == [{"path": str(out), "rows": len(rows), "is_whole": False}]
    else:
        assert "stopped 중단 by RunStopped: results could not be written" in result.out


async def test_a_disk_that_fills_up_with_the_last_row_is_told_as_well(
    sens, emulator, environ, tmp_path
):
    out = tmp_path / "out.csv"
    process = await sens.start(
        *("send", "-m", "hi", "01012345678", "01023456789", "--out", out),
        environ=environ,
        **file_limit(300),
    )
    result = await sens.finish(process)

    assert result.code == 1
    assert len(read(out)) == 1
    assert "holds 1 rows" in result.err
    assert "2 accepted, 0 unknown" in result.err
    assert len(emulator.admissions) == 2


async def test_a_disk_that_is_full_before_is_refused_and_nobody_is_sent_to(
    sens, emulator, environ, tmp_path
):
    process = await sens.start(
        *("send", "-m", "hi", "01012345678", "--out", tmp_path / "out.csv"),
        environ=environ,
        **file_limit(0),
    )
    result = await sens.finish(process)

    assert result.code == 2
    assert "cannot be written" in " ".join(result.err.replace("│", " ").split())
    assert not emulator.requests
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
@pytest.mark.parametrize("options", [(), ("--json",)])
async def test_an_output_that_is_full_hides_no_acceptance(
    sens, emulator, environ, tmp_path, options
):
    out = tmp_path / "out.csv"
    full = os.open("/dev/full", os.O_WRONLY)
    process = await sens.start(
        *("send", "-m", "hi", "01012345678", "--out", out, *options), environ=environ, stdout=full
    )
    os.close(full)
    result = await sens.finish(process)

    assert result.code == 1
    assert "Traceback" not in result.err
    assert "standard output could not be written (No space left on device)" in result.err
    assert "1 accepted, 0 unknown" in result.err
    assert [row["sens_state"] for row in read(out)] == ["ACCEPTED"]
    assert len(emulator.admissions) == 1


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
async def test_a_pipe_that_nobody_reads_hides_no_acceptance(sens, emulator, environ):
    reading, writing = os.pipe()
    os.close(reading)
    process = await sens.start("send", "-m", "hi", "01012345678", environ=environ, stdout=writing)
    os.close(writing)
    result = await sens.finish(process)

    assert result.code == 1
    assert "standard output could not be written" in result.err
    assert "1 accepted, 0 unknown" in result.err
    assert len(emulator.admissions) == 1


def test_a_whole_list_of_the_failed_is_what_may_be_sent_again(tmp_path, capsys):
    out, failed = tmp_path / "out.csv", tmp_path / "failed.csv"
    results = Results(Table.of_numbers(NUMBERS[:2]), out=out, failed_out=failed)
    one = next(results.recipients())
    results.add(OutcomeBatch(OutcomeState.ACCEPTED, [0], [one], [NUMBERS[0]]))
    results.settle(None)
    results.commit()
    tell_losses(results.tally, results.files)
    assert capsys.readouterr().err == ""

    results.files[0].failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    tell_losses(results.tally, results.files)

    shown = capsys.readouterr().err
    assert f"{out} is incomplete" in shown
    assert "(No space left on device)" in shown
    assert "이미 접수된 1명이 두 번 받게 됩니다" in shown
    assert f"{failed} is whole: that may be sent again" in shown


class _Faulty(Results):
    """Results with a bug: the first batch that was accepted is not taken in."""

    is_spent = False

    def add(self, batch):
        if batch.state is OutcomeState.ACCEPTED and not self.is_spent:
            self.is_spent = True
            raise RuntimeError("a bug")
        super().add(batch)


async def test_a_bug_in_the_results_ends_no_batch_and_leaves_nobody_out(emulator, tmp_path):
    out = tmp_path / "out.csv"
    order = Order(
        content="hi",
        subject=None,
        type=None,
        images=[],
        content_type=ContentType.COMM,
        country_code="82",
        sender=None,
        reserve_at=None,
        duplicates="skip",
        rate=None,
        max_in_flight=2,
    )
    results = _Faulty(Table.of_numbers(NUMBERS), out=out)
    run = Run(emulator.session(), order, results, make_console(to_stderr=True), SIZE)

    with pytest.raises(RuntimeError, match="a bug"):
        await run.run()

    states = {row["to"]: row["sens_state"] for row in read(out)}
    assert list(states) == NUMBERS
    assert {to for to, state in states.items() if state != "NOT_SENT"} == set(emulator.admissions)
    assert list(states.values()).count("UNKNOWN") == 100
