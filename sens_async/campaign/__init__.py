"""Campaigns: durable runs that survive their process (the extra `campaign`)."""

try:
    import aiosqlite  # noqa: F401 - what every ledger needs is looked for here, not deep within
    import sqlalchemy  # noqa: F401
except ModuleNotFoundError as error:
    text = f"campaigns need {error.name}: pip install 'sens-async[campaign]'"
    raise ModuleNotFoundError(text, name=error.name) from None

from sens_async.campaign.campaign import Campaign
from sens_async.campaign.errors import CampaignConflict, CampaignNotFound, LedgerBusy, LedgerError
from sens_async.campaign.ledger import Ledger
from sens_async.campaign.reporting import CampaignOutcome
from sens_async.campaign.states import Guarantee
from sens_async.campaign.status import CampaignStatus

__all__ = [
    "Campaign",
    "CampaignConflict",
    "CampaignNotFound",
    "CampaignOutcome",
    "CampaignStatus",
    "Guarantee",
    "Ledger",
    "LedgerBusy",
    "LedgerError",
]
