"""`sens results`: who got the messages of one request."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import attrs
import typer
from rich.markup import escape

from sens_async.cli.look_up_options import AsJson, CsvFile, Overwrite, Unmasked
from sens_async.cli.refusing import refusing

if TYPE_CHECKING:
    from rich.console import Console

    from sens_async.cli.delivery_output import DeliveryOutput
    from sens_async.cli.draining import Ending
    from sens_async.deliveries import Delivery
    from sens_async.models import Reservation
    from sens_async.session import SensSession

__all__ = ["results"]


@attrs.define
class _Found:
    """What is known of a request.

    Attributes:
        deliveries: Its messages by their ids, as they were last seen.
        ending: How reading ended.
        reservation: Where it is reserved, if nothing of it is listed.
    """

    deliveries: "list[Delivery]"
    ending: "Ending"
    reservation: "Reservation | None" = None


def results(
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="What sending it gave, also in --out.")
    ],
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow it until every message has its result.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds to wait; else as long as it takes, an hour for an unlisted id. "
            "Implies --wait.",
        ),
    ] = None,
    unmasked: Unmasked = False,
    json: AsJson = False,
    csv: CsvFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Say who got the messages of a request, and why others did not. 도착 결과.

    JSON and CSV hold whole numbers and texts.
    Exits with 0 if all were delivered; with 1 if one failed, has no result yet or is not listed.
    Ctrl-C ends --wait with what is known by then.

    [dim]sens results RSSA-1764031180535-0001-00000001-aBcDeFgH --wait[/]
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.asking import ask  # noqa: PLC0415
    from sens_async.cli.delivery_output import DeliveryOutput  # noqa: PLC0415

    with refusing():
        output = DeliveryOutput(
            "deliveries",
            as_json=json,
            csv=csv,
            overwrite=overwrite,
            unmasked=unmasked,
            of_one_request=True,
        )

    async def read(session: "SensSession") -> _Found:
        if wait or timeout is not None:
            return await _follow(session, request_id, timeout, output.console)
        return await _look_up(session, request_id)

    try:
        found = ask(read, as_json=json)
    except BaseException:
        output.discard()
        raise
    raise typer.Exit(_tell(request_id, found, output, as_json=json))


async def _look_up(session: "SensSession", request_id: str) -> _Found:
    from sens_async.cli.draining import drain  # noqa: PLC0415

    deliveries: list[Delivery] = []
    ending = await drain(session.deliveries(request_id), deliveries.append)
    found = _Found(deliveries, ending)
    await _look_for_reservation(session, request_id, found)
    return found


async def _follow(
    session: "SensSession",
    request_id: str,
    timeout: float | None,  # noqa: ASYNC109 - that of the tracking
    console: "Console",
) -> _Found:
    from sens_async.cli.draining import Ending  # noqa: PLC0415
    from sens_async.cli.watch import watching  # noqa: PLC0415
    from sens_async.errors import InvalidMessage, InvalidQuery, SensError  # noqa: PLC0415

    tracking = session.track(request_id, timeout=timeout)
    seen: dict[str, Delivery] = {}
    ending = Ending()
    with watching(console, seen, tracking.reservations):
        try:
            async for delivery in tracking:
                seen[delivery.message_id or delivery.number] = delivery
        except (InvalidMessage, InvalidQuery):
            raise
        except SensError as error:
            ending.error = error
        except asyncio.CancelledError:
            ending.is_interrupted = True
    if not seen and not ending.is_interrupted:
        ending.error = ending.error or tracking.last_error
    return _Found(list(seen.values()), ending, tracking.reservations.get(request_id))


async def _look_for_reservation(session: "SensSession", request_id: str, found: _Found) -> None:
    """What is reserved is not listed before it goes out."""
    from sens_async.errors import ApiError, SensError  # noqa: PLC0415

    if found.deliveries or found.ending.exit_code:
        return
    try:
        found.reservation = await session.reservations.get(request_id)
    except ApiError:
        pass  # what the service says of an id that is no reservation's is not documented
    except SensError as error:
        found.ending.error = error


def _tell(request_id: str, found: _Found, output: "DeliveryOutput", *, as_json: bool) -> int:
    """Tell of a request, and give the exit code."""
    from sens_async.cli.asking import tell_error  # noqa: PLC0415
    from sens_async.cli.documents import error_document  # noqa: PLC0415
    from sens_async.cli.reservation_words import document_of, lines_of  # noqa: PLC0415

    ending, rows = found.ending, found.deliveries
    are_delivered = bool(rows) and all(row.is_delivered for row in rows)
    exit_code = ending.exit_code or int(not are_delivered)
    if rows and not as_json:
        first, number = rows[0], len(rows)
        at = f", {first.requested_at:%Y-%m-%d %H:%M:%S} KST" if first.requested_at else ""
        kind = f"{escape(first.type)} " if first.type else ""
        noun = "message" if number == 1 else "messages"
        output.console.print(
            f"\n[brand]results 결과[/]  [soft]{number:,} {kind}{noun}{at}[/]\n", soft_wrap=True
        )
    for row in rows:
        output.add(row)
    rest = {
        "request_id": request_id,
        "reservation": found.reservation and document_of(found.reservation),
        "is_final": bool(rows) and all(row.is_final for row in rows),
        "stopped_by": ending.error and error_document(ending.error),
        "exit_code": exit_code,
    }
    output.end(rest, is_whole=not ending.exit_code)
    if not as_json:
        if found.reservation is not None and not rows:
            for line in lines_of(found.reservation):
                output.console.print(line)
        elif not rows and not ending.exit_code:
            output.console.print("[rejected]nothing is listed under this id 조회되지 않음[/]")
            output.console.print(
                "[soft]it was accepted a moment ago, is older than 90 days, or of another service "
                "방금 접수, 90일 경과, 또는 다른 서비스[/]"
            )
        if ending.error is not None:
            tell_error(ending.error)
    return exit_code or int(output.is_broken)
