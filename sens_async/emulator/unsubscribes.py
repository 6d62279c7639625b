"""Numbers whose owners want no advertising: the 080 opt-outs.

Source: SENS API, "List / register / delete 080 opt-out numbers". When each number was on the list
is kept, so that a message can be judged later by the moment at which it left.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, cast
from urllib.parse import parse_qs

import attrs

from sens_async.emulator.answers import Refused, korean_time

__all__ = ["MAX_NUMBERS", "OptOut", "Unsubscribes"]

MAX_NUMBERS = 1000
"""In one request that adds or removes."""
MAX_PAGE = 100

RegisterType = Literal["C", "M"]


@attrs.define
class OptOut:
    """A number on the list.

    Attributes:
        number: As it was registered, digits only.
        at: Since when, seconds since the epoch.
        kind: `C` if its owner called the 080 number, `M` if it was added by hand.
        until: When it was taken off the list; None while it is on it.
    """

    number: str
    at: float
    kind: RegisterType = "M"
    until: float | None = None


class Unsubscribes:
    """The opt-out list. Iterating gives what is on it now, in the order of registration."""

    def __init__(self) -> None:
        self._listed: dict[str, OptOut] = {}
        self._past: dict[str, list[OptOut]] = {}

    def __iter__(self) -> Iterator[OptOut]:
        return iter(self._listed.values())

    def __len__(self) -> int:
        return len(self._listed)

    def __contains__(self, number: object) -> bool:
        return number in self._listed

    def __repr__(self) -> str:
        return f"<Unsubscribes: {len(self)} numbers>"

    def add(self, numbers: Iterable[str], at: float, kind: RegisterType = "M") -> list[OptOut]:
        """Put numbers on the list; one that is there already stays as it is."""
        return [self._listed.setdefault(number, OptOut(number, at, kind)) for number in numbers]

    def remove(self, numbers: Iterable[str], at: float) -> None:
        """Take numbers off the list; one that is not there is passed over."""
        for number in numbers:
            gone = self._listed.pop(number, None)
            if gone is not None:
                gone.until = at
                self._past.setdefault(number, []).append(gone)

    def clear(self) -> None:
        """Forget all numbers, as if they had never been there."""
        self._listed.clear()
        self._past.clear()

    def blocked(self, number: str, at: float) -> bool:
        """Whether a number was on the list at a moment."""
        listed = self._listed.get(number)
        if listed is not None and listed.at <= at:
            return True
        return any(
            entry.at <= at and (entry.until is None or at < entry.until)
            for entry in self._past.get(number, ())
        )

    def page(self, query: str) -> list[OptOut]:
        """What a query string asks for.

        Raises:
            Refused: With 400, naming the parameter.
        """
        fields = parse_qs(query)
        number = fields.get("clientTelNo", [None])[0]
        start, end = _whole(fields, "startTime"), _whole(fields, "endTime")
        index = _whole(fields, "pageIndex") or 0
        size = _whole(fields, "pageSize")
        size = MAX_PAGE if size is None else size
        if not 1 <= size <= MAX_PAGE:
            raise Refused(f"pageSize has to be 1 to {MAX_PAGE}")
        matching = [
            entry
            for entry in self
            if (number is None or entry.number == number)
            and (start is None or int(entry.at * 1000) >= start)
            and (end is None or int(entry.at * 1000) <= end)
        ]
        return matching[index * size : (index + 1) * size]


def described(entry: OptOut) -> dict[str, str]:
    """An opt-out as the service writes it."""
    return {
        "clientTelNo": entry.number,
        "registerTime": korean_time(entry.at),
        "registerType": entry.kind,
    }


def read_numbers(payload: object) -> list[str]:
    """The numbers of a request that adds or removes some.

    Raises:
        Refused: With 400, naming what is wrong.
    """
    if not isinstance(payload, list) or not payload:
        raise Refused("the body has to be a JSON array of objects with a clientTelNo")
    if len(payload) > MAX_NUMBERS:
        raise Refused(f"the body has {len(payload)} numbers, at most {MAX_NUMBERS} are allowed")
    numbers = []
    for i, item in enumerate(cast("list[object]", payload)):
        number = item.get("clientTelNo") if isinstance(item, dict) else None
        if not (isinstance(number, str) and number.isascii() and number.isdigit()):
            raise Refused(f"[{i}].clientTelNo has to be digits only")
        numbers.append(number)
    return numbers


def _whole(fields: Mapping[str, list[str]], name: str) -> int | None:
    if name not in fields:
        return None
    text = fields[name][0]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refused(f"{name} has to be a number")
    return int(text)
