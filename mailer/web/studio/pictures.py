"""The page of a story's picture: upload, crop, words, and the files it shows."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from editions.changes.front_matter_change import change_front_matter
from editions.changes.story_pictures import PictureKeys, PicturePlace, PlaceKind, list_further, parse_place
from editions.errors import FrontMatterError, ImageError
from editions.images.edition_images import MIN_STORY_IMAGE_WIDTH, add_image
from editions.images.files import locate_image
from editions.images.prepared_images import ImageSize, measure_image, prepare_image
from editions.model import AiOrigin, Crop, Focus, ImageShape, PeopleShown
from editions.source.folder import IMAGES_FOLDER
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import TextFile
from mailer.database.edition_models import UnsavedReason
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFile, TextSave
from mailer.revisions.edition_save import save_edition_file
from mailer.revisions.history import find_change_author
from mailer.team.members import Permission
from mailer.web.forms import read_number
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import (
    EditionPageDep,
    StoryPage,
    StoryPageDep,
    answer_with_image,
    open_story,
)
from mailer.web.upload import SentFormDep, UploadedForm

ROUTES = Routes()
_WIDTHS = {"thumb": 120, "view": 460}
"""In CSS pixels. Only these, so that nobody fills the memory with sizes."""

_NO_PICTURE = gettext_noop("Choose a picture, from this computer or from this edition.")
_NO_ALT = gettext_noop("Describe the picture for readers who cannot see it.")
_NO_PEOPLE = gettext_noop("Say whether people can be recognised in it.")
_NO_AI = gettext_noop("Say what AI had to do with it.")
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
_MAX_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class PicturePage(StoryPage):
    """A request about a place for a picture in a story or a letter. ``front_matter`` is that of its file."""

    front_matter: FrontMatter
    picture: PicturePlace

    @property
    def title(self) -> str:
        return self.front_matter.text("title") or self.story or self.edition

    @property
    def keys(self) -> PictureKeys:
        return PictureKeys.read(self.picture.read(self.front_matter))

    @property
    def digest(self) -> str:
        """What the file says about the picture, as a digest: changes elsewhere in the file need not be
        noticed, because saving touches no other key."""
        return self._digest(self.front_matter)

    def is_as_in(self, text: str) -> bool:
        """Return whether an earlier text of the file says the same about the picture."""
        return self._digest(read_front_matter(TextFile(name=self.file.name, text=text))[0]) == self.digest

    def _digest(self, front_matter: FrontMatter) -> str:
        return sha256(repr(sorted(self.picture.read(front_matter).items())).encode()).hexdigest()

    def measure(self, name: str) -> ImageSize | None:
        try:
            return measure_image(locate_image(self.folder, name)) if name else None
        except ImageError:
            return None

    def list_others(self, chosen: str) -> list[tuple[str, bool]]:
        """Return the other pictures of the edition, and whether this file uses each already."""
        folder = self.folder / IMAGES_FOLDER
        names = (
            sorted(path.name for path in folder.glob("[!.]*") if path.is_file()) if folder.is_dir() else []
        )
        further = [str(item.get("file", "")) for item in list_further(self.front_matter)]
        used = {self.front_matter.text("image", "file"), *further}
        return [(name, name in used) for name in names if name != chosen]


def _open_picture(page: StoryPageDep) -> PicturePage:
    front_matter, _ = read_front_matter(TextFile(name=page.file.name, text=page.file.text))
    place = or_404(parse_place(page.request.query_params.get("place", ""), is_letter=page.is_letter))
    or_404(place.exists_or_follows(front_matter))
    return page.about(PicturePage, front_matter=front_matter, picture=place)


PicturePageDep = Annotated[PicturePage, Depends(_open_picture)]
"""A request about a picture of the story, or the letter, that its path names; ``?place=`` says which."""


@ROUTES.get_route("/editions/{edition}/pictures/{file}", Permission.read)
def show_image(file: str, page: EditionPageDep) -> Response:
    """Show a picture of an edition: ``?size=thumb`` or ``view``, ``&shape=`` and ``&focus=50-30``."""
    query = page.request.query_params
    width = or_404(_WIDTHS.get(query.get("size", "view")))
    crop = _read_crop(query.get("shape", ""), query.get("focus", ""))
    # Asked again each time, because a picture may be replaced by another of its name.
    return answer_with_image(page, file, width=width, crop=crop, cache="private, no-cache")


def _read_crop(shape: str, focus: str) -> Crop | None:
    if shape not in list(ImageShape):
        return None
    x, y = (read_number(part) for part in focus.partition("-")[::2])
    is_point = x is not None and y is not None and max(x, y) <= 100
    return Crop(shape=ImageShape(shape), focus=Focus(x=x or 0, y=y or 0) if is_point else Focus())


@ROUTES.get_route("/editions/{edition}/letter/picture", Permission.write)
@ROUTES.get_route("/editions/{edition}/stories/{story}/picture", Permission.write)
def show_picture(page: PicturePageDep) -> Response:
    size = page.measure(page.keys.file)
    if size is None:
        return _render(page, replace(page.keys, file=""))
    return _render(page, replace(page.keys, ai=size.ai or page.keys.ai))


@ROUTES.post_route("/editions/{edition}/letter/picture", Permission.write)
@ROUTES.post_route("/editions/{edition}/stories/{story}/picture", Permission.write)
def post_picture(page: PicturePageDep, sent: SentFormDep) -> Response:
    texts = {name: " ".join(sent.text(name).split()) for name in sent.values if name != "upload"}
    focus = f"{texts.get('focus-x', '')} {texts.get('focus-y', '')}"
    keys = PictureKeys.read({**texts, "file": sent.text("file"), "focus": focus})
    if sent.values.get("upload") or sent.text("act") == "upload":
        return _take_file(page, keys, sent)
    if chosen := sent.text("choose"):
        return _choose(page, keys, chosen)
    or_404(not keys.file or page.measure(keys.file) is not None)
    checks = (
        (keys.file, "file", _NO_PICTURE),
        (keys.alt, "alt", _NO_ALT),
        (keys.people in list(PeopleShown), "people", _NO_PEOPLE),
        (keys.ai in {"none", *AiOrigin}, "ai", _NO_AI),
    )
    if errors := [(name, page.translate(words)) for is_given, name, words in checks if not is_given]:
        return _render(page, keys, errors, status=422)
    changes = {f"{page.picture.key}.{key}": value for key, value in keys.write().items()}
    base, sitting = sent.text("base"), sent.text("sitting")
    return _save(page, changes, keys, base=base, sitting=sitting, notice=Notice.picture_saved)


@ROUTES.post_route("/editions/{edition}/letter/picture/remove", Permission.write)
@ROUTES.post_route("/editions/{edition}/stories/{story}/picture/remove", Permission.write)
def remove_picture(page: PicturePageDep) -> Response:
    """Take a picture out of a story or a letter. Its file stays in the edition."""
    return _save(page, {page.picture.key: None}, page.keys, base=page.digest, notice=Notice.picture_removed)


def _take_file(page: PicturePage, keys: PictureKeys, sent: UploadedForm) -> Response:
    content = sent.values.get("upload", b"")
    if not content:
        return _render(page, keys, [("upload", page.translate(_NO_FILE))], status=422)
    try:
        name = add_image(page.folder, sent.file_names.get("upload", ""), content)
    except ImageError as error:
        return _render(page, keys, [("upload", error.reason)], status=422)
    return _choose(page, keys, name)


def _choose(page: PicturePage, keys: PictureKeys, name: str) -> Response:
    """Show the page with another picture, and with what was said about the one before."""
    size = or_404(page.measure(name))
    return _render(page, replace(keys, file=name, ai=size.ai or keys.ai))


def _save(
    page: PicturePage,
    changes: Mapping[str, str | None],
    keys: PictureKeys,
    *,
    base: str,
    sitting: str = "",
    notice: Notice,
) -> Response:
    """Change the keys of the picture in the file as it is now, whoever else is writing in it."""
    sitting = sitting or secrets.token_urlsafe(9)
    reason = ""
    for attempt in range(1, _MAX_TRIES + 1):
        if base != page.digest:
            author = find_change_author(page.session, page.edition, page.file, page.is_as_in)
            words = page.translate(_IN_ANOTHER_TAB if author == page.member.id else _CHANGED)
            return _render(page, keys, [("", words)], status=409)
        try:
            text = change_front_matter(page.file.text, changes)
        except FrontMatterError as error:
            return _render(page, keys, [("", error.reason)], status=422)
        save = TextSave(
            edition=page.edition,
            name=page.file.name,
            text=text,
            base=page.file.digest,
            member=page.member,
            sitting=sitting,
            sequence=attempt,
            now=page.state.clock(),
            is_logged=True,
        )
        with page.writing() as session:
            result = save_edition_file(page.state.workspace, session, save)
        if isinstance(result, EditionFile):
            return page.go_back(notice)
        reason = result.detail
        if result.reason is not UnsavedReason.changed:
            break
        page = _open_picture(open_story(page, page.story))
    words = page.translate(_NOT_SAVED, reason=reason or page.translate(_BUSY))
    return _render(page, keys, [("", words)], status=409)


def _render(
    page: PicturePage, keys: PictureKeys, errors: Sequence[tuple[str, str]] = (), *, status: int = 200
) -> Response:
    size = page.measure(keys.file)
    width = _WIDTHS["view"]
    return page.render(
        "picture.html",
        status=status,
        heading=page.translate(page.picture.kind.words),
        sitting=secrets.token_urlsafe(9),
        form=keys,
        size=size,
        shown=prepare_image(locate_image(page.folder, keys.file), width=width) if size else None,
        least=192 if page.picture.kind is PlaceKind.portrait else MIN_STORY_IMAGE_WIDTH,
        others=page.list_others(keys.file),
        errors=errors,
    )
