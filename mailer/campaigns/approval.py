"""Approvals: what a person approved, whether it still counts, and what has changed since.

An approval covers an edition's content in every language, the segment, whether readers who already have the
edition get it again, whether clicks are counted, and the settings that change the mail or who gets it. It is
stored with its campaign, beside the content at that time. Whether it still counts is worked out by comparing,
each time it matters.
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
from mailer.campaigns.content_changes import list_content_changes
from mailer.campaigns.correction_record import SEPARATOR
from mailer.campaigns.current_content import compile_content
from mailer.campaigns.plan import Plan, digest_plan
from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.errors import ConfigurationError, MailerError, TemplateError
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.settings import Settings
from mailer.utc import format_utc
from mailer.workspace import Workspace

_THEME = "the theme, its templates or its phrases"
# Settings that affect a message or its audience but are not part of the frozen content.
_BINDING = (
    *("[sender] address", "[sender] reply_to", "[sender] list_id", "[web] base_url"),
    *("[feedback] leave_address", "[law] opt_in", "[subject_labels]"),
)
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
    """An approval. ``changes`` lists what has changed since; if there are any, the approval is void."""

    campaign_id: int
    by: str
    at: datetime
    changes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.changes

    def as_dict(self) -> dict[str, Any]:
        """The approval in the form of the JSON output."""
        return {**asdict(self), "at": self.at.isoformat(), "changes": list(self.changes), "holds": self.holds}

    def __str__(self) -> str:
        words = f"approved by {self.by}, {format_utc(self.at)}"
        return words if self.holds else f"{words}; no longer valid, changed since: {self.changes_as_text}"

    @property
    def changes_as_text(self) -> str:
        """The changes as text."""
        return "; ".join(self.changes)


def read_approval(row: Any) -> Approval | None:
    """Return the approval in a campaign's ``row``, without looking for changes; None if there is none."""
    return Approval(campaign_id=row.id, by=row.approved_by, at=row.approved_at) if row.approved_by else None


def hash_settings(workspace: Workspace) -> dict[str, str]:
    """Return a hash of each setting that mail is made with, and of the theme, by name."""
    settings = workspace.settings
    sender = settings.sender.model_dump(exclude={"bounces_to"})
    values: dict[str, Any] = {f"[sender] {name}": value for name, value in sender.items()}
    values["[web] base_url"] = settings.web.base_url
    values["[law] opt_in"] = sorted(settings.law.opt_in)
    # Each mail offers it to its readers. Where bounces go is between servers, as for [sender] bounces_to.
    leave_address, delimiter = settings.feedback.leave_address, settings.feedback.delimiter
    values["[feedback] leave_address"] = [leave_address, delimiter] if leave_address else []
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
    for row in rows:
        is_same_audience = (row.again, row.counts_clicks) == (plan.again, plan.counts_clicks)
        if is_same_audience and not _is_changed(row, plan.digest, hashes=hashes):
            return _with_changes(row)
    nearest = next((row for row in rows if row.segment == plan.segment.text), rows[0])
    if not plan.compiled:
        return _with_changes(nearest, f"{plan.edition} has errors")
    changes = _list_changes(connection, nearest, plan.compiled, hashes)
    return _with_changes(nearest, *_list_option_changes(nearest, plan), *changes)


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
        return _with_changes(row, *list_voiding_settings(row, workspace))
    if row.state is not CampaignState.approved:
        return read_approval(row)
    try:
        compiled = compile_content(workspace, row.edition)
    except (ConfigurationError, EditionError, TemplateError):
        return _with_changes(row, f"{row.edition} has errors or no longer exists")
    hashes = hash_settings(workspace)
    digest = digest_plan(row.edition, row.segment, compiled)
    if not _is_changed(row, digest, hashes=hashes):
        return _with_changes(row)
    return _with_changes(row, *_list_changes(connection, row, compiled, hashes))


def _with_changes(row: Any, *changes: str) -> Approval:
    return Approval(campaign_id=row.id, by=row.approved_by, at=row.approved_at, changes=changes)


def list_voiding_settings(row: Any, workspace: Workspace) -> list[str]:
    """Return the changed settings that void the approval of a campaign whose content is frozen."""
    return _list_settings(row, hash_settings(workspace), only=_BINDING)


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


def is_named(name: str, others: Iterable[str]) -> bool:
    """Return whether ``name`` is one of ``others``, ignoring case and spaces."""
    return _fold(name) in {_fold(other) for other in others}


def _fold(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())


def _is_changed(row: Any, digest: str, *, hashes: Mapping[str, str]) -> bool:
    same = (row.approved_digest, row.digest) == (digest, digest)
    return not same or bool(_list_settings(row, hashes, only=_BINDING))


def _list_settings(row: Any, hashes: Mapping[str, str], *, only: Iterable[str] = ()) -> list[str]:
    """Return the settings that have changed since the campaign was approved."""
    then: dict[str, str] = json.loads(row.approved_settings or "{}")
    chosen = set(only) or set(hashes)
    return [
        name if name == _THEME else f"the setting {name}"
        for name, value in hashes.items()
        if name in chosen and then.get(name, value) != value
    ]


def _list_option_changes(row: Any, plan: Plan) -> Iterable[str]:
    if row.segment != plan.segment.text:
        yield f"the segment, which was {row.segment!r} and is {plan.segment.text!r}"
    if row.again != plan.again:
        yield "--again, which also sends it to readers who already have it"
    if row.counts_clicks != plan.counts_clicks:
        yield f"clicks on its links, which {'are' if plan.counts_clicks else 'are no longer'} counted"


def _list_changes(
    connection: Connection, row: Any, compiled: Sequence[CompiledEdition], hashes: Mapping[str, str]
) -> list[str]:
    """Return the differences between the frozen content and ``compiled``, and between the settings."""
    if row.digest == digest_plan(row.edition, row.segment, compiled):
        return _list_settings(row, hashes, only=_BINDING)
    settings = _list_settings(row, hashes)
    contents = select(col(CampaignContent.body)).where(col(CampaignContent.campaign_id) == row.id)
    try:
        frozen = [CompiledEdition.from_bytes(body) for body in connection.scalars(contents)]
    except CompiledVersionError:
        return ["the program: a newer version compiles editions differently"]
    return [*settings, *list_content_changes(frozen, compiled, restyled=bool(settings))]
