"""The options of the commands that send, and what the team's draft adds to those of ``mailer send``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

import click

from mailer.cli.context import Parameter, add_parameters, gather_options, pass_context
from mailer.cli.output import json_option, say, user_option
from mailer.utc import format_utc

if TYPE_CHECKING:
    from sqlmodel import Session

    from mailer.campaigns.preparation.preparation import Decisions, Preparation

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
AT_ONCE = "now"
"""What ``--at`` says to start at the launch, whatever the draft says."""
_PARAMETERS: tuple[Parameter, ...] = (
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
    user_option(
        "Who sends it or tests it, for the record. Default: the user running the command.", default=""
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
class RunOptions:
    """How a command that sends is run. ``rate`` is in messages per second, None for that of the settings."""

    confirm: bool
    addresses: tuple[str, ...]
    open_browser: bool
    rate: float | None
    wait: bool
    detach: bool
    by: str
    as_json: bool


@dataclass(frozen=True, kw_only=True)
class SendArguments(RunOptions):
    """All arguments and options, as they stand there. None is an option that was not given. A test shows the
    mail of the subscriber with ``shown_address`` ("" for nobody's), or that ``variant`` of the preview's list
    (from 1). ``at`` is a time, or :data:`AT_ONCE`."""

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
        """Return what they decide about the campaign. Raise ScheduleError if ``at`` is not a valid time."""
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
    return add_parameters(*_PARAMETERS)(gather_options(SendArguments, "given")(command))


def run_options(by: str, *more: Parameter) -> Parameter:
    """Give a command :class:`RunOptions` in its parameter ``run``, and ``approver``: whose approval it is to
    record instead of sending. ``by`` is what ``--by`` means, and ``more`` stands before ``--wait``."""
    approve_option = click.option(
        "--approve", "approver", metavar="NAME", help="Approve it under this name. Nothing is sent."
    )
    before: tuple[Parameter, ...] = (confirm_option, addresses_option, open_option, rate_option)
    after = (wait_option, detach_option, approve_option, user_option(by, default=""), json_option)
    add = add_parameters(*before, *more, *after)
    return lambda command: add(pass_context(gather_options(RunOptions, "run")(command)))


def fill_decisions(
    session: Session, edition: str, given: Decisions, *, starts_as_given: bool
) -> tuple[Decisions, Preparation | None]:
    """Take what the options leave open from the edition's draft, if they leave open who gets it, and say so;
    return that draft too. With ``--segment``, the command is complete as it is, and the draft is only named.
    """
    from mailer.campaigns.named_plan import NoSegmentError
    from mailer.campaigns.preparation.preparation_store import find_preparation

    found = find_preparation(session, edition)
    if given.segment is not None:
        if found is not None:
            say(
                f"Campaign {found.campaign_id} is being prepared for this edition. This command does not use "
                "it; leave out --segment to send what was prepared."
            )
        return given, None
    if found is None:
        raise click.MissingParameter(param_hint="'--segment'", param_type="option")
    if found.decisions.segment is None:
        raise NoSegmentError(found.campaign_id)
    filled = _fill(given, found.decisions, starts_as_given)
    by = f", as {found.changed_by} left it" if found.changed_by else ""
    taken = " ".join(_list_taken(given, filled))
    say(f"From campaign {found.campaign_id}, which is being prepared{by}: {taken}")
    return filled, found


def _fill(given: Decisions, decided: Decisions, starts_as_given: bool) -> Decisions:
    from mailer.campaigns.preparation.preparation import DECIDED_FIELDS

    is_canary_given = given.canary is not None or given.canary_minutes is not None
    kept = {"canary", "canary_minutes"} if is_canary_given else set()
    kept |= {"start_at"} if starts_as_given else set()
    names = [name for names in DECIDED_FIELDS.values() for name in names if name not in kept]
    taken = {name: getattr(decided, name) for name in names if getattr(given, name) is None}
    return replace(given, again=given.again or decided.again, **taken)


def _list_taken(given: Decisions, filled: Decisions) -> Iterator[str]:
    """Yield the options that would say what was taken from a draft."""
    yield f"--segment '{filled.segment}'"
    if filled.again and not given.again:
        yield "--again"
    if filled.start_at != given.start_at and filled.start_at is not None:
        yield f"--at {filled.start_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    if filled.canary not in {None, given.canary}:
        yield f"--canary {filled.canary}"
    if filled.canary_minutes not in {None, given.canary_minutes}:
        yield f"--canary-minutes {filled.canary_minutes:g}"
    if filled.in_doubt not in {None, given.in_doubt}:
        yield f"--in-doubt {filled.in_doubt}"
    if filled.count_clicks not in {None, given.count_clicks}:
        yield "--count-clicks" if filled.count_clicks else "--no-count-clicks"
    if filled.archived not in {None, given.archived}:
        yield "--archive" if filled.archived else "--no-archive"


def describe_decisions(decided: Decisions) -> Iterator[tuple[str, str]]:
    """Yield what was decided about a campaign, as rows of a name and words; what is left to the settings is
    not among them.
    """
    if decided.segment is not None:
        yield "segment", decided.segment
    if decided.again:
        yield "again", "also to readers who already have it"
    if decided.start_at is not None:
        yield "starts", f"{format_utc(decided.start_at)}, once it is launched"
    if decided.canary is not None:
        minutes = f", the rest {decided.canary_minutes:g} minutes later" if decided.canary_minutes else ""
        yield "canary", f"{decided.canary:,} readers first{minutes}" if decided.canary else "none"
    if decided.count_clicks is not None:
        yield "clicks", "are counted" if decided.count_clicks else "are not counted"
    if decided.archived is not None:
        yield "archive", "yes" if decided.archived else "no"
    if decided.in_doubt is not None:
        yield "in doubt", decided.in_doubt.value
    if decided.note:
        yield "note", " ".join(decided.note.split())
