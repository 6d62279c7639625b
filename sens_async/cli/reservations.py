"""`sens reservations`: where a reserved send is, and cancelling it."""

from typing import TYPE_CHECKING, Annotated

import typer

from sens_async.cli.confirming import Yes, may_confirm
from sens_async.cli.console import make_console

if TYPE_CHECKING:
    from sens_async.models import Reservation
    from sens_async.session import SensSession

__all__ = ["reservations"]

reservations = typer.Typer(
    help="See and cancel what is reserved. 예약 발송 확인, 취소.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The request id that sending gave.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@reservations.command()
def status(reserve_id: _Id, json: _Json = False) -> None:
    """Say where a reservation is. 예약 상태 조회.

    Exits with 0 if it is known, whatever its state; else with 1.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.asking import ask  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415
    from sens_async.cli.reservation_words import document_of  # noqa: PLC0415

    found = ask(lambda session: session.reservations.get(reserve_id), as_json=json)
    if json:
        print_document(document_of(found))
    else:
        _show(found)


@reservations.command()
def cancel(
    reserve_id: _Id,
    yes: Yes = False,
    json: _Json = False,
) -> None:
    """Cancel a reservation that still waits: none of its recipients gets it. 예약 취소.

    Exits with 0 if it is cancelled, also if it was before; else with 1.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.asking import ask  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415
    from sens_async.models import ReservationStatus  # noqa: PLC0415

    if may_confirm(yes=yes, json=json):
        found = ask(lambda session: session.reservations.get(reserve_id), as_json=json)
        _show(found)
        if found.status != ReservationStatus.CANCELED:
            typer.confirm("Cancel it for all recipients? 모두 취소할까요?", abort=True)

    async def cancelled(session: "SensSession") -> None:
        await session.reservations.cancel(reserve_id)

    ask(cancelled, as_json=json)
    if json:
        print_document({"reserve_id": reserve_id, "status": "CANCELED"})
    else:
        make_console().print("[accepted]cancelled 취소됨[/]  [soft]nothing will be sent[/]")


def _show(found: "Reservation") -> None:
    from sens_async.cli.reservation_words import lines_of  # noqa: PLC0415

    console = make_console()
    for line in lines_of(found):
        console.print(line)
