"""A ledger, opened for one command."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from sens_async.campaign import Ledger

__all__ = ["in_ledger"]

T = TypeVar("T")

_NAMES = 5
"""So many campaigns are named where one is not found."""

_SQLITE = re.compile(r"sqlite(\+aiosqlite)?:///")


def in_ledger(
    url: str,
    act: Callable[["Ledger"], Awaitable[T]],
    *,
    as_json: bool,
    may_be_new: bool = False,
) -> T:
    """Do something in a ledger.

    Args:
        url: Where it is.
        act: What to do; begins and ends while it is open.
        as_json: Whether a machine reads what went wrong.
        may_be_new: Whether a file that is not there yet is made.

    Raises:
        typer.BadParameter: What was asked for cannot be done, or keys are missing.
        typer.Exit: It failed, or was interrupted; that was told.
    """
    # The ledger's libraries are heavy, and an extra.
    with _needing_extras():
        from sens_async.campaign import CampaignNotFound, Ledger  # noqa: PLC0415
        from sens_async.cli.asking import conclude  # noqa: PLC0415

        if not may_be_new and _is_missing(url):
            place = "such ledger" if "@" in url else f"ledger {url}"  # it may hold a password
            raise typer.BadParameter(
                f"there is no {place}: sens campaign plan makes one, --ledger names another"
            )

        async def run() -> T:
            async with Ledger.open(url) as ledger:
                try:
                    return await act(ledger)
                except CampaignNotFound as error:
                    raise CampaignNotFound(f"{error}; {await _holds(url, ledger)}") from None

        return conclude(run, as_json=as_json)


async def _holds(url: str, ledger: "Ledger") -> str:
    names = [repr(campaign.name) for campaign in await ledger.list()]
    more = ["…"] if len(names) > _NAMES else []
    place = "it" if "@" in url else url  # no password is shown
    return f"{place} has {', '.join(names[:_NAMES] + more) or 'no campaigns'}"


def _is_missing(url: str) -> bool:
    path = _SQLITE.sub("", url, count=1)
    return "://" not in path and not Path(path).exists()


@contextmanager
def _needing_extras() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("sens_async"):
            raise
        extra = "postgres" if error.name == "asyncpg" else "campaign"
        text = f"sens campaign needs {error.name}: pip install 'sens-async[{extra}]'"
        typer.echo(text, err=True)
        raise typer.Exit(1) from None
