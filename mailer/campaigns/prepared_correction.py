"""A correction made ready to be sent: it is stored, and has a draft like the campaign of an edition."""

from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from mailer.campaigns.correction_plan import CorrectionPlan
from mailer.campaigns.correction_record import store_correction
from mailer.campaigns.edition_lock import acquire_launch_lock
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import (
    begin_preparation,
    find_preparation,
    save_preparation,
)


def prepare_correction(
    session: Session, planned: CorrectionPlan, *, member_id: int | None, now: datetime
) -> Preparation:
    """Store a planned correction, and begin to prepare its campaign; if somebody has, that is returned. The
    caller commits.

    Whoever was sent the story gets it; it is in no list of editions in the archive, and has no canary.

    Raises:
        CorrectionConflictError: another correction has taken its name meanwhile.
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
