"""Why a plan may not be sent yet: what its approval lacks, and the command that gives it."""

import shlex

from sqlalchemy import Connection

from mailer.campaigns.approvals.approval import Approval
from mailer.campaigns.approvals.approver_name import is_named
from mailer.campaigns.approvals.rounds import find_round_of
from mailer.campaigns.plan import Plan
from mailer.database.approval_models import RoundState
from mailer.settings import Settings
from mailer.utc import format_utc


def find_approval_fault(
    connection: Connection,
    settings: Settings,
    plan: Plan,
    approval: Approval | None,
    *,
    launched_by: str,
) -> str:
    """Return why ``plan`` may not be launched with ``approval``, which :func:`find_approval` has found, and
    whom it waits for; empty if it may, or if no approval is needed ([campaigns] approval)."""
    if settings.campaigns.approval != "required":
        return ""
    command = f"`{approve_command(plan, settings)}`"
    is_missing = approval is None or not approval.holds
    if is_missing and (waiting := describe_round(connection, plan.edition, plan.digest)):
        return waiting
    if approval is None:
        return (
            f"{plan.edition} needs an approval for this segment before it is sent ([campaigns] approval). "
            f"Read it, then approve it with {command}."
        )
    given = f"{plan.edition} was approved by {approval.by}"
    if not approval.holds:
        return (
            f"{given} on {format_utc(approval.at)}, but it has changed since, so the approval no longer "
            f"counts ([campaigns] approval). Changed since: {approval.changes_as_text}. "
            f"Read the changes, then approve it again with {command}."
        )
    return _find_same_person(settings, plan, approval, launched_by, command)


def describe_round(connection: Connection, edition: str, digest: str, *, is_starting: bool = False) -> str:
    """What the round that asks for exactly this content and segment waits for, or that somebody asked for
    changes; "" if there is none. ``is_starting`` says that its campaign is being started."""
    asked = find_round_of(connection, digest, is_starting=is_starting)
    if asked is None:
        return ""
    if asked.is_open:
        so_far = f" {', '.join(asked.approver_names)} approved it." if asked.approver_names else ""
        return (
            f"{edition} is not approved yet ([campaigns] approval).{so_far} It waits for "
            f"{asked.describe_missing()}."
        )
    if asked.state is RoundState.changes_requested:
        refusal = next(one for one in reversed(asked.answers) if not one.approves)
        return (
            f"{refusal.person.name} asked for changes to {edition}: “{refusal.words}”. Change it, then "
            "ask for its approval again."
        )
    return ""


def _find_same_person(
    settings: Settings, plan: Plan, approval: Approval, launched_by: str, command: str
) -> str:
    """Why the approval is not that of another person, where it has to be; "" if it is."""
    if settings.campaigns.approval_by != "another":
        return ""
    given = f"{plan.edition} was approved by {approval.by}"
    rule = 'Another person must approve it ([campaigns] approval_by = "another")'
    if any(is_named(one, plan.authors) for one in approval.people):
        return f"{given}, who is one of its authors. {rule}: {command}."
    if not launched_by.strip():
        return f"{rule}, and it is not known who is launching it. Add --by and your name."
    if is_named(launched_by, approval.people):
        return (
            f"{given}, who is also launching it. {rule}: {command}. Or let another person launch it, with "
            "--by and their name."
        )
    return ""


def approve_command(plan: Plan, settings: Settings) -> str:
    """Return the command that approves ``plan``."""
    if plan.correction is not None:
        told = shlex.join(["mailer", "correct", plan.correction.edition, plan.correction.story])
        return f"{told} --note FILE --approve NAME"
    return approve_edition_command(
        plan.edition,
        plan.segment.text,
        again=plan.again,
        counts_clicks=plan.counts_clicks,
        by_default=settings.campaigns.count_clicks,
    )


def approve_edition_command(
    edition: str, segment: str, *, again: bool, counts_clicks: bool, by_default: bool
) -> str:
    """Return the command that approves ``edition`` for a segment. It says whether clicks are counted only
    where that is not so ``by_default``."""
    words = ["mailer", "campaigns", "approve", edition, "--segment", segment, *(["--again"] if again else [])]
    if counts_clicks != by_default:
        words.append("--count-clicks" if counts_clicks else "--no-count-clicks")
    return f"{shlex.join(words)} --as NAME"
