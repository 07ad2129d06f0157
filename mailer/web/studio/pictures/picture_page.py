"""The page of one picture: choosing it, describing it, cropping it, and taking it out of the story."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.changes.front_matter_change import change_front_matter
from editions.errors import FrontMatterError, ImageError
from editions.images.added_image import add_image
from editions.images.files import locate_image
from editions.images.prepare import ImageSize, measure_image, prepare_image
from editions.images.used import MIN_STORY_IMAGE_WIDTH
from editions.source.folder import IMAGES_FOLDER
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import TextFile
from mailer.database.revision_models import UnsavedReason
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFile, FilePlace, find_file_name, read_edition_file
from mailer.revisions.edition_save import Conflict, Saved, save_edition_file
from mailer.team.roles import Permission
from mailer.web.dependencies import BodyDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.pictures.picture_form import PictureForm, fill_picture_form, read_picture_form
from mailer.web.studio.pictures.place import PicturePlace, PlaceKind, list_further, parse_place
from mailer.web.studio.routing import StudioRoute
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
_NOT_SAVED = gettext_noop("The picture was not saved: %(reason)s. Try again.")
_BUSY = gettext_noop("others change the story all the time")
_VIEW_WIDTH = 460
_MAX_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class _Target:
    """The place of a picture in a file of an edition, with the file as it is now."""

    edition: str
    folder: Path
    story: str
    file: EditionFile
    front_matter: FrontMatter
    place: PicturePlace

    @property
    def title(self) -> str:
        """The title of the story, or of the letter."""
        return self.front_matter.text("title") or self.story or self.edition

    @property
    def path(self) -> str:
        """The path of the story's own page."""
        part = f"stories/{self.story}" if self.story else "letter"
        return f"/editions/{self.edition}/{part}"


def show_story_picture(edition: str, story: str, page: PageDep) -> Response:
    """Show the page of a story's picture; ``?place=`` says which."""
    return _show(page, _find_target(page, edition, story))


def show_portrait(edition: str, page: PageDep) -> Response:
    """Show the page of the portrait beside the letter."""
    return _show(page, _find_target(page, edition, ""))


def post_story_picture(edition: str, story: str, page: PageDep, request: Request, body: BodyDep) -> Response:
    """Take a file, choose another picture, or save what is said about it."""
    return _answer(page, _find_target(page, edition, story), _read_form(request, body))


def post_portrait(edition: str, page: PageDep, request: Request, body: BodyDep) -> Response:
    """The same for the portrait beside the letter."""
    return _answer(page, _find_target(page, edition, ""), _read_form(request, body))


def remove_story_picture(edition: str, story: str, page: PageDep) -> Response:
    """Take a picture out of a story. Its file stays in the edition."""
    return _remove(page, _find_target(page, edition, story))


def remove_portrait(edition: str, page: PageDep) -> Response:
    """Take the portrait out of the letter."""
    return _remove(page, _find_target(page, edition, ""))


def _read_form(request: Request, body: bytes) -> UploadedForm:
    form = read_uploaded_form(body, request.headers.get("content-type", ""))
    if form is None:
        raise HTTPException(415)
    return form


def _find_target(page: StudioPage, edition: str, story: str) -> _Target:
    """Find the file and the place in it that a request is about.

    Raises:
        HTTPException: 404, there is no such edition, story or place.
    """
    try:
        folder = page.state.workspace.edition_folder(edition)
    except ConfigurationError as error:
        raise HTTPException(404) from error
    name = find_file_name(folder, FilePlace(story=story))
    place = parse_place(page.request.query_params.get("place", ""), is_letter=not story)
    if name is None or place is None:
        raise HTTPException(404)
    file = read_edition_file(folder, name)
    front_matter, _ = read_front_matter(TextFile(name=name, text=file.text))
    if not place.exists_or_follows(front_matter):
        raise HTTPException(404)
    return _Target(
        edition=edition, folder=folder, story=story, file=file, front_matter=front_matter, place=place
    )


def _show(page: StudioPage, target: _Target) -> Response:
    written = target.place.read(target.front_matter)
    chosen = fill_picture_form(written)
    size = _measure(target.folder, chosen.file)
    form = fill_picture_form(written, label=size.ai if size else None)
    return _render(page, target, form if size else replace(form, file=""))


def _answer(page: StudioPage, target: _Target, sent: UploadedForm) -> Response:
    form = read_picture_form(sent)
    if sent.values.get("upload") or sent.text("act") == "upload":
        return _take_file(page, target, form, sent)
    if chosen := sent.text("choose"):
        return _choose(page, target, form, chosen)
    return _save(page, target, form, sent)


def _take_file(page: StudioPage, target: _Target, form: PictureForm, sent: UploadedForm) -> Response:
    content = sent.values.get("upload", b"")
    if not content:
        return _render(page, target, form, errors=[("upload", page.translator.translate(_NO_FILE))])
    try:
        name = add_image(target.folder, sent.file_names.get("upload", ""), content)
    except ImageError as error:
        return _render(page, target, form, errors=[("upload", error.reason)])
    return _choose(page, target, form, name)


