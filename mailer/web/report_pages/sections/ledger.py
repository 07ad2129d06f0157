"""The ledger's equation: what became of every reader, as a sentence, a bar and a table."""

from mailer.campaigns.report import CampaignReport
from mailer.dispatch.deliveries.counts import Counts
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.stacked_bar import StackedBar, draw_stacked_bar
from mailer.web.report_pages.charts.tone import Tone, draw_swatch
from mailer.web.report_pages.figure_format import format_number, format_share
from mailer.web.report_pages.section import Cell, Figure, Section, Table, name_columns
from mailer.web.report_pages.viewer import Viewer

_NAME = "numbers"
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


def describe_ledger(report: CampaignReport, counted: str, viewer: Viewer) -> Section:
    """Show the numbers of a campaign and their sum."""
    counts = report.summary.counts
    lead = _describe_counts(counts, viewer)
    chart = StackedBar(
        name=_NAME,
        title=viewer.gettext(gettext_noop("What became of every message")),
        description=lead,
        parts=tuple((tone, number) for tone, _, number in _list_parts(counts, viewer)),
    )
    unbalanced = gettext_noop("These numbers do not add up: another program has changed the ledger.")
    return Section(
        name=_NAME,
        title=viewer.gettext(gettext_noop("The numbers and their sum")),
        lead=lead,
        counted=counted,
        figures=(Figure(chart=draw_stacked_bar(chart)),),
        tables=(_make_table(counts, viewer),),
        notes=(_write_equation(counts, viewer), *(() if counts.balances else (viewer.gettext(unbalanced),))),
        wide=True,
    )


def _describe_counts(counts: Counts, viewer: Viewer) -> str:
    numbers = [(getattr(counts, name), words) for name, words in _PARTS]
    said = [viewer.gettext(words, num=f"{number:,}") for number, words in numbers if number]
    parts = ", ".join(said) or viewer.gettext(gettext_noop("none sent"))
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


def _make_table(counts: Counts, viewer: Viewer) -> Table:
    rows = tuple(
        (
            Cell(text=words, sample=draw_swatch(_NAME, tone)),
            Cell(text=format_number(number)),
            Cell(text=format_share(number, counts.audience)),
        )
        for tone, words, number in _list_parts(counts, viewer)
    )
    total = (
        Cell(text=viewer.gettext(gettext_noop("All partners"))),
        Cell(text=format_number(counts.audience)),
        Cell(text=format_share(counts.audience, counts.audience)),
    )
    columns = (gettext_noop("Partners"), gettext_noop("Share"))
    return Table(
        caption=viewer.gettext(gettext_noop("What became of every message")),
        columns=name_columns("", *map(viewer.gettext, columns)),
        rows=rows,
        total=total,
    )
