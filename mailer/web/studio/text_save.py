"""Acts that change files: each is announced before it begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlmodel import Session

from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine
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
