"""Reports on campaigns: their state, who did not get the mail and why, who may or may not have got it, and
what came back.

Whatever the size of the audience, a report has a few dozen rows, because the database groups the reasons. The
CSV has every delivery by name.
"""

from mailer.campaigns.draft import CheckWarning
from mailer.campaigns.report.acceptance_times import HandOver, PlaceHandOver, format_duration
from mailer.campaigns.report.breakdown import Breakdown, BreakdownRow
from mailer.campaigns.report.campaign_report import (
    CampaignFigures,
    CampaignReport,
    Comparison,
    TimeLine,
    read_time_line,
    report_campaign,
)
from mailer.campaigns.report.clicks import ChangedChoices
from mailer.campaigns.report.csv_export import CSV_COLUMNS, generate_deliveries, write_deliveries
from mailer.campaigns.report.departures import ListMonth, LostOrganisation
from mailer.campaigns.report.disclosure import HIDDEN, HIDDEN_NOTE, Figure, format_figure, is_small
from mailer.campaigns.report.doubts import InDoubtReader
from mailer.campaigns.report.reasons import Alarm, ReasonGroup, Returned, ReturnedGroup, list_advice
from mailer.campaigns.report.sections import (
    OPENS_NOTE,
    ReportSection,
    ReportTable,
    describe_report,
    describe_time_line,
)
from mailer.campaigns.report.summary import (
    CampaignSummary,
    Notice,
    OpenDoubts,
    Timing,
    count_readers,
    describe_counts,
    list_campaigns,
    list_open_doubts,
    summarise_campaign,
)

__all__ = [
    "CSV_COLUMNS",
    "HIDDEN",
    "HIDDEN_NOTE",
    "OPENS_NOTE",
    "Alarm",
    "Breakdown",
    "BreakdownRow",
    "CampaignFigures",
    "CampaignReport",
    "CampaignSummary",
    "ChangedChoices",
    "CheckWarning",
    "Comparison",
    "Figure",
    "HandOver",
    "InDoubtReader",
    "ListMonth",
    "LostOrganisation",
    "Notice",
    "OpenDoubts",
    "PlaceHandOver",
    "ReasonGroup",
    "ReportSection",
    "ReportTable",
    "Returned",
    "ReturnedGroup",
    "TimeLine",
    "Timing",
    "count_readers",
    "describe_counts",
    "describe_report",
    "describe_time_line",
    "format_duration",
    "format_figure",
    "generate_deliveries",
    "is_small",
    "list_advice",
    "list_campaigns",
    "list_open_doubts",
    "read_time_line",
    "report_campaign",
    "summarise_campaign",
    "write_deliveries",
]
