"""The page of one picture: choosing it, describing it, cropping it, and taking it out of the story."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.changes.front_matter_change import change_front_matter
from editions.errors import FrontMatterError, ImageError
from editions.images.added_image import add_image
from editions.images.files import locate_image
from editions.images.prepare import prepare_image
from editions.images.used import MIN_STORY_IMAGE_WIDTH
from mailer.database.edition_models import UnsavedReason
from mailer.i18n import gettext_noop
from mailer.revisions.change_author import find_change_author
from mailer.revisions.edition_save import Conflict, Saved
from mailer.team.members import Permission
from mailer.web.dependencies import BodyDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.pictures.picture_form import PictureForm, fill_picture_form, read_picture_form
from mailer.web.studio.pictures.place import PicturePlace, PlaceKind
from mailer.web.studio.pictures.story_picture import StoryPicture, find_picture
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.text_save import TextSave, open_save, save_text
from mailer.web.upload import UploadedForm, read_uploaded_form

_HEADINGS: Mapping[PlaceKind, str] = {
    PlaceKind.image: gettext_noop("The story’s picture"),
    PlaceKind.images: gettext_noop("A further picture"),
    PlaceKind.video: gettext_noop("The video’s picture"),
    PlaceKind.portrait: gettext_noop("The portrait beside the letter"),
}
_NO_FILE = gettext_noop("Choose a file first.")
_CHANGED = gettext_noop(
    "Somebody else has changed what the story says about this picture. What you entered is below: look at it "
    "and press “Use this picture” again."
)
_IN_ANOTHER_TAB = gettext_noop(
    "You have changed what the story says about this picture in another tab. What you entered is below: look "
    "at it and press “Use this picture” again."
)
_NOT_SAVED = gettext_noop("The picture was not saved: %(reason)s. Try again.")
_BUSY = gettext_noop("others change the story all the time")
_VIEW_WIDTH = 460
_MAX_TRIES = 5


def show_story_picture(edition: str, story: str, page: PageDep) -> Response:
    """Show the page of a story's picture; ``?place=`` says which."""
    return _show(page, find_picture(page, edition, story))


def show_portrait(edition: str, page: PageDep) -> Response:
    """Show the page of the portrait beside the letter."""
    return _show(page, find_picture(page, edition, ""))


def post_story_picture(edition: str, story: str, page: PageDep, request: Request, body: BodyDep) -> Response:
    """Take a file, choose another picture, or save what is said about it."""
    return _answer(page, find_picture(page, edition, story), _read_form(request, body))


def post_portrait(edition: str, page: PageDep, request: Request, body: BodyDep) -> Response:
    """The same for the portrait beside the letter."""
    return _answer(page, find_picture(page, edition, ""), _read_form(request, body))


def remove_story_picture(edition: str, story: str, page: PageDep) -> Response:
    """Take a picture out of a story. Its file stays in the edition."""
    return _remove(page, find_picture(page, edition, story))


def remove_portrait(edition: str, page: PageDep) -> Response:
    """Take the portrait out of the letter."""
    return _remove(page, find_picture(page, edition, ""))


def _read_form(request: Request, body: bytes) -> UploadedForm:
    form = read_uploaded_form(body, request.headers.get("content-type", ""))
    if form is None:
        raise HTTPException(415)
    return form


def _show(page: StudioPage, picture: StoryPicture) -> Response:
    written = picture.place.read(picture.front_matter)
    chosen = fill_picture_form(written)
    size = picture.measure(chosen.file)
    form = fill_picture_form(written, label=size.ai if size else None)
    return _render(page, picture, form if size else replace(form, file=""))


def _answer(page: StudioPage, picture: StoryPicture, sent: UploadedForm) -> Response:
    form = read_picture_form(sent)
    if sent.values.get("upload") or sent.text("act") == "upload":
        return _take_file(page, picture, form, sent)
    if chosen := sent.text("choose"):
        return _choose(page, picture, form, chosen)
    return _save(page, picture, form, sent)


def _take_file(page: StudioPage, picture: StoryPicture, form: PictureForm, sent: UploadedForm) -> Response:
    content = sent.values.get("upload", b"")
    if not content:
        return _render(page, picture, form, errors=[("upload", page.translator.translate(_NO_FILE))])
    try:
        name = add_image(picture.story.folder, sent.file_names.get("upload", ""), content)
    except ImageError as error:
        return _render(page, picture, form, errors=[("upload", error.reason)])
    return _choose(page, picture, form, name)


def _choose(page: StudioPage, picture: StoryPicture, form: PictureForm, name: str) -> Response:
    """Show the page with another picture, and with what was said about the one before."""
    size = picture.measure(name)
    if size is None:
        raise HTTPException(404)
    return _render(page, picture, replace(form, file=name, ai=size.ai or form.ai), status=200)


