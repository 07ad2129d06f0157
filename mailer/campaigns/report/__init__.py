"""Reports on campaigns: their state, who did not get the mail and why, who may or may not have got it, and
what came back.

Whatever the size of the audience, a report has a few dozen rows, because the database groups the reasons. The
CSV has every delivery by name.
"""

from mailer.campaigns.report.campaign_report import CampaignReport, report_campaign
from mailer.campaigns.report.delivery_csv import CSV_COLUMNS, write_deliveries
from mailer.campaigns.report.doubts import InDoubtReader
from mailer.campaigns.report.lost_organisations import LostOrganisation
from mailer.campaigns.report.reasons import ReasonGroup
from mailer.campaigns.report.returned import Alarm, Returned, ReturnedGroup
from mailer.campaigns.report.summary import (
    CampaignSummary,
    Notice,
    Timing,
    count_readers,
    describe_counts,
    list_campaigns,
    summarise_campaign,
)

__all__ = [
    "CSV_COLUMNS",
    "Alarm",
    "CampaignReport",
    "CampaignSummary",
    "InDoubtReader",
    "LostOrganisation",
    "Notice",
    "ReasonGroup",
    "Returned",
    "ReturnedGroup",
    "Timing",
    "count_readers",
    "describe_counts",
    "list_campaigns",
    "report_campaign",
    "summarise_campaign",
    "write_deliveries",
]
