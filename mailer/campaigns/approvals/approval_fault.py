"""Why a plan may not be sent yet: what its approval lacks, and the command that gives it."""

import shlex

from mailer.campaigns.approvals.approval import Approval
from mailer.campaigns.approvals.approver_name import is_named
from mailer.campaigns.plan import Plan
from mailer.settings import Settings
from mailer.utc import format_utc


def find_approval_fault(
    settings: Settings, plan: Plan, approval: Approval | None, *, launched_by: str
) -> str:
    """Return why ``approval`` does not allow ``plan`` to be launched; empty if it does."""
    command = f"`{approve_command(plan, settings)}`"
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
    if settings.campaigns.approval_by != "another":
        return ""
    rule = 'Another person must approve it ([campaigns] approval_by = "another")'
    if is_named(approval.by, plan.authors):
        return f"{given}, who is one of its authors. {rule}: {command}."
    if not launched_by.strip():
        return f"{rule}, and it is not known who is launching it. Add --by and your name."
    if is_named(approval.by, [launched_by]):
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
