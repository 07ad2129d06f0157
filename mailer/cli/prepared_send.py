"""What ``mailer send`` takes from the draft that the team has prepared in Studio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.cli.output import say
from mailer.utc import format_utc

if TYPE_CHECKING:
    from sqlmodel import Session

    from mailer.campaigns.launch import LaunchOptions
    from mailer.campaigns.preparation.preparation import Decisions, Preparation

AT_ONCE = "now"
"""What ``--at`` says to start at the launch, whatever the draft says."""


@dataclass(frozen=True, kw_only=True)
class SendOptions:
    """The options of ``mailer send`` that a draft may give. None is an option that was not given; ``start``
    (aware) is None to start at the launch. ``preparation`` is the draft they were taken from, if any."""

    query: str | None
    again: bool
    count_clicks: bool | None
    start: datetime | None
    is_start_given: bool
    canary: int | None
    canary_minutes: float | None
    archived: bool | None
    in_doubt: str | None
    preparation: Preparation | None = None

    def make_launch_options(self, *, rate: float | None, by: str) -> LaunchOptions:
        """Return the same for the launch, with what no draft says."""
        from mailer.campaigns.launch import LaunchOptions

        return LaunchOptions(
            rate=rate,
            in_doubt=self.in_doubt,
            canary=self.canary,
            canary_minutes=self.canary_minutes,
            archived=self.archived,
            by=by,
        )


def fill_options(session: Session, edition: str, options: SendOptions) -> SendOptions:
    """Take what the options leave open from the edition's draft, if they leave open who gets it, and say so.
    With ``--segment``, the command is complete as it is, and the draft is only named.

    Raises:
        MissingParameter: nobody says who gets it.
        NoSegmentError: the draft does not say it yet either.
    """
    from mailer.campaigns.named_plan import NoSegmentError
    from mailer.campaigns.preparation.preparation_store import find_preparation

    found = find_preparation(session, edition)
    if options.query is not None:
        if found is not None:
            say(
                f"Campaign {found.campaign_id} is being prepared for this edition. This command does not use "
                "it; leave out --segment to send what was prepared."
            )
        return options
    if found is None:
        raise click.MissingParameter(param_hint="'--segment'", param_type="option")
    if found.decisions.segment is None:
        raise NoSegmentError(found.campaign_id)
    filled = _fill(options, found)
    say(_describe(options, filled, found))
    return filled


def _fill(options: SendOptions, found: Preparation) -> SendOptions:
    decided = found.decisions
    own_canary = options.canary is not None or options.canary_minutes is not None
    return replace(
        options,
        query=decided.segment,
        again=options.again or decided.again,
        count_clicks=decided.count_clicks if options.count_clicks is None else options.count_clicks,
        start=options.start if options.is_start_given else decided.start_at,
        canary=options.canary if own_canary else decided.canary,
        canary_minutes=options.canary_minutes if own_canary else decided.canary_minutes,
        archived=decided.archived if options.archived is None else options.archived,
        in_doubt=options.in_doubt or (decided.in_doubt.value if decided.in_doubt else None),
        preparation=found,
    )


def _describe(options: SendOptions, filled: SendOptions, found: Preparation) -> str:
    by = f", as {found.changed_by} left it" if found.changed_by else ""
    taken = [f"--segment '{filled.query}'"]
    if filled.again and not options.again:
        taken.append("--again")
    if filled.start != options.start and filled.start is not None:
        taken.append(f"--at {filled.start.astimezone(UTC):%Y-%m-%dT%H:%MZ}")
    if filled.canary not in {None, options.canary}:
        taken.append(f"--canary {filled.canary}")
    if filled.canary_minutes not in {None, options.canary_minutes}:
        taken.append(f"--canary-minutes {filled.canary_minutes:g}")
    if filled.in_doubt not in {None, options.in_doubt}:
        taken.append(f"--in-doubt {filled.in_doubt}")
    if filled.count_clicks not in {None, options.count_clicks}:
        taken.append("--count-clicks" if filled.count_clicks else "--no-count-clicks")
    if filled.archived not in {None, options.archived}:
        taken.append("--archive" if filled.archived else "--no-archive")
    return f"From campaign {found.campaign_id}, which is being prepared{by}: {' '.join(taken)}"


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
