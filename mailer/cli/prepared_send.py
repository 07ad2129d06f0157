"""What ``mailer send`` takes from the draft that the team has prepared in Studio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

import click

from mailer.cli.output import say
from mailer.utc import format_utc

if TYPE_CHECKING:
    from sqlmodel import Session

    from mailer.campaigns.preparation.preparation import Decisions, Preparation


def fill_decisions(
    session: Session, edition: str, given: Decisions, *, starts_as_given: bool
) -> tuple[Decisions, Preparation | None]:
    """Take what the options leave open from the edition's draft, if they leave open who gets it, and say so;
    return that draft too. With ``--segment``, the command is complete as it is, and the draft is only named.

    Raises:
        MissingParameter: nobody says who gets it.
        NoSegmentError: the draft does not say it yet either.
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
    own_canary = given.canary is not None or given.canary_minutes is not None
    names = {"segment", "count_clicks", "archived", "in_doubt"}
    names |= set() if own_canary else {"canary", "canary_minutes"}
    names |= set() if starts_as_given else {"start_at"}
    open_names = [name for name in names if getattr(given, name) is None]
    taken = {name: getattr(decided, name) for name in open_names}
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
