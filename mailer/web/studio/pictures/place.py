"""Where a file of an edition names a picture: the story's own, a further one, a video's still, a portrait."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from editions.source.front_matter import FrontMatter
from editions.source.yaml_parser import KeyPath, YamlValue
from mailer.web.plain_number import read_number

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
