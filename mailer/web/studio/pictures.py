"""The page of a story's picture: upload, crop, words, and the files it shows."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.changes.front_matter_change import change_front_matter
from editions.errors import FrontMatterError, ImageError
from editions.images.edition_images import MIN_STORY_IMAGE_WIDTH, add_image
from editions.images.files import locate_image
from editions.images.prepared_images import ImageSize, measure_image, prepare_image
from editions.model import CENTRE, AiOrigin, Crop, Focus, ImageShape, PeopleShown
from editions.source.folder import IMAGES_FOLDER
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import TextFile
from editions.source.yaml_parser import KeyPath, YamlValue
from mailer.activity.acts import Act
from mailer.database.edition_models import UnsavedReason
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import TextSave
from mailer.revisions.edition_save import Conflict, Saved, save_edition_file
from mailer.revisions.history import find_change_author
from mailer.team.members import Permission
from mailer.web.dependencies import BodyDep
from mailer.web.forms import read_number
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.story_place import StoryPlace, answer_with_image, find_place
from mailer.web.upload import UploadedForm, read_uploaded_form

MAX_FURTHER = 20


class PlaceKind(StrEnum):
    """The key of the front matter that names a picture."""

    image = "image"
    """The story's own picture."""

    images = "images"
    """One of its further pictures, by number."""

    video = "video"
    """The still picture of its video."""

    portrait = "portrait"
    """The person who signs the letter."""


@dataclass(frozen=True, kw_only=True)
class PicturePlace:
    """One place. ``number`` counts further pictures from 0; the number after the last one adds a picture."""

    kind: PlaceKind = PlaceKind.image
    number: int = 0

    @property
    def key_path(self) -> KeyPath:
        """Where the front matter has it."""
        if self.kind is PlaceKind.portrait:
            return ("letter", "portrait")
        return ("images", self.number) if self.kind is PlaceKind.images else (self.kind.value,)

    def __str__(self) -> str:
        return f"images-{self.number}" if self.kind is PlaceKind.images else self.kind.value

    def read(self, front_matter: FrontMatter) -> Mapping[str, str]:
        """The picture's keys as they are written; empty if there is no picture."""
        value = front_matter.value(*self.key_path)
        return _keep_texts(value) if isinstance(value, dict) else {}

    def exists_or_follows(self, front_matter: FrontMatter) -> bool:
        """Whether there is such a picture, or room for it directly after the last."""
        if self.kind is PlaceKind.video:
            return bool(self.read(front_matter))
        return self.kind is not PlaceKind.images or self.number <= len(list_further(front_matter))


def parse_place(text: str, *, is_letter: bool) -> PicturePlace | None:
    """Read a place as ``str`` writes it; None if it is none of this kind of file."""
    kind, _, number = text.partition("-")
    if is_letter:
        return PicturePlace(kind=PlaceKind.portrait) if text in {"", "portrait"} else None
    if text in {"", "image", "video"}:
        return PicturePlace(kind=PlaceKind(text or "image"))
    further = read_number(number) if kind == "images" else None
    if further is None or further >= MAX_FURTHER:
        return None
    return PicturePlace(kind=PlaceKind.images, number=further)


def list_further(front_matter: FrontMatter) -> list[Mapping[str, YamlValue]]:
    """The further pictures of a story, as they are written; a single one may stand without a list."""
    value = front_matter.value("images")
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _keep_texts(value: Mapping[str, YamlValue]) -> dict[str, str]:
    return {key: " ".join(text.split()) for key, text in value.items() if isinstance(text, str)}


