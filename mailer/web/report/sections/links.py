"""Which links were opened, by people and by scanners."""

from mailer.campaigns.report import CampaignReport
from mailer.web.report.section import Section

_OPENS = (
    "How many opened the mail is not said: mail programs load its pictures ahead of any reader, or never, so "
    "such a figure would be about programs and not about people."
)


def describe_links(_: CampaignReport) -> Section:
    """Say that clicks were not counted, and why opens are not."""
    return Section(
        name="links",
        title="Links",
        lead="Clicks were not counted for this campaign.",
        notes=(_OPENS,),
    )
