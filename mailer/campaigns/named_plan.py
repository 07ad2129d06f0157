"""The plan of a campaign by the name of what it sends, and as the team has prepared it."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from editions.correction_note import NoteInspection, inspect_note
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.correction_notes import NoteMissingError, NotePlace, list_notes
from mailer.campaigns.correction_plan import CorrectionPlan, digest_note, plan_correction
from mailer.campaigns.corrections import (
    SEPARATOR,
    CorrectionRecord,
    find_correction,
    find_corrections,
    store_correction,
)
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.launch_lock import acquire_launch_lock
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import (
    begin_preparation,
    find_preparation,
    save_preparation,
)
from mailer.database.engine import open_session
from mailer.database.models import Campaign
from mailer.errors import MailerError
from mailer.workspace import Workspace
from subscribers.segments.segment import Segment


def plan_named_campaign(
    workspace: Workspace,
    engine: Engine,
    name: str,
    segment: Segment,
    *,
    again: bool = False,
    count_clicks: bool | None = None,
    now: datetime,
) -> Plan:
    """Plan sending the edition called ``name`` to ``segment``, or the correction of that name to those who
    were sent its story. Nothing is stored. Raise ConfigurationError if there is no such edition, and a
    MailerError if the correction cannot be sent as it is."""
    if SEPARATOR in name:
        return plan_written_correction(workspace, engine, name, now=now).plan
    return plan_campaign(workspace, engine, name, segment, again=again, count_clicks=count_clicks, now=now)


def plan_written_correction(
    workspace: Workspace, engine: Engine, name: str, *, now: datetime
) -> CorrectionPlan:
    """Plan sending the correction called ``name`` from its note in the workspace. Raise NoteMissingError if
    that is not there or says something else now, and as :func:`plan_correction`."""
    with open_session(engine, read_only=True) as session:
        record = find_corrections(session.connection(), [name]).get(name)
    place = None if record is None else find_note_of(workspace, record)
    if record is None or place is None:
        raise NoteMissingError(
            gettext_noop(
                "The note of %(name)s is not in the folder corrections/, or says something else "
                "now. Send it with `mailer correct` and its note, or write the correction again."
            ),
            name=name,
        )
    return plan_correction(
        workspace, engine, record.edition, record.story, place.find_file(workspace), now=now
    )


def find_note_of(workspace: Workspace, record: CorrectionRecord) -> NotePlace | None:
    """Return the note in the workspace that a stored correction was made of; None if none says that."""
    for place in list_notes(workspace, record.edition, record.story):
        note = inspect_note(place.find_file(workspace), language=record.language).note
        if note is not None and digest_note(note) == record.digest:
            return place
    return None


def find_correction_campaign(session: Session, place: NotePlace, found: NoteInspection) -> int | None:
    """Return the newest campaign that sends the correction of a note, or is prepared to; None if there is
    none. One that was cancelled before it began is passed over."""
    if found.note is None:
        return None
    digest = digest_note(found.note)
    record = find_correction(session.connection(), place.edition, place.story, digest)
    if record is None:
        return None
    if (prepared := find_preparation(session, record.name)) is not None:
        return prepared.campaign_id
    launched = select(Campaign.id).where(
        Campaign.edition == record.name, col(Campaign.launched_at).is_not(None)
    )
    return session.exec(launched.order_by(col(Campaign.id).desc())).first()


class NoSegmentError(MailerError):
    """Nobody has chosen yet who gets a prepared campaign."""

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        super().__init__(
            Phrase(
                "Nobody has chosen yet who gets campaign %(campaign_id)s. Choose its segment in Studio, "
                "or give --segment.",
                campaign_id=campaign_id,
            )
        )


def plan_prepared_campaign(
    workspace: Workspace, engine: Engine, preparation: Preparation, *, now: datetime
) -> Plan:
    """Plan sending what was prepared, as it would be launched ``now``. Nothing is stored. Raise
    NoSegmentError if its segment is not chosen yet, SegmentError if it is not valid any more, and as
    :func:`plan_named_campaign`."""
    decided = preparation.decisions
    if decided.segment is None:
        raise NoSegmentError(preparation.campaign_id)
    with open_session(engine, read_only=True) as session:
        segment = read_segment(decided.segment, workspace.settings, session)
    return plan_named_campaign(
        workspace,
        engine,
        preparation.edition,
        segment,
        again=decided.again,
        count_clicks=decided.count_clicks,
        now=now,
    )


def prepare_correction(
    session: Session, planned: CorrectionPlan, *, member_id: int | None, now: datetime
) -> Preparation:
    """Store a planned correction, and begin to prepare its campaign; if somebody has, that is returned. The
    caller commits.

    Whoever was sent the story gets it; it is in no list of editions in the archive, and has no canary. Raise
    CorrectionConflictError if another correction has taken its name.
    """
    record = planned.record
    acquire_launch_lock(session.connection(), record.name)
    if (found := find_preparation(session, record.name)) is not None:
        return found
    store_correction(session.connection(), record, now)
    begun = begin_preparation(
        session, record.name, title=record.texts[record.language].title, member_id=member_id, now=now
    )
    decided = replace(
        begun.decisions, segment=planned.plan.segment.text, archived=False, canary=0, count_clicks=False
    )
    return save_preparation(session, begun, decided, member_id=member_id, now=now)
