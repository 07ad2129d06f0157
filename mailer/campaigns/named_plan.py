"""The plan of a campaign by the name of what it sends: an edition, or a correction of one of its stories."""

from datetime import datetime

from sqlalchemy import Engine

from editions.correction_note import inspect_note
from locales.phrase import gettext_noop
from mailer.campaigns.correction_notes import NoteMissingError, NotePlace, list_notes
from mailer.campaigns.correction_plan import CorrectionPlan, digest_note, plan_correction
from mailer.campaigns.correction_record import SEPARATOR, CorrectionRecord, find_corrections
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.database.engine import open_session
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
    were sent its story. Nothing is stored.

    Raises:
        ConfigurationError: there is no such edition.
        NoteMissingError: the note of the correction is not in the workspace.
        MailerError: the correction cannot be sent as it is.
    """
    if SEPARATOR in name:
        return plan_written_correction(workspace, engine, name, now=now).plan
    return plan_campaign(workspace, engine, name, segment, again=again, count_clicks=count_clicks, now=now)


def plan_written_correction(
    workspace: Workspace, engine: Engine, name: str, *, now: datetime
) -> CorrectionPlan:
    """Plan sending the correction called ``name`` from its note in the workspace.

    Raises:
        NoteMissingError: there is no such correction, or its note is not there or says something else now.
        StoryNotSentError: no campaign has sent its story any more.
        NoteError: the note has errors.
    """
    with open_session(engine, read_only=True) as session:
        record = find_corrections(session.connection(), [name]).get(name)
    place = None if record is None else find_note_of(workspace, record)
    if record is None or place is None:
        raise NoteMissingError(
            gettext_noop(
                "The note of %(name)s is not in the folder corrections/, or says something else "
                "now. Send it with `mailer correct` and its note, or write the correction again."
            )
            % {"name": name}
        )
    return plan_correction(
        workspace, engine, record.edition, record.story, place.find_file(workspace), now=now
    )


def find_note_of(workspace: Workspace, record: CorrectionRecord) -> NotePlace | None:
    """The note in the workspace that a stored correction was made of; None if none says exactly that."""
    for place in list_notes(workspace, record.edition, record.story):
        note = inspect_note(place.find_file(workspace), language=record.language).note
        if note is not None and digest_note(note) == record.digest:
            return place
    return None
