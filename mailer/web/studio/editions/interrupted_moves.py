"""Finishing, when Studio starts, what a kill has interrupted."""

import logging

from sqlalchemy import Engine
from sqlmodel import Session

from editions.changes.file_moves import JOURNAL, finish_moves
from mailer.revisions.edition_lock import lock_edition
from mailer.workspace import Workspace

_log = logging.getLogger(__name__)


def finish_interrupted_moves(workspace: Workspace, engine: Engine) -> None:
    """Finish the moves of stories that had begun in any edition. What cannot be finished now is left for the
    next change of that edition."""
    for journal in workspace.editions.glob(f"*/{JOURNAL}"):
        try:
            with Session(engine) as session, lock_edition(workspace, session, journal.parent.name):
                finish_moves(journal.parent)
                session.rollback()
        except OSError as error:
            _log.warning("Stories of %s could not be moved: %s", journal.parent.name, error)
