"""What campaigns raise besides the errors of a send.

SensError
└── LedgerError              the ledger cannot be read or written, or is no ledger
    ├── LedgerBusy           another process owns the file
    ├── CampaignNotFound     no campaign of that name
    └── CampaignConflict     the campaign does not allow this: it says why
"""

from sens_async.errors import SensError

__all__ = ["CampaignConflict", "CampaignNotFound", "LedgerBusy", "LedgerError", "error_text"]


class LedgerError(SensError):
    """The ledger cannot be read or written, or is no ledger.

    Raised during a run, it means that nothing more was sent; what was on the wire has ended, and
    is looked up when the campaign is run again.
    """


class LedgerBusy(LedgerError):
    """Another process owns the ledger's file."""


class CampaignNotFound(LedgerError):
    """The ledger has no campaign of that name."""


class CampaignConflict(LedgerError):
    """The campaign does not allow what was asked for: it was planned otherwise, or is not over."""


def error_text(error: SensError | None) -> str | None:
    """Give an error as the ledger keeps it: its class and what it says."""
    return None if error is None else f"{type(error).__name__}: {error}"