@dataclass(frozen=True, kw_only=True)
class StoryPicture:
    """The place of a picture in a story or a letter, with the file as it is now."""

    story: StoryPlace
    front_matter: FrontMatter
    place: PicturePlace

    @property
    def title(self) -> str:
        """The title of the story, or of the letter."""
        return self.front_matter.text("title") or self.story.story or self.story.edition

    @property
    def key(self) -> str:
        """The key of the front matter that has the picture, such as ``images.0``."""
        return ".".join(map(str, self.place.key_path))

    @property
    def digest(self) -> str:
        """What the file says about the picture, as a digest: changes elsewhere in the file need not be
        noticed, because saving touches no other key."""
        return _digest(self.place, self.front_matter)

    def is_as_in(self, text: str) -> bool:
        """Whether an earlier text of the file says the same about the picture."""
        front_matter, _ = read_front_matter(TextFile(name=self.story.file.name, text=text))
        return _digest(self.place, front_matter) == self.digest

    def measure(self, name: str) -> ImageSize | None:
        """The size of a picture of the edition; None if there is none of this name, or it cannot be shown."""
        try:
            return measure_image(locate_image(self.story.folder, name)) if name else None
        except ImageError:
            return None

    def list_others(self, chosen: str) -> list[tuple[str, bool]]:
        """The other pictures of the edition, and whether this file uses each already."""
        folder = self.story.folder / IMAGES_FOLDER
        names = (
            sorted(path.name for path in folder.glob("[!.]*") if path.is_file()) if folder.is_dir() else []
        )
        further = [str(item.get("file", "")) for item in list_further(self.front_matter)]
        used = {self.front_matter.text("image", "file"), *further}
        return [(name, name in used) for name in names if name != chosen]


def _digest(place: PicturePlace, front_matter: FrontMatter) -> str:
    return sha256(repr(sorted(place.read(front_matter).items())).encode()).hexdigest()


def find_picture(page: StudioPage, edition: str, story: str) -> StoryPicture:
    """Find the picture that a request is about; its ``?place=`` says which of the story's.

    Raises:
        HTTPException: 404, there is no such edition or place.
        StoryMissingError: the edition has no such story.
        StoryUnreadableError: its file cannot be read.
    """
    found = find_place(page, edition, story)
    place = parse_place(page.request.query_params.get("place", ""), is_letter=found.is_letter)
    front_matter, _ = read_front_matter(TextFile(name=found.file.name, text=found.file.text))
    if place is None or not place.exists_or_follows(front_matter):
        raise HTTPException(404)
    return StoryPicture(story=found, front_matter=front_matter, place=place)


MAX_ALT = 500
_TEXTS = ("alt", "caption", "credit")
_AI_ANSWERS = ("none", *AiOrigin)
NO_PICTURE = gettext_noop("Choose a picture, from this computer or from this edition.")
NO_ALT = gettext_noop("Describe the picture for readers who cannot see it.")
NO_PEOPLE = gettext_noop("Say whether people can be recognised in it.")
NO_AI = gettext_noop("Say what AI had to do with it.")


@dataclass(frozen=True, kw_only=True)
class PictureForm:
    """The values of the form. ``file`` is a file in ``images/``; ``shape`` is "" for the whole picture."""

    file: str = ""
    alt: str = ""
    caption: str = ""
    credit: str = ""
    people: str = ""
    ai: str = ""
    shape: str = ""
    focus: Focus = field(default=CENTRE)

    def find_errors(self) -> list[tuple[str, str]]:
        """What is missing, each with the id of its field."""
        checks = (
            (self.file, "file", NO_PICTURE),
            (self.alt, "alt", NO_ALT),
            (self.people in list(PeopleShown), "people", NO_PEOPLE),
            (self.ai in _AI_ANSWERS, "ai", NO_AI),
        )
        return [(name, words) for is_given, name, words in checks if not is_given]

    @property
    def crop(self) -> Crop | None:
        """What is shown of the picture; None for all of it."""
        return (
            Crop(shape=ImageShape(self.shape), focus=self.focus) if self.shape in list(ImageShape) else None
        )

    def to_front_matter(self) -> dict[str, str | None]:
        """The keys below the picture's own; None takes one away."""
        is_cropped = self.crop is not None
        return {
            "file": self.file,
            "alt": self.alt,
            "caption": self.caption or None,
            "credit": self.credit or None,
            "ai": self.ai or None,
            "people": self.people or None,
            "shape": self.shape if is_cropped else None,
            "focus": str(self.focus) if is_cropped and self.focus != CENTRE else None,
        }


