"""One search: rounds of questions to SENS for several unknown requests at once."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from sens_async.attempt import Gateway
from sens_async.catalogue import Catalogue, Span
from sens_async.core.evidence import MARGIN, Evidence, list_lag
from sens_async.core.matching import Finding, Matcher, Verdict
from sens_async.core.signing import SIGNATURE_LIFETIME
from sens_async.errors import (
    AuthenticationFailed,
    PermissionDenied,
    SensError,
    SessionClosed,
    without_traceback,
)
from sens_async.outcomes import OutcomeBatch
from sens_async.readback import Readback

T = TypeVar("T")

__all__ = ["RETENTION", "Search", "Sought"]

_PARALLEL = 4
"""Questions on the wire at a time."""

_PATIENCE = 5
"""Rounds in which a request that is due could not be settled, before it is left unknown."""

RETENTION = 89 * 86_400.0
"""Seconds for which a list's silence means anything: it goes 90 days back (SENS API: List
messages)."""

_LONGEST = 29 * 86_400.0
"""Seconds of the longest window that is asked for at once; the service takes 30 days."""

_AHEAD = 60.0
"""Seconds by which a window may end after now."""

_CONTROLS = 3
"""Accepted requests of which one must be listed before it means anything that others are not."""


class Sought:
    """An unknown request and what is known of it.

    Attributes:
        evidence: What is looked for.
        finding: What the last round found.
        failure: Why the last round could not ask for all of it, or None.
        is_absent: Whether it is certain that it was not accepted.
        is_given_up: Whether asking again would not settle it.
        misses: Rounds in which it was due and could not be settled.
        reason: Why it is unknown.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.finding = Finding(Verdict.ABSENT)
        self.failure: SensError | None = None
        self.is_absent = False
        self.is_given_up = False
        self.misses = 0
        self.reason = "it was not looked for"

    @property
    def is_unknown(self) -> bool:
        """Whether it is neither found nor certainly absent."""
        return self.finding.verdict is not Verdict.FOUND and not self.is_absent

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Ids of the request that was found and of those equal to it, if there are any."""
        finding = self.finding
        if finding.request_id is None or not finding.others:
            return ()
        return (finding.request_id, *finding.others)

    def conclude(self, now: float, *, is_due: bool, is_list_good: bool) -> None:
        """Believe that it is absent, or say why not.

        Args:
            now: The gateway's time when the round began.
            is_due: Whether everything that was accepted was listed by then.
            is_list_good: Whether the list is known to show what was accepted.
        """
        if self.finding.verdict is Verdict.FOUND:
            return
        if self.failure is not None:
            name = type(self.failure).__name__
            self.reason = f"SENS could not be asked: {name}: {self.failure}"
        elif self.finding.verdict is Verdict.POSSIBLE:
            one, *more = self.finding.others
            which = f"{one} and {len(more)} more" if more else one
            self.reason = f"{which} may be it, and cannot be told for certain"
        elif now - self.evidence.signed_at > RETENTION:
            self.reason = "it was signed longer ago than SENS lists messages"
            self.is_given_up = True
        elif not self.evidence.is_final:
            self.reason = "SENS lists no such request, but it may have been sent again in parts"
        elif not is_due:
            self.reason = "SENS lists no such request yet"
        elif not is_list_good:
            self.reason = (
                "SENS does not list a request that it has accepted: its list proves nothing"
            )
        else:
            self.is_absent = True
            return
        self.misses += is_due
        self.is_given_up = self.is_given_up or self.misses >= _PATIENCE


class _Question(NamedTuple):
    """A window to look through, and for whom."""

    sender: str
    number: str
    span: Span
    sought: Sequence[Sought]


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
        self._matcher = Matcher(sought)
        self._catalogue = Catalogue(readback, gateway, settle)
        self._clock = gateway.clock
        self._signer = gateway.signer
        self._settle = settle
        self._known = set(known)
        self._controls = controls
        self._is_list_good = not controls
        self._fatal: SensError | None = None
        self._began = self._clock.time(), self._clock.monotonic()

    @property
    def open(self) -> list[Sought]:
        """What further rounds may settle."""
        if self._fatal is not None:
            return []
        return [one for one in self.sought if one.is_unknown and not one.is_given_up]

    def seconds_until_due(self) -> float:
        """How long until the next of what is open can be settled; 0 if some are due."""
        due = min(one.evidence.settles_at(self._settle) for one in self.open)
        return max(0.0, due - self._gateway_time(self._local_time()))

    def found_numbers(self) -> set[str]:
        """Give one number of each request that was found."""
        found = (one for one in self.sought if one.finding.verdict is Verdict.FOUND)
        return {one.evidence.numbers[0] for one in found}

    def exclude(self, known: Collection[str]) -> bool:
        """Take no notice of further requests.

        Args:
            known: Their ids.

        Returns:
            Whether one of them had been taken for one that is sought.
        """
        self._known.update(known)
        is_wrong = any(one.finding.request_id in self._known for one in self.sought)
        if is_wrong:
            self._decide()
        return is_wrong

    async def look(self) -> None:
        """Ask once for everything that is open, and decide.

        Raises:
            SessionClosed: The session was closed.
        """
        began, looking = self._local_time(), self.open
        now = self._gateway_time(began)
        thorough = {one for one in looking if now >= one.evidence.settles_at(self._settle)}
        for one in looking:
            one.failure = None
        await _each(self._ask, self._questions(looking, thorough, now))
        self._catalogue.forget(self._known)
        await _each(self._read, self._unread(looking))
        self._decide()
        now = self._gateway_time(began)  # the answers may have told more of the gateway's clock
        due = {one for one in thorough if now >= one.evidence.settles_at(self._settle)}
        absent = (one for one in due if one.finding.verdict is Verdict.ABSENT and not one.failure)
        if not self._is_list_good and (doubted := next(absent, None)):
            self._is_list_good = await self._lists_controls(doubted.evidence)
        if isinstance(self._fatal, SessionClosed):
            raise self._fatal
        for one in looking:
            one.conclude(now, is_due=one in due, is_list_good=self._is_list_good)

    def _decide(self) -> None:
        candidates = list(self._catalogue)
        found = self._matcher.match(candidates, known=self._known, ahead=self._signer.lag)
        for one, finding in zip(self.sought, found, strict=True):
            one.finding = finding
            if finding.verdict is not Verdict.ABSENT:  # listed later than anything should be
                one.is_absent = False

    # -- asking

    def _questions(
        self, looking: Iterable[Sought], thorough: Collection[Sought], now: float
    ) -> list[_Question]:
        """Give the windows to look through; one serves all who ask the same.

        A request is looked for by its first recipient, and where its absence may be believed, by
        its last one, too.
        """
        wanted: defaultdict[tuple[str, str], list[tuple[Span, Sought]]] = defaultdict(list)
        for one in looking:
            evidence = one.evidence
            ends = {evidence.numbers[0], evidence.numbers[-1 if one in thorough else 0]}
            for number in ends:
                for start, end in evidence.spans:
                    if start < now:
                        span = start, min(end, now + _AHEAD)
                        wanted[evidence.sender, number].append((span, one))
        questions = []
        for (sender, number), asked in wanted.items():
            asked.sort(key=lambda pair: pair[0], reverse=True)
            while asked:
                (start, end), one = asked.pop()
                together = [one]
                while asked and asked[-1][0][0] <= end and asked[-1][0][1] - start <= _LONGEST:
                    (_, until), one = asked.pop()
                    end = max(end, until)
                    together.append(one)
                questions.append(_Question(sender, number, (start, end), together))
        return questions

    async def _ask(self, question: _Question) -> None:
        sender, number, span, sought = question
        try:
            await self._catalogue.look(sender, number, span)
        except SensError as error:
            self._note(error)
            for one in sought:
                one.failure = without_traceback(error)

    def _unread(self, looking: Collection[Sought]) -> list[str]:
        """Give the requests that have to be read as a whole: those that may be an open one."""
        wanted = set(looking)
        places = {place for place, one in enumerate(self.sought) if one in wanted}
        found = {one.finding.request_id for one in self.sought}
        return [
            candidate.request_id
            for candidate in self._catalogue
            if not (candidate.is_complete and candidate.request_id in found)
            and not places.isdisjoint(self._matcher.whose(candidate, ahead=self._signer.lag))
        ]

    async def _read(self, request_id: str) -> None:
        """Read a request; one that cannot be read keeps those it may be from being absent."""
        try:
            await self._catalogue.read(request_id, self._gateway_time(self._local_time()))
        except SensError as error:
            self._note(error)

    async def _lists_controls(self, evidence: Evidence) -> bool:
        """Try whether asking in the same way finds what is known to be there."""
        now = self._gateway_time(self._local_time())
        lag = list_lag(self._settle)
        old = [
            (one.attempted_at, one.numbers[0], one.request_id)
            for one in self._controls
            if one.attempted_at is not None and now - one.attempted_at >= lag
        ]
        old.sort(key=lambda control: abs(control[0] - evidence.signed_at))
        reach = SIGNATURE_LIFETIME + MARGIN
        for at, number, request_id in old[:_CONTROLS]:
            try:
                found = await self._catalogue.look(
                    evidence.sender, str(number), (at - reach, at + reach)
                )
            except SensError as error:
                self._note(error)
                continue
            if request_id in found:
                return True
        return not old

    def _note(self, error: SensError) -> None:
        """Take note of an error after which no question will be answered."""
        if isinstance(error, AuthenticationFailed | PermissionDenied | SessionClosed):
            self._fatal = error

    # -- time

    def _local_time(self) -> float:
        """Our time; a clock that was set ahead meanwhile makes nothing older."""
        began, monotonic = self._began
        return min(self._clock.time(), began + self._clock.monotonic() - monotonic)

    def _gateway_time(self, local: float) -> float:
        """Give the gateway's time at one of ours: the earliest that it can have been."""
        return local + self._signer.offset - max(0.0, self._signer.lag)


async def _each(work: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Do some work for each, a few at a time."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(_PARALLEL):
            group.create_task(worker())
