"""Which correction a request is about: its note, and the story as it was sent."""

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException

from editions.correction_note import NoteInspection, inspect_note
from mailer.campaigns.correction_notes import NoteMissingError, NotePlace, WrittenNote, read_note
from mailer.campaigns.correction_plan import SentStory, digest_note, find_sent_story
from mailer.campaigns.corrections import CorrectionRecord, find_correction
from mailer.campaigns.preparation.preparation_store import find_preparation
from mailer.database.models import Campaign
from mailer.web.studio.page import PageDep, StudioPage

_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class CorrectionPlace:
    """A correction. ``found`` is its note as ``mailer correct`` reads it, with all problems. ``record`` is
    what is stored of it once it was prepared or sent, and ``campaign`` the number of its newest campaign."""

    place: NotePlace
    story: SentStory
    note: WrittenNote
    found: NoteInspection
    record: CorrectionRecord | None
    campaign: int | None

    @property
    def path(self) -> str:
        """The path of its page below /studio."""
        return make_correction_path(self.place)

    @property
    def is_open(self) -> bool:
        """Whether it may still be changed: no campaign has begun of it."""
        return self.campaign is None


def make_correction_path(place: NotePlace) -> str:
    """The path of the page of a correction below /studio."""
    return f"/corrections/{quote(place.edition, safe='')}/{quote(place.story, safe='')}/{place.number}"


def read_sent_story(page: StudioPage, edition: str, story: str) -> SentStory:
    """The story that a request names, as it was sent.

    Raises:
        HTTPException: 404, no campaign has sent it.
    """
    with page.state.read_session() as session:
        found = find_sent_story(session.connection(), edition, story)
    if found is None:
        raise HTTPException(404)
    return found


def find_correction_place(page: PageDep, edition: str, story: str, number: str) -> CorrectionPlace:
    """The correction that a path names.

    Raises:
        HTTPException: 404, there is none.
    """
    found = find_lasting_correction(page, edition, story, number)
    if found is None:
        raise HTTPException(404)
    return found


def find_lasting_correction(page: PageDep, edition: str, story: str, number: str) -> CorrectionPlace | None:
    """The correction that a path names; None if it is not there, or not any more.

    Raises:
        HTTPException: 404, the path names nothing that could be corrected.
    """
    if not _NUMBER.fullmatch(number) or "\0" in edition + story:
        raise HTTPException(404)
    sent = read_sent_story(page, edition, story)
    place = NotePlace(edition=edition, story=story, number=int(number))
    try:
        note = read_note(page.state.workspace, place)
    except (NoteMissingError, OSError):
        return None
    found = inspect_note(place.find_file(page.state.workspace), language=sent.language)
    with page.state.read_session() as session:
        record = _find_record(session, place, found)
        campaign = None if record is None else _find_campaign(session, record)
    return CorrectionPlace(place=place, story=sent, note=note, found=found, record=record, campaign=campaign)


def _find_record(session: Session, place: NotePlace, found: NoteInspection) -> CorrectionRecord | None:
    if found.note is None:
        return None
    return find_correction(session.connection(), place.edition, place.story, digest_note(found.note))


def _find_campaign(session: Session, record: CorrectionRecord) -> int | None:
    """The campaign that sends it or is prepared to; one that was cancelled before it began is passed over."""
    if (prepared := find_preparation(session, record.name)) is not None:
        return prepared.campaign_id
    launched = select(Campaign.id).where(
        Campaign.edition == record.name, col(Campaign.launched_at).is_not(None)
    )
    return session.exec(launched.order_by(col(Campaign.id).desc())).first()


CorrectionDep = Annotated[CorrectionPlace, Depends(find_correction_place)]
"""The correction that the path names; otherwise the answer is 404."""

LastingCorrectionDep = Annotated[CorrectionPlace | None, Depends(find_lasting_correction)]
"""The correction that the path names; None if it was thrown away."""
