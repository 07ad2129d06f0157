"""The command ``campaigns report``: in the terminal, as CSV, by mail, or as a page in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import log_campaign_deed
from mailer.cli.context import CliContext, gather_options, pass_context
from mailer.cli.output import emit, emit_json, json_option, say, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from mailer.campaigns.report.campaign_report import CampaignReport, TimeLine
    from mailer.campaigns.report.sections import ReportSection
    from mailer.database.models import DeliveryState
    from mailer.workspace import Workspace


_PORT = 8027
_MAX_IN_DOUBT = 20
_MAX_LINES = 20


def serve_report_page(
    workspace: Workspace, campaign_id: int | None, *, port: int | None, open_browser: bool
) -> None:
    """Serve the reports on this machine until Ctrl-C, opened at one campaign, or at all of them."""
    from mailer.campaigns.lifecycle import find_campaign
    from mailer.cli.local_page import serve_local_page
    from mailer.database.engine import open_session
    from mailer.web.access import LocalAccess
    from mailer.web.report import create_report_app

    if campaign_id is not None:
        # A wrong number is refused in the terminal, where it was typed.
        with workspace.use_database() as engine, open_session(engine, read_only=True) as session:
            find_campaign(session, campaign_id)
    access = LocalAccess(opening_path="/" if campaign_id is None else f"/campaigns/{campaign_id}")
    subject = "all campaigns" if campaign_id is None else f"campaign {campaign_id}"
    say(f"Showing the report on {subject}. Press Ctrl-C to stop.")
    serve_local_page(
        create_report_app(workspace, access=access),
        access,
        title="the report",
        port=_PORT if port is None else port,
        open_browser=open_browser,
        folder=workspace.outbox,
    )


def _read_states(_: click.Context, __: click.Parameter, value: str | None) -> tuple[DeliveryState, ...]:
    from mailer.database.models import DeliveryState

    names, known = [name.strip() for name in (value or "").split(",") if name.strip()], list(DeliveryState)
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"no such state: {', '.join(unknown)}. Choose from {', '.join(known)}.")
    return tuple(map(DeliveryState, names))


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Which report, and where it goes: to the terminal unless something else is given. ``campaign_id`` is
    None for the report over time."""

    campaign_id: int | None
    over_time: bool
    last: int | None
    output: Path | None
    states: tuple[DeliveryState, ...]
    table: str | None
    addresses: tuple[str, ...]
    page: bool
    port: int | None
    open_browser: bool
    as_json: bool


@click.command()
@click.argument("campaign_id", metavar="[ID]", type=int, required=False)
@click.option("--over-time", is_flag=True, help="Show all campaigns and the growth of the list by month.")
@click.option(
    "--last", metavar="N", type=click.IntRange(min=1), help="With --over-time: the last N campaigns."
)
@click.option(
    "--csv",
    "output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write every delivery with its state and reason to this CSV file; - for stdout.",
)
@click.option(
    "--state",
    "states",
    metavar="STATES",
    callback=_read_states,
    help="With --csv: only deliveries in these states, such as in_doubt,rejected.",
)
@click.option(
    "--table",
    metavar="NAME",
    help="With --csv: write this table of the report instead, such as countries, sectors, reasons, hand-over "
    "or campaigns.",
)
@click.option(
    "--mail",
    "addresses",
    metavar="ADDRESS",
    multiple=True,
    help="Mail the report to this address; repeatable.",
)
@click.option("--page", is_flag=True, help="Show it as a page in the browser, with charts.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="With --page: the port to listen on; 0 picks a free one. Default: 8027.",
)
@click.option("--open/--no-open", "open_browser", default=True, help="With --page: open the browser.")
@json_option
@pass_context
@gather_options(ReportOptions, "asked")
def report(context: CliContext, asked: ReportOptions) -> None:
    """Show what a campaign did: its numbers and their sum, by country and sector, who did not get it and why,
    who is in doubt, who has left since and which choices were changed through it, how long it took, what came
    back, what the checks had warned of, and the campaigns before it.

    Who has left are readers who got the mail or may have, have unsubscribed or reported spam since its
    launch, and have not come back. Figures of fewer than five people are hidden in breakdowns.

    With --over-time and without ID, show all campaigns side by side, and the growth of the list.

    With --page it is a page on this machine, with charts and a list of all campaigns over time; without ID
    it opens at that list. The address contains a secret, so that other users of this machine cannot see it.

    \b
    Example: mailer campaigns report 7 --csv refused.csv --state rejected,failed
             mailer campaigns report 7 --csv countries.csv --table countries
             mailer campaigns report --over-time --last 12
             mailer campaigns report 7 --page
    """
    from mailer.campaigns.report.csv_export import find_table, write_deliveries, write_table

    _check_options(asked)
    workspace, campaign_id = context.workspace, asked.campaign_id
    if asked.page:
        serve_report_page(workspace, campaign_id, port=asked.port, open_browser=asked.open_browser)
        return
    if asked.addresses:
        _mail(context, campaign_id or 0, asked.addresses)
        return
    with context.read_session() as session:
        if asked.output is not None and asked.table is None:
            write = partial(write_deliveries, session, campaign_id or 0, workspace, states=asked.states)
            write_csv(asked.output, "deliveries", write)
            log_campaign_deed(context, campaign_id or 0, deeds.exported_report, asked.output.name)
            return
        found = _read_report(session, campaign_id, workspace, asked.last)
    if asked.as_json:
        emit_json(found)
        return
    sections = _describe(found, workspace)
    if asked.output is not None and asked.table is not None:
        write_csv(asked.output, "rows", partial(write_table, find_table(sections, asked.table)))
        return
    _show(context, found, sections)


