"""Requests that may be in SENS's list, and that nobody looks for any more.

Their batches were sent again at once, or are unproven. SENS may list one in part at first, and
then it looks like a request to some of its recipients only.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import or_, select

from sens_async.campaign.leases import SETTLE_SECONDS
from sens_async.campaign.packing import unpack
from sens_async.campaign.schema import batches, campaign_id, campaigns, people
from sens_async.campaign.states import BatchState
from sens_async.campaign.storage import Storage
from sens_async.core.evidence import Evidence
from sens_async.core.matching import plain

__all__ = ["Messages", "may_be_part", "messages_of", "read_strays"]

Messages = frozenset[tuple[str, str]]
"""A request's, each a number and a text as SENS can be told to list it."""


def messages_of(numbers: Sequence[str], texts: Sequence[str]) -> Messages:
    """Give a request's messages.

    Args:
        numbers: Its recipients.
        texts: One for each, or one for all.
    """
    if len(texts) != len(numbers):
        texts = [texts[0]] * len(numbers)
    return frozenset(zip(numbers, map(plain, texts), strict=True))


def may_be_part(evidence: Evidence, strays: Collection[Messages]) -> bool:
    """Whether what was found for a request may be a part of a larger stray one."""
    own = messages_of(evidence.numbers, evidence.texts)
    return any(own < stray for stray in strays)


async def read_strays(storage: Storage, service_id: str, now: float) -> Sequence[Messages]:
    """Give the strays that may not be listed in full yet.

    Args:
        storage: The ledger's.
        service_id: Of which service.
        now: The gateway's time, seconds since the epoch.
    """
    young = (
        select(batches.c.size, people.c.payload, campaigns.c.text)
        .select_from(batches)
        .join(people, people.c.batch_id == batches.c.id)
        .join(campaigns, campaigns.c.id == campaign_id)
        .where(campaigns.c.service_id == service_id)
        .where(or_(batches.c.state == BatchState.UNPROVEN, batches.c.is_doubtful))
        .where(batches.c.intent_ms > (now - SETTLE_SECONDS) * 1_000)
    )
    async with storage.reading() as connection:
        rows = (await connection.execute(young)).all()
    strays = []
    for row in rows:
        who = unpack(row.payload, row.size)
        texts = (row.text or "",) if who.texts is None else who.texts
        strays.append(messages_of(who.numbers, texts))
    return strays
