"""The email beside the text, of what is saved or of what a form says; and what the checks find in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlencode

from starlette.responses import PlainTextResponse, Response

from editions.changes.story_text import FieldLocation, compose_text, locate_lines
from editions.errors import Problem, ProblemLevel
from editions.model import EditionForm
from editions.source.document import read_document
from editions.source.schema import EditionHeader, StoryHeader
from mailer.checks.rules.mime import MAX_HTML_BYTES, WARN_HTML_BYTES
from mailer.revisions.edition_file import EditionFile, EditionFileError, list_translations, parse_file_name
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.mail_preview.mail_frame import show_mail, show_text, show_words
from mailer.web.mail_preview.query import (
    PreviewQuery,
    Recipient,
    RecipientFinder,
    ShownForm,
    ShownWindows,
    parse_query,
)
from mailer.web.mail_preview.shown_mail import (
    dress_html,
    find_variant,
    list_versions,
    mark_story,
    personalise_mail,
)
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.studio.routing import Routes
from mailer.web.studio.stories.text_form import REFUSALS, find_base, read_story_draft, say_refusal
from mailer.web.studio.story_place import (
    EditionPage,
    EditionPageDep,
    StoryPage,
    StoryPageDep,
    make_story_path,
    open_story,
)

ROUTES = Routes()
_PRIVATE = "private, max-age=86400, immutable"
"""Pictures are named by their content; nobody in between keeps those of an edition that is not sent yet."""


@dataclass(frozen=True, kw_only=True)
class StoryView:
    """What to show: the whole edition or one story, in the way of ``query``. ``version`` is the tag of a
    version of the edition, and comes before the reader of ``query``."""

    is_whole: bool = False
    version: str = ""
    query: PreviewQuery = field(default_factory=lambda: PreviewQuery(show=ShownWindows.desktop))

    def encode(self) -> str:
        """The query that :func:`parse_view` reads as this view."""
        own = {"part": "edition" if self.is_whole else "story", "version": self.version}
        return "&".join(filter(None, (urlencode({k: v for k, v in own.items() if v}), self.query.encode())))


def parse_view(parameters: Mapping[str, str], *, is_whole: bool = False) -> StoryView:
    """Parse the query of a preview; an unknown value becomes the usual one."""
    query = parse_query(parameters)
    if query.show is ShownWindows.both:
        query = replace(query, show=ShownWindows.desktop)
    part, version = parameters.get("part", ""), parameters.get("version", "")
    return StoryView(
        is_whole=part == "edition" if part in {"story", "edition"} else is_whole,
        version=version if version.isalnum() and len(version) <= 40 else "",
        query=query,
    )


@ROUTES.get_route("/editions/{edition}/letter/preview", Permission.read)
@ROUTES.get_route("/editions/{edition}/stories/{story}/preview", Permission.read)
def show_preview(page: StoryPageDep) -> Response:
    """Show the preview as a page of its own, for a narrow window and without script."""
    return page.render("story_preview.html", **describe_view(page, parse_view(page.request.query_params)))


@ROUTES.get_route("/editions/{edition}/preview", Permission.read)
def show_edition_preview(page: EditionPageDep) -> Response:
    letter = open_story(page, "")
    view = parse_view(page.request.query_params, is_whole=True)
    return letter.render("story_preview.html", **describe_view(letter, view))


def describe_view(page: StoryPage, view: StoryView) -> dict[str, Any]:
    return {
        "view": view,
        "query": view.query,
        "recipient": find_recipient(page, view.query),
        "translations": list_translations(page.folder, page.story),
        "frame_path": page.make_path(f"{page.path}/preview/frame"),
    }


def find_recipient(page: StoryPage, query: PreviewQuery) -> Recipient:
    """Return whose email to show. Who may only read sees nobody's name and address."""
    finder = RecipientFinder(page.state.workspace, page.state.engine)
    may = page.may(Permission.write)
    return finder.find_recipient(query, page.state.clock().date()) if may else finder.anonymous


@ROUTES.get_route("/editions/{edition}/letter/preview/frame", Permission.read)
@ROUTES.get_route("/editions/{edition}/stories/{story}/preview/frame", Permission.read)
def show_frame(page: StoryPageDep) -> Response:
    return _show_mail(page, {})


@ROUTES.post_route("/editions/{edition}/letter/preview/frame", Permission.write)
@ROUTES.post_route("/editions/{edition}/stories/{story}/preview/frame", Permission.write)
def show_unsaved_frame(page: StoryPageDep, form: OwnFormDep) -> Response:
    """Show the email of what the form of a story says, which is not saved by this."""
    draft = read_story_draft(form, page.story)
    try:
        composed = compose_text(find_base(page, page.file, draft.base), draft, page.story)
    except REFUSALS as error:
        return PlainTextResponse(say_refusal(page, error), status_code=422)
    return _show_mail(page, {page.file.name: composed.text})


