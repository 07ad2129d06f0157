"""The email beside the text: of what is saved, or of what a form says; of the story alone, or all of it."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from starlette.responses import PlainTextResponse, Response

from editions.errors import FrontMatterError
from editions.model import EditionForm
from editions.rich_text.nodes import DocumentSchemaError, UnwritableError
from locales.phrase import read_error
from mailer.rendering.body.variants import Variant
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.mail_preview.compiler import UnsavedMail
from mailer.web.mail_preview.query import PreviewQuery, Recipient, RecipientFinder, ShownForm, ShownWindows
from mailer.web.mail_preview.shown_mail import dress_html, find_variant, mark_story, personalise_mail
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.studio.mail_frame import show_mail, show_text, show_words
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.stories.composition import read_draft
from mailer.web.studio.stories.page_context import (
    ShownPart,
    StoryView,
    list_translations,
    parse_view,
    read_edition_title,
)
from mailer.web.studio.stories.story_save import compose_draft
from mailer.web.studio.story_place import PlaceDep, StoryPlace, find_edition_folder, find_place

_NOTHING_UNSAVED: Mapping[str, str] = MappingProxyType({})


def show_preview(page: PageDep, place: PlaceDep) -> Response:
    """Show the preview as a page of its own, for a narrow window and without script."""
    return _show_page(page, place, parse_view(page.request.query_params))


def show_edition_preview(edition: str, page: PageDep) -> Response:
    """Show the preview of a whole edition."""
    place = find_place(page, edition, "")
    return _show_page(page, place, parse_view(page.request.query_params, usual=ShownPart.edition))


def _show_page(page: StudioPage, place: StoryPlace, view: StoryView) -> Response:
    return page.render(
        "story_preview.html",
        status=200,
        section="editions",
        place=place,
        edition_title=read_edition_title(place),
        **describe_view(page, place, view),
    )


def describe_view(page: StudioPage, place: StoryPlace, view: StoryView) -> dict[str, object]:
    """What the controls of the preview show."""
    recipient = find_recipient(page, view.query)
    return {
        "view": view,
        "query": view.query,
        "recipient": recipient,
        "preview_languages": list_translations(place),
        "frame_path": page.make_path(f"{place.path}/preview/frame"),
    }


def find_recipient(page: StudioPage, query: PreviewQuery) -> Recipient:
    """Whose email to show. Who may only read sees nobody's name and address."""
    state = page.state
    finder = RecipientFinder(state.workspace, state.engine)
    if not page.may(Permission.write):
        return finder.anonymous
    return finder.find_recipient(query, state.clock().date())


def show_frame(page: PageDep, place: PlaceDep) -> Response:
    """Show the email of what is saved."""
    return _show_mail(page, place, parse_view(page.request.query_params), _NOTHING_UNSAVED)


def show_unsaved_frame(page: PageDep, place: PlaceDep, form: OwnFormDep) -> Response:
    """Show the email of what the form of a story says, which is not saved by this."""
    draft = read_draft(form, place.story)
    try:
        composed = compose_draft(page, place, draft)
    except (UnwritableError, DocumentSchemaError, FrontMatterError) as error:
        return PlainTextResponse(page.translator.say_again(read_error(error)), status_code=422)
    view = parse_view(page.request.query_params)
    return _show_mail(page, place, view, {place.file.name: composed.text})


def _show_mail(
    page: StudioPage,
    place: StoryPlace,
    view: StoryView,
    unsaved: Mapping[str, str],
) -> Response:
    query, translate = view.query, page.translator.translate
    title = translate("Preview")
    reader = find_recipient(page, query).reader
    variant = _find_variant(page, place, view)
    language = variant.language if variant else query.language or reader.language
    made = _compile(page, place, view, unsaved, language=language)
    shown = personalise_mail(made.mail, reader, variant)
    if made.mail is None or shown is None:
        words = page.translator.say_again(made.words)
        words = words or translate("There is nothing to show yet. The checks say why.")
        return show_words(words, query, title=title, language=page.translator.tag)
    if query.show is ShownWindows.text:
        return show_text(shown.text, query, title=title, language=made.mail.language)
    settings, prefix = page.settings, page.make_path(place.edition_path)
    html = shown.html
    if view.is_whole and place.story:
        html = mark_story(html, made.mail, reader, variant, place.story)
    html = dress_html(html, query, base_url=settings.web.base_url, prefix=prefix)
    return show_mail(html)


def _compile(
    page: StudioPage,
    place: StoryPlace,
    view: StoryView,
    unsaved: Mapping[str, str],
    *,
    language: str,
) -> UnsavedMail:
    wanted = view.query.form
    return page.state.previews.compiler(place.edition).compile_unsaved(
        unsaved,
        story=None if view.is_whole else place.story,
        language=language,
        form=None if wanted is ShownForm.own else EditionForm(wanted.value),
    )


def _find_variant(page: StudioPage, place: StoryPlace, view: StoryView) -> Variant | None:
    if not (view.version and view.is_whole):
        return None
    compiled = page.state.previews.compiler(place.edition).compile()
    return find_variant(tuple(compiled.mails.values()), page.state.audience.list_cohorts(), view.version)


def show_image(edition: str, name: str, page: PageDep) -> Response:
    """Show a picture of the edition as it is mailed, from memory."""
    find_edition_folder(page, edition)
    image = page.state.previews.compiler(edition).find_image(name)
    media_type = IMAGE_TYPES.get(PurePosixPath(name).suffix)
    if image is None or media_type is None:
        return page.state.renderer.render_error(404, page.translator)
    return Response(image.data, media_type=media_type, headers={**IMAGE_HEADERS, "cache-control": _PRIVATE})


_PRIVATE = "private, max-age=86400, immutable"
"""Pictures are named by their content; nobody in between keeps those of an edition that is not sent yet."""
