"""The preparations of campaigns in the database: begun, read, and changed by several people at once."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, case, insert, or_, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from locales.phrase import Phrase
from mailer.campaigns.launch_lock import acquire_launch_lock
from mailer.campaigns.preparation.preparation import (
    DECIDED_FIELDS,
    PREPARED_STATES,
    Decision,
    Decisions,
    Preparation,
)
from mailer.database.launch_models import CampaignPreparation
from mailer.database.models import Campaign, CampaignState, InDoubtPolicy
from mailer.database.team_models import TeamMember
from mailer.dispatch.deliveries import change_campaign_state
from mailer.errors import MailerError

_DRAFTS = (CampaignState.draft, CampaignState.tested)
_STORED = tuple(name for names in DECIDED_FIELDS.values() for name in names if name != "in_doubt")
"""The fields whose columns are called as they are."""
_PREPARED_BY, _CHANGED_BY = aliased(TeamMember), aliased(TeamMember)


class AlreadyPreparedError(MailerError):
    """The edition's draft is being prepared already, as campaign ``campaign_id``."""

    def __init__(self, edition: str, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        super().__init__(f"{edition} is being prepared already, as campaign {campaign_id}.")


class PreparationOverError(MailerError):
    """Nothing can be decided about the campaign any more: it was launched, scheduled or cancelled."""

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        super().__init__(
            f"Campaign {campaign_id} is no longer being prepared. `mailer campaigns show {campaign_id}` says "
            "what became of it."
        )


class PreparationConflictError(MailerError):
    """Somebody else has decided otherwise meanwhile. ``theirs`` is the preparation as it is now, and
    ``decisions`` are those on which both differ. Nothing was saved."""

    def __init__(self, theirs: Preparation, decisions: frozenset[Decision]) -> None:
        self.theirs = theirs
        self.decisions = decisions
        names = ", ".join(sorted(decisions))
        super().__init__(f"Campaign {theirs.campaign_id} was changed meanwhile: {names}.")


def list_dated_campaigns(
    session: Session, start: datetime, end: datetime, *, limit: int
) -> list[tuple[datetime, Campaign]]:
    """Return the campaigns of a time, each at its start, or at the one that is wished for."""
    launched, scheduled = col(Campaign.launched_at), col(Campaign.scheduled_at)
    wished = col(CampaignPreparation.start_at)
    is_scheduled = col(Campaign.state) == CampaignState.scheduled
    found = (
        select(Campaign, wished)
        .outerjoin(CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id))
        .where(
            or_(
                launched.between(start, end),
                and_(is_scheduled, scheduled.between(start, end)),
                and_(col(Campaign.state).in_(PREPARED_STATES), wished.between(start, end)),
            )
        )
        .order_by(col(Campaign.id))
        .limit(limit)
    )
    return [
        (one.launched_at or (one.scheduled_at if one.state is CampaignState.scheduled else start_at), one)
        for one, start_at in session.execute(found)
    ]


def list_unlaunched_campaigns(
    session: Session, *, since: datetime, until: datetime, limit: int
) -> list[tuple[Campaign, CampaignPreparation]]:
    """Return the campaigns that nobody has launched yet, though they are approved, or were to start since
    then or soon: the latter first, by their time."""
    start = col(CampaignPreparation.start_at)
    is_near = and_(start.between(since, until), col(Campaign.state).in_(PREPARED_STATES))
    found = (
        select(Campaign, CampaignPreparation)
        .join(CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id))
        .where(or_(is_near, col(Campaign.state) == CampaignState.approved))
        .order_by(case((is_near, start), else_=None).nulls_last(), col(Campaign.id).desc())
        .limit(limit)
    )
    return [tuple(row) for row in session.execute(found)]


def begin_preparation(
    session: Session, edition: str, *, title: str, member_id: int | None, now: datetime
) -> Preparation:
    """Begin to prepare a campaign of ``edition``: with the edition's draft, or with a new one that has no
    content yet and is called ``title``. The caller commits. Raise AlreadyPreparedError if the draft is being
    prepared."""
    connection = session.connection()
    acquire_launch_lock(connection, edition)
    found = find_preparation(session, edition)
    if found is not None:
        raise AlreadyPreparedError(edition, found.campaign_id)
    number = _find_draft(connection, edition) or insert_draft(connection, edition, now, title=title[:300])
    people = {"prepared_by": member_id, "changed_by": member_id}
    times = {"prepared_at": now, "changed_at": now}
    connection.execute(
        insert(CampaignPreparation).values(
            campaign_id=number, version=1, **_to_columns(Decisions()), **people, **times
        )
    )
    begun = read_preparation(session, number)
    assert begun is not None  # noqa: S101 - it was just inserted
    return begun


def read_preparation(session: Session, campaign_id: int) -> Preparation | None:
    """Return how a campaign was prepared, whatever became of it; None if it was not."""
    row = session.execute(_select().where(col(Campaign.id) == campaign_id)).first()
    return None if row is None else _as_preparation(row)


def read_preparations(session: Session, campaigns: Collection[int]) -> Mapping[int, Preparation]:
    rows = session.execute(_select().where(col(Campaign.id).in_(campaigns)))
    return {row.id: _as_preparation(row) for row in rows}


def find_preparation(session: Session, edition: str) -> Preparation | None:
    drafts = _select().where(col(Campaign.edition) == edition, col(Campaign.state).in_(_DRAFTS))
    row = session.execute(drafts.order_by(col(Campaign.id).desc())).first()
    return None if row is None else _as_preparation(row)


