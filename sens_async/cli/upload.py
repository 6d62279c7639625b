"""`sens upload`: give SENS a picture, get its fileId."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from sens_async.cli.console import make_console, size
from sens_async.cli.refusing import refusing
from sens_async.errors import SensError

__all__ = ["upload"]


def upload(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A picture.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Upload a picture for MMS and print its fileId. 첨부 이미지 올리기."""
    # The library is heavy; help must not wait for it.
    from sens_async.cli.documents import error_document, print_document  # noqa: PLC0415
    from sens_async.cli.notices import showing_warnings  # noqa: PLC0415
    from sens_async.models import UploadedFile  # noqa: PLC0415
    from sens_async.session import SensSession  # noqa: PLC0415

    async def run() -> UploadedFile:
        async with SensSession.from_env() as sens:
            return await sens.upload(path)

    try:
        with refusing(), showing_warnings():
            file = asyncio.run(run())
    except SensError as error:
        if json:
            print_document(error_document(error))
        else:
            make_console(to_stderr=True).print(
                f"[bad]error[/] {type(error).__name__}: {escape(str(error))}"
            )
        raise typer.Exit(1) from None
    if json:
        print_document(
            {
                "file_id": file.file_id,
                "expires_at": file.expires_at.isoformat(),
                "name": file.name,
                "size_bytes": file.size_bytes,
            }
        )
        return
    console = make_console()
    console.print(f"[accepted]uploaded 등록[/]  [figure]{file.file_id}[/]", soft_wrap=True)
    console.print(f"[soft]expires 만료[/]    {file.expires_at:%Y-%m-%d %H:%M} KST")
    console.print(f"[soft]as 이름[/]         {file.name} [soft]({size(file.size_bytes)})[/]")
