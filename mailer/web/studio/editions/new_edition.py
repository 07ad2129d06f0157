"""Beginning an edition: empty, as a copy, or from a document."""

import json
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.errors import DocumentError, NewEditionError
from editions.imports.source_document import Fetch, FetchError, RemoteFile
from editions.new_editions import CopyChoice, copy_edition, create_empty_edition
from editions.source.folder import is_slug
from editions.unsafe_characters import remove_unsafe_characters
from locales.languages import canonical_language
from locales.phrase import Phrase, load_phrase
from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.atomic_write import write_atomically
from mailer.i18n import gettext_noop
from mailer.web.dependencies import BodyDep
from mailer.web.forms import parse_form
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.text_save import make_line
from mailer.web.upload import read_uploaded_form

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


_MAX_NAME = 100
_MAX_TEXT = 500
_BAD_LANGUAGE = gettext_noop("Write the language as a tag, such as en, zh-Hans, mn, ja, ko or fr.")
_BAD_DATE = gettext_noop("Write the date as year-month-day, such as 2026-03-31.")


@dataclass(frozen=True, kw_only=True)
class NewEditionForm:
    """What was sent: texts by field, and the file with its name, if there was one."""

    texts: Mapping[str, str]
    content: bytes = b""
    file_name: str = ""

    def get(self, name: str) -> str:
        """The text of a field on one line; "" if it is missing."""
        return " ".join(self.texts.get(name, "").split())[:_MAX_TEXT]


class RefusedFormError(Exception):
    """A field of the form is wrong: its id, and what to do, with the values that the words name."""

    def __init__(self, field: str, words: str, **values: object) -> None:
        self.field = field
        self.words = words
        self.values = values
        super().__init__(words)


def read_form(request: Request, body: bytes) -> NewEditionForm:
    """Read the form from the ``body`` of a request.

    Raises:
        HTTPException: 415, it is no form.
    """
    kind = request.headers.get("content-type", "")
    uploaded = read_uploaded_form(body, kind)
    if uploaded is not None:
        texts = {name: uploaded.text(name) for name in uploaded.values if name != "document"}
        return NewEditionForm(
            texts=texts,
            content=uploaded.values.get("document", b""),
            file_name=uploaded.file_names.get("document", ""),
        )
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise HTTPException(415)
    return NewEditionForm(texts=dict(parse_form(body).fields))


def check_name(page: StudioPage, slug: str) -> str:
    """The name ``slug``, which a new edition can have.

    Raises:
        RefusedFormError: it cannot.
    """
    if not slug:
        raise RefusedFormError("slug", NO_NAME)
    if not is_slug(slug) or len(slug) > _MAX_NAME:
        raise RefusedFormError("slug", BAD_NAME)
    if slug in RESERVED or slug in page.state.summaries.list_slugs():
        raise RefusedFormError("slug", NAME_TAKEN, name=slug)
    return slug


def read_language(form: NewEditionForm) -> str:
    """The tag of the language; "" if the field is empty.

    Raises:
        RefusedFormError: it is no language.
    """
    written = form.get("language")
    tag = canonical_language(written) if written else ""
    if tag is None:
        raise RefusedFormError("language", _BAD_LANGUAGE)
    return tag


def read_day(form: NewEditionForm) -> date | None:
    """Since when entries of a feed are taken; None for all.

    Raises:
        RefusedFormError: it is no day.
    """
    try:
        return date.fromisoformat(form.get("since")) if form.get("since") else None
    except ValueError as error:
        raise RefusedFormError("since", _BAD_DATE) from error


def read_level(form: NewEditionForm) -> int:
    """The level of headings at which stories begin, 1 to 6; 0 if that is to be found out."""
    written = form.get("stories_at")
    return int(written) if written in {"1", "2", "3", "4", "5", "6"} else 0


def read_copy_choice(form: NewEditionForm) -> CopyChoice:
    """What is copied of another edition."""
    return CopyChoice(
        **{name: form.get(name) == "yes" for name in ("stories", "translations", "subject", "letter")}
    )


MAX_UPLOAD_BYTES = 30 * 1024 * 1024


class NewEditionWay(StrEnum):
    """What a new edition begins with."""

    copy = "copy"
    """Another edition."""

    empty = "empty"
    """Nothing but its details."""

    example = "example"
    """The example, in which every key is explained."""

    file = "file"
    """A document: Word, OpenDocument, or a saved web page."""

    feed = "feed"
    """The entries of a feed."""


WAY_WORDS: Mapping[NewEditionWay, tuple[str, str]] = {
    NewEditionWay.copy: (
        gettext_noop("From an earlier edition"),
        gettext_noop("Its title, letter and settings, with or without its stories."),
    ),
    NewEditionWay.empty: (gettext_noop("Empty"), gettext_noop("Only a title. You add the stories.")),
    NewEditionWay.file: (
        gettext_noop("From a document"),
        gettext_noop("Word (.docx), OpenDocument (.odt) or a saved web page (.html), with its pictures."),
    ),
    NewEditionWay.feed: (
        gettext_noop("From a website"),
        gettext_noop("A story for each entry of its feed, with the day, the link and the pictures."),
    ),
    NewEditionWay.example: (
        gettext_noop("An example"),
        gettext_noop("Three stories to replace with your own, to see how an edition is made."),
    ),
}