def save_preparation(
    session: Session,
    before: Preparation,
    after: Decisions,
    *,
    member_id: int | None,
    now: datetime,
) -> Preparation:
    """Save what somebody has changed who had ``before`` on their screen and wants ``after``; return the
    preparation as it is now. The caller commits.

    Only decisions that differ between the two are written, so that two people may decide different things at
    once. If an approved campaign gets something else that an approval is about, it is a draft again. Raise
    PreparationOverError or PreparationConflictError if it cannot be saved.
    """
    wanted = before.decisions.list_changes(after)
    connection = session.connection()
    acquire_launch_lock(connection, before.edition)
    current = read_preparation(session, before.campaign_id)
    if current is None or not current.is_open:
        raise PreparationOverError(before.campaign_id)
    overtaken = before.decisions.list_changes(current.decisions) & current.decisions.list_changes(after)
    if overtaken & wanted:
        raise PreparationConflictError(current, overtaken & wanted)
    merged = current.decisions.take(after, wanted)
    changed = current.decisions.list_changes(merged)
    if not changed:
        return current
    if current.state is CampaignState.approved and current.decisions.is_other_audience(merged):
        reopen_campaign(connection, current.campaign_id, now)
    connection.execute(
        update(CampaignPreparation)
        .where(col(CampaignPreparation.campaign_id) == current.campaign_id)
        .values(version=current.version + 1, changed_by=member_id, changed_at=now, **_to_columns(merged))
    )
    saved = read_preparation(session, current.campaign_id)
    assert saved is not None  # noqa: S101 - it was just updated
    return saved


def reopen_campaign(connection: Connection, campaign_id: int, now: datetime) -> bool:
    """Make an approved campaign the draft of its edition again; return whether it was approved. The caller
    holds the edition's launch lock, and commits. Raise AlreadyPreparedError if another campaign of the
    edition is being prepared."""
    edition = connection.scalar(select(col(Campaign.edition)).where(col(Campaign.id) == campaign_id)) or ""
    other = _find_draft(connection, edition)
    if other is not None:
        prepared = select(col(CampaignPreparation.campaign_id))
        if connection.scalar(prepared.where(col(CampaignPreparation.campaign_id) == other)) is not None:
            raise AlreadyPreparedError(edition, other)
        # It was made by a test alone, which is recorded by its content and goes on counting.
        words = Phrase(
            "Campaign %(campaign_id)s is the draft of this edition again.",
            campaign_id=campaign_id,
        )
        change_campaign_state(connection, other, CampaignState.cancelled, reason=words, finished_at=now)
    unapproved: dict[str, Any] = dict.fromkeys(("approved_by", "approved_digest", "approved_settings"), "")
    is_approved = col(Campaign.state) == CampaignState.approved
    return change_campaign_state(
        connection, campaign_id, CampaignState.draft, is_approved, approved_at=None, **unapproved
    )


def _select() -> Select[*tuple[Any, ...]]:
    statement = (
        select(
            *(col(Campaign.id), col(Campaign.edition), col(Campaign.state)),
            CampaignPreparation,
            _PREPARED_BY.name.label("prepared_name"),  # type: ignore[attr-defined]
            _CHANGED_BY.name.label("changed_name"),  # type: ignore[attr-defined]
        )
        .join(CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id))
        .outerjoin(_PREPARED_BY, col(_PREPARED_BY.id) == col(CampaignPreparation.prepared_by))
        .outerjoin(_CHANGED_BY, col(_CHANGED_BY.id) == col(CampaignPreparation.changed_by))
    )
    # Read anew, whatever this session has read before.
    return statement.execution_options(populate_existing=True)


def _as_preparation(row: Any) -> Preparation:
    stored: CampaignPreparation = row.CampaignPreparation
    return Preparation(
        campaign_id=row.id,
        edition=row.edition,
        state=CampaignState(row.state),
        decisions=Decisions(
            **{name: getattr(stored, name) for name in _STORED},
            in_doubt=InDoubtPolicy(stored.in_doubt_policy) if stored.in_doubt_policy else None,
        ),
        version=stored.version,
        prepared_by=row.prepared_name or "",
        prepared_at=stored.prepared_at,
        changed_by=row.changed_name or "",
        changed_at=stored.changed_at,
    )


def _to_columns(decisions: Decisions) -> dict[str, object]:
    return {"in_doubt_policy": decisions.in_doubt, **{name: getattr(decisions, name) for name in _STORED}}


def _find_draft(connection: Connection, edition: str) -> int | None:
    drafts = select(col(Campaign.id)).where(
        col(Campaign.edition) == edition, col(Campaign.state).in_(_DRAFTS)
    )
    return connection.scalar(drafts.order_by(col(Campaign.id).desc()))


def insert_draft(connection: Connection, edition: str, now: datetime, **values: Any) -> int:
    """Insert a campaign of ``edition`` as a draft, with what is already known of it; return its id."""
    unknown = ("subject", "segment", "language", "digest", "content_digest", "state_reason")
    unapproved = ("approved_by", "approved_digest", "approved_settings")
    fixed = {
        **dict.fromkeys((*unknown, *unapproved), ""),
        **{"edition": edition, "state": CampaignState.draft, "created_at": now},
        **{"in_doubt_policy": InDoubtPolicy.hold, "audience": 0},
    }
    inserted = connection.execute(insert(Campaign).values({**fixed, **values}))
    (number,) = inserted.inserted_primary_key or (0,)
    return int(number)
