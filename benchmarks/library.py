"""sens-async as a client among others: everything on, and a rate limit that never waits."""

from collections.abc import Iterable
from typing import Literal

from benchmarks.service import Claim
from sens_async import (
    Credentials,
    OutcomeState,
    RateLimit,
    Recipient,
    SensSession,
    Settings,
)
from sens_async.transport import Transport

__all__ = [
    "IN_FLIGHT",
    "KEYS",
    "PER_REQUEST",
    "SENDER",
    "TARGET",
    "UNHURRIED",
    "many",
    "open_session",
    "streamed",
]

KEYS = Credentials("BENCHMARK", "benchmark")
SENDER = "0200000000"
SERVICE_ID = "ncp:sms:kr:000000000000:benchmark"
TARGET = f"/sms/v2/services/{SERVICE_ID}/messages"
"""Where messages are posted to, below the stub's URL."""

IN_FLIGHT = 32
"""Requests at a time where nothing else is said: the library's default."""
PER_REQUEST = 100
"""Recipients that a request holds at most."""
UNHURRIED = RateLimit(requests=1_000_000)
"""A limit that is kept and counted, yet never makes anybody wait."""


def open_session(
    url: str,
    *,
    max_in_flight: int = IN_FLIGHT,
    rate_limit: RateLimit = UNHURRIED,
    linger: float = 0.0,
    transport: Transport | None = None,
) -> SensSession:
    """Make a session whose requests go to the stub.

    Raises:
        ConfigError: This version of the library does not linger.
    """
    settings = Settings(
        base_url=url, rate_limit=rate_limit, max_in_flight=max_in_flight, linger=linger
    )
    return SensSession(
        KEYS, service_id=SERVICE_ID, sender=SENDER, settings=settings, transport=transport
    )


async def many(sens: SensSession, recipients: Iterable[str | Recipient], content: str) -> Claim:
    """Send full requests with `send_many`; the claim follows from what the report counts."""
    report = await sens.send_many(recipients, content)
    accepted = report.counts[OutcomeState.ACCEPTED]
    return Claim(-(-accepted // PER_REQUEST), accepted)


async def streamed(
    sens: SensSession,
    recipients: Iterable[str | Recipient],
    content: str,
    *,
    duplicates: Literal["skip", "send"] = "skip",
) -> Claim:
    """Send with `send_stream`, and read a batch of outcomes at a time."""
    requests = accepted = 0
    async with sens.send_stream(recipients, content, duplicates=duplicates) as outcomes:
        async for batch in outcomes.batches():
            if batch.state is OutcomeState.ACCEPTED:
                requests += 1
                accepted += len(batch)
    return Claim(requests, accepted)
