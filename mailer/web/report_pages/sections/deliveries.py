"""What became of every message: the numbers and their sum, doubts, the time it took, and the warnings."""

from collections.abc import Iterator

from markupsafe import Markup

from mailer.campaigns.report.acceptance_times import HandOver
from mailer.campaigns.report.campaign_report import CampaignReport
from mailer.dispatch.deliveries import Counts
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.bar_chart import draw_stacked_bar
from mailer.web.report_pages.charts.line_chart import Line, draw_lines
from mailer.web.report_pages.charts.svg import Tone, draw_swatch
from mailer.web.report_pages.section import (
    Cell,
    CellKind,
    Column,
    Figure,
    PageSection,
    Table,
    Viewer,
    format_duration,
    format_number,
    format_share,
    make_table,
)

_NUMBERS = "numbers"
_PARTS = (
    ("sent", gettext_noop("%(num)s sent")),
    ("rejected", gettext_noop("%(num)s refused by their mail server")),
    ("failed", gettext_noop("%(num)s failed")),
    ("suppressed", gettext_noop("%(num)s left before their turn")),
    ("in_doubt", gettext_noop("%(num)s in doubt")),
    ("deferred", gettext_noop("%(num)s deferred")),
    ("queued", gettext_noop("%(num)s not sent")),
)
_EQUATION = gettext_noop(
    "%(audience)s %(sign)s %(sent)s sent + %(rejected)s rejected + %(failed)s failed + "
    "%(suppressed)s suppressed + %(in_doubt)s in doubt + %(still_to_do)s still to do"
)
_MOST_IN_DOUBT = 50
_HAND_OVER = "hand-over"
_MOST = "95 %"
"""The share of the messages that :attr:`HandOver.most` is about."""


def describe_ledger(report: CampaignReport, counted: str, viewer: Viewer) -> PageSection:
    """Show the numbers of a campaign and their sum."""
    counts = report.summary.counts
    lead = _describe_counts(counts, viewer)
    chart = draw_stacked_bar(
        name=_NUMBERS,
        title=viewer.gettext("What became of every message"),
        description=lead,
        parts=tuple((tone, number) for tone, _, number in _list_parts(counts, viewer)),
    )
    unbalanced = gettext_noop("These numbers do not add up: another program has changed the ledger.")
    return PageSection(
        name=_NUMBERS,
        title=viewer.gettext("The numbers and their sum"),
        lead=lead,
        counted=counted,
        figures=(Figure(chart=chart),),
        tables=(_make_number_table(counts, viewer),),
        notes=(_write_equation(counts, viewer), *(() if counts.balances else (viewer.gettext(unbalanced),))),
        wide=True,
    )


def _describe_counts(counts: Counts, viewer: Viewer) -> str:
    numbers = [(getattr(counts, name), words) for name, words in _PARTS]
    said = [viewer.gettext(words, num=f"{number:,}") for number, words in numbers if number]
    parts = ", ".join(said) or viewer.gettext("none sent")
    is_open = counts.in_doubt or counts.still_to_do
    words = (
        gettext_noop("%(readers)s: %(parts)s.")
        if is_open
        else gettext_noop("%(readers)s: %(parts)s; nothing is open.")
    )
    return viewer.gettext(words, readers=viewer.count_readers(counts.audience), parts=parts)


def _write_equation(counts: Counts, viewer: Viewer) -> str:
    names = ("audience", "sent", "rejected", "failed", "suppressed", "in_doubt", "still_to_do")
    numbers = {name: getattr(counts, name) for name in names}
    return viewer.gettext(_EQUATION, sign="=" if counts.balances else "≠", **numbers)


def _list_parts(counts: Counts, viewer: Viewer) -> tuple[tuple[Tone, str, int], ...]:
    parts = (
        (Tone.main, gettext_noop("Sent"), counts.sent),
        (Tone.bad, gettext_noop("Refused by their mail server"), counts.rejected),
        (Tone.second, gettext_noop("Could not be built"), counts.failed),
        (Tone.faint, gettext_noop("Left before their turn"), counts.suppressed),
        (Tone.doubt, gettext_noop("In doubt: may or may not have got it"), counts.in_doubt),
        (Tone.quiet, gettext_noop("Still to do"), counts.still_to_do),
    )
    return tuple((tone, viewer.gettext(words), number) for tone, words, number in parts)


def _make_number_table(counts: Counts, viewer: Viewer) -> Table:
    whole = counts.audience
    rows = (
        (
            Cell(text=words, sample=draw_swatch(_NUMBERS, tone)),
            format_number(number),
            format_share(number, whole),
        )
        for tone, words, number in _list_parts(counts, viewer)
    )
    return make_table(
        viewer.gettext("What became of every message"),
        ("", viewer.gettext("Partners"), viewer.gettext("Share")),
        rows,
        total=(viewer.gettext("All partners"), format_number(whole), format_share(whole, whole)),
    )


def describe_doubts(report: CampaignReport, viewer: Viewer) -> PageSection | None:
    """Name the readers in doubt, to who may see them; None if there are none."""
    if not report.in_doubt:
        return None
    return PageSection(
        name="in-doubt",
        title=viewer.gettext("In doubt"),
        lead=viewer.ngettext(
            "%(num)s partner may or may not have got it.",
            "%(num)s partners may or may not have got it.",
            report.summary.counts.in_doubt,
        ),
        tables=(_make_doubt_table(report, viewer),) if viewer.sees_people else (),
        notes=tuple(_list_notes(report, viewer)),
    )


