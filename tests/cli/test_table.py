"""Lists as people keep them: every encoding, delimiter and spelling is understood or refused."""

from pathlib import Path

import pytest

from sens_async.cli.table import InvalidTable, Table, read_csv


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes, encoding: str = "utf-8", name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def people(table: Table) -> list[tuple[str, dict[str, object]]]:
    return [(row.recipient.to, dict(row.recipient.fields)) for row in table.rows()]


EXCEL = '이름,휴대폰 번호,메모\r\n홍길동,010-1234-5678,"두 줄\r\n메모"\r\n김하늘,1023456789,\r\n'


@pytest.mark.parametrize("encoding", ["cp949", "utf-8", "utf-8-sig", "utf-16"])
def test_what_excel_saves_is_read_in_each_of_its_encodings(write, encoding):
    table = read_csv(write(EXCEL, encoding))

    assert table.encoding == encoding
    assert (table.header, table.number_column, table.size) == (
        ("이름", "휴대폰 번호", "메모"),
        1,
        2,
    )
    first = {"이름": "홍길동", "휴대폰 번호": "010-1234-5678", "메모": "두 줄\r\n메모"}
    assert people(table)[0] == ("010-1234-5678", first)
    assert people(table)[1][0] == "1023456789"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_although_texts_hold_the_others(write, delimiter):
    rows = [["phone", "말"], ["01012345678", "안녕, 반가워; a|b"], ["01023456789", "x, y"]]
    text = "\n".join(
        delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows
    )

    table = read_csv(write(text))

    assert table.delimiter == delimiter
    assert people(table)[0][1]["말"] == "안녕, 반가워; a|b"


@pytest.mark.parametrize(
    "name",
    "phone to Number MOBILE tel Phone_Number phone-no ＰＨＯＮＥ 휴대폰 휴대폰번호 핸드폰 전화번호 연락처 수신번호".split(),  # noqa: SIM905
)
def test_the_number_column_is_known_by_its_name(write, name):
    assert read_csv(write(f"id,{name}\n1,01012345678\n")).number_column == 1


def test_a_headerless_column_of_numbers_is_enough(write):
    table = read_csv(write("010-1234-5678\n\n+82 10 2345 6789\n０１０３４５６７８９０\n"))

    assert not table.has_header
    assert [to for to, _ in people(table)] == [
        "010-1234-5678",
        "+82 10 2345 6789",
        "０１０３４５６７８９０",
    ]


def test_without_a_header_fields_are_called_by_position(write):
    table = read_csv(write("홍길동,010-1234-5678\n김하늘,01023456789\n"))

    assert table.number_column == 1
    assert people(table)[0][1] == {"1": "홍길동", "2": "010-1234-5678"}


def test_an_unknown_header_is_settled_by_what_the_columns_hold(write):
    table = read_csv(write("성함,폰\n홍길동,010-1234-5678\n"))

    assert (table.header, table.number_column) == (("성함", "폰"), 1)


def test_two_columns_of_numbers_are_in_doubt_until_one_is_named(write):
    path = write("전화번호,휴대폰\n02-123-4567,010-1234-5678\n")

    with pytest.raises(InvalidTable, match="전화번호, 휴대폰, may hold the numbers"):
        read_csv(path)
    assert people(read_csv(path, number_column="휴대폰"))[0][0] == "010-1234-5678"
    assert people(read_csv(path, number_column="1"))[0][0] == "02-123-4567"


def test_a_column_that_is_not_there_is_refused_with_those_that_are(write):
    with pytest.raises(InvalidTable, match=r"no column 'mobile', it has name, phone"):
        read_csv(write("name,phone\na,010\n"), number_column="mobile")


def test_no_column_of_numbers_is_refused(write):
    with pytest.raises(InvalidTable, match="none of which is known to hold the numbers"):
        read_csv(write("a,b\nx,y\n"))


def test_the_key_column_is_given_back_and_stays_a_field(write):
    table = read_csv(write("order,phone\nA-1,01012345678\n,01023456789\n"), key_column="order")

    first, second = table.rows()
    assert (first.recipient.key, first.recipient.fields["order"]) == ("A-1", "A-1")
    assert second.recipient.key is None


