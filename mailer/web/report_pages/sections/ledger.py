"""The ledger's equation: what became of every reader, as a sentence, a bar and a table."""

from mailer.campaigns.report import CampaignReport, describe_counts
from mailer.dispatch.deliveries.counts import Counts
from mailer.web.report_pages.charts.stacked_bar import StackedBar, draw_stacked_bar
from mailer.web.report_pages.charts.tone import Tone, draw_swatch
from mailer.web.report_pages.figure_format import format_number, format_share
from mailer.web.report_pages.section import Cell, Figure, Section, Table, name_columns

_NAME = "numbers"


def describe_ledger(report: CampaignReport, counted: str) -> Section:
    """Show the numbers of a campaign and their sum."""
    counts = report.summary.counts
    chart = StackedBar(
        name=_NAME,
        title="What became of every message",
        description=describe_counts(counts),
        parts=tuple((tone, number) for tone, _, number in _list_parts(counts)),
    )
    unbalanced = "These numbers do not add up: another program has changed the ledger."
    return Section(
        name=_NAME,
        title="The numbers and their sum",
        lead=describe_counts(counts),
        counted=counted,
        figures=(Figure(chart=draw_stacked_bar(chart)),),
        tables=(_make_table(counts),),
        notes=(counts.equation(), *(() if counts.balances else (unbalanced,))),
        wide=True,
    )


def _list_parts(counts: Counts) -> tuple[tuple[Tone, str, int], ...]:
    return (
        (Tone.main, "Sent", counts.sent),
        (Tone.bad, "Refused by their mail server", counts.rejected),
        (Tone.second, "Could not be built", counts.failed),
        (Tone.faint, "Left before their turn", counts.suppressed),
        (Tone.doubt, "In doubt: may or may not have got it", counts.in_doubt),
        (Tone.quiet, "Still to do", counts.still_to_do),
    )


def _make_table(counts: Counts) -> Table:
    rows = tuple(
        (
            Cell(text=words, sample=draw_swatch(_NAME, tone)),
            Cell(text=format_number(number)),
            Cell(text=format_share(number, counts.audience)),
        )
        for tone, words, number in _list_parts(counts)
    )
    total = (
        Cell(text="All readers"),
        Cell(text=format_number(counts.audience)),
        Cell(text=format_share(counts.audience, counts.audience)),
    )
    return Table(
        caption="What became of every message",
        columns=name_columns("", "Readers", "Share"),
        rows=rows,
        total=total,
    )
