"""A worker process: plans a campaign, runs it, and ends at the moment that it was told to.

Everything that is changed about the library is changed here, in this process: the marked points,
the scale of time (a signature lives for a second and a half in place of five minutes, a request
holds three people in place of a hundred), and for control runs one of its safeguards.
"""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import attrs
from campaign.marked_points import Fate, Marks

from sens_async import Credentials, RetryPolicy, SensSession, Settings, Timeouts
from sens_async.attempt import Gateway
from sens_async.campaign import CampaignConflict, CampaignStatus, Ledger, LedgerBusy
from sens_async.errors import ConnectFailed
from sens_async.models import OutcomeState

NAME = "autumn"
TEXT = "주문이 도착했습니다"
BATCH = 3
IN_FLIGHT = 8
INTENDED = 2 * IN_FLIGHT
"""Requests that a run has noted at a time: half of them wait for others to be answered."""

SIGNATURE_LIFETIME = 1.5
LONGEST_EXCHANGE = 0.8
SCALE = {
    "MESSAGES_PER_REQUEST": BATCH,
    "SIGNATURE_LIFETIME": SIGNATURE_LIFETIME,
    "_FRESH_MS": 500,
    "LEASE_SECONDS": 1.5,
    "_LONGEST_PAUSE": 0.5,
}
"""Constants of the library, and what they are in this process wherever they were imported."""

FINISHED, UNFINISHED, BUSY = 0, 3, 4
"""How a worker exits; it is busy while another one owns the file, or is still planning."""


@attrs.frozen(kw_only=True)
class Orders:
    """What a worker is told.

    Attributes:
        ledger: Its URL.
        url: Where SENS is.
        access_key: Of the service there; so are the next three.
        secret_key: Not a secret.
        service_id: Its one service.
        sender: Its calling number.
        people: How many to send to.
        guarantee: Of the campaign.
        settle: Seconds until absence is believed.
        fate: Where it ends; None to work on until there is nothing to do.
        sabotage: The name of the safeguard that it lacks; see `SABOTAGE`.
    """

    ledger: str
    url: str
    access_key: str
    secret_key: str
    service_id: str
    sender: str
    people: int
    guarantee: str
    settle: float
    fate: Fate | None = None
    sabotage: str | None = None


def number(i: int) -> str:
    """The phone number of the i-th recipient."""
    return f"010{i:08d}"


def place_of(number: str) -> int:
    """Whose number it is."""
    return int(number.removeprefix("010"))


def is_over(status: CampaignStatus) -> bool:
    """Whether there is nothing left that a further run could do."""
    counts = status.counts
    is_open = counts[OutcomeState.NOT_SENT] or status.in_flight
    return not is_open and counts[OutcomeState.UNKNOWN] == status.unproven


def work(orders: Orders) -> None:
    """Be the worker, until the end."""
    marks = Marks(orders.fate)
    marks.install()
    for name, value in SCALE.items():
        _set_everywhere(name, value)
    if orders.sabotage is not None:
        SABOTAGE[orders.sabotage](orders)
    sys.exit(asyncio.run(_work(orders, marks)))


async def _work(orders: Orders, marks: Marks) -> int:
    settings = Settings(
        base_url=orders.url,
        rate_limit=None,
        max_in_flight=IN_FLIGHT,
        timeouts=Timeouts(connect=0.3, total=LONGEST_EXCHANGE),
        retry=RetryPolicy(backoff=0.01, pause=0.05, max_wait=0.2, outage_pause=0.1),
    )
    credentials = Credentials(orders.access_key, orders.secret_key)
    session = SensSession(
        credentials, service_id=orders.service_id, sender=orders.sender, settings=settings
    )
    try:
        async with session as sens, Ledger.open(orders.ledger) as ledger:
            marks.phase = "plan"
            people = map(number, range(orders.people))
            campaign = await ledger.plan(sens, NAME, people, TEXT, guarantee=orders.guarantee)
            marks.phase = "run"
            status = await campaign.run(sens, settle=orders.settle)
            return FINISHED if is_over(status) else UNFINISHED
    except (LedgerBusy, CampaignConflict):
        return BUSY


def _set_everywhere(name: str, value: object) -> None:
    """Set a constant in every module of the library that has it."""
    having = [
        module
        for path, module in list(sys.modules.items())
        if path.startswith("sens_async.") and hasattr(module, name)
    ]
    if not having:
        raise LookupError(f"nothing in the library is called {name}")
    for module in having:
        setattr(module, name, value)


# -- control runs: each takes one safeguard away


def _forget_intents(orders: Orders) -> None:
    """What was only intended dies with its process, as if it had not been durable."""
    if Path(orders.ledger).exists():
        with closing(sqlite3.connect(orders.ledger, isolation_level=None)) as ledger:
            ledger.execute("UPDATE sens_batch SET state = 'PLANNED' WHERE state = 'INFLIGHT'")


def _sign_at_send(_: Orders) -> None:
    """Requests are signed when they are sent, whatever time their intent holds."""
    send = Gateway.send

    async def sign_now(gateway, body, handover, *, timestamp_ms=None):
        return await send(gateway, body, handover)

    Gateway.send = sign_now


def _retry_blindly(_: Orders) -> None:
    """Whatever fails counts as not sent."""
    send = Gateway.send

    async def send_again(gateway, body, handover, *, timestamp_ms=None):
        attempt = await send(gateway, body, handover, timestamp_ms=timestamp_ms)
        if attempt.error is None or not attempt.error.may_have_been_sent:
            return attempt
        return attempt._replace(error=ConnectFailed("so it seems", is_retryable=True))

    Gateway.send = send_again


SABOTAGE = {
    "intents that are not durable": _forget_intents,
    "signing at send time": _sign_at_send,
    "blind retry": _retry_blindly,
}
