"""Which accepted requests are the unknown ones: a pure decision.

Two mistakes are possible, and both are worse than not knowing. Calling a request found that is
another leaves people without their message. Calling it absent that was accepted sends it to them
twice. So what is *found* must be equal, what is *absent* must be certain, and everything between
leaves a request unknown:

* Recipients must be equal as a multiset. Rows become visible one by one, so some of them are a
  request that is not visible yet, and somebody else among them is another request.
* Texts decide. A text counts as equal also where only its line ends, its Unicode form, HTML
  escapes or outer white space differ, since what the service does to them is not documented. One
  with the same letters and digits may be it.
* One request settles one unknown request. Of identical ones only the number can be known: as many
  are accepted as were found.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from enum import Enum, IntEnum, auto
from functools import cached_property
from html import unescape
from typing import NamedTuple

from sens_async.core.evidence import Evidence
from sens_async.models import ContentType, MessageType

__all__ = ["Candidate", "Finding", "Matcher", "Row", "Verdict", "match", "plain"]

EARLIEST = 60.0
"""Seconds before its signature from which on a request is too early to be taken for another."""

_TELLING_CHARACTERS = 40
"""Characters of which a longer text is recognised, if the service should cut it."""


class Row(NamedTuple):
    """One message of a request, as the service lists it; None where it does not say."""

    number: str
    text: str | None = None
    title: str | None = None
    type: str | None = None
    content_type: str | None = None
    country_code: str | None = None
    sender: str | None = None
    file_ids: tuple[str, ...] = ()
    message_id: str | None = None


class Candidate(NamedTuple):
    """A request that the service has accepted.

    Attributes:
        request_id: Its id.
        rows: Its messages, at least one, in any order.
        requested_at: When it was accepted, seconds since the epoch, or None.
        is_complete: Whether all rows that are visible were read.
        may_grow: Whether rows may be missing because they are not visible yet.
        is_misdated: Whether its date is outside the window in which the service lists it: then
            the date is not read as the service means it, and tells it from nothing.
    """

    request_id: str
    rows: Sequence[Row]
    requested_at: float | None = None
    is_complete: bool = True
    may_grow: bool = True
    is_misdated: bool = False


class Verdict(Enum):
    """What is known of an unknown request."""

    FOUND = auto()
    """It was accepted."""
    POSSIBLE = auto()
    """There is a request that may be it, or a part of it."""
    ABSENT = auto()
    """There is none that may be it; it may come yet."""


class Finding(NamedTuple):
    """What is known of one unknown request.

    Attributes:
        verdict: Found, possible or absent.
        request_id: Of the request that was found, else None.
        requested_at: When that was accepted, seconds since the epoch, or None.
        others: Ids of further requests. Found: those equal to the one that was found, as if the
            message had been sent more than once. Possible: those that may be it.
    """

    verdict: Verdict
    request_id: str | None = None
    requested_at: float | None = None
    others: tuple[str, ...] = ()


class _Likeness(IntEnum):
    """How like a request is to an unknown one."""

    OTHER = 0
    """Certainly another."""
    PART = 1
    """All it has belongs to the unknown one, which has more."""
    DOUBTFUL = 2
    """May be it."""
    LIKE = 3
    """Equal but for spelling."""
    SAME = 4
    """Equal."""


class Matcher:
    """Unknown requests, all of those that may compete for a candidate.

    Args:
        sought: The unknown requests.
    """

    def __init__(self, sought: Sequence[Evidence]) -> None:
        self._profiles = [_Profile(one) for one in sought]
        # Whoever is found depends on the requests and not on the order in which they were given.
        ranks = [(one.signed_at, one.token) for one in sought]
        self._order = sorted(range(len(sought)), key=ranks.__getitem__)
        self._by_number: defaultdict[str, list[int]] = defaultdict(list)
        for place in self._order:
            for number in self._profiles[place].places:
                self._by_number[number].append(place)

    def whose(self, candidate: Candidate, *, ahead: float = 0.0) -> list[int]:
        """Give the places of those that a candidate may be; see `match`."""
        return list(self._likes(candidate, ahead))

    def match(
        self,
        candidates: Sequence[Candidate],
        *,
        known: Collection[str] = (),
        ahead: float = 0.0,
    ) -> list[Finding]:
        """Find the unknown requests among accepted ones.

        Args:
            candidates: The accepted ones, in any order.
            known: Ids of candidates that belong to a request which is not sought.
            ahead: Seconds by which the clock that signed is known to be ahead of the gateway's.

        Returns:
            A finding for each that is sought, in their order.
        """
        offered = {one.request_id: one for one in candidates if one.request_id not in known}
        pool = sorted(offered.values(), key=_age)
        likeness = self._compare(pool, ahead)
        owners = _assign(likeness, self._order)
        taken = set(owners.values())
        findings = []
        for place, likes in enumerate(likeness):
            free = [c for c in sorted(likes) if c not in taken]
            if place in owners:
                found = pool[owners[place]]
                finding = Finding(Verdict.FOUND, found.request_id, found.requested_at)
                free = [c for c in free if likes[c] >= _Likeness.LIKE]
            else:
                finding = Finding(Verdict.POSSIBLE if free else Verdict.ABSENT)
            others = tuple(pool[c].request_id for c in free)
            findings.append(finding._replace(others=others))
        return findings

    def _compare(self, pool: Sequence[Candidate], ahead: float) -> list[dict[int, _Likeness]]:
        """Give, for each unknown request, the candidates that may be it."""
        likeness: list[dict[int, _Likeness]] = [{} for _ in self._profiles]
        for c, candidate in enumerate(pool):
            likes = self._likes(candidate, ahead)
            may_become_another = candidate.may_grow and _Likeness.PART in likes.values()
            for place, like in likes.items():
                is_open = may_become_another and like >= _Likeness.LIKE
                likeness[place][c] = _Likeness.DOUBTFUL if is_open else like
        return likeness

    def _likes(self, candidate: Candidate, ahead: float) -> dict[int, _Likeness]:
        likes: dict[int, _Likeness] = {}
        for place in self._by_number.get(_digits(candidate.rows[0].number), ()):
            like = self._profiles[place].compare(candidate, ahead)
            if like is not _Likeness.OTHER:
                likes[place] = like
        return likes


def match(
    sought: Sequence[Evidence],
    candidates: Sequence[Candidate],
    *,
    known: Collection[str] = (),
    ahead: float = 0.0,
) -> list[Finding]:
    """Find unknown requests among accepted ones, once; see `Matcher`."""
    return Matcher(sought).match(candidates, known=known, ahead=ahead)


def _age(candidate: Candidate) -> tuple[float, str]:
    at = candidate.requested_at
    return (float("inf") if at is None else at, candidate.request_id)


# -- which goes with which


def _assign(likeness: Sequence[dict[int, _Likeness]], order: Sequence[int]) -> dict[int, int]:
    """Give as many unknown requests as possible a candidate of their own, equal ones first."""
    owners: dict[int, int] = {}
    takers: dict[int, int] = {}
    for least in (_Likeness.SAME, _Likeness.LIKE):
        edges = []
        for likes in likeness:
            ranked = sorted((-like, c) for c, like in likes.items() if like >= least)
            edges.append([c for _, c in ranked])
        for place in order:
            if place not in owners:
                _augment(place, edges, owners, takers)
    return owners


def _augment(
    start: int, edges: Sequence[Sequence[int]], owners: dict[int, int], takers: dict[int, int]
) -> None:
    """Find one more unknown request a candidate, moving others to their next best if need be."""
    came_from: dict[int, int] = {}
    waiting = [start]
    for place in waiting:
        for c in edges[place]:
            if c in came_from:
                continue
            came_from[c] = place
            if c in takers:
                waiting.append(takers[c])
                continue
            free: int | None = c
            while free is not None:
                mover = came_from[free]
                freed = owners.get(mover)
                owners[mover], takers[free] = free, mover
                free = freed
            return


# -- whether it is it


class _Profile:
    """An unknown request, ready to be compared with many candidates."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.places: dict[str, int] = {}
        """Positions by number, in every spelling in which the service may list it."""
        code = evidence.country_code
        for place, number in enumerate(evidence.numbers):
            for spelling in (number, code + number, code + number.removeprefix("0")):
                self.places.setdefault(spelling, place)
        for place, number in enumerate(evidence.numbers):
            self.places[number] = place

    @cached_property
    def _texts(self) -> frozenset[str]:
        return frozenset(map(plain, self._evidence.texts))

    def compare(self, candidate: Candidate, ahead: float) -> _Likeness:
        """Say how like a candidate is, by the least like of its rows."""
        like = self._dated(candidate, ahead)
        if like is _Likeness.OTHER:
            return like
        seen: Counter[int] = Counter()
        has_text = False
        for row in {row.message_id or i: row for i, row in enumerate(candidate.rows)}.values():
            place = self.places.get(_digits(row.number))
            if place is None:
                return _Likeness.OTHER
            seen[place] += 1
            has_text = has_text or bool(row.text)
            like = min(like, self._enveloped(row), self._worded(row, place))
            if like is _Likeness.OTHER:
                return like
        if len(seen) < len(self._evidence.numbers) or not candidate.is_complete:
            return _Likeness.PART
        if not has_text or max(seen.values(), default=0) > 1:
            return min(like, _Likeness.DOUBTFUL)
        return like

    def _dated(self, candidate: Candidate, ahead: float) -> _Likeness:
        at = candidate.requested_at
        if at is None:
            return _Likeness.LIKE
        # The service's times are in whole seconds.
        if not any(start - 1 <= at <= end for start, end in self._evidence.spans):
            return _Likeness.DOUBTFUL if candidate.is_misdated else _Likeness.OTHER
        earliest = self._evidence.signed_at - max(0.0, ahead) - EARLIEST
        return _Likeness.SAME if at >= earliest else _Likeness.DOUBTFUL

    def _enveloped(self, row: Row) -> _Likeness:
        evidence = self._evidence
        for told, asked in (
            (row.content_type, evidence.content_type),
            (row.country_code, evidence.country_code),
            (row.sender, evidence.sender),
        ):
            if told and told.upper().lstrip("+") != asked:
                is_word = told.upper() in ContentType.__members__ or told.lstrip("+").isdigit()
                # A number may be listed with its country's code, a code with zeros before it.
                is_word = is_word and not told.endswith(asked.lstrip("0"))
                return _Likeness.OTHER if is_word else _Likeness.DOUBTFUL
        kind = row.type and row.type.upper()
        if kind and kind != evidence.type:
            if {kind, evidence.type} == {MessageType.LMS, MessageType.MMS}:
                # What an MMS without pictures is listed as is not documented.
                return _Likeness.DOUBTFUL if evidence.file_ids else _Likeness.LIKE
            is_word = kind in MessageType.__members__
            return _Likeness.OTHER if is_word else _Likeness.DOUBTFUL
        if row.file_ids and Counter(row.file_ids) != Counter(evidence.file_ids):
            return _Likeness.DOUBTFUL
        return _Likeness.SAME

    def _worded(self, row: Row, place: int) -> _Likeness:
        text, title = (
            self._own(self._evidence.texts, place),
            self._own(self._evidence.titles, place),
        )
        like = _Likeness.SAME
        if row.text:
            like = _agreement(row.text, text)
            if like is _Likeness.OTHER and plain(row.text) in self._texts:
                like = _Likeness.DOUBTFUL  # it may list the request's default text for everybody
        if row.title and title:
            like = min(like, _agreement(row.title, title))
        elif row.title and not plain(text).startswith(plain(row.title)):
            like = min(like, _Likeness.DOUBTFUL)
        elif row.title or title:
            like = min(like, _Likeness.LIKE)
        return like

    def _own(self, column: Sequence[str], place: int) -> str:
        return column[0] if len(column) == 1 else column[place]


def _agreement(told: str, asked: str) -> _Likeness:
    if told == asked:
        return _Likeness.SAME
    if plain(told) == plain(asked):
        return _Likeness.LIKE
    bare, wanted = _bare(told), _bare(asked)
    if bare == wanted:
        return _Likeness.DOUBTFUL
    is_cut = len(bare) >= _TELLING_CHARACTERS and wanted.startswith(bare)
    return _Likeness.DOUBTFUL if is_cut else _Likeness.OTHER


def _digits(number: str) -> str:
    return number if number.isdigit() else "".join(filter(str.isdigit, number))


def plain(text: str) -> str:
    """A text without what may be spelt in several ways."""
    lines = unescape(text).replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", lines).strip()


def _bare(text: str) -> str:
    """Letters and digits alone."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", unescape(text)))).casefold()
