"""Campaigns: durable runs that survive their process (the extra `campaign`)."""

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
