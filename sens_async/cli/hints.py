"""What a list's own mistakes look like to the library, told in a spreadsheet's words."""

import re

import attrs

from sens_async.errors import InvalidRecipient
from sens_async.models import Recipient
from sens_async.outcomes import OutcomeBatch

__all__ = ["explained", "why_refused"]

_is_scientific = re.compile(r"\d+(?:[.,]\d*)?[eE]\+?\d+").fullmatch


def explained(batch: OutcomeBatch) -> OutcomeBatch:
    """Say of a refused number that it is empty, or was ruined by Excel; else nothing changes."""
    if not isinstance(batch.error, InvalidRecipient):
        return batch
    recipient = batch.recipients[0]
    text = why_refused(recipient.to if isinstance(recipient, Recipient) else "")
    return batch if text is None else attrs.evolve(batch, error=InvalidRecipient(text))


def why_refused(to: str) -> str | None:
    """Say what is wrong with a number that a spreadsheet has lost or ruined; None for others."""
    number = to.strip()
    if not number:
        return "the number is empty"
    if _is_scientific(number):
        return (
            "the number is in Excel's scientific notation (such as 1.06E+09), which loses digits; "
            "format the column as text and enter it again"
        )
    return None
