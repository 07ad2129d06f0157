"""The tables of a report that can be taken away as files, and what each is called."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from mailer.campaigns.delivery_history import vocabulary_of
from mailer.campaigns.report import CampaignReport, ReportTable, describe_report
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage

TABLE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "numbers": gettext_noop("The numbers"),
        "comparison": gettext_noop("Beside other campaigns"),
        "hand-over": gettext_noop("Time to hand over"),
        "countries": gettext_noop("By country"),
        "sectors": gettext_noop("By country and sector"),
        "reasons": gettext_noop("Why it did not arrive"),
        "returned": gettext_noop("What came back"),
        "alarms": gettext_noop("What servers say about the sender"),
        "links": gettext_noop("Links"),
        "organisations": gettext_noop("Organisations without a partner"),
        "warnings": gettext_noop("Warnings of the checks"),
    }
)
"""What each table is called, in the order of the report."""

_OF_PEOPLE = frozenset({"organisations", "reasons", "returned", "alarms"})
"""Tables that may tell of one person alone."""


def find_tables(page: StudioPage, report: CampaignReport) -> Mapping[str, ReportTable]:
    """The tables of ``report`` that the member may take, by name."""
    sections = describe_report(report, vocabulary_of(page.settings))
    sees_people = page.may(Permission.see_partners)
    return {
        table.name: table
        for section in sections
        for table in section.tables
        if table.rows and (sees_people or table.name not in _OF_PEOPLE)
    }


def list_tables(page: StudioPage, report: CampaignReport) -> Sequence[tuple[str, str]]:
    """The names of these tables and what they are called, in the order of the report."""
    found = find_tables(page, report)
    return [(name, page.translator.translate(words)) for name, words in TABLE_WORDS.items() if name in found]
