"""What it takes to recognise a request whose answer was lost.

SENS knows no key of the caller's. A request is recognised by when it was signed, by whom it was
for and by what it said; all of that is kept, for unknown requests only, until they are settled.
"""

from collections.abc import Sequence
from datetime import datetime

import attrs

from sens_async.core.signing import SIGNATURE_LIFETIME
from sens_async.models import ContentType, MessageType

__all__ = ["MARGIN", "Evidence", "list_lag"]

MARGIN = 120.0
"""Seconds by which the service's request times may lie beyond what signatures allow."""

_LATEST_FIRING = 86_400.0
"""Seconds after its time within which a reserved request that fires late is looked for."""


def list_lag(settle: float) -> float:
    """Give the seconds in which all that was accepted is listed.

    Args:
        settle: Seconds from a signature until absence is believed; what remains of them when the
            signature is invalid is the lag.
    """
    return max(0.0, settle - SIGNATURE_LIFETIME)


@attrs.frozen(kw_only=True, repr=False)
class Evidence:
    """One request that SENS may have accepted, whole: also those whose outcome is not asked for.

    Only the last attempt of a request can be unknown: it is tried again only after an attempt
    that was provably refused (see `sens_async.core.retry`). So there is one signature time.

    Attributes:
        token: Tells this request from all others, identical ones too; equal in all outcomes of
            one request, also after pickling.
        numbers: Everybody's, digits, none twice.
        texts: One for each, or a single one for all.
        titles: Subjects, "" for none: one for each, or a single one for all.
        type: What it was sent as.
        content_type: Advertisement or not.
        country_code: Digits.
        sender: Digits.
        signed_at: Its signature time on the gateway's clock, seconds since the epoch. The
            gateway takes it within `SIGNATURE_LIFETIME` of that, on either side.
        reserve_at: When it was to go out; None for at once.
        file_ids: Of its pictures.
        is_final: Whether no later request for the same people could follow, whole or in part.
            If one could, not finding this one proves nothing.
    """

    token: str
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    titles: tuple[str, ...]
    type: MessageType
    content_type: ContentType
    country_code: str
    sender: str
    signed_at: float
    reserve_at: datetime | None = None
    file_ids: tuple[str, ...] = ()
    is_final: bool = True

    @property
    def spans(self) -> Sequence[tuple[float, float]]:
        """When the service can have dated it: from and until, seconds since the epoch.

        Which of its two times the rows of a reserved request carry is not documented.
        """
        reach = SIGNATURE_LIFETIME + MARGIN
        spans = [(self.signed_at - reach, self.signed_at + reach)]
        if self.reserve_at is not None:
            fires = self.reserve_at.timestamp()
            spans.append((fires - MARGIN, fires + _LATEST_FIRING))
        return spans

    def settles_at(self, settle: float) -> float:
        """Give the gateway's time from which on its absence is believed.

        Args:
            settle: Seconds after its signature or, if that is later, its reserved time.
        """
        fires = self.signed_at if self.reserve_at is None else self.reserve_at.timestamp()
        return max(self.signed_at, fires) + settle

    def __repr__(self) -> str:
        return f"<Evidence of {len(self.numbers)} {self.type}, {self.token[:8]}>"
