"""Saving a text of an edition, and writing down who did."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlmodel import Session

from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.revisions.edition_file import TextSave
from mailer.revisions.edition_save import Conflict, Saved, save_edition_file
from mailer.revisions.revision_log import continues_sitting, find_latest
from mailer.web.studio.page import StudioPage


def make_line(
    page: StudioPage, act: Act, *, edition: str = "", subject: str = "", detail: str = ""
) -> ActivityLine:
    """The line about what the member of ``page`` does now. The session of the act records it."""
    return ActivityLine(
        actor=page.actor,
        act=act,
        edition=edition,
        subject=subject,
        detail=detail,
        at=page.state.clock(),
    )


@contextmanager
def announced_session(page: StudioPage, lines: list[ActivityLine], *files: Path) -> Iterator[Session]:
    """A session that commits when the block ends normally, for an act that changes ``files`` and records
    ``lines``. Neither is there without the other when the server is killed, as
    :func:`~mailer.activity.act_journal.announce_acts` says."""
    with announce_acts(page.state.workspace, lines, files), page.state.write_session() as session:
        yield session


@contextmanager
def open_save(
    page: StudioPage, folder: Path, save: TextSave, further_acts: Sequence[Act] = ()
) -> Iterator[Session]:
    """A session for :func:`save_logged`, which commits when the block ends normally. ``folder`` is that of
    the edition; ``further_acts`` may be recorded in the session besides. A text and its lines are in their
    places both or neither, even after a kill."""
    with page.state.read_session() as session:
        goes_on = continues_sitting(find_latest(session, save.edition, save.place), save)
    acts = [*([] if goes_on else [Act.wrote_text]), *further_acts]
    lines = [make_save_line(page, save, act) for act in acts]
    with announced_session(page, lines, folder / save.name) as session:
        yield session


def save_logged(page: StudioPage, session: Session, save: TextSave) -> Saved | Conflict:
    """Save a text. One sitting is one line of the log, however often it is saved.

    Raises:
        TextRefusedError: no file can have this text.
    """
    before = find_latest(session, save.edition, save.place)
    outcome = save_edition_file(page.state.workspace, session, save)
    after = find_latest(session, save.edition, save.place)
    is_new = after is not None and (before is None or after.revision.id != before.revision.id)
    if isinstance(outcome, Saved) and is_new and after is not None and after.is_known:
        record_line(session, make_save_line(page, save, Act.wrote_text))
    return outcome


def make_save_line(page: StudioPage, save: TextSave, act: Act) -> ActivityLine:
    """Return the line that says what is done to the text."""
    return ActivityLine(actor=page.actor, act=act, edition=save.edition, subject=save.name, at=save.now)
