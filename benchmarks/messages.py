"""What is sent, to whom, and the bytes that it becomes."""

from collections.abc import Mapping, Sequence

import attrs

from benchmarks.library import PER_REQUEST, open_session
from sens_async import Recipient
from sens_async.core.requests import Request
from sens_async.core.responses import Response
from sens_async.transport import Handover

__all__ = ["SHARED", "TEMPLATE", "Stock", "bodies", "numbers", "people"]

SHARED = "안녕하세요. 주문하신 상품이 오늘 도착할 예정입니다."
TEMPLATE = "{name}님, 주문 {order} 상품이 {day} 도착할 예정입니다. 감사합니다."


def numbers(count: int) -> list[str]:
    """Give mobile numbers, no two alike."""
    return [f"010{n:08}" for n in range(count)]


def people(count: int) -> list[Recipient]:
    """Give recipients with the three fields of `TEMPLATE`."""
    return [
        Recipient(number, fields={"name": "홍길동", "order": f"A-{n:06}", "day": "내일"})
        for n, number in enumerate(numbers(count))
    ]


class _Recorder:
    """A transport that keeps the bodies it is given, and accepts them all."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def exchange(
        self,
        request: Request,
        headers: Mapping[str, str],  # noqa: ARG002 - a transport's
        handover: Handover,
    ) -> Response:
        handover.begun = True
        self.bodies.append(request.body)
        return Response(202, b'{"requestId":"RSSA-recorded","statusName":"success"}')

    async def aclose(self) -> None:
        """Hold nothing, close nothing."""


async def bodies(recipients: Sequence[str | Recipient], content: str) -> list[bytes]:
    """Give the very requests that the library makes of this, in order.

    They are what bare aiohttp posts, so both sides of a ratio put the same bytes on the wire
    whatever the library makes of them.
    """
    recorder = _Recorder()
    async with open_session("http://127.0.0.1", max_in_flight=1, transport=recorder) as sens:
        await sens.send_many(recipients, content)
    return recorder.bodies


@attrs.frozen
class Stock:
    """Recipients and ready-made requests to take from, made once; whole requests only.

    Attributes:
        numbers: Recipients of the shared text.
        people: Recipients of the personalised one.
        shared: Requests to `numbers`.
        personal: Requests to `people`.
    """

    numbers: Sequence[str]
    people: Sequence[Recipient]
    shared: Sequence[bytes]
    personal: Sequence[bytes]

    @classmethod
    async def made(cls, *, shared: int, personal: int) -> "Stock":
        """Make recipients of both texts, and their requests."""
        plain, named = numbers(shared), people(personal)
        return cls(plain, named, await bodies(plain, SHARED), await bodies(named, TEMPLATE))

    def first(self, recipients: int) -> "Stock":
        """Give the part with the first so many recipients."""
        requests = recipients // PER_REQUEST
        return Stock(
            self.numbers[:recipients],
            self.people[:recipients],
            self.shared[:requests],
            self.personal[:requests],
        )