def test_a_row_without_a_number_is_a_row_and_an_empty_line_is_none(write):
    table = read_csv(write("name,phone\n홍길동,\n\n  ,\n김하늘\n이솔,01012345678\n"))

    assert table.size == 3
    assert people(table) == [
        ("", {"name": "홍길동", "phone": ""}),
        ("", {"name": "김하늘"}),
        ("01012345678", {"name": "이솔", "phone": "01012345678"}),
    ]


def test_places_are_the_rows_a_spreadsheet_shows(write):
    table = read_csv(write('phone,memo\n01012345678,"a\nb"\n\n01023456789,c\n'))

    assert [row.place for row in table.rows()] == [2, 4]


def test_rows_with_more_cells_than_the_header_keep_them_and_are_reported(write):
    table = read_csv(write("phone,name\n01012345678,a\n01023456789,b,extra\n01034567890,c,,\n"))

    assert (table.overlong, table.header) == (3, ("phone", "name", ""))
    assert [row.cells for row in table.rows()][1] == ["01023456789", "b", "extra"]
    assert people(table)[1][1] == {"phone": "01023456789", "name": "b"}


def test_columns_of_earlier_results_are_left_out_and_their_escapes_undone(write):
    table = read_csv(write("to,할인,sens_state,sens_number\n01012345678,'-5%,REJECTED,010\n"))

    assert table.header == ("to", "할인")
    assert people(table) == [("01012345678", {"to": "01012345678", "할인": "-5%"})]


def test_an_apostrophe_in_a_file_of_somebody_elses_stays(write):
    assert people(read_csv(write("to,할인\n01012345678,'-5%\n")))[0][1]["할인"] == "'-5%"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "list.csv is empty"),
        (b"\n\n", "list.csv is empty"),
        (b"PK\x03\x04rest", "xlsx workbook: save it as CSV"),
        ("phone\n010".encode("utf-16-le"), "NUL bytes: give --encoding"),
        ("phone,이름\n010,한글\n".encode() + b"011,\xff\n", "line 3: a broken character"),
        (b"phone\n010\n\xff\xff\n", r"neither UTF-8 \(line 3\) nor CP949 \(line 3\)"),
        (b'phone,name\n01012345678,"open\n01023456789,x\n', "line 2: unexpected end of data"),
        (b'phone,name\n01012345678,"a"b\n', "line 2: .*must be quoted"),
        (b"phone,name,name\n01012345678,a,b\n", "two columns are called 'name'"),
    ],
)
def test_a_file_in_disorder_is_refused_by_name_and_line(write, content, match):
    with pytest.raises(InvalidTable, match=match):
        read_csv(write(content))


def test_a_missing_file_and_a_wrong_encoding_are_refused(write, tmp_path):
    with pytest.raises(InvalidTable, match=r"gone\.csv cannot be read: No such file"):
        read_csv(tmp_path / "gone.csv")
    with pytest.raises(InvalidTable, match="'klingon' is no encoding"):
        read_csv(write("phone\n010"), encoding="klingon")
    with pytest.raises(InvalidTable, match="not ascii; give another --encoding"):
        read_csv(write("phone,이름\n010,a"), encoding="ascii")
    with pytest.raises(InvalidTable, match="',,' is no delimiter"):
        read_csv(write("phone\n010"), delimiter=",,")


def test_a_header_can_be_declared_where_it_looks_like_a_person(write):
    path = write("모름\n01012345678\n")

    assert read_csv(path).size == 1
    assert read_csv(path, has_header=False).size == 2


def test_numbers_given_as_arguments_are_a_list_too():
    table = Table.of_numbers(["010-1234-5678", "01023456789"])

    assert (table.size, table.header) == (2, ("to",))
    assert [row.recipient.to for row in table.rows()] == ["010-1234-5678", "01023456789"]
    assert [row.recipient.fields for row in table.rows()] == [{}, {}]


def test_a_long_list_is_read_in_flat_memory(write):
    import tracemalloc

    path = write("phone,name\n" + "".join(f"010{n:08},홍길동\n" for n in range(100_000)))
    table = read_csv(path)
    tracemalloc.start()
    count = sum(1 for _ in table.rows())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (count, table.size) == (100_000, 100_000)
    assert peak < 1_000_000
