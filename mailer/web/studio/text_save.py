"""Saving a text of an edition, and writing down who did."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.revisions.edition_file import parse_file_name
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


@dataclass(frozen=True, kw_only=True)
class TextSave:
    """A text as a page sends it, to be saved as the file ``name`` of ``edition``.

    ``base``, ``sitting`` and ``sequence`` are what :func:`~mailer.revisions.edition_save.save_edition_file`
    says. ``folder`` is that of the edition, and ``now`` the moment of the history and of the log.
    """

    page: StudioPage
    folder: Path
    edition: str
    name: str
    text: str
    base: str
    sitting: str
    sequence: int
    now: datetime

    def make_line(self, act: Act) -> ActivityLine:
        """The line that says what is done to the text."""
        return ActivityLine(
            actor=self.page.actor, act=act, edition=self.edition, subject=self.name, at=self.now
        )


@contextmanager
def open_save(save: TextSave, further_acts: Sequence[Act] = ()) -> Iterator[Session]:
    """A session for :func:`save_text`, which commits when the block ends normally. ``further_acts`` may be
    recorded in it besides. A text and its lines are in their places both or neither, even after a kill."""
    with save.page.state.read_session() as session:
        acts = [*([] if _is_in_sitting(session, save) else [Act.wrote_text]), *further_acts]
    lines = [save.make_line(act) for act in acts]
    with announced_session(save.page, lines, save.folder / save.name) as session:
        yield session


def save_text(session: Session, save: TextSave) -> Saved | Conflict:
    """Save a text. One sitting is one line of the log, however often it is saved.

    Raises:
        TextRefusedError: no file can have this text.
    """
    place = parse_file_name(save.name)
    before = find_latest(session, save.edition, place)
    outcome = save_edition_file(
        save.page.state.workspace,
        session,
        save.edition,
        save.name,
        save.text,
        base=save.base,
        member=save.page.member,
        sitting=save.sitting,
        sequence=save.sequence,
        now=save.now,
    )
    after = find_latest(session, save.edition, place)
    is_new = after is not None and (before is None or after.revision.id != before.revision.id)
    if isinstance(outcome, Saved) and is_new and after is not None and after.is_known:
        record_line(session, save.make_line(Act.wrote_text))
    return outcome


def _is_in_sitting(session: Session, save: TextSave) -> bool:
    latest = find_latest(session, save.edition, parse_file_name(save.name))
    return continues_sitting(latest, member=save.page.member, sitting=save.sitting, now=save.now)