def _make_doubt_table(report: CampaignReport, viewer: Viewer) -> Table:
    server = Column(viewer.gettext("Message-ID, to be found in the server’s log"), CellKind.server)
    rows = ((one.email, one.message_id) for one in report.in_doubt[:_MOST_IN_DOUBT])
    caption = viewer.gettext("Partners in doubt")
    return make_table(caption, (viewer.gettext("Address"), server), rows, broad=True)


def _list_notes(report: CampaignReport, viewer: Viewer) -> Iterator[str]:
    more = report.summary.counts.in_doubt - _MOST_IN_DOUBT
    if more <= 0 or not viewer.sees_people:
        return
    if viewer.has_terminal:
        command = f"`mailer campaigns report {report.summary.id} --csv FILE --state in_doubt`"
        words = gettext_noop("And %(number)s more. All of them: %(command)s")
        yield viewer.gettext(words, number=format_number(more), command=command)
    else:
        words = gettext_noop("And %(number)s more. The file of deliveries has all of them.")
        yield viewer.gettext(words, number=format_number(more))


def describe_hand_over(report: CampaignReport, counted: str, viewer: Viewer) -> PageSection | None:
    """Show the time to hand over as a curve and by provider; None if nothing was handed over."""
    found = report.hand_over
    if found is None or not found.sent:
        return None
    lead = viewer.gettext(
        "Half of the messages were handed over within %(median)s of the launch, %(share)s within "
        "%(most)s, the last after %(last)s.",
        median=format_duration(found.median),
        share=_MOST,
        most=format_duration(found.most),
        last=format_duration(found.last),
    )
    note = gettext_noop("From the launch until the mail server accepted the message, pauses included.")
    return PageSection(
        name=_HAND_OVER,
        title=viewer.gettext("Time to hand over"),
        lead=lead,
        counted=counted,
        figures=(Figure(chart=_draw_chart(found, lead, viewer)),) if found.curve else (),
        tables=(_make_time_table(found, viewer),),
        below=(_make_place_table(found, viewer),) if found.places else (),
        notes=(viewer.gettext(note),),
    )


def _draw_chart(found: HandOver, lead: str, viewer: Viewer) -> Markup:
    # The curve begins at the launch, when nothing had been handed over.
    curve = found.curve if found.curve[0][0] <= 0 else ((0.0, 0), *found.curve)
    end = curve[-1][0]
    launch = viewer.gettext("launch")
    return draw_lines(
        name=_HAND_OVER,
        title=viewer.gettext("Share of the messages handed over, by time since the launch"),
        description=lead,
        places=tuple(seconds for seconds, _ in curve),
        ticks=(launch, format_duration(end / 2), format_duration(end)) if end > 0 else (launch,),
        lines=(
            Line(
                label=viewer.gettext("Handed over"),
                tone=Tone.main,
                values=tuple(100 * number / found.sent for _, number in curve),
            ),
        ),
        unit="%",
        top=100,
    )


def _make_time_table(found: HandOver, viewer: Viewer) -> Table:
    rows = (
        (viewer.gettext("The first"), found.first),
        (viewer.gettext("Half of them"), found.median),
        (viewer.gettext("%(share)s of them", share=_MOST), found.most),
        (viewer.gettext("The last"), found.last),
    )
    time = viewer.gettext("Time from the launch")
    shown = ((words, format_duration(seconds)) for words, seconds in rows)
    return make_table(time, (viewer.gettext("Messages"), time), shown)


def _make_place_table(found: HandOver, viewer: Viewer) -> Table:
    columns = (
        *(viewer.gettext("Provider or domain"), viewer.gettext("Sent"), viewer.gettext("First")),
        *(viewer.gettext("Half"), _MOST, viewer.gettext("Last")),
    )
    rows = (
        (
            *(one.place, format_number(one.sent)),
            *map(format_duration, (one.first, one.median, one.most, one.last)),
        )
        for one in found.places
    )
    caption = viewer.gettext("By provider or domain, from five partners")
    return make_table(caption, columns, rows, broad=True)


def describe_checks(report: CampaignReport, viewer: Viewer) -> PageSection:
    """Show the warnings with which the edition was sent."""
    tables = (_make_check_table(report, viewer), _make_off_table(report, viewer))
    return PageSection(
        name="checks",
        title=viewer.gettext("What the checks had warned of"),
        lead=_describe_number(report, viewer),
        tables=tuple(table for table in tables if table.rows),
    )


def _describe_number(report: CampaignReport, viewer: Viewer) -> str:
    if report.warnings is None:
        return viewer.gettext("The warnings were not written down when this edition was sent.")
    if not report.warnings:
        return viewer.gettext("The checks had no warnings.")
    return viewer.ngettext(
        "The edition was sent with %(num)s warning.",
        "The edition was sent with %(num)s warnings.",
        len(report.warnings),
    )


def _make_check_table(report: CampaignReport, viewer: Viewer) -> Table:
    columns = (
        viewer.gettext("Warning"),
        Column(viewer.gettext("Where"), CellKind.server),
        Column(viewer.gettext("Check"), CellKind.server),
    )
    rows = (
        (one.message, f"{one.path}:{one.line}" if one.path else "", one.code) for one in report.warnings or ()
    )
    return make_table(viewer.gettext("Warnings"), columns, rows, broad=True)


def _make_off_table(report: CampaignReport, viewer: Viewer) -> Table:
    check = Column(viewer.gettext("Check switched off"), CellKind.server)
    columns = (check, Column(viewer.gettext("The editors’ reason")))
    caption = viewer.gettext("Checks that were switched off")
    return make_table(caption, columns, report.switched_off.items())
