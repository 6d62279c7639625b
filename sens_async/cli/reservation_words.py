"""What the states of a reservation mean, for people and machines."""

from collections.abc import Mapping

from rich.text import Text

from sens_async.core.schedule import KST
from sens_async.models import Reservation, ReservationStatus

__all__ = ["document_of", "lines_of"]

_WORDS: Mapping[str, tuple[str, str, str]] = {
    ReservationStatus.READY: (
        "it waits for its time; only now can it be cancelled",
        "예약 시각을 기다리는 중, 지금만 취소 가능",
        "skipped",
    ),
    ReservationStatus.PROCESSING: (
        "it is being sent; too late to cancel",
        "발송 처리 중, 취소 불가",
        "skipped",
    ),
    ReservationStatus.CANCELED: (
        "it was cancelled; nothing was sent",
        "취소됨, 발송되지 않음",
        "rejected",
    ),
    ReservationStatus.FAIL: (
        "sending failed",
        "발송 실패",
        "bad",
    ),
    ReservationStatus.DONE: (
        "it was handed on; who got it says sens results",
        "발송 처리 완료, 도착 여부는 sens results로 확인",
        "accepted",
    ),
    ReservationStatus.STALE: (
        "it timed out",
        "시간 초과로 만료됨",
        "bad",
    ),
    ReservationStatus.SKIP: (
        "the service it belongs to does not exist any more",
        "서비스가 더 이상 존재하지 않아 건너뜀",
        "bad",
    ),
}
"""State -> its meaning in English and Korean, and a style of the theme."""

_STRANGE = ("a state that this version does not know", "알 수 없는 상태", "rejected")


def lines_of(reservation: Reservation) -> list[Text]:
    """Say where a reservation is and what that means, in two lines."""
    english, korean, style = _WORDS.get(reservation.status, _STRANGE)
    at = ""
    if reservation.reserve_at is not None:
        at = f"  for 예약 {reservation.reserve_at.astimezone(KST):%Y-%m-%d %H:%M} KST"
    return [
        Text.assemble((str(reservation.status), style), at),
        Text.assemble(english, (f"  {korean}", "soft")),
    ]


def document_of(reservation: Reservation) -> dict[str, object]:
    """The same for machines."""
    english, korean, _ = _WORDS.get(reservation.status, _STRANGE)
    at = reservation.reserve_at
    return {
        "reserve_id": reservation.reserve_id,
        "status": str(reservation.status),
        "english": english,
        "korean": korean,
        "reserve_at": at and at.isoformat(),
        "zone": reservation.zone,
        "is_final": reservation.is_final,
        "is_cancellable": reservation.is_cancellable,
    }
