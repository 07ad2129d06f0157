"""How long it took until the relay had accepted the messages."""

from mailer.campaigns.report import CampaignReport, HandOver
from mailer.web.report_pages.charts.line_chart import Line, LineChart, draw_lines
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.figure_format import format_duration, format_number
from mailer.web.report_pages.section import Figure, Section, Table, make_cells, name_columns

_NAME = "hand-over"


def describe_hand_over(report: CampaignReport, counted: str) -> Section | None:
    """Show the time to hand over as a curve and by provider; None if nothing was handed over."""
    found = report.hand_over
    if found is None or not found.sent:
        return None
    lead = (
        f"Half of the messages were handed over within {format_duration(found.median)} of the launch, "
        f"95 % within {format_duration(found.most)}, the last after {format_duration(found.last)}."
    )
    places = (_make_place_table(found),) if found.places else ()
    return Section(
        name=_NAME,
        title="Time to hand over",
        lead=lead,
        counted=counted,
        figures=(Figure(chart=draw_lines(_make_chart(found, lead))),) if found.curve else (),
        tables=(_make_table(found),),
        below=places,
        notes=("From the launch until the mail server accepted the message, pauses included.",),
    )


def _make_chart(found: HandOver, lead: str) -> LineChart:
    # The curve begins at the launch, when nothing had been handed over.
    curve = found.curve if found.curve[0][0] <= 0 else ((0.0, 0), *found.curve)
    end = curve[-1][0]
    return LineChart(
        name=_NAME,
        title="Share of the messages handed over, by time since the launch",
        description=lead,
        places=tuple(seconds for seconds, _ in curve),
        ticks=("launch", format_duration(end / 2), format_duration(end)) if end > 0 else ("launch",),
        lines=(
            Line(
                label="Handed over",
                tone=Tone.main,
                values=tuple(100 * number / found.sent for _, number in curve),
            ),
        ),
        unit="%",
        top=100,
    )


def _make_table(found: HandOver) -> Table:
    rows = (
        ("The first", found.first),
        ("Half of them", found.median),
        ("95 % of them", found.most),
        ("The last", found.last),
    )
    return Table(
        caption="Time from the launch",
        columns=name_columns("Messages", "Time from the launch"),
        rows=tuple(make_cells(words, format_duration(seconds)) for words, seconds in rows),
    )


def _make_place_table(found: HandOver) -> Table:
    return Table(
        caption="By provider or domain, from five readers",
        columns=name_columns("Provider or domain", "Sent", "First", "Half", "95 %", "Last"),
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
