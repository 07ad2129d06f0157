"""The page of a campaign: its head, and its sections in the order in which a team asks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mailer.campaigns.report import CampaignReport, CampaignSummary, count_readers
from mailer.database.models import CampaignState
from mailer.database.report_models import ReportPart
from mailer.utc import format_utc
from mailer.web.report_pages.figure_format import format_counted, format_moment
from mailer.web.report_pages.section import COUNTED_LATE, Section
from mailer.web.report_pages.sections.checks import describe_checks
from mailer.web.report_pages.sections.comparison import describe_comparison
from mailer.web.report_pages.sections.countries import describe_countries
from mailer.web.report_pages.sections.departures import describe_departures, describe_organisations
from mailer.web.report_pages.sections.hand_over import describe_hand_over
from mailer.web.report_pages.sections.ledger import describe_ledger
from mailer.web.report_pages.sections.links import describe_links
from mailer.web.report_pages.sections.reasons import describe_doubts, describe_reasons, describe_returned
from mailer.web.report_pages.viewer import ON_OWN_MACHINE, Viewer
from subscribers.segments.term_description import Vocabulary

_UNCOUNTED = {
    ReportPart.ledger: ("numbers", "The numbers and their sum"),
    ReportPart.in_doubt: ("in-doubt", "In doubt"),
    ReportPart.hand_over: ("hand-over", "Time to hand over"),
    ReportPart.breakdown: ("countries", "By country and sector"),
    ReportPart.reasons: ("reasons", "Why it did not arrive"),
    ReportPart.departures: ("departures", "Who left, and what readers changed"),
    ReportPart.clicks: ("links", "Links"),
    ReportPart.lost_organisations: ("organisations", "Organisations without a reader"),
}
"""The anchors and headings of the parts that may not have been counted yet."""


@dataclass(frozen=True, kw_only=True)
class CampaignPage:
    """What the page of a campaign shows. ``facts`` are terms with their descriptions; ``state`` is a sentence
    about where the campaign is, which is ``urgent`` if somebody must do something."""

    title: str
    facts: tuple[tuple[str, str], ...]
    state: str
    urgent: bool
    sections: tuple[Section, ...]


def describe_campaign(
    report: CampaignReport, vocabulary: Vocabulary, *, now: datetime, viewer: Viewer = ON_OWN_MACHINE
) -> CampaignPage:
    """Make the page of a campaign from its report, for ``viewer``; ``now`` (aware) tells counted today from
    before."""
    summary = report.summary
    return CampaignPage(
        title=summary.title or summary.edition_label,
        facts=tuple(_list_facts(summary)),
        state=_describe_state(summary),
        urgent=summary.state in {CampaignState.paused, CampaignState.cancelled},
        sections=tuple(_list_sections(report, vocabulary, now, viewer)) if summary.launched_at else (),
    )


def _list_facts(summary: CampaignSummary) -> Iterator[tuple[str, str]]:
    yield "Edition", summary.edition_label
    if summary.subject and summary.subject != summary.title:
        yield "Subject", summary.subject
    yield "Readers", summary.segment or "everybody on the list"
    if summary.launched_at:
        yield "Launched", format_moment(summary.launched_at)
    if summary.approval:
        yield "Approval", str(summary.approval)


def _describe_state(summary: CampaignSummary) -> str:
    counts, state = summary.counts, summary.state
    reason = f" {summary.reason}" if summary.reason else ""
    match state:
        case CampaignState.finished:
            return "Finished."
        case CampaignState.sending:
            return f"It is being sent: {count_readers(counts.still_to_do)} to go. The figures still grow."
        case CampaignState.paused:
            return f"Paused, with {count_readers(counts.still_to_do)} to go.{reason}"
        case CampaignState.cancelled:
            never = f" {count_readers(counts.still_to_do)} never got it." if counts.still_to_do else ""
            return f"Cancelled.{never}{reason}"
        case CampaignState.scheduled if summary.timing.scheduled_at:
            return f"Nothing has been sent yet. It starts at {format_utc(summary.timing.scheduled_at)}."
        case _:
            return "Nothing has been sent yet, so there is nothing to report."


def _list_sections(
    report: CampaignReport, vocabulary: Vocabulary, now: datetime, viewer: Viewer
) -> Iterator[Section]:
    def counted(part: ReportPart) -> str:
        return format_counted(report.counted_at.get(part), now)

    made: tuple[tuple[ReportPart | None, Section | None], ...] = (
        (ReportPart.ledger, describe_ledger(report, counted(ReportPart.ledger))),
        (None, describe_comparison(report, viewer)),
        (ReportPart.hand_over, describe_hand_over(report, counted(ReportPart.hand_over))),
        (ReportPart.breakdown, describe_countries(report, vocabulary, counted(ReportPart.breakdown))),
        (ReportPart.reasons, describe_reasons(report, counted(ReportPart.reasons), viewer)),
        (ReportPart.in_doubt, describe_doubts(report, viewer)),
        (None, describe_returned(report, viewer)),
        (ReportPart.departures, describe_departures(report, counted(ReportPart.departures))),
        (ReportPart.clicks, describe_links(report.clicks, vocabulary, counted(ReportPart.clicks))),
        (
            ReportPart.lost_organisations,
            describe_organisations(report, counted(ReportPart.lost_organisations), viewer),
        ),
        (None, describe_checks(report)),
    )
    for part, section in made:
        if part is not None and part in report.uncounted:
            name, title = _UNCOUNTED[part]
            yield Section(name=name, title=title, lead=COUNTED_LATE)
        elif section is not None:
            yield section
