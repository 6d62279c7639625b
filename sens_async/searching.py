"""One search: rounds of questions to SENS for several unknown requests at once."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from sens_async.attempt import Gateway
from sens_async.core.evidence import Evidence
from sens_async.core.listing import Listing, Pager
from sens_async.core.matching import Candidate, Finding, Row, Verdict, match, may_be
from sens_async.core.schedule import from_epoch
from sens_async.core.signing import SIGNATURE_LIFETIME
from sens_async.core.windows import as_window
from sens_async.deliveries import Delivery
from sens_async.errors import (
    AuthenticationFailed,
    PermissionDenied,
    SensError,
    SessionClosed,
    UnreadableResponse,
    without_traceback,
)
from sens_async.outcomes import OutcomeBatch
from sens_async.readback import Readback

T = TypeVar("T")

__all__ = ["Search", "Sought"]

_PARALLEL = 4
"""Questions on the wire at a time."""

_PATIENCE = 5
"""Rounds in which a request that is due could not be settled, before it is left unknown."""

_RETENTION = 89 * 86_400.0
"""Seconds for which absence from a list means anything: it goes 90 days back (SENS API: List
messages)."""

_LONGEST = 29 * 86_400.0
"""Seconds of the longest window that is asked for at once; the service takes 30 days."""

_AHEAD = 60.0
"""Seconds by which a window may end after now."""

_CONTROLS = 3
"""Accepted requests of which one must be found before absence means anything."""


class Sought:
    """An unknown request and what is known of it.

    Attributes:
        evidence: What is looked for.
        finding: What the last round found.
        failure: Why the last round could not ask for all of it, or None.
        is_absent: Whether it is certain that it was not accepted.
        is_given_up: Whether asking again would not settle it.
        reason: Why it is unknown.
        misses: Rounds in which it was due and could not be settled.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.finding = Finding(Verdict.ABSENT)
        self.failure: SensError | None = None
        self.is_absent = False
        self.is_given_up = False
        self.reason = "it was not looked for"
        self.misses = 0

    @property
    def is_unknown(self) -> bool:
        """Whether it is neither found nor certainly absent."""
        return self.finding.verdict is not Verdict.FOUND and not self.is_absent

    @property
    def can_settle(self) -> bool:
        """Whether time may settle it."""
        return self.evidence.is_final

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Ids of the request that was found and of those equal to it, if there are any."""
        finding = self.finding
        if finding.request_id is None or not finding.others:
            return ()
        return (finding.request_id, *finding.others)


class _Question(NamedTuple):
    """One series of list calls, and for whom it is."""

    listing: Listing
    sought: Sequence[Sought]


class _Found:
    """An accepted request, as far as its rows were read."""

    def __init__(self) -> None:
        self.rows: dict[str, Delivery] = {}
        self.read_at: float | None = None

    def add(self, row: Delivery) -> None:
        """Take in a row; what an earlier answer told of it and this one does not, is kept."""
        key = row.message_id or f"{row.number} {len(self.rows)}"
        old = self.rows.get(key)
        if old is None or row.content or not old.content:
            self.rows[key] = row

    @property
    def requested_at(self) -> float | None:
        """The earliest time that its rows tell, seconds since the epoch."""
        times = [row.requested_at.timestamp() for row in self.rows.values() if row.requested_at]
        return min(times, default=None)

    def candidate(self, request_id: str, settle: float) -> Candidate:
        """Give it as it is compared.

        Args:
            request_id: Its id.
            settle: Seconds after which absence is believed. What remains of them when a signature
                is invalid is the time until all that was accepted is listed.
        """
        at, read_at = self.requested_at, self.read_at
        lag = max(0.0, settle - SIGNATURE_LIFETIME)
        return Candidate(
            request_id,
            [_row(row) for row in self.rows.values()],
            at,
            is_complete=read_at is not None,
            may_grow=read_at is None or at is None or read_at < at + lag,
        )


class Search:
    """A search for unknown requests among what SENS has accepted.

    Args:
        readback: Asks.
        gateway: Whose clocks count.
        sought: The unknown requests.
        settle: Seconds after which absence is believed.
        known: Ids of requests that are none of them.
        controls: Requests known to be accepted, by which it is tried whether asking works.

    Attributes:
        sought: What is looked for.
    """

    def __init__(
        self,
        readback: Readback,
        gateway: Gateway,
        sought: Sequence[Evidence],
        *,
        settle: float,
        known: Collection[str],
        controls: Sequence[OutcomeBatch],
    ) -> None:
        self.sought = [Sought(evidence) for evidence in sought]
        self._readback = readback
        self._gateway = gateway
        self._settle = settle
        self._known = known
        self._controls = controls
        self._is_controlled: bool | None = None if controls else True
        self._found: defaultdict[str, _Found] = defaultdict(_Found)
        self._fatal: SensError | None = None
        clock = gateway.clock
        self._began = clock.time(), clock.monotonic()

    @property
    def open(self) -> list[Sought]:
        """What further rounds may settle."""
        if self._fatal is not None:
            return []
        return [one for one in self.sought if one.is_unknown and not one.is_given_up]

    def seconds_until_due(self) -> float:
        """How long until the next of what is open can be settled; 0 if some are due."""
        now = self._at(self._local_time())
        due = min(one.evidence.settles_at(self._settle) for one in self.open)
        return max(0.0, due - now)

    async def look(self) -> None:
        """Ask once for everything that is open, and decide.

        Raises:
            SessionClosed: The session was closed.
        """
        began, looking = self._local_time(), self.open
        for one in looking:
            one.failure = None
        thorough = [one for one in looking if self._is_due(one, self._at(began))]
        numbers = {one: self._numbers(one, is_thorough=one in thorough) for one in looking}
        questions = self._questions(numbers, self._at(began))
        seen: dict[str, list[Delivery]] = defaultdict(list)
        await _each(lambda question: self._ask(question, seen), questions)
        await _each(lambda one: self._read(one, seen[one]), self._unread(seen))
        if isinstance(self._fatal, SessionClosed):
            raise self._fatal
        now = self._at(began)
        due = [one for one in thorough if self._is_due(one, now)]
        self._decide()
        if self._is_controlled is None and any(self._would_be_absent(one) for one in due):
            await self._control(due[0].evidence.sender)
        for one in looking:
            self._conclude(one, now, is_due=one in due)

    # -- deciding

    def _decide(self) -> None:
        ahead = max(0.0, self._gateway.signer.lag)
        found = match(
            [one.evidence for one in self.sought],
            [one.candidate(request_id, self._settle) for request_id, one in self._found.items()],
            known=self._known,
            ahead=ahead,
        )
        for one, finding in zip(self.sought, found, strict=True):
            one.finding = finding

    def _is_due(self, one: Sought, now: float) -> bool:
        return now >= one.evidence.settles_at(self._settle)

    def _would_be_absent(self, one: Sought) -> bool:
        return one.finding.verdict is Verdict.ABSENT and one.failure is None

    def _conclude(self, one: Sought, now: float, *, is_due: bool) -> None:
        """Believe that a request is absent, or say why not."""
        is_absent = self._would_be_absent(one)
        if one.finding.verdict is Verdict.FOUND:
            return
        if one.failure is not None:
            name = type(one.failure).__name__
            one.reason = f"SENS could not be asked: {name}: {one.failure}"
        elif one.finding.verdict is Verdict.POSSIBLE:
            one.reason = f"{_some(one.finding.others)} may be it, and cannot be told for certain"
        elif now - one.evidence.signed_at > _RETENTION:
            one.reason = "it was signed longer ago than SENS lists messages"
            one.is_given_up = True
        elif not one.evidence.is_final:
            one.reason = "SENS lists no such request, but it may have been sent again in parts"
        elif is_absent and is_due and self._is_controlled is not True:
            one.reason = (
                "SENS does not list a request that it has accepted: its list proves nothing"
            )
        elif is_absent and is_due:
            one.is_absent = True
        else:
            one.reason = "SENS lists no such request yet"
        if is_due and not one.is_absent:
            one.misses += 1
            one.is_given_up = one.is_given_up or one.misses >= _PATIENCE

    # -- asking

    def _numbers(self, one: Sought, *, is_thorough: bool) -> Iterable[str]:
        """By whom a request is looked for: by two of its recipients where it matters."""
        numbers = one.evidence.numbers
        return dict.fromkeys((numbers[0], numbers[-1]) if is_thorough else numbers[:1])

    def _questions(self, numbers: dict[Sought, Iterable[str]], now: float) -> list[_Question]:
        """Give the lists to ask for; one serves all who ask the same."""
        wanted: defaultdict[tuple[str, str], list[tuple[float, float, Sought]]] = defaultdict(list)
        for one, some in numbers.items():
            for number in some:
                for start, end in one.evidence.spans:
                    until = min(end, now + _AHEAD)
                    if start < until:
                        wanted[one.evidence.sender, number].append((start, until, one))
        questions = []
        for (sender, number), spans in wanted.items():
            spans.sort(key=lambda span: span[:2])
            while spans:
                start, end, one = spans.pop(0)
                together = [one]
                while spans and spans[0][0] <= end and spans[0][1] - start <= _LONGEST:
                    _, until, other = spans.pop(0)
                    end = max(end, until)
                    together.append(other)
                questions.append(_Question(_listing(sender, number, start, end), together))
        return questions

    async def _ask(self, question: _Question, seen: dict[str, list[Delivery]]) -> None:
        """Ask for a window, and note the requests that have rows in it."""
        try:
            for row in await self._rows(question.listing):
                request_id = row.request_id or await self._request_of(row)
                seen[request_id].append(row)
        except SensError as error:
            self._fail(error, question.sought)

    async def _request_of(self, row: Delivery) -> str:
        """Find out whose row it is, where the list does not say."""
        if row.message_id is None:
            raise UnreadableResponse("a listed message has neither request id nor message id")
        for request_id, found in self._found.items():
            if row.message_id in found.rows:
                return request_id
        detail = await self._readback.message(row.message_id)
        if detail.request_id is None:
            raise UnreadableResponse("a message does not say which request it belongs to")
        self._found[detail.request_id].add(detail)
        return detail.request_id

    def _unread(self, seen: dict[str, list[Delivery]]) -> list[str]:
        """Note the rows that were seen, and say which requests have to be read as a whole."""
        for request_id, rows in seen.items():
            for row in rows:
                self._found[request_id].add(row)
        ahead = max(0.0, self._gateway.signer.lag)
        matched = {one.finding.request_id for one in self.sought}
        return [
            request_id
            for request_id, found in self._found.items()
            if request_id not in self._known
            and not (request_id in matched and found.read_at is not None)
            and any(
                may_be(one.evidence, found.candidate(request_id, self._settle), ahead=ahead)
                for one in self.open
            )
        ]

    async def _read(self, request_id: str, seen: Sequence[Delivery]) -> None:
        """Read all rows of a request."""
        found, began = self._found[request_id], self._at(self._local_time())
        try:
            for row in await self._rows(Listing(request_id=request_id)):
                found.add(row)
            told = [row for row in found.rows.values() if row.content]
            if not told and (one := next((row for row in seen if row.message_id), None)):
                found.add(await self._readback.message(str(one.message_id)))
        except SensError as error:
            self._fail(error, ())  # it stays incomplete, and so keeps others from being absent
            return
        found.read_at = began

    async def _rows(self, listing: Listing) -> list[Delivery]:
        """Give a whole list.

        Raises:
            SensError: It could not be read to its end, or says that there is more to come.
        """
        pager = Pager(listing, self._gateway.service.messages)
        rows: list[Delivery] = []
        while pager.target is not None:
            page = await self._readback.page(pager.target)
            rows.extend(pager.turn(page))
            if page is not None and not page.messages and page.status_name == "reserved":
                raise UnreadableResponse("the list says that what it holds is reserved", status=200)
        return rows

    def _fail(self, error: SensError, sought: Iterable[Sought]) -> None:
        for one in sought:
            one.failure = without_traceback(error)
        if isinstance(error, AuthenticationFailed | PermissionDenied | SessionClosed):
            self._fatal = error

    async def _control(self, sender: str) -> None:
        """Try whether asking in the same way finds what is known to be there."""
        now = self._at(self._local_time())
        near = self.sought[0].evidence.signed_at
        old = [
            one
            for one in self._controls
            if one.attempted_at is not None and now - one.attempted_at >= self._settle
        ]
        old.sort(key=lambda one: abs((one.attempted_at or 0.0) - near))
        self._is_controlled = True
        for one in old[:_CONTROLS]:
            at, number = one.attempted_at, one.numbers[0]
            if at is None or number is None:
                continue
            try:
                rows = await self._rows(_listing(sender, number, at - 420.0, at + 420.0))
                ids = {row.request_id or await self._request_of(row) for row in rows}
            except SensError as error:
                self._fail(error, ())
                ids = set()
            if one.request_id in ids:
                self._is_controlled = True
                return
            self._is_controlled = None

    # -- time

    def _local_time(self) -> float:
        """Our time; a clock that was set ahead meanwhile makes nothing older."""
        clock = self._gateway.clock
        began, monotonic = self._began
        return min(clock.time(), began + clock.monotonic() - monotonic)

    def _at(self, local: float) -> float:
        """Give the gateway's time at one of ours: the earliest that it can have been."""
        signer = self._gateway.signer
        return local + signer.offset - max(0.0, signer.lag)


async def _each(work: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Do some work for each, a few at a time."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(_PARALLEL):
            group.create_task(worker())


def _listing(sender: str, number: str, start: float, end: float) -> Listing:
    window = as_window(from_epoch(start), from_epoch(end), names=("start", "end"))
    return Listing(requested=window, sender=sender, to=number)


def _row(row: Delivery) -> Row:
    return Row(
        row.number,
        row.content,
        row.subject,
        row.type,
        row.content_type,
        row.country_code,
        row.sender,
        row.file_ids,
        row.message_id,
    )


def _some(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1} more"
