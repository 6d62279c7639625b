"""A process that plans a campaign and runs it, and says how far it is: a line of JSON each time.

What it is told is its one argument, as JSON: what an emulator's `ready_line` says, and `Orders`.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import TypedDict

from sqlalchemy import event
from sqlalchemy.pool import Pool

from sens_async import Credentials, OutcomeState, SensSession, Settings
from sens_async.campaign import Campaign, Ledger, LedgerError, engines
from sens_async.clock import SystemClock
from sens_async.emulator.clock import MovableClock

NAME = "autumn"
TEXT = "주문이 도착했습니다"
IN_FLIGHT = 8
BUSY_SECONDS = 0.1
"""How long this process waits for a file that somebody else has locked, in place of seconds."""


class Orders(TypedDict):
    """What a worker is told besides where SENS is.

    Attributes:
        ledger: Its file.
        people: How many to send to.
        ahead: Seconds by which its clock is ahead of the machine's.
        synchronous: What SQLite's setting is in place of the library's.
    """

    ledger: str
    people: int
    ahead: float
    synchronous: str


def number(place: int) -> str:
    return f"010{place:08d}"


async def planned(
    ledger: Ledger, sens: SensSession, count: int, watch: Callable[[int], None] | None = None
) -> Campaign:
    """Plan the campaign; the same as before, if it is there."""
    people = map(number, range(count))
    return await ledger.plan(sens, NAME, people, TEXT, guarantee="effectively_once", watch=watch)


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - this is how it speaks


def sync_less(synchronous: str) -> None:
    """Have SQLite wait less for the disk than the library tells it to."""

    def configure(connection, _record, _proxy) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.close()

    event.listen(Pool, "checkout", configure)


async def work(told: dict) -> None:
    clock = MovableClock(SystemClock())
    clock.advance(told["ahead"])
    session = SensSession(
        Credentials(told["access_key"], told["secret_key"]),
        service_id=told["service_id"],
        sender=told["sender"],
        settings=Settings(base_url=told["url"], rate_limit=None, max_in_flight=IN_FLIGHT),
        clock=clock,
    )
    async with session as sens, Ledger.open(told["ledger"], clock=clock) as ledger:
        campaign = await planned(ledger, sens, told["people"], lambda taken: say(taken=taken))
        await campaign.run(
            sens, watch=lambda status: say(accepted=status.counts[OutcomeState.ACCEPTED])
        )


def main(told: dict) -> None:
    engines._BUSY_SECONDS = BUSY_SECONDS
    if told["synchronous"] != "FULL":
        sync_less(told["synchronous"])
    try:
        asyncio.run(work(told))
    except LedgerError as error:
        say(error=type(error).__name__, text=str(error))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
