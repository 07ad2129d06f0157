"""Making an edition: empty, as a copy, or from a document."""

import json
import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editions.imports.source_document import Fetch
from editions.new_editions import CopyChoice, copy_edition, create_empty_edition
from editions.unsafe_characters import remove_unsafe_characters
from locales.phrase import Phrase, load_phrase
from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.atomic_write import write_atomically
from mailer.i18n import gettext_noop
from mailer.web.studio.page import StudioPage
from mailer.web.studio.text_save import make_line

if TYPE_CHECKING:
    from editions.imports.importer import ImportedEdition


REPORT_FILE = ".import.json"
"""What became of the document an edition was made from; hidden, so that it is no part of the edition."""

_REPORT_MODE = 0o644
_MAX_REPORT_BYTES = 2_000_000
_MAX_NAME_BYTES = 120
"""Most file systems take 255 bytes."""


@dataclass(frozen=True, kw_only=True)
class ImportChoice:
    """How a document or a feed becomes an edition; empty values are found in it."""

    slug: str = ""
    language: str = ""
    stories_at: int = 0
    since: date | None = None


def make_example(page: StudioPage, slug: str) -> None:
    """Make the example edition.

    Raises:
        NewEditionError: it cannot have this name.
        OSError: it cannot be written.
    """
    from editions.skeleton import create_skeleton

    settings = page.settings
    with _announced(page, make_line(page, Act.created_edition, edition=slug)) as line:
        create_skeleton(
            page.state.workspace.editions,
            slug,
            organisation=settings.sender.organisation,
            sectors=settings.sectors,
            countries=settings.countries,
            today=find_today(page),
        )
        _record(page, line)


def make_empty(page: StudioPage, slug: str, *, title: str, language: str) -> None:
    """Make an edition without stories.

    Raises:
        NewEditionError: it cannot have this name.
        OSError: it cannot be written.
    """
    editions, today = page.state.workspace.editions, find_today(page)
    with _announced(page, make_line(page, Act.created_edition, edition=slug)) as line:
        create_empty_edition(editions, slug, title=title, language=language, today=today)
        _record(page, line)


def make_copy(page: StudioPage, source: str, slug: str, choice: CopyChoice) -> None:
    """Make an edition of another one.

    Raises:
        NewEditionError: it cannot have this name, or ``source`` cannot be read.
        OSError: it cannot be written.
    """
    with _announced(page, make_line(page, Act.created_edition, edition=slug)) as line:
        copy_edition(page.state.workspace.editions, source, slug, choice, today=find_today(page))
        _record(page, line)


def import_file(page: StudioPage, content: bytes, file_name: str, choice: ImportChoice) -> str:
    """Make an edition of an uploaded document, and return its name.

    Raises:
        DocumentError: it is of no known format, damaged, dangerous or empty.
        NewEditionError: it cannot have this name.
        OSError: it cannot be written.
    """
    from editions.imports.importer import import_document

    name = clean_file_name(file_name)
    line = make_line(page, Act.imported_edition, edition=choice.slug, subject=name)
    with _announced(page, line), tempfile.TemporaryDirectory(prefix="mailer-import-") as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        imported = import_document(
            path,
            page.state.workspace.editions,
            slug=choice.slug,
            language=choice.language,
            sectors=page.settings.sectors,
            stories_at=choice.stories_at,
            today=find_today(page),
        )
        _record_import(page, line, imported)
    return imported.slug


def import_address(page: StudioPage, address: str, choice: ImportChoice, fetch: Fetch) -> str:
    """Make an edition of a feed, and return its name.

    Raises:
        DocumentError: it cannot be fetched, is no feed, or has no such entries.
        NewEditionError: it cannot have this name.
        OSError: it cannot be written.
    """
    from editions.imports.importer import import_feed

    line = make_line(page, Act.imported_edition, edition=choice.slug, subject=address)
    with _announced(page, line):
        imported = import_feed(
            address,
            page.state.workspace.editions,
            fetch,
            slug=choice.slug,
            language=choice.language,
            sectors=page.settings.sectors,
            since=choice.since,
            today=find_today(page),
        )
        _record_import(page, line, imported)
    return imported.slug


