"""`sens campaign purge`: the personal data of campaigns that are over."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sens_async.cli.campaign.options import DEFAULT_LEDGER, AsJson, LedgerUrl
from sens_async.cli.confirming import Yes, may_confirm
from sens_async.cli.refusing import refusing
from sens_async.core.schedule import KST

if TYPE_CHECKING:
    from sens_async.campaign import Ledger

__all__ = ["purge"]


def purge(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The campaign's.")] = None,
    *,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="All that were planned so long ago: 90d, 12w."),
    ] = None,
    yes: Yes = False,
    json: AsJson = False,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Remove the numbers, texts and keys of campaigns that are over. 개인정보 삭제.

    Counts and request ids stay. What is not over is left alone: finish it first.

    [dim]sens campaign purge --older-than 90d --yes[/]
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.campaign.ledgers import in_ledger  # noqa: PLC0415
    from sens_async.cli.campaign.steps import is_open  # noqa: PLC0415
    from sens_async.cli.console import make_console  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415
    from sens_async.cli.moments import InvalidMoment, read_age  # noqa: PLC0415

    with refusing():
        if (name is None) == (older_than is None):
            raise InvalidMoment("give either a NAME or --older-than")
        age = None if older_than is None else read_age(older_than, option="--older-than")

    async def find(ledger: "Ledger") -> list[str]:
        if name is not None:
            return [(await ledger.campaign(name)).name]
        assert age is not None
        before = datetime.now(KST) - age
        return [
            campaign.name
            for campaign in await ledger.list()
            if campaign.planned_at < before
            and campaign.purged_at is None
            and not is_open(await campaign.status())
        ]

    async def remove(ledger: "Ledger") -> list[str]:
        if name is not None:
            await (await ledger.campaign(name)).purge()
            return [name]
        assert age is not None
        return list(await ledger.purge(older_than=age))

    if may_confirm(yes=yes, json=json):
        found = in_ledger(ledger, find, as_json=json)
        if found:
            named = ", ".join(found)
            typer.confirm(
                f"Remove numbers, texts and keys of {named}? There is no way back. "
                "개인정보를 삭제할까요?",
                abort=True,
            )
    purged = in_ledger(ledger, remove, as_json=json)
    if json:
        print_document({"purged": list(purged)})
    elif purged:
        make_console().print(f"[accepted]purged 삭제됨[/]  {escape(', '.join(purged))}")
    else:
        make_console().print("[soft]nothing to purge 삭제할 캠페인 없음[/]")
