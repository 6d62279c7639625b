"""What the answers to questions say: rows, states, or that there is nothing.

On a service without matching records the live service answers a list with a 404 and no body; that
is "nothing (yet)". A 404 with an error body is an error: the service id or the path is wrong.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sens_async.core.pages import Page, ReservationAnswer, read, read_all
from sens_async.core.responses import Response, read_failure, refusal, unreadable
from sens_async.core.schedule import parse_time
from sens_async.deliveries import Delivery
from sens_async.errors import ApiError, SensError, UnreadableResponse
from sens_async.models import Reservation, ReservationStatus, Unsubscribe

__all__ = [
    "Cancellation",
    "read_cancellation",
    "read_done",
    "read_message",
    "read_opt_outs",
    "read_page",
    "reads_reservation",
]

_REFUSES_TO_CANCEL = frozenset({400, 404, 409, 410, 422})
"""Which of them the service uses is not documented; one client has seen 400."""


class Cancellation(NamedTuple):
    """Answer to a request to cancel.

    Attributes:
        refusal: Why it was refused, as far as the answer tells, or None if it was done.
    """

    refusal: ApiError | None


def read_page(response: Response) -> Page | SensError | None:
    """Read a page of a list; None for the answer that there is nothing."""
    if _is_nothing(response):
        return None
    if not _is_success(response):
        return read_failure(response)
    try:
        page = read(response.body, Page)
    except ValueError as cause:
        return _illegible(response, f"no list of messages ({cause})")
    if not page.messages and page.status_name == "fail":
        # It does not say that there are none; absence must not be concluded from it.
        return unreadable(response, "a list without rows whose statusName is 'fail'")
    return page


def read_message(response: Response) -> Delivery | SensError:
    """Read the answer to the question for one message."""
    if _is_nothing(response):
        return refusal(response, "there is no message of this id")
    page = read_page(response)
    if page is None or isinstance(page, SensError):
        return page or unreadable(response, "nothing")
    if not page.messages:
        text = "there is no message of this id, or it is not listed yet"
        return refusal(response._replace(status=404), text)
    if len(page.messages) > 1:
        return _illegible(response, f"{len(page.messages)} messages instead of one")
    return page.messages[0]


def reads_reservation(reserve_id: str) -> Callable[[Response], Reservation | SensError]:
    """Give what reads the state of one reservation.

    Args:
        reserve_id: What was asked for, where the answer does not repeat it.
    """

    def read_reservation(response: Response) -> Reservation | SensError:
        if _is_nothing(response):
            return refusal(response, "there is no reservation of this id")
        if not _is_success(response):
            return read_failure(response)
        try:
            answer = read(response.body, ReservationAnswer)
        except ValueError as cause:
            return unreadable(response, f"no state of a reservation ({cause})")
        word = answer.reserve_status
        return Reservation(
            reserve_id=answer.reserve_id or reserve_id,
            status=ReservationStatus.__members__.get(word.upper(), word),
            reserve_at=_reserved_time(answer.reserve_time, answer.reserve_time_zone),
            zone=answer.reserve_time_zone,
        )

    return read_reservation


def read_cancellation(response: Response) -> Cancellation | SensError:
    """Read the answer to a request to cancel a reservation."""
    if _is_success(response):
        return Cancellation(None)
    if response.status in _REFUSES_TO_CANCEL:
        return Cancellation(refusal(response, "the reservation was not cancelled"))
    return read_failure(response)


def read_opt_outs(response: Response) -> tuple[Unsubscribe, ...] | SensError:
    """Read a page of the opt-out list: a bare array."""
    if _is_nothing(response):
        return ()
    if not _is_success(response):
        return read_failure(response)
    try:
        return read_all(response.body, Unsubscribe)
    except ValueError as cause:
        return _illegible(response, f"no list of numbers ({cause})")


def read_done(response: Response) -> bool | SensError:
    """Read an answer of which only its status matters."""
    return True if _is_success(response) else read_failure(response)


def _illegible(response: Response, what: str) -> UnreadableResponse:
    """Give the error for an answer that may hold other people's messages: it keeps none of it."""
    hidden = b"<%d bytes>" % len(response.body)
    return unreadable(response._replace(body=hidden), what)


def _is_success(response: Response) -> bool:
    return 200 <= response.status < 300


def _is_nothing(response: Response) -> bool:
    return response.status == 404 and not response.body.strip()


def _reserved_time(text: str | None, zone: str | None) -> datetime | None:
    """Read the only time of the service that may have an offset, or be local to another zone."""
    try:
        time = datetime.fromisoformat(text or "")
        if time.tzinfo is None and zone is not None:
            time = time.replace(tzinfo=ZoneInfo(zone))
        return parse_time(time.isoformat())
    except (ValueError, OverflowError, OSError, KeyError):  # the last: there is no such zone
        return None
