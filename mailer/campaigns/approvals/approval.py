"""Approvals: what a person approved, whether it still counts, and what has changed since.

An approval covers an edition's content in every language, the segment, whether readers who already have the
edition get it again, whether clicks are counted, and the settings that change the mail or who gets it. It is
stored with its campaign, beside the content at that time. Whether it still counts is worked out by comparing,
each time it matters.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import Session, col

from editions.errors import EditionError
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.approvals.changes import (
    FrozenState,
    SendingOptions,
    list_changed_options,
    list_changed_settings,
    list_changes,
)
from mailer.campaigns.approvals.rounds import list_approvers
from mailer.campaigns.approvals.settings_hashes import BINDING, hash_settings
from mailer.campaigns.content_changes import GONE
from mailer.campaigns.correction_record import SEPARATOR
from mailer.campaigns.current_content import compile_content
from mailer.campaigns.plan import Plan, digest_plan
from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.errors import ConfigurationError, MailerError, TemplateError
from mailer.rendering.compiled_edition import CompiledEdition
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
        """The approval in the form of the JSON output."""
        return {
            "campaign_id": self.campaign_id,
            "by": self.by,
            "at": self.at.isoformat(),
            "changes": list(self.changes),
            "holds": self.holds,
        }

    def __str__(self) -> str:
        words = f"approved by {self.by}, {format_utc(self.at)}"
        if self.missing:
            return f"{words}; it still waits for {self.missing}"
        return words if self.holds else f"{words}; no longer valid, changed since: {self.changes_as_text}"

    @property
    def changes_as_text(self) -> str:
        """The changes as text."""
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
    """Return the approval that counts for ``plan``, from a campaign in one of ``states``.

    If none counts, return the closest one with what has changed since; None if there is no approval at all.
    """
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
        return _with_changes(
            connection, nearest, Phrase(gettext_noop("%(edition)s has errors"), edition=plan.edition)
        )
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
    """What was approved with a campaign."""

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