def read_report(folder: Path) -> dict[str, object] | None:
    """What became of the document that the edition in ``folder`` was made from; None if it was made
    otherwise, or nobody knows any more."""
    try:
        with (folder / REPORT_FILE).open("rb") as file:
            found = json.loads(file.read(_MAX_REPORT_BYTES))
        left = [{key: _load_words(value) for key, value in one.items()} for one in found["left_behind"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return {**found, "left_behind": left}


def _dump_words(words: str) -> object:
    """``words`` for a report, which is read in the language of whoever opens it."""
    return words.dump() if isinstance(words, Phrase) else words


def _load_words(value: Any) -> Any:
    return load_phrase(value) if isinstance(value, list) else value


def find_today(page: StudioPage) -> date:
    """Today in the time zone of this machine, as the command line dates editions."""
    return page.state.clock().astimezone().date()


def clean_file_name(name: str) -> str:
    """The name of an uploaded file without its folders and without what no name may have."""
    plain = remove_unsafe_characters(re.sub(r"[\x00-\x1f/\\]", " ", name)).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if not dot:
        stem, ending = plain, ""
    ending = ending[:10]
    short = stem.encode("utf-8")[:_MAX_NAME_BYTES].decode("utf-8", "ignore").strip() or "document"
    return f"{short}.{ending}" if ending else short


def _record_import(page: StudioPage, line: ActivityLine, imported: "ImportedEdition") -> None:
    """Keep what became of the document or feed, which is the subject of ``line``, beside the edition that was
    made of it, and record the line under the edition's name."""
    report = {**imported.as_dict(), "source": line.subject, "starts": str(imported.starts)}
    del report["folder"]
    report["left_behind"] = [
        {"where": _dump_words(left.where), "what": _dump_words(left.what), "words": left.words}
        for left in imported.omissions
    ]
    data = json.dumps(report, ensure_ascii=False).encode()
    write_atomically(imported.folder / REPORT_FILE, data, mode=_REPORT_MODE)
    _record(page, replace(line, edition=imported.slug))


@contextmanager
def _announced(page: StudioPage, line: ActivityLine) -> Iterator[ActivityLine]:
    """Announce ``line`` for a block that makes an edition and records the line. What an imported edition is
    called may be known only then."""
    editions = page.state.workspace.editions
    with announce_acts(page.state.workspace, [line], [editions / line.edition if line.edition else editions]):
        yield line


def _record(page: StudioPage, line: ActivityLine) -> None:
    with page.state.write_session() as session:
        record_line(session, line)


RESERVED = frozenset({"new"})
"""Names that would hide a page of Studio."""

NAME_TAKEN = gettext_noop("There is an edition with the name %(name)s already. Enter another name.")
BAD_NAME = gettext_noop("Write the name in letters, digits and hyphens, such as 2026-2.")
NO_NAME = gettext_noop("Enter a name for the edition, such as 2026-2.")

_YEAR_AND_NUMBER = re.compile(r"(?P<before>.*?)(?P<year>(?:19|20)\d\d)-(?P<number>\d{1,2})(?P<after>\D*)")
_LAST_NUMBER = re.compile(r"(?P<before>.*?)(?P<number>\d+)(?P<after>\D*)")


def suggest_name(slugs: Collection[str], today: date) -> str:
    """A name for the edition after those with the names ``slugs``, the newest of which comes first: 2026-3
    after 2026-2, and 2027-1 in the next year."""
    newest = next(iter(slugs), "")
    if found := _YEAR_AND_NUMBER.fullmatch(newest):
        same_year = int(found["year"]) >= today.year
        year = found["year"] if same_year else str(today.year)
        number = int(found["number"]) + 1 if same_year else 1
        width = len(found["number"]) if found["number"].startswith("0") else 1
        name = f"{found['before']}{year}-{number:0{width}d}{found['after']}"
    elif found := _LAST_NUMBER.fullmatch(newest):
        name = f"{found['before']}{int(found['number']) + 1:0{len(found['number'])}d}{found['after']}"
    else:
        name = f"{today:%Y-%m}"
    number = 2
    free = name
    while free in slugs:
        free, number = f"{name}-{number}", number + 1
    return free
