"""The command ``campaigns report``: who did not get the mail, and why."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.atomic_write import atomic_file
from mailer.cli.commands.report_page import serve_report_page
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from mailer.campaigns.departures import Departures
    from mailer.campaigns.report import CampaignReport
    from mailer.workspace import Workspace

_MAX_IN_DOUBT = 20
_MAX_LINES = 20
_STATES = (
    "queued",
    "claimed",
    "in_doubt",
    "sent",
    "deferred",
    "rejected",
    "failed",
    "suppressed",
)


def _read_states(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (value or "").split(",") if name.strip())
    if unknown := [name for name in names if name not in _STATES]:
        raise click.BadParameter(f"no such state: {', '.join(unknown)}. Choose from {', '.join(_STATES)}.")
    return names


@click.command()
@click.argument("campaign_id", metavar="[ID]", type=int, required=False)
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
@click.option("--page", is_flag=True, help="Show it as a page in the browser, with charts.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="With --page: the port to listen on; 0 picks a free one. Default: 8027.",
)
@click.option("--open/--no-open", "open_browser", default=True, help="With --page: open the browser.")
@json_option
@pass_context
def report(
    context: CliContext,
    campaign_id: int | None,
    output: Path | None,
    states: tuple[str, ...],
    page: bool,
    port: int | None,
    open_browser: bool,
    as_json: bool,
) -> None:
    """Show who did not get the mail and why, and who is in doubt: they may or may not have got it.

    Also counts who has left since: readers who got the mail or may have, have unsubscribed or reported spam
    since its launch, and have not come back. Then what came back: bounces and complaints by reason, with
    refusals while it was sent, what servers say about the sender (alarms), who left by mail, and
    organisations that have no reader left.

    With --page it is a page on this machine, with charts and a list of all campaigns over time; without ID
    it opens at that list. The address contains a secret, so that other users of this machine cannot see it.

    Examples: mailer campaigns report 7 --page, mailer campaigns report 7 --csv refused.csv --state rejected
    """
    from mailer.campaigns.report import describe_counts, report_campaign

    if states and output is None:
        raise click.UsageError("--state only works together with --csv FILE.")
    if port is not None and not page:
        raise click.UsageError("--port only works together with --page.")
    workspace = context.open_workspace()
    if page:
        serve_report_page(workspace, campaign_id, port=port, open_browser=open_browser)
        return
    if campaign_id is None:
        raise click.UsageError("Give the ID of a campaign. `mailer campaigns list` shows them.")
    with context.read_session(workspace) as session:
        if output is not None:
            _write_csv(session, campaign_id, workspace, output, states)
            return
        found = report_campaign(session, campaign_id, workspace)
    if as_json:
        emit_json(found.as_dict())
        return
    emit(f"Campaign {campaign_id}: {found.summary.title}, {found.summary.state}")
    if found.reasons:
        emit(columns([(group.state, group.number, group.reason) for group in found.reasons], right=(1,)))
    if found.bounced:
        emit(f"bounced  {found.bounced:,} of those rejected: the address is dead and gets no more mail")
    if found.left.total:
        emit(f"left since  {_describe_departures(found.left)}")
    _print_returned(found)
    for delivery in found.in_doubt[:_MAX_IN_DOUBT]:
        emit(f"in doubt  {delivery.email}  {delivery.message_id}")
    if (more := found.summary.counts.in_doubt - _MAX_IN_DOUBT) > 0:
        again = context.command_line(
            "campaigns", "report", str(campaign_id), "--csv", "FILE", "--state", "in_doubt"
        )
        emit(f"in doubt  … and {more:,} more. For all of them: {again}")
    for code, reason in found.switched_off.items():
        emit(f"sent with the check {code} switched off: {reason}")
    emit(describe_counts(found.summary.counts))
    emit(found.summary.counts.equation())


def _print_returned(found: CampaignReport) -> None:
    """Print what came back, what servers say about the sender, and where nobody is left."""
    returned = found.returned
    if returned.groups:
        emit("what came back, by reader")
        emit(columns([(f"  {group.label}", group.readers) for group in returned.groups], right=(1,)))
    for alarm in returned.alarms:
        emit(f"alarm  {alarm.readers:,} × {alarm.reason.value}: {alarm.words}")
    if returned.alarms:
        emit(
            "alarm  Servers say this about the sender, so nobody was removed for it. Ask whoever runs your "
            "relay, and run `mailer doctor`."
        )
    if returned.left_by_mail:
        emit(f"left by mail  {_shorten(returned.left_by_mail, returned.left_by_mail_count)}")
    for lost in found.lost_organisations[:_MAX_LINES]:
        emit(f"no reader left  {lost.name} ({lost.readers:,} gone)")
    if (more := len(found.lost_organisations) - _MAX_LINES) > 0:
        emit(f"no reader left  … and {more:,} more organisations. For all of them: --json")


def _shorten(names: Sequence[str], number: int) -> str:
    shown = ", ".join(names[:_MAX_LINES])
    return f"{shown} … and {number - _MAX_LINES:,} more" if number > _MAX_LINES else shown


def _describe_departures(left: Departures) -> str:
    kinds = ((left.unsubscribed, "unsubscribed"), (left.complained, "reported spam"))
    words = " and ".join(f"{number:,} {kind}" for number, kind in kinds if number)
    return f"{words}; {left.through_mail:,} of {left.total:,} through this mail"


def _write_csv(
    session: Session, campaign_id: int, workspace: Workspace, output: Path, states: tuple[str, ...]
) -> None:
    """Write the CSV row by row. A file appears only once it is complete."""
    from mailer.campaigns.report import write_deliveries
    from mailer.database.models import DeliveryState

    chosen = [DeliveryState(name) for name in states]
    if output == Path("-"):
        write_deliveries(session, campaign_id, workspace, sys.stdout, states=chosen)
        return
    with atomic_file(output) as binary:
        # Without a byte order mark, Excel reads the file in the system's own encoding instead of UTF-8.
        stream = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="", write_through=False)
        number = write_deliveries(session, campaign_id, workspace, stream, states=chosen)
        stream.flush()
        stream.detach()
    say(f"Wrote {output}: {number:,} deliveries.")
