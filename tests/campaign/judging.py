"""The laws of a campaign, judged by the emulator's admission log.

I1  Nobody is accepted twice; under `at_least_once` whoever is, is said to be a possible duplicate.
I2  Everybody has exactly one outcome, and none is left open. Under a guarantee that sends again,
    it is `ACCEPTED`, or `REJECTED` for those whom the service refuses.
I3  Who is `ACCEPTED` with an id is in the log under that id, with exactly those who share it.
I4  Who is in the log is `ACCEPTED` or `UNKNOWN`.
I5  Each request was announced by a durable intent with its signature time, when it arrived.
I8  After a kill no more requests are open than a run may note at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from campaign.kill_worker import INTENDED, number
from campaign.killing import Trial
from integration.invariants import LawBroken

from sens_async.campaign import CampaignOutcome
from sens_async.emulator import Admission
from sens_async.models import OutcomeState

ENDS = {OutcomeState.ACCEPTED, OutcomeState.REJECTED, OutcomeState.UNKNOWN}


async def judge(over: Trial) -> Counter[OutcomeState]:
    """Check all laws of a trial that is over, and tell its figures; how many ended how.

    Raises:
        LawBroken: Naming who.
    """
    await over.nothing_is_late()
    outcomes, status = await over.report()
    log, guarantee = over.emulator.admissions, over.orders.guarantee
    told = [(outcome.index, outcome.number) for outcome in outcomes]
    given = [(i, number(i)) for i in range(over.orders.people)]
    _check(told == given, "the outcomes are not those of who was given")
    for outcome in outcomes:
        is_refused = outcome.number in over.emulator.refuse_numbers
        _check_outcome(outcome, log.get(outcome.number, ()), guarantee, is_refused=is_refused)
    _check_requests(outcomes, log)
    counts = Counter(outcome.state for outcome in outcomes)
    _check(+status.counts == counts, f"the status counts {status.counts}, the report {counts}")
    unannounced, out = over.arrivals.unannounced, over.most_in_flight
    _check(not unannounced, f"requests without an intent, signed at {unannounced}")
    _check(out <= INTENDED, f"{out} requests were open after a kill, {INTENDED} may be")
    ends = ", ".join(f"{state} {count}" for state, count in sorted(counts.items()))
    print(f"{over.figures}; {ends}")  # noqa: T201 - shown by `pytest -rP`
    return counts


def _check_outcome(
    outcome: CampaignOutcome,
    accepted: Sequence[Admission],
    guarantee: str,
    *,
    is_refused: bool,
) -> None:
    state = outcome.state
    is_twice_told = guarantee == "at_least_once" and outcome.possible_duplicate
    _check(len(accepted) <= 1 or is_twice_told, f"{outcome} was accepted twice: {accepted}")
    _check(state in ENDS, f"{outcome} is left open")
    if guarantee == "effectively_once":
        _check(state is not OutcomeState.UNKNOWN, f"{outcome} is unknown")
    _check(
        (state is OutcomeState.REJECTED) <= is_refused <= (state is not OutcomeState.ACCEPTED),
        f"{outcome} is {'' if is_refused else 'not '}refused",
    )
    if accepted:
        _check(state is not OutcomeState.REJECTED, f"{outcome} was accepted")
    has_id = outcome.request_id is not None
    _check(has_id == (state is OutcomeState.ACCEPTED), f"{outcome} has the id of no acceptance")


def _check_requests(
    outcomes: Sequence[CampaignOutcome], log: Mapping[str, Sequence[Admission]]
) -> None:
    """I3: a request is of exactly those of whom it is said to be."""
    requests: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for to, accepted in log.items():
        for one in accepted:
            requests[one.request_id][to] += 1
    claims: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        if outcome.request_id is not None:
            claims[outcome.request_id][str(outcome.number)] += 1
    for request_id, numbers in claims.items():
        _check(
            numbers == requests[request_id],
            f"{request_id} is said to be of {numbers}, and was of {requests[request_id]}",
        )


def sent_twice(log: Mapping[str, Sequence[Admission]]) -> list[str]:
    """Give the numbers that were accepted more than once."""
    return [to for to, accepted in log.items() if len(accepted) > 1]


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise LawBroken(what)
