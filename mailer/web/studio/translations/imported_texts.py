"""Writing the translations that came back in one file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.database.edition_models import RevisionKind
from mailer.revisions.edition_file import (
    EditionFileError,
    FilePlace,
    find_file_name,
    parse_file_name,
    read_edition_file,
)
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.translations.base_texts import digest_original, record_base
from mailer.translations.states import ORIGINAL_KEY
from mailer.web.studio.page import StudioPage
from mailer.web.studio.text_save import make_line
from mailer.web.studio.translations.composition import read_front


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """A file that an import changes: the digest of what it was (``base``, "" if it is new) and its new
    text."""

    name: str
    base: str
    text: str


def save_changes(
    page: StudioPage,
    folder: Path,
    edition: str,
    changes: Sequence[FileChange],
    *,
    sitting: str,
    file_name: str,
) -> list[tuple[str, int]]:
    """Write each file that is what it was; return the names of the others, each with the number under which
    its new text is kept."""
    line = make_line(
        page,
        Act.imported_translations,
        edition=edition,
        subject=file_name,
        detail=", ".join(change.name for change in changes),
    )
    with announce_acts(page.state.workspace, [line], [folder / change.name for change in changes]):
        kept = _save_each(page, folder, edition, changes, sitting=sitting)
        with page.state.write_session() as session:
            record_line(session, line)
    return kept


def _save_each(
    page: StudioPage, folder: Path, edition: str, changes: Sequence[FileChange], *, sitting: str
) -> list[tuple[str, int]]:
    kept = []
    for change in changes:
        with page.state.write_session() as session:
            outcome = save_edition_file(
                page.state.workspace,
                session,
                edition,
                change.name,
                change.text,
                base=change.base,
                member=page.member,
                sitting=sitting,
                sequence=1,
                now=page.state.clock(),
                kind=RevisionKind.imported,
            )
            if isinstance(outcome, Conflict):
                kept.append((change.name, outcome.number))
            elif (original := _find_original(folder, change)) is not None:
                place = parse_file_name(change.name)
                record_base(session, edition, place, original, now=page.state.clock())
    return kept


def _find_original(folder: Path, change: FileChange) -> str | None:
    """The text of the original, if that is what the translation says it was made from."""
    name = find_file_name(folder, FilePlace(story=parse_file_name(change.name).story))
    if name is None:
        return None
    try:
        text = read_edition_file(folder, name).text
    except EditionFileError:
        return None
    return text if read_front(change.text).text(ORIGINAL_KEY) == digest_original(text) else None
