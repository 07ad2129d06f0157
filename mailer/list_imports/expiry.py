"""Deleting uploaded files nobody has imported for a week, and a week after an import what names people."""

from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import col, select

from mailer.database.engine import open_session
from mailer.database.import_models import ImportFile, ImportFileState
from mailer.list_imports.checked_file import read_checked_file
from mailer.list_imports.import_files import forget_row
from mailer.list_imports.upload_store import delete_strays, delete_upload
from mailer.workspace import Workspace

KEPT = timedelta(days=7)
"""How long a file waits, and how long the list of refused rows can be seen after an import."""

_UNFINISHED_FOR = timedelta(days=1)


def delete_what_is_past(workspace: Workspace, engine: Engine, *, now: datetime) -> None:
    """Delete what is past its time, and the files that a killed program left."""
    _discard_old_files(workspace, engine, now)
    _forget_people(engine, now)
    with open_session(engine, read_only=True) as session:
        known = session.exec(select(ImportFile.stored_as).where(ImportFile.stored_as != "")).all()
        settled = session.exec(
            select(ImportFile.stored_as).where(
                ImportFile.stored_as != "", ImportFile.state == ImportFileState.imported
            )
        ).all()
    for stored_as in settled:
        delete_upload(workspace, stored_as)
    delete_strays(workspace, frozenset(known), before=now - _UNFINISHED_FOR)


def _discard_old_files(workspace: Workspace, engine: Engine, now: datetime) -> None:
    with open_session(engine) as session:
        old = session.exec(
            select(ImportFile)
            .where(ImportFile.state == ImportFileState.checked, ImportFile.uploaded_at < now - KEPT)
            .with_for_update()
        ).all()
        stored = [forget_row(session, row, now=now) for row in old]
        session.commit()
    for stored_as in stored:
        delete_upload(workspace, stored_as)


def _forget_people(engine: Engine, now: datetime) -> None:
    """After an import, its refused rows and first rows name people who may not be on the list."""
    with open_session(engine) as session:
        done = session.exec(
            select(ImportFile)
            .where(
                ImportFile.state == ImportFileState.imported,
                col(ImportFile.ended_at) < now - KEPT,
                ImportFile.version != "",
            )
            .with_for_update()
        ).all()
        for row in done:
            row.result = read_checked_file(row.result or "{}").without_people().write_json()
            # An empty version says that this is done.
            row.version = ""
            session.add(row)
        session.commit()
