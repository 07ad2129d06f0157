"""Why a plan may not be sent yet: what its approval lacks, and the command that gives it."""

import shlex

from sqlalchemy import Connection

from locales.phrase import Phrase, gettext_noop
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
    """Return why ``plan`` may not be launched with ``approval``, and whom it waits for; empty if it may, or
    if no approval is needed ([campaigns] approval).

    ``approval`` is what :func:`~mailer.campaigns.approvals.approval.find_approval` has found.
    """
    if settings.campaigns.approval != "required":
        return ""
    command = f"`{approve_command(plan, settings)}`"
    is_missing = approval is None or not approval.holds
    if is_missing and (waiting := describe_round(connection, plan.edition, plan.digest)):
        return waiting
    if approval is None:
        return Phrase(
            gettext_noop(
                "%(edition)s needs an approval for this segment before it is sent ([campaigns] "
                "approval). Read it, then approve it with %(command)s."
            ),
            edition=plan.edition,
            command=command,
        )
    if not approval.holds:
        return Phrase(
            gettext_noop(
                "%(edition)s was approved by %(by)s on %(time)s, but it has changed since, so the "
                "approval no longer counts ([campaigns] approval). Changed since: %(changes)s. Read the "
                "changes, then approve it again with %(command)s."
            ),
            edition=plan.edition,
            by=approval.by,
            time=format_utc(approval.at),
            changes=approval.changes_as_text,
            command=command,
        )
    return _find_same_person(settings, plan, approval, launched_by, command)


def describe_round(connection: Connection, edition: str, digest: str, *, is_starting: bool = False) -> str:
    """What the round that asks for exactly this content and segment waits for, or that somebody asked for
    changes; "" if there is none. ``is_starting`` says that its campaign is being started."""
    asked = find_round_of(connection, digest, is_starting=is_starting)
    if asked is None:
        return ""
    if asked.is_open:
        message = gettext_noop(
            "%(edition)s is not approved yet ([campaigns] approval). It waits for %(missing)s."
        )
        if asked.approver_names:
            message = gettext_noop(
                "%(edition)s is not approved yet ([campaigns] approval). %(names)s approved it. It waits for "
                "%(missing)s."
            )
        names, missing = ", ".join(asked.approver_names), asked.describe_missing()
        return Phrase(message, edition=edition, names=names, missing=missing)
    if asked.state is RoundState.changes_requested:
        refusal = next(one for one in reversed(asked.answers) if not one.approves)
        return Phrase(
            gettext_noop(
                "%(name)s asked for changes to %(edition)s: “%(words)s”. Change it, then ask for its "
                "approval again."
            ),
            name=refusal.person.name,
            edition=edition,
            words=refusal.words,
        )
    return ""


def _find_same_person(
    settings: Settings, plan: Plan, approval: Approval, launched_by: str, command: str
) -> str:
    """Why the approval is not that of another person, where it has to be; "" if it is."""
    if settings.campaigns.approval_by != "another":
        return ""
    values = {"edition": plan.edition, "by": approval.by, "command": command}
    if any(is_named(one, plan.authors) for one in approval.people):
        return Phrase(
            gettext_noop(
                "%(edition)s was approved by %(by)s, who is one of its authors. Another person must "
                'approve it ([campaigns] approval_by = "another"): %(command)s.'
            ),
            **values,
        )
    if not launched_by.strip():
        return gettext_noop(
            'Another person must approve it ([campaigns] approval_by = "another"), and it is not '
            "known who is launching it. Add --by and your name."
        )
    if is_named(launched_by, approval.people):
        return Phrase(
            gettext_noop(
                "%(edition)s was approved by %(by)s, who is also launching it. Another person must "
                'approve it ([campaigns] approval_by = "another"): %(command)s. Or let another person '
                "launch it, with --by and their name."
            ),
            **values,
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
