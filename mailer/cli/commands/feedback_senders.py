"""The command ``feedback senders``: who sends in our name, as receivers report it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from mailer.feedback.dmarc_reports import SenderOverview

_MAX_LINES = 20


@click.command()
@click.option(
    "--days", type=click.IntRange(1, 396), default=30, show_default=True, help="The days to look back."
)
@json_option
@pass_context
def senders(context: CliContext, days: int, as_json: bool) -> None:
    """Show who sends mail in your name, by the reports that receivers send (DMARC).

    The reports arrive in the mailbox of what comes back, if the DMARC record of your domain names its
    address (rua). Anybody can write a report, so they are a hint and no proof.
    """
    from mailer.feedback.dmarc_reports import read_senders

    workspace = context.open_workspace()
    with context.read_session(workspace) as session:
        found = read_senders(session.connection(), since=datetime.now(UTC) - timedelta(days=days))
    if as_json:
        emit_json(found.as_dict())
    elif not found.reports:
        say(
            f"No report has come in {days} days. Have them sent to the mailbox of what comes back: `mailer "
            "doctor dmarc` shows the record for it."
        )
    else:
        _print(found, days)


def _print(found: SenderOverview, days: int) -> None:
    share = 100 * found.passed / found.messages if found.messages else 0
    emit(
        f"{found.reports:,} {'report' if found.reports == 1 else 'reports'} of {days} days, from "
        f"{shorten(', '.join(found.receivers), 60)}: {found.messages:,} messages, {share:.1f} % passed."
    )
    rows = [
        (
            *(one.source_ip, one.kind.value),
            *(f"{number:,}" for number in (one.messages, one.passed, one.refused)),
            one.domains[0] if one.domains else "",
        )
        for one in found.senders[:_MAX_LINES]
    ]
    head = ("address", "who", "messages", "passed", "refused", "as")
    emit(columns(rows, head=head, right=(2, 3, 4)))
    if len(found.senders) > _MAX_LINES:
        emit(f"… {len(found.senders) - _MAX_LINES:,} more; --json has them all.")
    if found.unknown:
        say(
            "Unknown: a program of yours that does not sign (bring it under SPF or DKIM), or somebody who "
            "writes in your name. With p=quarantine or p=reject in your DMARC record, their mail is refused."
        )
