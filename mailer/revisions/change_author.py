"""Who made a part of a text what it is now."""

from collections.abc import Callable

from sqlmodel import Session

from mailer.database.edition_models import RevisionKind
from mailer.revisions.edition_file import EditionFile
from mailer.revisions.history import list_history, read_text

_LOOKED_BACK = 50


def find_change_author(
    session: Session, edition: str, file: EditionFile, is_same: Callable[[str], bool]
) -> int | None:
    """The number of the member who made a part of ``file`` what it is now; None if it is not known, because
    that was done outside Studio, or many entries of the history ago. ``is_same`` says whether an earlier text
    has the part as it is now."""
    listed = list_history(session, edition, file.place, limit=_LOOKED_BACK)
    entries = [entry for entry in listed if entry.kind is not RevisionKind.set_aside]
    if not entries or entries[0].digest != file.digest:
        return None
    author = None
    for entry in entries:
        if not is_same(read_text(session, edition, entry)):
            return author
        author = entry.member_id
    return author if len(listed) < _LOOKED_BACK else None