def _check_options(asked: ReportOptions) -> None:
    has_file, is_over_time = asked.output is not None, asked.over_time
    if asked.port is not None and not asked.page:
        raise click.UsageError("--port only works together with --page.")
    if asked.page:
        if asked.as_json or has_file or asked.addresses or is_over_time:
            raise click.UsageError("--page shows everything in the browser. Give it alone, or with an ID.")
        return
    if is_over_time is (asked.campaign_id is not None):
        raise click.UsageError("Give the ID of a campaign, or --over-time for all of them.")
    if (asked.states or asked.table) and not has_file:
        option = "state" if asked.states else "table"
        raise click.UsageError(f"--{option} only works together with --csv FILE.")
    if asked.states and asked.table:
        raise click.UsageError("--state is about deliveries, --table about the report. Give one of them.")
    if is_over_time and has_file and asked.table is None:
        raise click.UsageError("With --over-time, --csv needs --table campaigns or --table months.")
    if is_over_time and asked.addresses:
        raise click.UsageError("--mail needs the ID of a campaign.")
    if asked.last is not None and not is_over_time:
        raise click.UsageError("--last only works together with --over-time.")


def _read_report(
    session: Session, campaign_id: int | None, workspace: Workspace, last: int | None
) -> CampaignReport | TimeLine:
    from mailer.campaigns.report.campaign_report import read_time_line, report_campaign

    if campaign_id is None:
        return read_time_line(session, last=last, fresh=True)
    return report_campaign(session, campaign_id, workspace)


def _describe(found: CampaignReport | TimeLine, workspace: Workspace) -> tuple[ReportSection, ...]:
    from mailer.campaigns.delivery_history import vocabulary_of
    from mailer.campaigns.report.campaign_report import TimeLine
    from mailer.campaigns.report.sections import describe_report, describe_time_line

    if isinstance(found, TimeLine):
        return describe_time_line(found)
    return describe_report(found, vocabulary_of(workspace.settings))


def _show(context: CliContext, found: CampaignReport | TimeLine, sections: Sequence[ReportSection]) -> None:
    from mailer.campaigns.report.campaign_report import TimeLine
    from mailer.campaigns.report.sections import tidy_words
    from mailer.cli.rich_tables import print_sections

    which = "--over-time" if isinstance(found, TimeLine) else str(found.summary.id)
    command = context.command_line("campaigns", "report", which, "--csv", "FILE", "--table")
    if not isinstance(found, TimeLine):
        emit(f"Campaign {found.summary.id}: {tidy_words(found.summary.title)}, {found.summary.state}")
    print_sections(sections, all_rows=command)
    if not isinstance(found, TimeLine):
        _print_names(context, found)


def _print_names(context: CliContext, found: CampaignReport) -> None:
    from mailer.campaigns.report.summary import describe_counts

    emit("")
    if found.returned.left_by_mail:
        emit(f"left by mail  {_shorten(found.returned.left_by_mail, found.returned.left_by_mail_count)}")
    for delivery in found.in_doubt[:_MAX_IN_DOUBT]:
        emit(f"in doubt  {delivery.email}  {delivery.message_id}")
    if (more := found.summary.counts.in_doubt - _MAX_IN_DOUBT) > 0:
        again = context.command_line(
            "campaigns", "report", str(found.summary.id), "--csv", "FILE", "--state", "in_doubt"
        )
        emit(f"in doubt  … and {more:,} more. For all of them: {again}")
    emit(describe_counts(found.summary.counts))
    emit(found.summary.counts.equation())


def _mail(context: CliContext, campaign_id: int, addresses: Sequence[str]) -> None:
    from mailer.campaigns.report.report_worker import mail_report

    with context.open_database() as engine:
        for result in mail_report(context.workspace, engine, campaign_id, addresses):
            say(result)
    log_campaign_deed(context, campaign_id, deeds.mailed_report, len(addresses))


def _shorten(names: Sequence[str], number: int) -> str:
    shown = ", ".join(names[:_MAX_LINES])
    return f"{shown} … and {number - _MAX_LINES:,} more" if number > _MAX_LINES else shown
