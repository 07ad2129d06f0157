"""A campaign beside the three before it that went to the same segment."""

from collections.abc import Sequence

from markupsafe import Markup

from mailer.campaigns.report.campaign_report import CampaignComparison, CampaignFigures, CampaignReport
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.bar_chart import Bar, draw_bars
from mailer.web.report_pages.charts.svg import Tone, draw_swatch
from mailer.web.report_pages.section import (
    Cell,
    Figure,
    PageSection,
    Table,
    Viewer,
    format_duration,
    format_number,
    format_share,
    make_table,
)

_NAME = "comparison"
_NOTE = gettext_noop("Compared with the last campaigns to the same segment, without corrections.")


def describe_comparison(report: CampaignReport, viewer: Viewer) -> PageSection | None:
    """Show how a campaign did beside the ones before it, or a chosen one; None if it was not launched."""
    comparison = report.comparison
    if comparison is None:
        return None
    title = viewer.gettext(
        "Beside another campaign" if comparison.is_chosen else gettext_noop("Beside the last editions")
    )
    if not comparison.earlier:
        lead = gettext_noop(
            "No edition was sent to these partners before, so there is nothing to compare it with."
        )
        return PageSection(name=_NAME, title=title, lead=viewer.gettext(lead))
    return PageSection(
        name=_NAME,
        title=title,
        lead=_compare_words(comparison, viewer),
        figures=(Figure(chart=_draw_chart(comparison, viewer), key=_make_key(viewer)),),
        tables=(_make_table(comparison, viewer),),
        notes=() if comparison.is_chosen else (viewer.gettext(_NOTE),),
    )


def _compare_words(comparison: CampaignComparison, viewer: Viewer) -> str:
    this, last = comparison.this, comparison.earlier[0]
    if this.rejected is None or last.rejected is None or not (this.audience and last.audience):
        return ""
    if this.rejected == 0 and last.rejected == 0:
        return viewer.gettext(
            "Nobody’s mail server refused it, as with the other."
            if comparison.is_chosen
            else gettext_noop("Nobody’s mail server refused it, as the last time.")
        )
    now, before = format_share(this.rejected, this.audience), format_share(last.rejected, last.audience)
    if comparison.is_chosen:
        words = gettext_noop("Mail servers refused %(share)s of the mails; of %(other)s %(before)s.")
        return viewer.gettext(words, share=now, other=last.edition_label, before=before)
    words = gettext_noop("Mail servers refused %(share)s of the mails; of the last edition %(before)s.")
    return viewer.gettext(words, share=now, before=before)


def _draw_chart(comparison: CampaignComparison, viewer: Viewer) -> Markup:
    shown = (comparison.this, *comparison.earlier)
    return draw_bars(
        name=_NAME,
        title=viewer.gettext("Refused and left since, as shares of all partners"),
        bars=tuple(
            Bar(
                label=one.edition_label,
                figure=_describe_shares(one, viewer),
                parts=(
                    (Tone.bad, 100 * (one.share(one.rejected) or 0)),
                    (Tone.second, 100 * (one.share(one.left) or 0)),
                ),
            )
            for one in shown
        ),
    )


def _describe_shares(figures: CampaignFigures, viewer: Viewer) -> str:
    refused = viewer.format_known_share(figures.rejected, figures.audience)
    return f"{refused} · {viewer.format_known_share(figures.left, figures.audience)}"


def _make_key(viewer: Viewer) -> Sequence[tuple[Markup, str]]:
    return (
        (draw_swatch(_NAME, Tone.bad), viewer.gettext("Refused")),
        (draw_swatch(_NAME, Tone.second), viewer.gettext("Left since")),
    )


def _make_table(comparison: CampaignComparison, viewer: Viewer) -> Table:
    shown = (comparison.this, *comparison.earlier)
    clicks = any(one.clicks is not None for one in shown)
    columns = (
        *(gettext_noop("Edition"), gettext_noop("Partners"), gettext_noop("Sent"), gettext_noop("Refused")),
        *(gettext_noop("Left"), gettext_noop("Median time")),
        *((gettext_noop("Clicks"),) if clicks else ()),
    )
    rows = (
        _make_row(one, "" if one is comparison.this else viewer.make_path(one.id), viewer, clicks=clicks)
        for one in shown
    )
    caption = viewer.gettext("This campaign and the ones before it")
    return make_table(caption, map(viewer.gettext, columns), rows, broad=True)


def _make_row(figures: CampaignFigures, link: str, viewer: Viewer, *, clicks: bool) -> tuple[str | Cell, ...]:
    words = viewer.format_day(figures.launched_at) if link else viewer.gettext("this one")
    median = figures.median_seconds
    return (
        Cell(text=f"{figures.edition_label}, {words}", link=link),
        format_number(figures.audience),
        *map(viewer.format_known, (figures.sent, figures.rejected, figures.left)),
        viewer.format_known(None) if median is None else format_duration(median),
        *((viewer.format_known(figures.clicks),) if clicks else ()),
    )
