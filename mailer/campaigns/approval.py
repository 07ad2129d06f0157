"""Approvals: what a person approved, whether it still holds, and what has changed since.

An approval is for an edition's content in every language, for the segment, for whether readers get it who
have it already, and for those settings that change the mail or who gets it. It is kept with its campaign,
beside the content as it was then; whether it holds is found by comparing, each time it matters.
"""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import normalize

from sqlalchemy import Connection, select
from sqlmodel import Session, col

import templates
from editions.errors import EditionError
from editions.reader import read_edition
from mailer.campaigns.content_changes import list_content_changes
from mailer.campaigns.plan import Plan, digest_plan
from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.errors import ConfigurationError, MailerError, TemplateError
from mailer.rendering.compiled import CompiledEdition, CompiledVersionError
from mailer.rendering.compiler import compile_edition
from mailer.settings import Settings
from mailer.workspace import Workspace

_THEME = "the theme, its templates or its phrases"
# What a message or its audience is made of and the frozen content does not hold: a change voids an approval.
_BINDING = (
    *("[sender] address", "[sender] reply_to", "[sender] list_id", "[web] base_url"),
    *("[law] opt_in", "[subject_labels]"),
)
_COLUMNS = (
    *(col(Campaign.id), col(Campaign.edition), col(Campaign.segment), col(Campaign.state)),
    *(col(Campaign.again), col(Campaign.digest), col(Campaign.approved_by), col(Campaign.approved_at)),
    *(col(Campaign.approved_digest), col(Campaign.approved_settings)),
)


class ApprovalRefusedError(MailerError):
    """The edition was not approved, and nothing was written."""


@dataclass(frozen=True, kw_only=True)
class Approval:
    """An approval that was given. ``changes`` are what has changed since; while there are any, it is void."""

    campaign_id: int
    by: str
    at: datetime
    changes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.changes

    def as_dict(self) -> dict[str, Any]:
        """The approval as JSON shows it."""
        return {**asdict(self), "at": self.at.isoformat(), "changes": list(self.changes), "holds": self.holds}

    def __str__(self) -> str:
        words = f"approved by {self.by}, {self.at:%Y-%m-%d %H:%M} UTC"
        return words if self.holds else f"{words}; void, because this has changed since: {self.listed}"

    @property
    def listed(self) -> str:
        """The changes in a sentence."""
        return "; ".join(self.changes)


def read_approval(row: Any) -> Approval | None:
    """The approval that a campaign's ``row`` holds, as it was given; None if it was not approved."""
    return Approval(campaign_id=row.id, by=row.approved_by, at=row.approved_at) if row.approved_by else None


def hash_settings(workspace: Workspace) -> dict[str, str]:
    """The settings and the theme that a mail is made with, by name, each as a hash."""
    settings = workspace.settings
    sender = settings.sender.model_dump(exclude={"bounces_to"})
    values: dict[str, Any] = {f"[sender] {name}": value for name, value in sender.items()}
    values["[web] base_url"] = settings.web.base_url
    values["[law] opt_in"] = sorted(settings.law.opt_in)
    for name in ("sectors", "countries", "country_names", "subject_labels"):
        values[f"[{name}]"] = getattr(settings, name)
    hashes = {name: _hash(json.dumps(value, sort_keys=name != "[sectors]")) for name, value in values.items()}
    return hashes | {_THEME: _hash_templates(workspace.template_overrides)}