def read_picture_form(form: UploadedForm) -> PictureForm:
    """Read the form that was sent; what cannot be understood is left out."""
    texts = {name: " ".join(form.text(name).split()) for name in _TEXTS}
    shape = form.text("shape")
    return PictureForm(
        file=form.text("file"),
        people=form.text("people"),
        ai=form.text("ai"),
        shape=shape if shape in list(ImageShape) else "",
        focus=Focus(x=_read_percent(form.text("focus-x")), y=_read_percent(form.text("focus-y"))),
        **texts,
    )


def fill_picture_form(written: Mapping[str, str], *, label: AiOrigin | None = None) -> PictureForm:
    """Fill the form with what the front matter says. ``label`` is what the picture's own file says of AI."""
    x, _, y = written.get("focus", "").replace(",", " ").partition(" ")
    shape = written.get("shape", "")
    return PictureForm(
        file=written.get("file", ""),
        people=written.get("people", ""),
        ai=label or written.get("ai", ""),
        shape=shape if shape in list(ImageShape) else "",
        focus=Focus(x=_read_percent(x), y=_read_percent(y.strip())),
        **{name: written.get(name, "") for name in _TEXTS},
    )


def _read_percent(text: str) -> int:
    number = read_number(text)
    return 50 if number is None else min(100, number)


_WIDTHS = {"thumb": 120, "view": 460}
"""In CSS pixels. Only these, so that nobody fills the memory with sizes."""


def show_image(edition: str, file: str, page: PageDep) -> Response:
    """Show a picture of an edition: ``?size=thumb`` or ``view``, ``&shape=`` and ``&focus=50-30``."""
    query = page.request.query_params
    width = _WIDTHS.get(query.get("size", "view"))
    if width is None:
        raise HTTPException(404)
    crop = _read_crop(query.get("shape", ""), query.get("focus", ""))
    # Asked again each time, because a picture may be replaced by another of its name.
    return answer_with_image(page, edition, file, width=width, crop=crop, cache="private, no-cache")


def _read_crop(shape: str, focus: str) -> Crop | None:
    if shape not in list(ImageShape):
        return None
    x, y = (read_number(part) for part in focus.partition("-")[::2])
    is_point = x is not None and y is not None and max(x, y) <= 100
    return Crop(shape=ImageShape(shape), focus=Focus(x=x or 0, y=y or 0) if is_point else Focus())


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
        edition=picture.story.edition,
        name=picture.story.file.name,
        text=text,
        base=picture.story.file.digest,
        member=page.member,
        sitting=sitting,
        sequence=attempt,
        now=page.state.clock(),
        acts=(Act.wrote_text,),
    )
    with page.writing() as session:
        return save_edition_file(page.state.workspace, session, save)


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
    StudioRoute("/editions/{edition}/pictures/{file}", show_image, GET, Permission.read),
    StudioRoute("/editions/{edition}/stories/{story}/picture", show_story_picture, GET, Permission.write),
    StudioRoute("/editions/{edition}/stories/{story}/picture", post_story_picture, POST, Permission.write),
    StudioRoute(
        "/editions/{edition}/stories/{story}/picture/remove", remove_story_picture, POST, Permission.write
    ),
    StudioRoute("/editions/{edition}/letter/picture", show_portrait, GET, Permission.write),
    StudioRoute("/editions/{edition}/letter/picture", post_portrait, POST, Permission.write),
    StudioRoute("/editions/{edition}/letter/picture/remove", remove_portrait, POST, Permission.write),
)
