"""The command ``campaigns clicks``: which links of a campaign were followed."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten, write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from mailer.campaigns.report.clicks import ClickCell, ClickReport

_LABEL_WIDTH = 48
_CSV_HEAD = ("link", "story", "label", "url", "country", "sector", "people", "programs")
_ALL = "all"
_NONE = "none"


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option(
    "--csv",
    "output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write every link by country and sector to this CSV file; - for stdout.",
)
@json_option
@pass_context
def clicks(context: CliContext, campaign_id: int, output: Path | None, as_json: bool) -> None:
    """Show which links were followed: by people, by country and sector, and by programs apart.

    Programs are filters of mail that look at every link, and previews of links; see docs/clicks.md.
    Figures of fewer than five people are left out. First counts what has come since `mailer serve` or
    `mailer work` last did; a visitor is counted once quiet for five minutes.
    """
    from mailer.campaigns.lifecycle import find_campaign
    from mailer.campaigns.report.clicks import read_clicks

    with context.read_session() as session:
        find_campaign(session, campaign_id)
    _count_due(context)
    with context.read_session() as session:
        report = read_clicks(session.connection(), campaign_id)
    if as_json:
        emit_json(report)
    elif report is None:
        say(
            f"Campaign {campaign_id} was sent without counting clicks, so nothing is known of them. Send the "
            "next one with --count-clicks."
        )
    elif output is not None:
        write_csv(output, "rows", partial(_write_rows, list(_make_rows(report))))
    else:
        _print_report(report)


def _count_due(context: CliContext) -> None:
    from mailer.database.engine import read_clock
    from mailer.feedback.clicks.click_counter import count_due_clicks
    from mailer.feedback.context import FeedbackContext

    with context.open_database() as engine:
        with engine.connect().execution_options(read_only=True) as connection:
            now = read_clock(connection)
        count_due_clicks(FeedbackContext(workspace=context.workspace, engine=engine), now=now)


def _print_report(report: ClickReport) -> None:
    from mailer.campaigns.report.disclosure import HIDDEN_NOTE, format_figure

    rows = [
        (
            link.number,
            shorten(link.label or link.url, _LABEL_WIDTH),
            format_figure(link.people),
            link.scanners,
        )
        for link in report.links
    ]
    total = ("", "any link", format_figure(report.people), report.scanners)
    emit(columns([*rows, total], head=("link", "what it says", "people", "programs"), right=(0, 2, 3)))
    if report.cells:
        emit("")
        emit(
            columns(
                [
                    (_name(cell.country), _name(cell.sector), format_figure(cell.people), cell.scanners)
                    for cell in report.cells
                ],
                head=("country", "sector", "people", "programs"),
                right=(2, 3),
            )
        )
    if any(cell.people is None for cell in _list_cells(report)):
        emit(HIDDEN_NOTE)
    if report.waiting:
        say(f"{report.waiting:,} requests are not judged yet, because their visitors were just here.")


def _list_cells(report: ClickReport) -> Iterator[ClickCell | ClickReport]:
    yield report
    yield from report.cells
    for link in report.links:
        yield from link.cells


def _name(part: str | None) -> str:
    return _ALL if part is None else part or _NONE


def _make_rows(report: ClickReport) -> Iterator[Sequence[object]]:
    from subscribers.csv_format import escape_formula

    whole = ("", "", "any link", "")
    yield (*whole, _ALL, _ALL, _figure(report.people), report.scanners)
    yield from ((*whole, *_describe(cell)) for cell in report.cells)
    for link in report.links:
        texts = (link.number, link.story, escape_formula(link.label), escape_formula(link.url))
        yield (*texts, _ALL, _ALL, _figure(link.people), link.scanners)
        yield from ((*texts, *_describe(cell)) for cell in link.cells)


def _describe(cell: ClickCell) -> Sequence[object]:
    return (_name(cell.country), _name(cell.sector), _figure(cell.people), cell.scanners)


def _figure(number: int | None) -> object:
    return "" if number is None else number


def _write_rows(rows: Sequence[Sequence[object]], *, stream: TextIO) -> int:
    writer = csv.writer(stream)
    writer.writerow(_CSV_HEAD)
    writer.writerows(rows)
    return len(rows)
