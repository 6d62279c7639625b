"""What a list's own mistakes look like to the library, told in a spreadsheet's words."""

import re

import attrs

from sens_async.errors import InvalidRecipient
from sens_async.models import Recipient
from sens_async.outcomes import OutcomeBatch

__all__ = ["explained"]

_is_scientific = re.compile(r"\d+(?:[.,]\d*)?[eE]\+?\d+").fullmatch


def explained(batch: OutcomeBatch) -> OutcomeBatch:
    """Say of a refused number that it is empty, or was ruined by Excel; else nothing changes."""
    if not isinstance(batch.error, InvalidRecipient):
        return batch
    recipient = batch.recipients[0]
    number = recipient.to.strip() if isinstance(recipient, Recipient) else ""
    if not number:
        text = "the number is empty"
    elif _is_scientific(number):
        text = (
            "the number is in Excel's scientific notation (such as 1.06E+09), which loses digits; "
            "format the column as text and enter it again"
        )
    else:
        return batch
    return attrs.evolve(batch, error=InvalidRecipient(text))
