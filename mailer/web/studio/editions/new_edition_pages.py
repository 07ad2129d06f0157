"""The pages on which an edition is begun."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.errors import DocumentError, NewEditionError
from editions.imports.source_document import Fetch, FetchError, RemoteFile
from editions.new_editions import CopyChoice
from editions.source.folder import is_slug
from locales.languages import canonical_language
from mailer.i18n import gettext_noop
from mailer.web.dependencies import BodyDep
from mailer.web.forms import parse_form
from mailer.web.studio.editions.new_edition import (
    BAD_NAME,
    NAME_TAKEN,
    NO_NAME,
    RESERVED,
    ImportChoice,
    find_today,
    import_address,
    import_file,
    make_copy,
    make_empty,
    make_example,
    read_report,
    suggest_name,
)
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.upload import read_uploaded_form

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
