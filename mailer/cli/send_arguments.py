"""What ``mailer send`` is given on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mailer.cli.context import gather_options
from mailer.cli.output import json_option
from mailer.cli.send_options import (
    RunOptions,
    addresses_option,
    confirm_option,
    count_clicks_option,
    detach_option,
    in_doubt_option,
    open_option,
    rate_option,
    wait_option,
)

if TYPE_CHECKING:
    from mailer.campaigns.preparation.preparation import Decisions

AT_ONCE = "now"
"""What ``--at`` says to start at the launch, whatever the draft says."""

_PARAMETERS: tuple[Callable[[Callable[..., None]], Callable[..., None]], ...] = (
    click.argument("edition"),
    click.argument("test_readers", nargs=-1, metavar="[ADDRESS]..."),
    click.option(
        "--segment",
        "query",
        metavar="QUERY",
        help="Who gets it, such as 'country:MN'; 'all' for all subscribers. By default, whom the team has "
        "chosen in Studio, with all else that they have decided.",
    ),
    click.option(
        "--test",
        "is_test",
        is_flag=True,
        help="Send a test to each ADDRESS, or to [campaigns] test_readers. It needs no --confirm.",
    ),
    click.option(
        "--as",
        "shown_address",
        default="",
        metavar="ADDRESS",
        help="In a test, the mail that this subscriber gets.",
    ),
    click.option(
        "--variant",
        type=click.IntRange(min=1),
        metavar="N",
        help="In a test, version N of those that the preview of the segment lists.",
    ),
    rate_option,
    confirm_option,
    addresses_option,
    open_option,
    click.option("--again", is_flag=True, help="Also send to readers who already have this edition."),
    in_doubt_option,
    wait_option,
    click.option(
        "--at",
        metavar="TIME",
        help="Start at this time, such as 2026-12-01T09:00+08:00. Without an offset: this machine's time "
        "zone. now to start at the launch, whatever was prepared.",
    ),
    click.option(
        "--canary",
        type=click.IntRange(min=0),
        metavar="N",
        help="Send to N readers first, as a canary; the rest wait. 0 for no canary.",
    ),
    click.option(
        "--canary-minutes",
        type=click.FloatRange(min=0, min_open=True),
        metavar="M",
        help="Send to the rest M minutes after the canary. By default they wait for `campaigns resume`.",
    ),
    detach_option,
    click.option(
        "--by",
        metavar="NAME",
        envvar=["LOGNAME", "USER"],
        default="",
        help="Who sends it or tests it, for the record. Default: the user running the command.",
    ),
    click.option(
        "--archive/--no-archive",
        "archived",
        default=None,
        help="Whether to show it in the public archive. Default: as set in [campaigns] archive.",
    ),
    count_clicks_option,
    json_option,
)


@dataclass(frozen=True, kw_only=True)
class SendArguments(RunOptions):
    """All arguments and options, as they stand there. None is an option that was not given.

    With ``is_test``, a test goes to ``test_readers``: the mail of the subscriber with ``shown_address`` (""
    for nobody's), or that ``variant`` of the preview's list (from 1). ``at`` is a time, or :data:`AT_ONCE`.
    """

    edition: str
    query: str | None
    is_test: bool
    test_readers: tuple[str, ...]
    shown_address: str
    variant: int | None
    again: bool
    in_doubt: str | None
    at: str | None
    canary: int | None
    canary_minutes: float | None
    archived: bool | None
    count_clicks: bool | None

    def read_decisions(self) -> Decisions:
        """What they decide about the campaign.

        Raises:
            ScheduleError: ``at`` is not a valid time.
        """
        from mailer.campaigns.preparation.preparation import Decisions
        from mailer.campaigns.schedule import parse_start_time
        from mailer.database.models import InDoubtPolicy

        return Decisions(
            segment=self.query,
            again=self.again,
            count_clicks=self.count_clicks,
            start_at=None if self.at in {None, AT_ONCE} else parse_start_time(self.at or ""),
            canary=self.canary,
            canary_minutes=self.canary_minutes,
            archived=self.archived,
            in_doubt=InDoubtPolicy(self.in_doubt) if self.in_doubt else None,
            rate=self.rate,
            by=self.by,
        )


def send_arguments(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all of them, in its parameter ``given``."""
    command = gather_options(SendArguments, "given")(command)
    for parameter in reversed(_PARAMETERS):
        command = parameter(command)
    return command
