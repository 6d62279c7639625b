"""`sens check`: what a text would be, before anybody gets it."""

import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sens_async.cli.console import WARNING, make_console

if TYPE_CHECKING:
    from rich.console import Console

    from sens_async.core.content import Measurement

__all__ = ["check"]

_BAR = 30


def check(
    text: Annotated[str | None, typer.Argument(help="The text, after filling in.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file in UTF-8 instead; - is standard input.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Of an LMS or MMS.")] = None,
    images: Annotated[int, typer.Option(min=0, help="How many pictures go with it.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Count a text's bytes: its type, and what cannot be encoded. 문구 길이 확인.

    Exits with 0 if it can be sent as it is, else with 1.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.documents import print_document  # noqa: PLC0415
    from sens_async.core.content import measure  # noqa: PLC0415

    if (text is None) == (file is None):
        raise typer.BadParameter("give either a text or --file")
    text = _read(file) if text is None else text
    measured = measure(text, subject=subject, images=images)
    can_be_sent = measured.fits and not measured.unencodable and bool(text.strip())
    if json:
        print_document(_document(measured, can_be_sent))
    else:
        console = make_console()
        _show(console, measured)
        if not text.strip():
            console.print("[rejected]empty 내용 없음[/]  SENS takes no message without a text")
    raise typer.Exit(int(not can_be_sent))


def _read(path: Path | None) -> str:
    try:
        if path is None or str(path) == "-":
            return sys.stdin.read().removesuffix("\n")
        return path.read_text(encoding="utf-8-sig").removesuffix("\n")
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} is not UTF-8") from error


def _show(console: "Console", measured: "Measurement") -> None:
    kind = measured.type.value if measured.type else "too long 너무 김"
    share = min(1.0, measured.size_bytes / measured.limit_bytes)
    filled = round(share * _BAR)
    style = "accepted" if measured.fits else "bad"
    console.print(
        f"[{style}]{kind}[/]  [figure]{measured.size_bytes:,}[/] / {measured.limit_bytes:,} bytes "
        f"바이트  [{style}]{'━' * filled}[/][soft]{'━' * (_BAR - filled)}[/]"
    )
    if measured.subject_bytes:
        console.print(f"[soft]subject 제목[/]  {measured.subject_bytes} / 40 bytes 바이트")
    for character in measured.unencodable:
        name = unicodedata.name(character.character, "unnamed")
        advice = {None: "no likeness 대체 없음", "": "delete it 삭제"}.get(
            character.suggestion, f"write {character.suggestion!r} 대체"
        )
        shown = escape(repr(character.character))
        console.print(
            f"[rejected]cannot be encoded 표현 불가[/]  {shown} {name.lower()} "
            f"[soft]at {character.position}:[/] {advice}",
            soft_wrap=True,
        )
    if measured.cp949_only:
        letters = " ".join(measured.cp949_only)
        console.print(f"{WARNING} outside KS X 1001, fine if SENS means CP949: {letters}")


def _document(measured: "Measurement", can_be_sent: bool) -> dict[str, object]:
    return {
        "type": measured.type.value if measured.type else None,
        "fits": can_be_sent,
        "size_bytes": measured.size_bytes,
        "limit_bytes": measured.limit_bytes,
        "subject_bytes": measured.subject_bytes,
        "unencodable": [
            {
                "character": character.character,
                "position": character.position,
                "suggestion": character.suggestion,
            }
            for character in measured.unencodable
        ],
        "cp949_only": list(measured.cp949_only),
    }
