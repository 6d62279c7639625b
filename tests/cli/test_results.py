"""What is written after a run: everybody once, in order, harmless to open, right to give again."""

import csv
import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sens_async.cli.escaping import escape, escape_number, unescape
from sens_async.cli.outputs import InvalidOutput, check_outputs
from sens_async.cli.results import Results
from sens_async.cli.table import Table, read_csv
from sens_async.core.phone import normalize
from sens_async.errors import InvalidRecipient, RequestTimeout, RunStopped
from sens_async.models import MessageType, OutcomeState
from sens_async.outcomes import OutcomeBatch

LIST = (
    "이름,phone,할인\n가,010-1111-1111,-5%\n나,+82 10 2222 2222,=1+1\n다,없음,\n라,01044444444,x\n"
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(LIST, encoding="utf-8")
    return read_csv(path)


def read(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def finished(results, states, error=None):
    """Settle each index with a state, in the order given."""
    rows = list(results.recipients())
    for index, state in states:
        results.add(
            OutcomeBatch(
                state,
                [index],
                [rows[index]],
                [f"0101111111{index}"],
                MessageType.SMS,
                error=error if state is not OutcomeState.ACCEPTED else None,
                request_id="REQ-1" if state is OutcomeState.ACCEPTED else None,
                attempts=1,
                attempted_at=1_764_031_180.0,
            )
        )


def test_out_holds_every_row_once_in_input_order(table, tmp_path):
    results = Results(table, out=tmp_path / "out.csv")
    order = [(2, OutcomeState.REJECTED), (0, OutcomeState.ACCEPTED)]
    order += [(3, OutcomeState.UNKNOWN), (1, OutcomeState.NOT_SENT)]
    finished(results, order, InvalidRecipient("'없음' is no phone number"))
    results.commit()

    rows = read(tmp_path / "out.csv")
    assert [row["이름"] for row in rows] == ["가", "나", "다", "라"]
    assert [row["sens_state"] for row in rows] == ["ACCEPTED", "NOT_SENT", "REJECTED", "UNKNOWN"]
    assert rows[0] == {
        "이름": "가",
        "phone": "010-1111-1111",
        "할인": "'-5%",
        "sens_state": "ACCEPTED",
        "sens_reason": "",
        "sens_number": "01011111110",
        "sens_type": "SMS",
        "sens_request_id": "REQ-1",
        "sens_attempts": "1",
        "sens_attempted_at": "2025-11-25T09:39:40+09:00",
    }
    assert rows[1]["phone"] == "82 10 2222 2222"
    assert rows[1]["할인"] == "'=1+1"
    assert rows[2]["sens_reason"] == "InvalidRecipient: '없음' is no phone number"


def test_unknowns_go_to_a_file_of_their_own_and_never_among_the_failed(table, tmp_path):
    failed, unknown = tmp_path / "failed.csv", tmp_path / "unknown.csv"
    results = Results(table, failed_out=failed, unknown_out=unknown)
    order = [(0, OutcomeState.UNKNOWN), (1, OutcomeState.NOT_SENT)]
    order += [(2, OutcomeState.REJECTED), (3, OutcomeState.SKIPPED)]
    finished(results, order, RequestTimeout("no answer within 10 s", may_have_been_sent=True))
    results.commit()

    assert [row["이름"] for row in read(failed)] == ["나", "다"]
    assert [row["이름"] for row in read(unknown)] == ["가"]


def test_the_failed_can_be_given_again_with_the_same_fields(table, tmp_path):
    failed = tmp_path / "failed.csv"
    results = Results(table, failed_out=failed)
    finished(results, [(i, OutcomeState.NOT_SENT) for i in range(4)], RunStopped("over"))
    results.commit()

    again = read_csv(failed)

    assert again.header == table.header
    before = [row.recipient.fields for row in table.rows()]
    after = [row.recipient.fields for row in again.rows()]
    assert [f["할인"] for f in after] == [f["할인"] for f in before] == ["-5%", "=1+1", "", "x"]
    assert normalize(after[1]["phone"]) == normalize(before[1]["phone"]) == "01022222222"


def test_who_has_no_outcome_when_it_ends_gets_the_honest_one(table, tmp_path):
    results = Results(table, out=tmp_path / "out.csv")
    taken = results.recipients()
    next(taken), next(taken)
    results.settle(RunStopped("stopped"))
    results.commit()

    states = [row["sens_state"] for row in read(tmp_path / "out.csv")]
    assert states == ["UNKNOWN", "UNKNOWN", "NOT_SENT", "NOT_SENT"]
    assert results.tally.counts == {OutcomeState.UNKNOWN: 2, OutcomeState.NOT_SENT: 2}
    assert not results.tally.is_success


def test_a_list_without_names_gets_some_so_that_it_can_be_given_again(tmp_path):
    path = tmp_path / "out.csv"
    results = Results(Table.of_numbers(["010-1234-5678", "+82 10 9876 5432"]), out=path)
    results.settle(None)
    results.commit()

    again = read_csv(path)
    assert [row.recipient.to for row in again.rows()] == ["010-1234-5678", "82 10 9876 5432"]


def test_nothing_is_left_of_files_that_were_not_wanted_after_all(table, tmp_path):
    before = set(tmp_path.iterdir())
    Results(table, out=tmp_path / "out.csv").discard()
    assert set(tmp_path.iterdir()) == before

    with pytest.raises(InvalidOutput, match="cannot be written"):
        Results(table, out=tmp_path / "a.csv", failed_out=tmp_path / "no" / "b.csv")
    assert set(tmp_path.iterdir()) == before


def test_results_are_readable_by_their_owner_alone(table, tmp_path):
    results = Results(table, out=tmp_path / "out.csv")
    results.settle(None)
    results.commit()
    assert (tmp_path / "out.csv").stat().st_mode & 0o077 == 0


def test_a_result_may_not_go_over_the_list_or_another_result(tmp_path):
    source = tmp_path / "list.csv"
    source.touch()
    link = tmp_path / "link.csv"
    link.symlink_to(source)

    for overwrite in (False, True):
        with pytest.raises(InvalidOutput, match="is read from"):
            check_outputs([link], inputs=[source], overwrite=overwrite)
    with pytest.raises(InvalidOutput, match="is given twice"):
        check_outputs([tmp_path / "a.csv", None, tmp_path / "a.csv"], inputs=[], overwrite=True)
    with pytest.raises(InvalidOutput, match="no file in an existing directory"):
        check_outputs([tmp_path], inputs=[], overwrite=True)
    with pytest.raises(InvalidOutput, match="no file in an existing directory"):
        check_outputs([Path(os.devnull)], inputs=[], overwrite=True)
    check_outputs([tmp_path / "a.csv", tmp_path / "b.csv"], inputs=[source], overwrite=False)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (" ", "the number is empty"),
        ("1.06E+09", "the number is in Excel's scientific notation"),
        ("010-1234", "**** is no Korean phone number"),
    ],
)
def test_a_spreadsheets_mistakes_are_told_in_its_words(number, reason, tmp_path):
    path = tmp_path / "out.csv"
    results = Results(Table.of_numbers([number]), out=path)
    error = InvalidRecipient("**** is no Korean phone number")
    results.add(
        OutcomeBatch(OutcomeState.REJECTED, [0], [*results.recipients()], [None], error=error)
    )
    results.commit()

    (row,) = read(path)
    assert row["sens_reason"].startswith(f"InvalidRecipient: {reason}")
    (cause,) = results.tally.causes
    assert cause.text.startswith(reason)


FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")
TEXTS = st.text(st.sampled_from("ab,;|'\"=+-@\t\r\n가＝ ") | st.characters(codec="utf-8"))


@given(TEXTS)
def test_escaping_is_undone_by_reading_and_starts_no_formula(cell):
    escaped = escape(cell)
    assert unescape(escaped) == cell
    assert not escaped.startswith(FORMULA)


@given(TEXTS)
@example("a;=HYPERLINK(1)")
@example('a;"=cmd|x!A0')
@example("a\n=1")
def test_no_delimiter_that_a_spreadsheet_may_use_starts_a_formula_in_a_cell(cell):
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(["x", escape(cell), "y"])

    for delimiter in ";|\t":
        for row in csv.reader(io.StringIO(written.getvalue(), newline=""), delimiter=delimiter):
            assert not [seen for seen in row if seen.startswith(tuple("=+-@＝＋－＠"))]


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
def test_results_read_again_give_the_same_values(cells):
    with TemporaryDirectory() as folder:
        source, out = Path(folder, "list.csv"), Path(folder, "out.csv")
        with source.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(["phone", "=a", "b;=c"])
            writer.writerows(["01012345678", *pair] for pair in cells)
        table = read_csv(source, encoding="utf-8", delimiter=",")
        results = Results(table, out=out)
        results.settle(None)
        results.commit()

        again = read_csv(out)

        assert again.header == table.header
        before = [row.recipient.fields for row in table.rows()]
        assert [row.recipient.fields for row in again.rows()] == before


def test_every_cell_is_quoted_and_those_of_the_service_are_escaped_too(tmp_path):
    path = tmp_path / "out.csv"
    results = Results(Table.of_numbers(["01012345678"]), out=path)
    (one,) = results.recipients()
    results.add(
        OutcomeBatch(OutcomeState.ACCEPTED, [0], [one], ["01012345678"], request_id="=1;=2")
    )
    results.commit()

    header, row = path.read_text("utf-8-sig").splitlines()
    assert header.startswith('"to","sens_state",')
    assert row == '"01012345678","ACCEPTED","","01012345678","","\'=1;\'=2","0",""'


@pytest.mark.parametrize(
    ("written", "safe"),
    [
        ("010-1234-5678", "010-1234-5678"),
        ("+82 10 1234 5678", "82 10 1234 5678"),
        ("＋８２ 10", "８２ 10"),
        ("+1 415 555 0134", "001 415 555 0134"),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+=1", "00=1"),
    ],
)
def test_numbers_lose_their_plus_and_stay_the_same_number(written, safe):
    assert escape_number(written) == safe
