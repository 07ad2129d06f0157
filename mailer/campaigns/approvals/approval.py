"""Approvals: what a person approved, whether it still counts, what has changed since, and what is lacking.

An approval covers an edition's content in every language, the segment, whether readers who already have the
edition get it again, whether clicks are counted, and the settings that change the mail or who gets it. It is
stored with its campaign, beside the content at that time. Whether it still counts is worked out by
comparing, each time it matters.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import Session, col

from editions.errors import EditionError
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.approvals.changes import (
    BINDING,
    FrozenState,
    SendingOptions,
    hash_settings,
    list_changed_options,
    list_changed_settings,
    list_changes,
)
from mailer.campaigns.approvals.rounds import find_round_of, list_approvers
from mailer.campaigns.approvals.steps import is_named
from mailer.campaigns.content_versions import GONE, compile_content
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.plan import Plan, digest_plan
from mailer.database.approval_models import RoundState
from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.errors import ConfigurationError, MailerError, TemplateError
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import Settings
from mailer.utc import format_utc
from mailer.workspace import Workspace

_WAITING_STATES = (CampaignState.approved, CampaignState.scheduled)
_COLUMNS = (
    *(col(Campaign.id), col(Campaign.edition), col(Campaign.segment), col(Campaign.state)),
    *(col(Campaign.again), col(Campaign.digest), col(Campaign.approved_by), col(Campaign.approved_at)),
    *(col(Campaign.approved_digest), col(Campaign.approved_settings), col(Campaign.counts_clicks)),
)


class ApprovalRefusedError(MailerError):
    """The edition was not approved, and nothing was stored."""


@dataclass(frozen=True, kw_only=True)
class Approval:
    """An approval. ``by`` names the ``people`` who gave it. ``changes`` lists what has changed since; if
    anything has, the approval is void. ``missing`` says who still has to approve, if it is not complete."""

    campaign_id: int
    by: str
    at: datetime
    people: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    missing: str = ""

    @property
    def holds(self) -> bool:
        return not self.changes and not self.missing

    def as_dict(self) -> dict[str, Any]:
        names = ("campaign_id", "by", "at", "changes", "holds")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        words = f"approved by {self.by}, {format_utc(self.at)}"
        if self.missing:
            return f"{words}; it still waits for {self.missing}"
        return words if self.holds else f"{words}; no longer valid, changed since: {self.changes_as_text}"

    @property
    def changes_as_text(self) -> str:
        return "; ".join(self.changes)


def read_approval(row: Any) -> Approval | None:
    """Return the approval in a campaign's ``row``, without looking for changes; None if there is none."""
    if not row.approved_by:
        return None
    return Approval(campaign_id=row.id, by=row.approved_by, at=row.approved_at, people=(row.approved_by,))


def find_approval(
    connection: Connection,
    workspace: Workspace,
    plan: Plan,
    *,
    states: Sequence[CampaignState] = _WAITING_STATES,
) -> Approval | None:
    """Return the approval that counts for ``plan``, from a campaign in one of ``states``; if none does, the
    closest one with what has changed since; None if there is no approval at all."""
    statement = (
        select(*_COLUMNS)
        .where(col(Campaign.edition) == plan.edition, col(Campaign.state).in_(states))
        .where(col(Campaign.approved_by) != "")
        .order_by(col(Campaign.id).desc())
    )
    rows = connection.execute(statement).all()
    if not rows:
        return None
    hashes = hash_settings(workspace)
    options = SendingOptions(segment=plan.segment.text, again=plan.again, counts_clicks=plan.counts_clicks)
    for row in rows:
        is_same_audience = (row.again, row.counts_clicks) == (plan.again, plan.counts_clicks)
        if is_same_audience and not _is_changed(row, plan.digest, hashes=hashes):
            return _with_changes(connection, row)
    nearest = next((row for row in rows if row.segment == plan.segment.text), rows[0])
    if not plan.compiled:
        return _with_changes(connection, nearest, Phrase("%(edition)s has errors", edition=plan.edition))
    state = _freeze(connection, nearest)
    changes = list_changes(state, plan.compiled, hashes)
    return _with_changes(connection, nearest, *list_changed_options(state.options, options), *changes)


def check_approval(session: Session, workspace: Workspace, campaign_id: int) -> Approval | None:
    """Return the approval of one campaign with what has changed since; None if it was not approved.

    A campaign that is not launched yet is compared with the edition as it is now. A scheduled campaign sends
    its frozen content, so only settings can have changed. After the launch nothing is compared.
    """
    connection = session.connection()
    row = connection.execute(select(*_COLUMNS).where(col(Campaign.id) == campaign_id)).one()
    # The content of a correction comes from a note, which the database does not know where to find.
    is_frozen = row.state is CampaignState.scheduled or SEPARATOR in row.edition
    if is_frozen and row.state in _WAITING_STATES and row.approved_by:
        return _with_changes(connection, row, *list_voiding_settings(row, workspace))
    if row.state is not CampaignState.approved:
        return read_approval(row)
    try:
        compiled = compile_content(workspace, row.edition)
    except (ConfigurationError, EditionError, TemplateError):
        return _with_changes(connection, row, Phrase(GONE, edition=row.edition))
    hashes = hash_settings(workspace)
    digest = digest_plan(row.edition, row.segment, compiled)
    if not _is_changed(row, digest, hashes=hashes):
        return _with_changes(connection, row)
    return _with_changes(connection, row, *list_changes(_freeze(connection, row), compiled, hashes))