def _choose(page: StudioPage, target: _Target, form: PictureForm, name: str) -> Response:
    """Show the page with another picture, and with what was said about the one before."""
    size = _measure(target.folder, name)
    if size is None:
        raise HTTPException(404)
    return _render(page, target, replace(form, file=name, ai=size.ai or form.ai), status=200)


def _save(page: StudioPage, target: _Target, form: PictureForm, sent: UploadedForm) -> Response:
    translate = page.translator.translate
    errors = [(name, translate(words)) for name, words in form.find_errors()]
    if form.file and _measure(target.folder, form.file) is None:
        raise HTTPException(404)
    if errors:
        return _render(page, target, form, errors=errors)
    changes = {f"{_join(target.place)}.{key}": value for key, value in form.to_front_matter().items()}
    return _write(page, target, changes, form, sent, Notice.picture_saved)


def _remove(page: StudioPage, target: _Target) -> Response:
    form = fill_picture_form(target.place.read(target.front_matter))
    sent = UploadedForm(values={"base": _digest_picture(target).encode()}, file_names={})
    return _write(page, target, {_join(target.place): None}, form, sent, Notice.picture_removed)


def _write(
    page: StudioPage,
    target: _Target,
    changes: Mapping[str, str | None],
    form: PictureForm,
    sent: UploadedForm,
    notice: Notice,
) -> Response:
    """Change the keys of the picture in the file as it is now, whoever else is writing in it."""
    sitting = sent.text("sitting") or secrets.token_urlsafe(9)
    reason = ""
    for attempt in range(1, _MAX_TRIES + 1):
        if sent.text("base") != _digest_picture(target):
            return _render(page, target, form, errors=[("", page.translator.translate(_CHANGED))], status=409)
        try:
            text = change_front_matter(target.file.text, changes)
        except FrontMatterError as error:
            return _render(page, target, form, errors=[("", error.reason)])
        result = _save_text(page, target, text, sitting, attempt)
        if isinstance(result, Saved):
            return page.redirect(target.path, notice)
        reason = result.detail
        if result.reason is not UnsavedReason.changed:
            break
        target = _find_target(page, target.edition, target.story)
    words = page.translator.translate(_NOT_SAVED, reason=reason or page.translator.translate(_BUSY))
    return _render(page, target, form, errors=[("", words)], status=409)


def _save_text(page: StudioPage, target: _Target, text: str, sitting: str, attempt: int) -> Saved | Conflict:
    with page.state.write_session() as session:
        return save_edition_file(
            page.state.workspace,
            session,
            target.edition,
            target.file.name,
            text,
            base=target.file.digest,
            member=page.member,
            sitting=sitting,
            sequence=attempt,
            now=page.state.clock(),
        )


def _digest_picture(target: _Target) -> str:
    """What the file says about the picture, as a digest: changes elsewhere in the file need not be noticed,
    because saving touches no other key."""
    return sha256(repr(sorted(target.place.read(target.front_matter).items())).encode()).hexdigest()


def _join(place: PicturePlace) -> str:
    return ".".join(map(str, place.key_path))


def _measure(folder: Path, name: str) -> ImageSize | None:
    """The size of a picture of the edition; None if there is none of this name, or it cannot be shown."""
    try:
        return measure_image(locate_image(folder, name)) if name else None
    except ImageError:
        return None


def _render(
    page: StudioPage,
    target: _Target,
    form: PictureForm,
    *,
    errors: Iterable[tuple[str, str]] = (),
    status: int | None = None,
) -> Response:
    listed = list(errors)
    size = _measure(target.folder, form.file)
    path = f"/editions/{target.edition}/pictures/{form.file}"
    shown = prepare_image(locate_image(target.folder, form.file), width=_VIEW_WIDTH) if size else None
    return page.render(
        "picture.html",
        status=(422 if listed else 200) if status is None else status,
        section="editions",
        edition=target.edition,
        edition_title=target.edition,
        story_title=target.title,
        heading=page.translator.translate(_HEADINGS[target.place.kind]),
        back=page.make_path(target.path),
        picture_path=page.make_path(path),
        remove_path=page.make_path(f"{target.path}/picture/remove", place=str(target.place)),
        place=str(target.place),
        is_in_story=bool(target.place.read(target.front_matter)),
        base=_digest_picture(target),
        sitting=secrets.token_urlsafe(9),
        form=form,
        size=size,
        shown=shown,
        label=size.ai if size else None,
        is_small=size is not None and size.width < _least_width(target.place),
        least=_least_width(target.place),
        others=_list_others(target, form.file),
        errors=listed,
    )


def _least_width(place: PicturePlace) -> int:
    return 192 if place.kind is PlaceKind.portrait else MIN_STORY_IMAGE_WIDTH


def _list_others(target: _Target, chosen: str) -> list[tuple[str, bool]]:
    """The other pictures of the edition, and whether this file uses each already."""
    folder = target.folder / IMAGES_FOLDER
    names = sorted(path.name for path in folder.glob("[!.]*") if path.is_file()) if folder.is_dir() else []
    further = [str(item.get("file", "")) for item in list_further(target.front_matter)]
    used = {target.front_matter.text("image", "file"), *further}
    return [(name, name in used) for name in names if name != chosen]


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
