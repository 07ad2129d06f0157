"""How long it took until the relay had accepted the messages."""

from mailer.campaigns.report import CampaignReport, HandOver
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.line_chart import Line, LineChart, draw_lines
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.figure_format import format_duration, format_number
from mailer.web.report_pages.section import Figure, Section, Table, make_cells, name_columns
from mailer.web.report_pages.viewer import Viewer

_NAME = "hand-over"
_MOST = "95 %"
"""The share of the messages that :attr:`HandOver.most` is about."""


def describe_hand_over(report: CampaignReport, counted: str, viewer: Viewer) -> Section | None:
    """Show the time to hand over as a curve and by provider; None if nothing was handed over."""
    found = report.hand_over
    if found is None or not found.sent:
        return None
    lead = viewer.gettext(
        gettext_noop(
            "Half of the messages were handed over within %(median)s of the launch, %(share)s within "
            "%(most)s, the last after %(last)s."
        ),
        median=format_duration(found.median),
        share=_MOST,
        most=format_duration(found.most),
        last=format_duration(found.last),
    )
    note = gettext_noop("From the launch until the mail server accepted the message, pauses included.")
    return Section(
        name=_NAME,
        title=viewer.gettext(gettext_noop("Time to hand over")),
        lead=lead,
        counted=counted,
        figures=(Figure(chart=draw_lines(_make_chart(found, lead, viewer))),) if found.curve else (),
        tables=(_make_table(found, viewer),),
        below=(_make_place_table(found, viewer),) if found.places else (),
        notes=(viewer.gettext(note),),
    )


def _make_chart(found: HandOver, lead: str, viewer: Viewer) -> LineChart:
    # The curve begins at the launch, when nothing had been handed over.
    curve = found.curve if found.curve[0][0] <= 0 else ((0.0, 0), *found.curve)
    end = curve[-1][0]
    launch = viewer.gettext(gettext_noop("launch"))
    return LineChart(
        name=_NAME,
        title=viewer.gettext(gettext_noop("Share of the messages handed over, by time since the launch")),
        description=lead,
        places=tuple(seconds for seconds, _ in curve),
        ticks=(launch, format_duration(end / 2), format_duration(end)) if end > 0 else (launch,),
        lines=(
            Line(
                label=viewer.gettext(gettext_noop("Handed over")),
                tone=Tone.main,
                values=tuple(100 * number / found.sent for _, number in curve),
            ),
        ),
        unit="%",
        top=100,
    )


def _make_table(found: HandOver, viewer: Viewer) -> Table:
    rows = (
        (viewer.gettext(gettext_noop("The first")), found.first),
        (viewer.gettext(gettext_noop("Half of them")), found.median),
        (viewer.gettext(gettext_noop("%(share)s of them"), share=_MOST), found.most),
        (viewer.gettext(gettext_noop("The last")), found.last),
    )
    time = viewer.gettext(gettext_noop("Time from the launch"))
    return Table(
        caption=time,
        columns=name_columns(viewer.gettext(gettext_noop("Messages")), time),
        rows=tuple(make_cells(words, format_duration(seconds)) for words, seconds in rows),
    )


def _make_place_table(found: HandOver, viewer: Viewer) -> Table:
    first, half, last = gettext_noop("First"), gettext_noop("Half"), gettext_noop("Last")
    return Table(
        caption=viewer.gettext(gettext_noop("By provider or domain, from five partners")),
        columns=name_columns(
            viewer.gettext(gettext_noop("Provider or domain")),
            viewer.gettext(gettext_noop("Sent")),
            *(viewer.gettext(first), viewer.gettext(half), _MOST, viewer.gettext(last)),
        ),
        rows=tuple(
            make_cells(
                place.place,
                format_number(place.sent),
                *(format_duration(time) for time in (place.first, place.median, place.most, place.last)),
            )
            for place in found.places
        ),
        broad=True,
    )
