"""A campaign beside the three before it that went to the same segment."""

from mailer.campaigns.report import CampaignFigures, CampaignReport, Comparison
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone, draw_swatch
from mailer.web.report_pages.figure_format import (
    UNKNOWN,
    format_day,
    format_duration,
    format_known,
    format_known_share,
    format_number,
    format_share,
)
from mailer.web.report_pages.section import Cell, Figure, Key, Section, Table, name_columns
from mailer.web.report_pages.viewer import Viewer

_NAME = "comparison"
_NOTE = "Compared with the last campaigns to the same segment, without corrections."


def describe_comparison(report: CampaignReport, viewer: Viewer) -> Section | None:
    """Show how a campaign did beside the ones before it, or one that was chosen; None if it was not
    launched."""
    comparison = report.comparison
    if comparison is None:
        return None
    title = "Beside another campaign" if comparison.is_chosen else "Beside the last editions"
    if not comparison.earlier:
        lead = "No edition was sent to these readers before, so there is nothing to compare it with."
        return Section(name=_NAME, title=title, lead=lead)
    return Section(
        name=_NAME,
        title=title,
        lead=_compare_words(comparison),
        figures=(Figure(chart=draw_bars(_make_chart(comparison)), key=_make_key()),),
        tables=(_make_table(comparison, viewer),),
        notes=() if comparison.is_chosen else (_NOTE,),
    )


def _compare_words(comparison: Comparison) -> str:
    this, last = comparison.this, comparison.earlier[0]
    if this.rejected is None or last.rejected is None or not (this.audience and last.audience):
        return ""
    if this.rejected == 0 and last.rejected == 0:
        before = "with the other" if comparison.is_chosen else "the last time"
        return f"Nobody’s mail server refused it, as {before}."
    now, before = format_share(this.rejected, this.audience), format_share(last.rejected, last.audience)
    other = last.edition_label if comparison.is_chosen else "the last edition"
    return f"Mail servers refused {now} of the mails; of {other} {before}."


def _make_chart(comparison: Comparison) -> BarChart:
    shown = (comparison.this, *comparison.earlier)
    return BarChart(
        name=_NAME,
        title="Refused and left since, as shares of all readers",
        description="; ".join(f"{one.edition_label}: {_describe_shares(one)}" for one in shown),
        bars=tuple(
            Bar(
                label=one.edition_label,
                figure=_describe_shares(one),
                parts=(
                    (Tone.bad, 100 * (one.share(one.rejected) or 0)),
                    (Tone.second, 100 * (one.share(one.left) or 0)),
                ),
            )
            for one in shown
        ),
    )


def _describe_shares(figures: CampaignFigures) -> str:
    refused = format_known_share(figures.rejected, figures.audience)
    return f"{refused} · {format_known_share(figures.left, figures.audience)}"


def _make_key() -> tuple[Key, ...]:
    return (
        Key(sample=draw_swatch(_NAME, Tone.bad), words="Refused"),
        Key(sample=draw_swatch(_NAME, Tone.second), words="Left since"),
    )


def _make_table(comparison: Comparison, viewer: Viewer) -> Table:
    shown = (comparison.this, *comparison.earlier)
    clicks = any(one.clicks is not None for one in shown)
    columns = (
        "Edition",
        "Readers",
        "Sent",
        "Refused",
        "Left",
        "Median time",
        *(("Clicks",) if clicks else ()),
    )
    return Table(
        caption="This campaign and the ones before it",
        columns=name_columns(*columns),
        rows=tuple(
            _make_row(one, "" if one is comparison.this else viewer.make_path(one.id), clicks=clicks)
            for one in shown
        ),
        broad=True,
    )


def _make_row(figures: CampaignFigures, link: str, *, clicks: bool) -> tuple[Cell, ...]:
    words = format_day(figures.launched_at) if link else "this one"
    median = UNKNOWN if figures.median_seconds is None else format_duration(figures.median_seconds)
    cells = [
        Cell(text=f"{figures.edition_label}, {words}", link=link),
        Cell(text=format_number(figures.audience)),
        Cell(text=format_known(figures.sent)),
        Cell(text=format_known(figures.rejected)),
        Cell(text=format_known(figures.left)),
        Cell(text=median),
    ]
    return (*cells, Cell(text=format_known(figures.clicks))) if clicks else tuple(cells)
