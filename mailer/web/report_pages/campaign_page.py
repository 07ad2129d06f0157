"""The page of a campaign: its head, and its sections in the order in which a team asks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from mailer.campaigns.report.campaign_report import CampaignReport
from mailer.campaigns.report.summary import CampaignSummary
from mailer.database.models import CampaignState
from mailer.database.report_models import ReportPart
from mailer.i18n import gettext_noop
from mailer.web.report_pages.section import COUNTED_LATE, ON_OWN_MACHINE, PageSection, Viewer
from mailer.web.report_pages.sections.comparison import describe_comparison
from mailer.web.report_pages.sections.deliveries import (
    describe_checks,
    describe_doubts,
    describe_hand_over,
    describe_ledger,
)
from mailer.web.report_pages.sections.links import describe_links
from mailer.web.report_pages.sections.readers import (
    describe_countries,
    describe_departures,
    describe_organisations,
)
from mailer.web.report_pages.sections.returns import describe_reasons, describe_returned

_UNCOUNTED = {
    ReportPart.ledger: ("numbers", gettext_noop("The numbers and their sum")),
    ReportPart.in_doubt: ("in-doubt", gettext_noop("In doubt")),
    ReportPart.hand_over: ("hand-over", gettext_noop("Time to hand over")),
    ReportPart.breakdown: ("countries", gettext_noop("By country and sector")),
    ReportPart.reasons: ("reasons", gettext_noop("Why it did not arrive")),
    ReportPart.departures: ("departures", gettext_noop("Who left, and what partners changed")),
    ReportPart.clicks: ("links", gettext_noop("Links")),
    ReportPart.lost_organisations: ("organisations", gettext_noop("Organisations without a partner")),
}
"""The anchors and headings of the parts that may not have been counted yet."""

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
"""The words for each table that can be taken as a file, in the order of the report."""


class CampaignPage(NamedTuple):
    """What the page of a campaign shows. ``facts`` are terms with their descriptions, and what the program
    reads for these, or "". ``state`` is a sentence about where the campaign is, which is ``urgent`` if
    somebody must do something."""

    title: str
    facts: Sequence[tuple[str, str, str]]
    state: str
    urgent: bool
    sections: Sequence[PageSection]


def describe_campaign(
    report: CampaignReport,
    *,
    now: datetime,
    segment_words: str = "",
    viewer: Viewer = ON_OWN_MACHINE,
) -> CampaignPage:
    """Make the page of a campaign from its report, for ``viewer``; ``now`` (aware) tells counted today from
    before. ``segment_words`` say what its segment means, in the viewer's language."""
    summary = report.summary
    return CampaignPage(
        title=summary.title or summary.edition_label,
        facts=list(_list_facts(summary, segment_words, viewer)),
        state=_describe_state(summary, viewer),
        urgent=summary.state in {CampaignState.paused, CampaignState.cancelled},
        sections=list(_list_sections(report, now, viewer)) if summary.launched_at else (),
    )


def _list_facts(
    summary: CampaignSummary, segment_words: str, viewer: Viewer
) -> Iterator[tuple[str, str, str]]:
    say = viewer.gettext
    yield say(gettext_noop("Edition")), summary.edition_label, ""
    if summary.subject and summary.subject != summary.title:
        yield say(gettext_noop("Subject")), summary.subject, ""
    words = segment_words or summary.segment or say(gettext_noop("everybody on the list"))
    yield say(gettext_noop("Partners")), words, summary.segment if words != summary.segment else ""
    if summary.launched_at:
        yield say(gettext_noop("Launched")), viewer.format_moment(summary.launched_at), ""
    if summary.approval:
        yield say(gettext_noop("Approval")), str(summary.approval), ""


def _describe_state(summary: CampaignSummary, viewer: Viewer) -> str:
    say = viewer.gettext
    rest = viewer.count_readers(summary.counts.still_to_do)
    reason = f" {viewer.translator.say_again(summary.reason)}" if summary.reason else ""
    match summary.state:
        case CampaignState.finished:
            return say(gettext_noop("Finished."))
        case CampaignState.sending:
            words = gettext_noop("It is being sent: %(readers)s to go. The figures still grow.")
            return say(words, readers=rest)
        case CampaignState.paused:
            return say(gettext_noop("Paused, with %(readers)s to go."), readers=rest) + reason
        case CampaignState.cancelled if summary.counts.still_to_do:
            return say(gettext_noop("Cancelled. %(readers)s never got it."), readers=rest) + reason
        case CampaignState.cancelled:
            return say(gettext_noop("Cancelled.")) + reason
        case CampaignState.scheduled if summary.scheduled_at:
            when = viewer.format_moment(summary.scheduled_at)
            return say(gettext_noop("Nothing has been sent yet. It starts at %(time)s."), time=when)
        case _:
            return say(gettext_noop("Nothing has been sent yet, so there is nothing to report."))


def _list_sections(report: CampaignReport, now: datetime, viewer: Viewer) -> Iterator[PageSection]:
    def counted(part: ReportPart) -> str:
        return viewer.format_counted(report.counted_at.get(part), now)

    made: tuple[tuple[ReportPart | None, PageSection | None], ...] = (
        (ReportPart.ledger, describe_ledger(report, counted(ReportPart.ledger), viewer)),
        (None, describe_comparison(report, viewer)),
        (ReportPart.hand_over, describe_hand_over(report, counted(ReportPart.hand_over), viewer)),
        (ReportPart.breakdown, describe_countries(report, counted(ReportPart.breakdown), viewer)),
        (ReportPart.reasons, describe_reasons(report, counted(ReportPart.reasons), viewer)),
        (ReportPart.in_doubt, describe_doubts(report, viewer)),
        (None, describe_returned(report, viewer)),
        (ReportPart.departures, describe_departures(report, counted(ReportPart.departures), viewer)),
        (ReportPart.clicks, describe_links(report.clicks, counted(ReportPart.clicks), viewer)),
        (
            ReportPart.lost_organisations,
            describe_organisations(report, counted(ReportPart.lost_organisations), viewer),
        ),
        (None, describe_checks(report, viewer)),
    )
    for part, section in made:
        if part is not None and part in report.uncounted:
            name, title = _UNCOUNTED[part]
            yield PageSection(name=name, title=viewer.gettext(title), lead=viewer.gettext(COUNTED_LATE))
        elif section is not None:
            yield section