def _hash_templates(overrides: Path | None) -> str:
    folders = [folder for folder in (overrides, templates.ROOT / "email") if folder is not None]
    files = [
        f"{path.relative_to(folder).as_posix()} {sha256(path.read_bytes()).hexdigest()}"
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return _hash("\n".join(files))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def find_approval(
    connection: Connection,
    workspace: Workspace,
    plan: Plan,
    *,
    states: Sequence[CampaignState] = (CampaignState.approved, CampaignState.scheduled),
) -> Approval | None:
    """The approval that holds for ``plan``, of a campaign in one of ``states``.

    If none holds, the one that comes nearest, with what has changed since; None if nobody approved any.
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
    for row in rows:
        if not _is_changed(row, plan.digest, again=plan.again, hashes=hashes):
            return _give(row)
    nearest = next((row for row in rows if row.segment == plan.segment.text), rows[0])
    if not plan.compiled:
        return _give(nearest, f"{plan.edition} has errors")
    changes = _list_changes(connection, nearest, plan.compiled, hashes)
    return _give(nearest, *_list_rule_changes(nearest, plan), *changes)


def check_approval(session: Session, workspace: Workspace, campaign_id: int) -> Approval | None:
    """The approval of one campaign, with what has changed since; None if nobody approved it.

    A campaign that waits to be launched is compared with its edition as it is now. One that is scheduled
    sends what was frozen, so that only settings can have changed. Later, an approval is history.
    """
    connection = session.connection()
    row = connection.execute(select(*_COLUMNS).where(col(Campaign.id) == campaign_id)).one()
    if row.state is CampaignState.scheduled and row.approved_by:
        return _give(row, *find_void(row, workspace))
    if row.state is not CampaignState.approved:
        return read_approval(row)
    try:
        compiled = _compile(workspace, row.edition)
    except (ConfigurationError, EditionError, TemplateError):
        return _give(row, f"{row.edition} has errors, or is not there any more")
    hashes = hash_settings(workspace)
    digest = digest_plan(row.edition, row.segment, compiled)
    if not _is_changed(row, digest, again=row.again, hashes=hashes):
        return _give(row)
    return _give(row, *_list_changes(connection, row, compiled, hashes))


def _give(row: Any, *changes: str) -> Approval:
    return Approval(campaign_id=row.id, by=row.approved_by, at=row.approved_at, changes=changes)


def find_void(row: Any, workspace: Workspace) -> list[str]:
    """The settings that void the approval of a campaign whose content is frozen."""
    return _list_settings(row, hash_settings(workspace), only=_BINDING)


def find_approval_fault(
    settings: Settings, plan: Plan, approval: Approval | None, *, launched_by: str
) -> str:
    """Why ``plan`` may not be launched by ``approval`` where one is required; empty if it may."""
    command = f"`{approve_command(plan.edition, plan.segment.text, again=plan.again)}`"
    if approval is None:
        return (
            f"An approval is required ([campaigns] approval), and nobody has approved {plan.edition} for "
            f"this segment. Once it has been read, approve it with {command}."
        )
    given = f"{plan.edition} was approved by {approval.by}"
    if not approval.holds:
        return (
            f"An approval is required ([campaigns] approval). {given} on {approval.at:%Y-%m-%d %H:%M} UTC, "
            "and an approval given before the last change does not count. "
            f"Changed since: {approval.listed}. Once the changes have been read, approve it with {command}."
        )
    if settings.campaigns.approval_by != "another":
        return ""
    rule = 'Another person has to approve it (approval_by = "another")'
    if is_named(approval.by, plan.authors):
        return f"{given}, who is one of its authors. {rule}: {command}."
    if not launched_by.strip():
        return f"{rule}, and it is not known who launches it. Add --by and your name."
    if is_named(approval.by, [launched_by]):
        return (
            f"{given}, who also launches it. {rule}: {command}; or let another person launch it, with --by "
            "and their name."
        )
    return ""


def approve_command(edition: str, segment: str, *, again: bool) -> str:
    """The command that approves ``edition`` for the text of a segment."""
    words = ["mailer", "campaigns", "approve", edition, "--segment", segment, *(["--again"] if again else [])]
    return f"{shlex.join(words)} --as NAME"


def is_named(name: str, others: Iterable[str]) -> bool:
    """Whether ``name`` is one of ``others``, whatever the capitals and spaces."""
    return _fold(name) in {_fold(other) for other in others}


def _fold(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())


def _is_changed(row: Any, digest: str, *, again: bool, hashes: Mapping[str, str]) -> bool:
    same = (row.approved_digest, row.digest, row.again) == (digest, digest, again)
    return not same or bool(_list_settings(row, hashes, only=_BINDING))


def _list_settings(row: Any, hashes: Mapping[str, str], *, only: Iterable[str] = ()) -> list[str]:
    """The settings that are not as they were when the campaign was approved."""
    then: dict[str, str] = json.loads(row.approved_settings or "{}")
    chosen = set(only) or set(hashes)
    return [
        name if name == _THEME else f"the setting {name}"
        for name, value in hashes.items()
        if name in chosen and then.get(name, value) != value
    ]


def _list_rule_changes(row: Any, plan: Plan) -> Iterable[str]:
    if row.segment != plan.segment.text:
        yield f"the segment, which was {row.segment!r} and is {plan.segment.text!r}"
    if row.again != plan.again:
        yield "--again, which also sends it to readers who already have it"


def _list_changes(
    connection: Connection, row: Any, compiled: Sequence[CompiledEdition], hashes: Mapping[str, str]
) -> list[str]:
    """What differs between the frozen content and ``compiled``, and between the settings then and now."""
    if row.digest == digest_plan(row.edition, row.segment, compiled):
        return _list_settings(row, hashes, only=_BINDING)
    settings = _list_settings(row, hashes)
    contents = select(col(CampaignContent.body)).where(col(CampaignContent.campaign_id) == row.id)
    try:
        frozen = [CompiledEdition.from_bytes(body) for body in connection.scalars(contents)]
    except CompiledVersionError:
        return ["the program, which compiles editions in another way now"]
    return [*settings, *list_content_changes(frozen, compiled, redressed=bool(settings))]


def _compile(workspace: Workspace, slug: str) -> tuple[CompiledEdition, ...]:
    """The edition as it is now, in each of its languages, its own first, without checking it."""
    edition = read_edition(workspace.edition_folder(slug), sectors=workspace.settings.sectors)
    settings, overrides = workspace.settings, workspace.template_overrides
    return tuple(
        compile_edition(edition, settings, language=language, overrides=overrides)
        for language in (edition.language, *(tag for tag in edition.languages if tag != edition.language))
    )