def list_voiding_settings(row: Any, workspace: Workspace) -> list[Phrase]:
    """Return the changed settings that void the approval of a campaign whose content is frozen."""
    return list_changed_settings(_read_settings(row), hash_settings(workspace), only=BINDING)


def _with_changes(connection: Connection, row: Any, *changes: str) -> Approval:
    people = list_approvers(connection, row.id) or (row.approved_by,)
    return Approval(
        campaign_id=row.id, by=row.approved_by, at=row.approved_at, people=people, changes=changes
    )


def _is_changed(row: Any, digest: str, *, hashes: Mapping[str, str]) -> bool:
    same = (row.approved_digest, row.digest) == (digest, digest)
    return not same or bool(list_changed_settings(_read_settings(row), hashes, only=BINDING))


def _read_settings(row: Any) -> dict[str, str]:
    then: dict[str, str] = json.loads(row.approved_settings or "{}")
    return then


def _freeze(connection: Connection, row: Any) -> FrozenState:
    def read_content() -> list[CompiledEdition]:
        contents = select(col(CampaignContent.body)).where(col(CampaignContent.campaign_id) == row.id)
        return [CompiledEdition.from_bytes(body) for body in connection.scalars(contents)]

    options = SendingOptions(segment=row.segment, again=row.again, counts_clicks=row.counts_clicks)
    return FrozenState(
        edition=row.edition,
        options=options,
        digest=row.digest,
        settings=_read_settings(row),
        read_content=read_content,
    )


def find_approval_fault(
    connection: Connection,
    settings: Settings,
    plan: Plan,
    approval: Approval | None,
    *,
    launched_by: str,
) -> str:
    """Return why ``plan`` may not be launched with the ``approval`` that :func:`find_approval` has found, and
    whom it waits for; empty if it may, or if no approval is needed ([campaigns] approval)."""
    if settings.campaigns.approval != "required":
        return ""
    command = f"`{approve_command(plan, settings)}`"
    is_missing = approval is None or not approval.holds
    if is_missing and (waiting := describe_round(connection, plan.edition, plan.digest)):
        return waiting
    if approval is None:
        return Phrase(
            "%(edition)s needs an approval for this segment before it is sent ([campaigns] "
            "approval). Read it, then approve it with %(command)s.",
            edition=plan.edition,
            command=command,
        )
    if not approval.holds:
        return Phrase(
            "%(edition)s was approved by %(by)s on %(time)s, but it has changed since, so the "
            "approval no longer counts ([campaigns] approval). Changed since: %(changes)s. Read the "
            "changes, then approve it again with %(command)s.",
            edition=plan.edition,
            by=approval.by,
            time=format_utc(approval.at),
            changes=approval.changes_as_text,
            command=command,
        )
    return _find_same_person(settings, plan, approval, launched_by, command)


def describe_round(connection: Connection, edition: str, digest: str, *, is_starting: bool = False) -> str:
    """Return what the round that asks for exactly this content and segment waits for, or that somebody asked
    for changes; "" if there is none. ``is_starting`` says that its campaign is being started."""
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
            "%(name)s asked for changes to %(edition)s: “%(words)s”. Change it, then ask for its "
            "approval again.",
            name=refusal.person.name,
            edition=edition,
            words=refusal.words,
        )
    return ""


def _find_same_person(
    settings: Settings, plan: Plan, approval: Approval, launched_by: str, command: str
) -> str:
    """Return why the approval is not that of another person, where it has to be; "" if it is."""
    if settings.campaigns.approval_by != "another":
        return ""
    values = {"edition": plan.edition, "by": approval.by, "command": command}
    if any(is_named(one, plan.authors) for one in approval.people):
        return Phrase(
            "%(edition)s was approved by %(by)s, who is one of its authors. Another person must "
            'approve it ([campaigns] approval_by = "another"): %(command)s.',
            **values,
        )
    if not launched_by.strip():
        return gettext_noop(
            'Another person must approve it ([campaigns] approval_by = "another"), and it is not '
            "known who is launching it. Add --by and your name."
        )
    if is_named(launched_by, approval.people):
        return Phrase(
            "%(edition)s was approved by %(by)s, who is also launching it. Another person must "
            'approve it ([campaigns] approval_by = "another"): %(command)s. Or let another person '
            "launch it, with --by and their name.",
            **values,
        )
    return ""


def approve_command(plan: Plan, settings: Settings) -> str:
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
