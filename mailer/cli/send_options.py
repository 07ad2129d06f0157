"""The options that all commands which send a campaign have."""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a command that sends is run.

    Without ``confirm`` it is a preview, which ``addresses`` and ``open_browser`` are about. ``rate`` is in
    messages per second, None for that of the settings. ``wait`` stays until deferred messages have been tried
    again; ``detach`` leaves the sending to the workers. ``by`` is a name for the record.
    """

    confirm: bool
    addresses: tuple[str, ...]
    open_browser: bool
    rate: float | None
    wait: bool
    detach: bool
    by: str
    as_json: bool


confirm_option = click.option(
    "--confirm", is_flag=True, help="Send. Without it, this is only a preview and nothing is sent."
)
addresses_option = click.option(
    "--for",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="In a preview, also write this reader's message.",
)
open_option = click.option(
    "--open", "open_browser", is_flag=True, help="In a preview, open the written messages in the browser."
)
rate_option = click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="At most this many messages per second."
)
in_doubt_option = click.option(
    "--in-doubt",
    type=click.Choice(["hold", "resend"]),
    help="What resuming does with deliveries that may or may not have arrived.",
)
wait_option = click.option(
    "--wait", is_flag=True, help="Keep running until deferred messages have been tried again."
)
detach_option = click.option(
    "--detach", is_flag=True, help="Return immediately and let `mailer work` or `mailer serve` send it."
)
count_clicks_option = click.option(
    "--count-clicks/--no-count-clicks",
    "count_clicks",
    default=None,
    help="Whether clicks on its links are counted, by country and sector and without names. Default: as set "
    "in [campaigns] count_clicks.",
)
