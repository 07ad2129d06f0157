"""Beginning an edition: empty, as a copy, or from a document."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.responses import Response

from editions.errors import DocumentError, NewEditionError
from editions.new_editions import CopyChoice, copy_edition, create_empty_edition, suggest_name
from editions.source.folder import is_slug
from locales.languages import canonical_language
from locales.phrase import ChoiceEnum, dump_words, load_words
from mailer.activity import deeds
from mailer.activity.deeds import Deed
from mailer.activity.record import record_line
from mailer.atomic_write import write_atomically
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import PageDep, RefusedFormError, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import EditionPageDep
from mailer.web.upload import SentFormDep, UploadedForm, clean_file_name

if TYPE_CHECKING:
    from editions.imports.importer import ImportedEdition

ROUTES = Routes()
REPORT_FILE = ".import.json"
"""What became of the document an edition was made from; hidden, so that it is no part of the edition."""

RESERVED = frozenset({"new"})
"""Names that would hide a page of Studio."""

MAX_UPLOAD_BYTES = 30 * 1024 * 1024
_REPORT_MODE = 0o644
_MAX_REPORT_BYTES = 2_000_000
_MAX_NAME = 100
_MAX_TEXT = 500
_NAME_TAKEN = gettext_noop("There is an edition with the name %(name)s already. Enter another name.")
_BAD_NAME = gettext_noop("Write the name in letters, digits and hyphens, such as 2026-2.")
_NO_NAME = gettext_noop("Enter a name for the edition, such as 2026-2.")
_BAD_LANGUAGE = gettext_noop("Write the language as a tag, such as en, zh-Hans, mn, ja, ko or fr.")
_BAD_DATE = gettext_noop("Write the date as year-month-day, such as 2026-03-31.")
_NO_FILE = gettext_noop("Choose a document.")
_TOO_LARGE = gettext_noop("The document is larger than 30 MB. Make its pictures smaller and save it again.")
_NO_ADDRESS = gettext_noop("Enter the address of a feed or of a website, beginning with https://.")
_NO_TITLE = gettext_noop("Enter a title.")
_NO_SOURCE = gettext_noop("Choose an edition to copy.")
_NOT_READ = gettext_noop("%(name)s: %(why)s Nothing was made of it.")
_NOT_WRITTEN = gettext_noop("The edition could not be written (%(why)s). Nothing was made.")


class NewEditionWay(ChoiceEnum):
    """What a new edition begins with."""

    copy = (
        "copy",
        gettext_noop("From an earlier edition"),
        gettext_noop("Its title, letter and settings, with or without its stories."),
    )
    empty = ("empty", gettext_noop("Empty"), gettext_noop("Only a title. You add the stories."))
    file = (
        "file",
        gettext_noop("From a document"),
        gettext_noop("Word (.docx), OpenDocument (.odt) or a saved web page (.html), with its pictures."),
    )
    feed = (
        "feed",
        gettext_noop("From a website"),
        gettext_noop("A story for each entry of its feed, with the day, the link and the pictures."),
    )
    example = (
        "example",
        gettext_noop("An example"),
        gettext_noop("Three stories to replace with your own, to see how an edition is made."),
    )


def _find_way(way: str) -> NewEditionWay:
    or_404(way in list(NewEditionWay))
    return NewEditionWay(way)


WayDep = Annotated[NewEditionWay, Depends(_find_way)]


@ROUTES.get_route("/editions/new", Permission.write)
def show_ways(page: PageDep) -> Response:
    slugs = page.state.summaries.list_slugs()
    ways = [way for way in NewEditionWay if way is not NewEditionWay.copy or slugs]
    return page.render("new_edition.html", ways=ways)


@ROUTES.get_route("/editions/new/{way}", Permission.write)
def show_new_edition(way: WayDep, page: PageDep) -> Response:
    slugs = page.state.summaries.list_slugs()
    values = {"language": "en", "title": page.settings.sender.organisation}
    if slugs:
        newest = page.state.summaries.read(slugs[0])
        values = {"title": newest.title, "language": newest.language, "source": slugs[0]}
    return _render(page, way, {**values, "slug": suggest_name(slugs, _find_today(page))})


@ROUTES.post_route("/editions/new/{way}", Permission.write)
def create_edition(way: WayDep, page: PageDep, form: SentFormDep) -> Response:
    slug = _read_line(form, "slug")
    try:
        _check_name(page, slug)
        path = _make(page, way, form, slug)
    except RefusedFormError as error:
        field, words = error.field, page.translate(error.words, **error.values)
    except DocumentError as error:
        field = "address" if way is NewEditionWay.feed else "document"
        why = page.translator.say_again(error.reason)
        words = page.translate(_NOT_READ, name=error.name, why=f"{why[:1].upper()}{why[1:]}")
    except NewEditionError as error:
        known = {"edition-exists": _NAME_TAKEN, "bad-folder-name": _BAD_NAME}.get(error.code)
        field = "slug" if known else "source"
        words = page.translate(known, name=slug) if known else page.translator.say_again(error.reason)
    except OSError as error:
        field, words = "", page.translate(_NOT_WRITTEN, why=page.explain(error))
    else:
        return page.redirect(path)
    texts = {name: form.text(name) for name in form.values if name != "document"}
    return _render(page, way, texts, [(field, words)])


def _make(page: StudioPage, way: NewEditionWay, form: UploadedForm, slug: str) -> str:
    """Make the edition and return the path of the page that comes next."""
    editions, settings, today = page.state.workspace.editions, page.settings, _find_today(page)
    path = f"/editions/{slug}"
    match way:
        case NewEditionWay.example:
            from editions.skeleton import create_skeleton

            with _recorded(page, slug, deeds.created_edition(slug)):
                create_skeleton(
                    editions,
                    slug,
                    organisation=settings.sender.organisation,
                    sectors=settings.sectors,
                    countries=settings.countries,
                    today=today,
                )
            return path
        case NewEditionWay.empty:
            title = _read_line(form, "title")
            if not title:
                raise RefusedFormError("title", _NO_TITLE)
            language = _read_language(form) or "en"
            with _recorded(page, slug, deeds.created_edition(slug)):
                create_empty_edition(editions, slug, title=title, language=language, today=today)
            return f"{path}/details"
        case NewEditionWay.copy:
            source = form.text("source")
            if source not in page.state.summaries.list_slugs():
                raise RefusedFormError("source", _NO_SOURCE)
            parts = ("stories", "translations", "subject", "letter")
            choice = CopyChoice(**{name: _read_line(form, name) == "yes" for name in parts})
            with _recorded(page, slug, deeds.created_edition(slug)):
                copy_edition(editions, source, slug, choice, today=today)
            return f"{path}/details"
        case NewEditionWay.file:
            _import_file(page, form, slug)
        case NewEditionWay.feed:
            _import_feed(page, form, slug)
    return f"{path}/import"


def _import_file(page: StudioPage, form: UploadedForm, slug: str) -> None:
    from editions.imports.importer import import_document

    language, level = _read_language(form), _read_line(form, "stories_at")
    content = form.values.get("document", b"")
    if not content:
        raise RefusedFormError("document", _NO_FILE)
    if len(content) > MAX_UPLOAD_BYTES:
        raise RefusedFormError("document", _TOO_LARGE)
    name = clean_file_name(form.file_names.get("document", ""))
    with (
        _recorded(page, slug, deeds.imported_edition(slug, file=name)),
        tempfile.TemporaryDirectory(prefix="mailer-import-") as folder,
    ):
        path = Path(folder, name)
        path.write_bytes(content)
        imported = import_document(
            path,
            page.state.workspace.editions,
            slug=slug,
            language=language,
            sectors=page.settings.sectors,
            stories_at=int(level) if level in {"1", "2", "3", "4", "5", "6"} else 0,
            today=_find_today(page),
        )
        _write_report(imported, name)


def _import_feed(page: StudioPage, form: UploadedForm, slug: str) -> None:
    from editions.imports.importer import import_feed
    from mailer.remote_fetcher import RemoteFetcher

    language, since = _read_language(form), _read_day(form)
    address = _read_line(form, "address")
    if not address.lower().startswith(("https://", "http://")):
        raise RefusedFormError("address", _NO_ADDRESS)
    deed = deeds.imported_edition(slug, feed=address)
    with _recorded(page, slug, deed), RemoteFetcher() as fetcher:
        imported = import_feed(
            address,
            page.state.workspace.editions,
            fetcher.fetch,
            slug=slug,
            language=language,
            sectors=page.settings.sectors,
            since=since,
            today=_find_today(page),
        )
        _write_report(imported, address)


@contextmanager
def _recorded(page: StudioPage, slug: str, deed: Deed) -> Iterator[None]:
    """Announce that an edition is made in the block, and write it down when it is."""
    line = page.make_line(deed)
    with page.announcing(line, page.state.workspace.editions / slug) as session:
        yield
        record_line(session, line)


def _check_name(page: StudioPage, slug: str) -> None:
    if not slug:
        raise RefusedFormError("slug", _NO_NAME)
    if not is_slug(slug) or len(slug) > _MAX_NAME:
        raise RefusedFormError("slug", _BAD_NAME)
    if slug in RESERVED or slug in page.state.summaries.list_slugs():
        raise RefusedFormError("slug", _NAME_TAKEN, name=slug)


def _read_line(form: UploadedForm, name: str) -> str:
    return " ".join(form.text(name).split())[:_MAX_TEXT]


def _read_language(form: UploadedForm) -> str:
    written = _read_line(form, "language")
    tag = canonical_language(written) if written else ""
    if tag is None:
        raise RefusedFormError("language", _BAD_LANGUAGE)
    return tag


def _read_day(form: UploadedForm) -> date | None:
    written = _read_line(form, "since")
    try:
        return date.fromisoformat(written) if written else None
    except ValueError as error:
        raise RefusedFormError("since", _BAD_DATE) from error


def _find_today(page: StudioPage) -> date:
    """Return today in the time zone of this machine, as the command line dates editions."""
    return page.state.clock().astimezone().date()


def _render(
    page: StudioPage,
    way: NewEditionWay,
    values: Mapping[str, str],
    errors: Sequence[tuple[str, str]] = (),
) -> Response:
    return page.render(
        "new_edition_form.html",
        way=way,
        values=values,
        errors=errors,
        slugs=page.state.summaries.list_slugs(),
    )


@ROUTES.get_route("/editions/{edition}/import", Permission.read)
def show_report(page: EditionPageDep) -> Response:
    """Show what became of the document that an edition was made from."""
    return page.render("import_report.html", report=or_404(_read_report(page.folder)))


def _write_report(imported: "ImportedEdition", source: str) -> None:
    """Keep what became of the document or feed ``source`` beside the edition that was made of it. Its phrases
    are said in the language of whoever opens it."""
    report = {
        "source": source,
        "starts": str(imported.starts),
        "stories": imported.stories,
        "images": imported.images,
        "left_behind": [
            {"where": dump_words(left.where), "what": dump_words(left.what), "words": left.words}
            for left in imported.omissions
        ],
    }
    data = json.dumps(report, ensure_ascii=False).encode()
    write_atomically(imported.folder / REPORT_FILE, data, mode=_REPORT_MODE)


def _read_report(folder: Path) -> dict[str, object] | None:
    """Return the report; None if the edition was made otherwise, or nobody knows any more."""
    try:
        with (folder / REPORT_FILE).open("rb") as file:
            found = json.loads(file.read(_MAX_REPORT_BYTES))
        left = [{key: load_words(value) for key, value in one.items()} for one in found["left_behind"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return {**found, "left_behind": left}
