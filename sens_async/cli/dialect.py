"""How a CSV was written: its encoding and its delimiter, decided on the file itself.

Encodings are told apart by decoding strictly, in order, the whole file: UTF-8 that decodes is
UTF-8, since Korean text in CP949 practically never is by accident. Statistical guessing was
measured to be no better on short Korean files; it only serves to name a suspect when both fail.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sens_async.cli.columns import is_number_name, looks_like_number

__all__ = ["DELIMITERS", "InvalidTable", "guess_delimiter", "guess_encoding", "read_records"]

DELIMITERS = ",;\t|"
"""What may stand between two cells, the likeliest first."""

_SAMPLE_CHARACTERS = 65_536
_SAMPLE_RECORDS = 100
_CHUNK_BYTES = 1 << 20
_WORKBOOKS = {b"PK\x03\x04": "xlsx", b"\xd0\xcf\x11\xe0": "xls"}


class InvalidTable(ValueError):
    """A list that cannot be read; the text names file, line and what is allowed."""


def guess_encoding(path: Path) -> str:
    """Tell a CSV's encoding by its byte order mark, else by what decodes strictly.

    Args:
        path: The file; it is read whole if it has no mark.

    Returns:
        `"utf-8-sig"`, `"utf-16"`, `"utf-8"` or `"cp949"`.

    Raises:
        InvalidTable: It is a workbook, or in some other encoding.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for magic, kind in _WORKBOOKS.items():
        if head.startswith(magic):
            raise InvalidTable(f"{path.name} is an {kind} workbook: save it as CSV (UTF-8) first")
    if b"\0" in head:
        raise InvalidTable(f"{path.name} holds NUL bytes: give --encoding (utf-16-le?)")
    utf8_line, is_wide = _flaw(path, "utf-8")
    if not utf8_line:
        return "utf-8"
    if is_wide:
        raise InvalidTable(f"{path.name}, line {utf8_line}: a broken character in a UTF-8 file")
    cp949_line, _ = _flaw(path, "cp949")
    if not cp949_line:
        return "cp949"
    raise InvalidTable(
        f"{path.name} is neither UTF-8 (line {utf8_line}) nor CP949 (line {cp949_line})"
        f"{_suspect(head)}: save it as UTF-8, or give --encoding"
    )


def _flaw(path: Path, encoding: str) -> tuple[int, bool]:
    """The first line that does not decode (0: all do), and whether wide characters preceded it.

    Three-byte UTF-8 before the flaw means UTF-8 with damage. Taken for CP949, such a file could
    decode into nonsense that is then sent.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line, is_wide = 1, False
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                sound = error.object[: error.start]
                text = sound.decode(encoding, "ignore")
                return line + sound.count(b"\n"), is_wide or _has_wide(text)
            is_wide = is_wide or _has_wide(text)
            line += text.count("\n")
            if not chunk:
                return 0, is_wide


def _has_wide(text: str) -> bool:
    return not text.isascii() and max(text) >= "\u0800"


def _suspect(head: bytes) -> str:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - only wanted for this sentence

    best = from_bytes(head).best()
    return f", it may be {best.encoding}" if best else ""


def guess_delimiter(path: Path, encoding: str) -> str:
    """Tell which of `DELIMITERS` stands between the cells.

    The one under which a phone number or a known column name fills a cell wins; then the one
    that gives the records the most regular width.

    Args:
        path: The file; its first 64 Ki characters are read.
        encoding: As `guess_encoding` returned it.
    """
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        sample = file.read(_SAMPLE_CHARACTERS)
    is_whole = len(sample) < _SAMPLE_CHARACTERS
    return max(DELIMITERS, key=lambda delimiter: _fitness(sample, delimiter, is_whole=is_whole))


def _fitness(sample: str, delimiter: str, *, is_whole: bool) -> tuple[bool, float, int]:
    records = _sample_records(sample, delimiter)
    if not is_whole and len(records) < _SAMPLE_RECORDS:
        records = records[:-1]
    if not records:
        return False, 0.0, 0
    width = len(records[0])
    with_number = sum(any(map(looks_like_number, record)) for record in records)
    is_fit = any(map(is_number_name, records[0])) or with_number * 2 >= len(records)
    regular = sum(len(record) == width for record in records) / len(records)
    return is_fit, regular if width > 1 else 0.0, width


def _sample_records(sample: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    records = []
    try:
        for record in islice(filter(None, reader), _SAMPLE_RECORDS):
            records.append(record)  # noqa: PERF402 - what was read before an error counts
    except csv.Error:
        pass
    return records


def read_records(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Read a CSV record by record.

    Args:
        path: The file.
        encoding: A codec's name.
        delimiter: One character.

    Yields:
        The record's row as a spreadsheet counts them, from 1, and its cells. Empty rows are
        counted and left out.

    Raises:
        InvalidTable: A character or a quote is broken, or the file is unreadable.
    """
    line = 1
    try:
        with path.open(encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for row, cells in enumerate(reader, 1):
                if any(map(str.strip, cells)):
                    yield row, cells
                line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidTable(
            f'{path.name}, line {line}: {error}; a cell that holds " must be quoted, and each '
            'such " doubled'
        ) from error
    except UnicodeError as error:
        raise InvalidTable(
            f"{path.name}, after line {line}: not {encoding}; give another --encoding"
        ) from error
    except OSError as error:
        raise InvalidTable(f"{path.name} cannot be read: {error.strerror}") from error