_NO_FILE = gettext_noop("Choose a document.")
_TOO_LARGE = gettext_noop("The document is larger than 30 MB. Make its pictures smaller and save it again.")
_NO_ADDRESS = gettext_noop("Enter the address of a feed or of a website, beginning with https://.")
_NO_TITLE = gettext_noop("Enter a title.")
_NO_SOURCE = gettext_noop("Choose an edition to copy.")
_NOT_READ = gettext_noop("%(name)s: %(why)s Nothing was made of it.")
_NOT_WRITTEN = gettext_noop("The edition could not be written (%(why)s). Nothing was made.")


def show_ways(page: PageDep) -> Response:
    """Show what a new edition can begin with."""
    ways = [way for way in WAY_WORDS if way is not NewEditionWay.copy or page.state.summaries.list_slugs()]
    return page.render(
        "new_edition.html", section="editions", ways=[(way.value, *WAY_WORDS[way]) for way in ways]
    )


def show_new_edition(way: str, page: PageDep) -> Response:
    """Show the form of one way."""
    slugs = page.state.summaries.list_slugs()
    values = {"slug": suggest_name(slugs, find_today(page))}
    if slugs:
        newest = page.state.summaries.read(slugs[0])
        values |= {"title": newest.title, "language": newest.language, "source": slugs[0]}
    return _render(
        page, _find_way(way), {"language": "en", "title": page.settings.sender.organisation, **values}
    )


def _fetch_nothing(address: str, _: int) -> RemoteFile:
    raise FetchError(f"{address} is not fetched.")


def create_edition(way: str, page: PageDep, request: Request, body: BodyDep) -> Response:
    """Make an edition, and go on to it or to what an import has left out."""
    form = read_form(request, body)
    if way != NewEditionWay.feed:
        return make_edition(page, _find_way(way), form)
    from mailer.remote_fetcher import RemoteFetcher

    with RemoteFetcher() as fetcher:
        return make_edition(page, NewEditionWay.feed, form, fetcher.fetch)


def make_edition(
    page: StudioPage, way: NewEditionWay, form: NewEditionForm, fetch: Fetch = _fetch_nothing
) -> Response:
    """Make an edition as the form says. ``fetch`` is how the files of a feed are fetched."""
    try:
        slug = check_name(page, form.get("slug"))
        path = _make(page, way, form, slug, fetch)
    except RefusedFormError as error:
        return _refuse(page, way, form, error.field, page.translator.translate(error.words, **error.values))
    except DocumentError as error:
        field = "address" if way is NewEditionWay.feed else "document"
        words = page.translator.translate(
            _NOT_READ, name=error.name, why=_as_sentence(page.translator.say_again(error.reason))
        )
        return _refuse(page, way, form, field, words)
    except NewEditionError as error:
        known = {"edition-exists": NAME_TAKEN, "bad-folder-name": BAD_NAME}
        words = (
            page.translator.translate(known[error.code], name=slug)
            if error.code in known
            else page.translator.say_again(error.reason)
        )
        return _refuse(page, way, form, "slug" if error.code in known else "source", words)
    except OSError as error:
        why = error.strerror or str(error)
        return _refuse(page, way, form, "", page.translator.translate(_NOT_WRITTEN, why=why))
    return page.redirect(path)


def show_report(edition: str, page: PageDep) -> Response:
    """Show what became of the document that an edition was made from."""
    report = read_report(find_edition_folder(page, edition))
    if report is None:
        raise HTTPException(404)
    return page.render("import_report.html", section="editions", edition=edition, report=report)


def _make(page: StudioPage, way: NewEditionWay, form: NewEditionForm, slug: str, fetch: Fetch) -> str:
    """Make the edition and return the path of the page that comes next."""
    path = f"/editions/{slug}"
    if way is NewEditionWay.example:
        make_example(page, slug)
        return path
    if way is NewEditionWay.empty:
        if not form.get("title"):
            raise RefusedFormError("title", _NO_TITLE)
        make_empty(page, slug, title=form.get("title"), language=read_language(form) or "en")
        return f"{path}/details"
    if way is NewEditionWay.copy:
        source = form.texts.get("source", "")
        if source not in page.state.summaries.list_slugs():
            raise RefusedFormError("source", _NO_SOURCE)
        make_copy(page, source, slug, read_copy_choice(form))
        return f"{path}/details"
    choice = ImportChoice(
        slug=slug, language=read_language(form), stories_at=read_level(form), since=read_day(form)
    )
    if way is NewEditionWay.feed:
        if not form.get("address").lower().startswith(("https://", "http://")):
            raise RefusedFormError("address", _NO_ADDRESS)
        import_address(page, form.get("address"), choice, fetch)
    else:
        if not form.content:
            raise RefusedFormError("document", _NO_FILE)
        if len(form.content) > MAX_UPLOAD_BYTES:
            raise RefusedFormError("document", _TOO_LARGE)
        import_file(page, form.content, form.file_name, choice)
    return f"{path}/import"


def _find_way(way: str) -> NewEditionWay:
    if way not in list(NewEditionWay):
        raise HTTPException(404)
    return NewEditionWay(way)


def _as_sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}"


def _refuse(page: StudioPage, way: NewEditionWay, form: NewEditionForm, field: str, words: str) -> Response:
    return _render(page, way, dict(form.texts), [(field, words)])


def _render(
    page: StudioPage,
    way: NewEditionWay,
    values: Mapping[str, str],
    errors: Sequence[tuple[str, str]] = (),
) -> Response:
    return page.render(
        "new_edition_form.html",
        status=422 if errors else 200,
        section="editions",
        way=way.value,
        heading=page.translator.translate(WAY_WORDS[way][0]),
        use=page.translator.translate(WAY_WORDS[way][1]),
        values=values,
        errors=errors,
        wrong=dict(errors),
        slugs=page.state.summaries.list_slugs(),
    )