def _save(page: StudioPage, picture: StoryPicture, form: PictureForm, sent: UploadedForm) -> Response:
    translate = page.translator.translate
    errors = [(name, translate(words)) for name, words in form.find_errors()]
    if form.file and picture.measure(form.file) is None:
        raise HTTPException(404)
    if errors:
        return _render(page, picture, form, errors=errors)
    changes = {f"{picture.key}.{key}": value for key, value in form.to_front_matter().items()}
    return _write(page, picture, changes, form, sent, Notice.picture_saved)


def _remove(page: StudioPage, picture: StoryPicture) -> Response:
    form = fill_picture_form(picture.place.read(picture.front_matter))
    sent = UploadedForm(values={"base": picture.digest.encode()}, file_names={})
    return _write(page, picture, {picture.key: None}, form, sent, Notice.picture_removed)


def _write(
    page: StudioPage,
    picture: StoryPicture,
    changes: Mapping[str, str | None],
    form: PictureForm,
    sent: UploadedForm,
    notice: Notice,
) -> Response:
    """Change the keys of the picture in the file as it is now, whoever else is writing in it."""
    sitting = sent.text("sitting") or secrets.token_urlsafe(9)
    reason = ""
    for attempt in range(1, _MAX_TRIES + 1):
        if sent.text("base") != picture.digest:
            return _render(page, picture, form, errors=[("", _explain_change(page, picture))], status=409)
        try:
            text = change_front_matter(picture.story.file.text, changes)
        except FrontMatterError as error:
            return _render(page, picture, form, errors=[("", error.reason)])
        result = _save_text(page, picture, text, sitting, attempt)
        if isinstance(result, Saved):
            return page.redirect(picture.story.path, notice)
        reason = result.detail
        if result.reason is not UnsavedReason.changed:
            break
        picture = find_picture(page, picture.story.edition, picture.story.story)
    words = page.translator.translate(_NOT_SAVED, reason=reason or page.translator.translate(_BUSY))
    return _render(page, picture, form, errors=[("", words)], status=409)


def _explain_change(page: StudioPage, picture: StoryPicture) -> str:
    story = picture.story
    with page.state.read_session() as session:
        author = find_change_author(session, story.edition, story.file, picture.is_as_in)
    return page.translator.translate(_IN_ANOTHER_TAB if author == page.member.id else _CHANGED)


def _save_text(
    page: StudioPage, picture: StoryPicture, text: str, sitting: str, attempt: int
) -> Saved | Conflict:
    save = TextSave(
        page=page,
        folder=picture.story.folder,
        edition=picture.story.edition,
        name=picture.story.file.name,
        text=text,
        base=picture.story.file.digest,
        sitting=sitting,
        sequence=attempt,
        now=page.state.clock(),
    )
    with open_save(save) as session:
        return save_text(session, save)


def _render(
    page: StudioPage,
    picture: StoryPicture,
    form: PictureForm,
    *,
    errors: Iterable[tuple[str, str]] = (),
    status: int | None = None,
) -> Response:
    listed = list(errors)
    size = picture.measure(form.file)
    path = f"/editions/{picture.story.edition}/pictures/{form.file}"
    shown = prepare_image(locate_image(picture.story.folder, form.file), width=_VIEW_WIDTH) if size else None
    return page.render(
        "picture.html",
        status=(422 if listed else 200) if status is None else status,
        section="editions",
        edition=picture.story.edition,
        story_title=picture.title,
        heading=page.translator.translate(_HEADINGS[picture.place.kind]),
        back=page.make_path(picture.story.path),
        picture_path=page.make_path(path),
        remove_path=page.make_path(f"{picture.story.path}/picture/remove", place=str(picture.place)),
        place=str(picture.place),
        is_in_story=bool(picture.place.read(picture.front_matter)),
        base=picture.digest,
        sitting=secrets.token_urlsafe(9),
        form=form,
        size=size,
        shown=shown,
        label=size.ai if size else None,
        is_small=size is not None and size.width < _least_width(picture.place),
        least=_least_width(picture.place),
        others=picture.list_others(form.file),
        errors=listed,
    )


def _least_width(place: PicturePlace) -> int:
    return 192 if place.kind is PlaceKind.portrait else MIN_STORY_IMAGE_WIDTH


ROUTES = (
    StudioRoute("/editions/{edition}/stories/{story}/picture", show_story_picture, GET, Permission.write),
    StudioRoute("/editions/{edition}/stories/{story}/picture", post_story_picture, POST, Permission.write),
    StudioRoute(
        "/editions/{edition}/stories/{story}/picture/remove", remove_story_picture, POST, Permission.write
    ),
    StudioRoute("/editions/{edition}/letter/picture", show_portrait, GET, Permission.write),
    StudioRoute("/editions/{edition}/letter/picture", post_portrait, POST, Permission.write),
    StudioRoute("/editions/{edition}/letter/picture/remove", remove_portrait, POST, Permission.write),
)
