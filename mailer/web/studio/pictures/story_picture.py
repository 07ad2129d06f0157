"""Which picture of a story a page is about, and what the story's file says about it now."""

from dataclasses import dataclass
from hashlib import sha256

from starlette.exceptions import HTTPException

from editions.errors import ImageError
from editions.images.files import locate_image
from editions.images.prepare import ImageSize, measure_image
from editions.source.folder import IMAGES_FOLDER
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import TextFile
from mailer.web.studio.page import StudioPage
from mailer.web.studio.pictures.place import PicturePlace, list_further, parse_place
from mailer.web.studio.story_place import StoryPlace, find_place


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