def _show_mail(page: StoryPage, unsaved: Mapping[str, str]) -> Response:
    view = parse_view(page.request.query_params)
    query, compiler = view.query, page.state.previews.compiler(page.edition)
    reader, variant = find_recipient(page, query).reader, None
    if view.version and view.is_whole:
        mails = tuple(compiler.compile().mails.values())
        variant = find_variant(mails, page.state.audience.list_cohorts(), view.version)
    made = compiler.compile_unsaved(
        unsaved,
        story=None if view.is_whole else page.story,
        language=variant.language if variant else query.language or reader.language,
        form=None if query.form is ShownForm.own else EditionForm(query.form.value),
    )
    shown, title = personalise_mail(made.mail, reader, variant), page.translate("Preview")
    if made.mail is None or shown is None:
        words = page.translator.say_again(made.words)
        words = words or page.translate("There is nothing to show yet. The checks say why.")
        return show_words(words, query, title=title, language=page.translator.tag)
    if query.show is ShownWindows.text:
        return show_text(shown.text, query, title=title, language=made.mail.language)
    html = shown.html
    if view.is_whole and page.story:
        html = mark_story(html, made.mail, reader, variant, page.story)
    prefix = page.make_path(page.edition_path)
    return show_mail(dress_html(html, query, base_url=page.settings.web.base_url, prefix=prefix))


@ROUTES.get_route("/editions/{edition}/media/{name}", Permission.read)
def show_image(page: EditionPageDep, name: str) -> Response:
    """Show a picture of the edition as it is mailed, from memory."""
    image = page.state.previews.compiler(page.edition).find_image(name)
    media_type = IMAGE_TYPES.get(PurePosixPath(name).suffix)
    if image is None or media_type is None:
        return page.state.renderer.render_error(404, page.translator)
    return Response(image.data, media_type=media_type, headers={**IMAGE_HEADERS, "cache-control": _PRIVATE})


@ROUTES.get_route("/editions/{edition}/letter/checks", Permission.read)
@ROUTES.get_route("/editions/{edition}/stories/{story}/checks", Permission.read)
def show_checks(page: StoryPageDep) -> Response:
    compiled = page.state.previews.compiler(page.edition).compile()
    own, others = sort_problems(compiled.problems, page.file, page.story)
    return page.render(
        "story_checks_list.html" if page.is_fragment else "story_checks.html",
        compiled=compiled,
        own=own,
        others=[(path, _find_page(page, path), problems) for path, problems in others],
    )


def sort_problems(
    problems: Sequence[Problem], file: EditionFile, story: str
) -> tuple[list[tuple[Problem, FieldLocation]], list[tuple[str, list[Problem]]]]:
    """Return the problems of ``file``, each with its place in the form, and those of other files by path: the
    most serious first."""
    ranked = sorted(problems, key=lambda problem: (problem.path, not _is_error(problem), problem.line))
    by_file = {path: list(found) for path, found in groupby(ranked, key=lambda problem: problem.path)}
    own = by_file.pop(file.name, [])
    places = locate_lines(file.text, story, {problem.line for problem in own})
    others = sorted(by_file.items(), key=lambda group: not _is_error(group[1][0]))
    return [(problem, places[problem.line]) for problem in own], others


def _is_error(problem: Problem) -> bool:
    return problem.level is ProblemLevel.error


def _find_page(page: EditionPage, path: str) -> str:
    try:
        place = parse_file_name(path)
    except EditionFileError:
        return page.edition_path
    is_edition = not (place.story or place.language)
    return page.edition_path if is_edition else make_story_path(page.edition, place.story, place.language)


def count_own_errors(page: StoryPage, name: str) -> int:
    """Return how many errors the file ``name`` has by itself, as just saved; nothing is compiled."""
    header = StoryHeader if page.story else EditionHeader
    _, problems = read_document(
        page.folder, name, header, sectors=tuple(page.settings.sectors), language=None
    )
    return sum(map(_is_error, problems))


@ROUTES.get_route("/editions/{edition}/versions", Permission.read)
def show_versions(page: EditionPageDep) -> Response:
    """Show which versions of an edition today's readers get, and how large each is."""
    compiled = page.state.previews.compiler(page.edition).compile()
    reader = RecipientFinder(page.state.workspace, page.state.engine).anonymous.reader
    cohorts = page.state.audience.list_cohorts()
    versions, further = list_versions(tuple(compiled.mails.values()), cohorts, reader)
    return page.render(
        "edition_versions_list.html" if page.is_fragment else "edition_versions.html",
        versions=versions,
        further=further,
        has_errors=bool(compiled.errors),
        large=WARN_HTML_BYTES,
        largest=MAX_HTML_BYTES,
        chosen=page.request.query_params.get("version", ""),
    )
