"""What `sens demo` runs: the real client against the emulator, over real sockets, with faults."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic

import attrs

from sens_async.cli.demo_data import CONTENT, MMS_CONTENT, MMS_SUBJECT, customers, phone_numbers
from sens_async.cli.hints import explained
from sens_async.cli.tally import Tally
from sens_async.config import RetryPolicy, Settings, Timeouts
from sens_async.emulator import Admission, Emulator, EmulatorOptions, Fault, FaultKind
from sens_async.models import OutcomeState, Receipt, Recipient
from sens_async.outcomes import OutcomeBatch
from sens_async.report import BulkReport

__all__ = ["FAULTS", "Rehearsal", "Verdict", "judge", "rehearse"]

TIMEOUT = 1.0
"""Seconds after which the client takes a request for lost."""

LATENESS = 1.2
"""Seconds by which a late request is late: accepted when nobody waits for the answer any more."""

SETTINGS = Settings(
    rate_limit=None,
    timeouts=Timeouts(connect=TIMEOUT / 2, total=TIMEOUT),
    retry=RetryPolicy(backoff=0.02, pause=0.05, max_wait=0.5, outage_pause=0.1),
)

FAULTS = (
    Fault(kind=FaultKind.STATUS, status=503),
    Fault(kind=FaultKind.STATUS, status=500, accept=True),
    Fault(kind=FaultKind.DROP),
    Fault(kind=FaultKind.DROP, accept=True),
    Fault(kind=FaultKind.RESET, accept=True),
    Fault(kind=FaultKind.HANG),
    Fault(kind=FaultKind.LATE, delay=LATENESS),
    Fault(kind=FaultKind.HALF, accept=True),
    Fault(kind=FaultKind.HALF_HEAD),
    Fault(kind=FaultKind.GARBAGE),
    Fault(kind=FaultKind.HTML, status=502),
    Fault(kind=FaultKind.NO_ID, accept=True),
    Fault(kind=FaultKind.THROTTLE),
    Fault(kind=FaultKind.RATE),
    Fault(kind=FaultKind.TOO_MANY, times=1),  # twice without a code may mean a quota: that stops
    Fault(kind=FaultKind.TOO_LARGE),
)
"""Every way in which a request can go wrong, but for those that rightly end the whole run, as a
wrong key or a used-up quota does."""

REFUSED_BY_SENS = 2
"""Recipients whom the service itself refuses, and with them any request that holds them."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What the client said of everybody, held against what the emulator accepted.

    Attributes:
        admitted: Messages in the log.
        people: Numbers in the log.
        twice: Numbers that were accepted more than once.
        missing: Reported as accepted, and not in the log.
        unexpected: Reported as refused or not sent, and in the log.
        unknown_admitted: Reported as unknown, and in the log.
    """

    admitted: int
    people: int
    twice: int
    missing: int
    unexpected: int
    unknown_admitted: int

    @property
    def is_good(self) -> bool:
        """Whether nobody got it twice and every report was true."""
        return not (self.twice or self.missing or self.unexpected)


@attrs.frozen(kw_only=True)
class Rehearsal:
    """What happened.

    Attributes:
        tally: The run's counts.
        report: The run's report.
        verdict: The report held against the log.
        faults: Requests that met a fault, by its kind.
        requests: Requests that reached the emulator.
        elapsed: Seconds that sending took.
        coupon: The receipt of the MMS.
        picture: Its JPEG.
        samples: An admission of each message type.
    """

    tally: Tally
    report: BulkReport
    verdict: Verdict
    faults: Counter[str]
    requests: int
    elapsed: float
    coupon: Receipt
    picture: bytes
    samples: dict[str, Admission]


def judge(report: BulkReport, emulator: Emulator) -> Verdict:
    """Hold a report of messages that all differ against the admission log."""
    log = emulator.admissions
    missing = unexpected = unknown_admitted = 0
    skipped = OutcomeState.SKIPPED  # says nothing of the number, which went out before
    for outcome in report.outcomes:
        is_admitted = outcome.number in log
        if outcome.state is OutcomeState.ACCEPTED:
            missing += not is_admitted
        elif outcome.state is OutcomeState.UNKNOWN:
            unknown_admitted += is_admitted
        elif outcome.state is not skipped:
            unexpected += is_admitted
    return Verdict(
        admitted=log.total,
        people=len(log),
        twice=sum(len(admissions) > 1 for admissions in log.values()),
        missing=missing,
        unexpected=unexpected,
        unknown_admitted=unknown_admitted,
    )


class _Watched(BulkReport):
    """A report that also counts causes, and tells that it grew."""

    def __init__(self, tally: Tally, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tally = tally
        self._tell = tell

    def add(self, batch: OutcomeBatch) -> None:
        super().add(batch)
        self._tally.add(explained(batch))
        self._tell()


async def rehearse(
    recipients: int,
    *,
    seed: int,
    faults: float,
    picture: bytes,
    tally: Tally,
    tell: Callable[[], None],
) -> Rehearsal:
    """Send a campaign and a coupon to nobody.

    Args:
        recipients: Rows of the campaign.
        seed: Of people, faults and ids.
        faults: The probability of each of `FAULTS` for each request, 0 to 1.
        picture: What goes with the MMS.
        tally: Is counted in, for a display.
        tell: Called when it has grown.
    """
    people = customers(recipients, seed)
    (regular,) = phone_numbers(1, random.Random(f"coupon {seed}"))  # noqa: S311 - invented
    options = EmulatorOptions(latency=0.005)
    async with Emulator(seed=seed, options=options) as emulator:
        async with emulator.session(settings=SETTINGS) as sens:
            coupon = await sens.send(regular, MMS_CONTENT, subject=MMS_SUBJECT, images=[picture])
            _order_faults(emulator, faults)
            emulator.refuse_numbers = set(_some_valid(people, REFUSED_BY_SENS))
            report = _Watched(tally, tell)
            began = monotonic()
            await sens.send_many(people, CONTENT, report=report)
            elapsed = monotonic() - began
        await asyncio.sleep(LATENESS - TIMEOUT + 0.1)  # what is late arrives, and is judged, too
        return Rehearsal(
            tally=tally,
            report=report,
            verdict=judge(report, emulator),
            faults=Counter(entry.fault for entry in emulator.requests if entry.fault),
            requests=len(emulator.requests),
            elapsed=elapsed,
            coupon=coupon,
            picture=picture,
            samples=_samples(emulator),
        )


def _order_faults(emulator: Emulator, probability: float) -> None:
    if probability > 0:
        for fault in FAULTS:
            emulator.add_fault(attrs.evolve(fault, probability=probability))


def _some_valid(people: Sequence[Recipient], count: int) -> list[str]:
    plain = (person.to for person in people if len(person.to) == 11 and person.to.isascii())
    return [number for number, _ in zip(plain, range(count), strict=False)]


def _samples(emulator: Emulator) -> dict[str, Admission]:
    samples: dict[str, Admission] = {}
    for batch in emulator.admissions.batches:
        for admission in batch:
            samples.setdefault(admission.type, admission)
            break
    return samples
