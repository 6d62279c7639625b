"""The campaign of `sens demo`: a shop writes to its customers, all of them invented.

Everything comes from a seed. The list is as real lists are: numbers in every spelling, some that
are none, customers with an emoji in their name, some entered twice, some with much to say.
"""

import random
from collections.abc import Iterator

from sens_async.models import Recipient

__all__ = ["CONTENT", "MMS_CONTENT", "MMS_SUBJECT", "customers", "phone_numbers"]

CONTENT = "[모아상점] {name}님, 주문 {order} {product}{particle} 오늘 도착합니다.{note}"
"""At most 90 bytes with every name and product, as long as the note is empty."""

MMS_SUBJECT = "가을 감사 쿠폰"
MMS_CONTENT = "[모아상점] 단골 고객님께 30% 할인 쿠폰을 드립니다. 이번 주말까지 사용해 주세요."

_SURNAMES = (  # about as often as they are met
    "김김김김김김김이이이이이박박박최최정정강조윤장임한오서신권황안"
    "송전홍유고문양손배백허남심노하곽성차주우구민"
)
_GIVEN = (  # noqa: SIM905 - words read best as words
    "민준 서준 도윤 예준 시우 하준 지호 주원 지후 준우 도현 건우 우진 현우 선우 서진 유준 "
    "정우 승우 승현 준혁 은우 지환 민재 태윤 재윤 시윤 동현 성민 영호 서연 서윤 지우 서현 "
    "하은 하윤 민서 지유 윤서 채원 수아 지민 지윤 은서 다은 예은 소율 예린 수빈 소윤 지안 "
    "유나 가은 나은 하린 혜진 미영 정숙 영희 은정 봄 솔 훈 준 진 결 율 린"
).split()
_PRODUCTS = (
    "감귤 5kg",
    "캠핑 의자",
    "한우 세트",
    "무선 이어폰",
    "햅쌀 10kg",
    "기계식 키보드",
    "겨울 이불",
    "유기농 달걀",
    "원두 500g",
    "아동 운동화",
    "홍삼정",
    "가습기",
    "텀블러",
    "수분 크림",
    "고구마 3kg",
)
_NOTES = (
    """

부재 시 문 앞에 놓아 드립니다. 공동현관 비밀번호가 필요하시면 이 번호로 답장해 주시고,
신선식품은 받으신 즉시 냉장 보관해 주세요. 이용해 주셔서 감사합니다.""",
    """

이번 주문으로 1,200원이 적립되었습니다. 적립금은 다음 주문부터 쓰실 수 있으며,
유효 기간은 적립일로부터 1년입니다. 자세한 내용은 앱의 '내 혜택'에서 확인해 주세요.""",
    """

주문하신 상품 중 일부가 따로 출발하여 두 번에 나누어 도착할 수 있습니다.
불편을 드려 죄송하며, 배송비는 추가되지 않습니다.""",
)
_NO_NUMBERS = ("010-1234", "없음", "", "+1 415 555 0134", "010-12345-67890", "1588-0000", "02-12")
_EMOJI = "🌸🐱😊🍀💛🎉"

_LONG, _BAD, _EMOJI_NAME, _TWICE = 0.04, 0.004, 0.003, 0.01


def phone_numbers(count: int, rng: random.Random) -> list[str]:
    """Draw distinct mobile numbers, digits only."""
    return [f"010{n}" for n in rng.sample(range(20_000_000, 100_000_000), count)]


def customers(count: int, seed: int) -> list[Recipient]:
    """Invent a list of customers.

    Args:
        count: How many rows.
        seed: The same seed gives the same list.

    Returns:
        Recipients with the fields `CONTENT` names; a row given twice is the same twice.
    """
    rng = random.Random(seed)  # noqa: S311 - people are invented here, not keys
    numbers = phone_numbers(count, rng)
    rows: list[Recipient] = []
    for index, number in enumerate(numbers):
        if rows and rng.random() < _TWICE:
            rows.append(rng.choice(rows))
        else:
            rows.append(_customer(index, number, rng))
    return rows


def _customer(index: int, number: str, rng: random.Random) -> Recipient:
    name = rng.choice(_SURNAMES) + rng.choice(_GIVEN)
    to = _spelled(number, rng)
    if rng.random() < _EMOJI_NAME:
        name += rng.choice(_EMOJI)
    if rng.random() < _BAD:
        to = rng.choice(_NO_NUMBERS)
    product = rng.choice(_PRODUCTS)
    fields = {
        "name": name,
        "order": f"{rng.randrange(20_260_901, 20_260_931)}-{index:05d}",
        "product": product,
        "particle": _particle(product[-1]),
        "note": rng.choice(_NOTES) if rng.random() < _LONG else "",
    }
    return Recipient(to, fields=fields, key=f"C{index:05d}")


def _particle(last: str) -> str:
    """`이` after a final consonant, else `가`; units are read 그램 or 킬로그램."""
    return "가" if last >= "가" and (ord(last) - ord("가")) % 28 == 0 else "이"


def _spelled(number: str, rng: random.Random) -> str:
    return rng.choices(list(_spellings(number)), (70, 20, 4, 3, 2, 1))[0]


def _spellings(number: str) -> Iterator[str]:
    head, middle, tail = number[:3], number[3:7], number[7:]
    yield f"{head}-{middle}-{tail}"
    yield number
    yield f"+82 {head[1:]} {middle} {tail}"
    yield number[1:]
    yield f"{head}.{middle}.{tail}"
    yield number.translate({ord("0") + digit: "０１２３４５６７８９"[digit] for digit in range(10)})
