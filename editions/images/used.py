"""The pictures that an edition's files use: finding and checking them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from editions.errors import ImageError
from editions.images.files import locate_image
from editions.images.prepare import ImageSize, measure_image, recall_size
from editions.problem import Level, Problem
from editions.source.document import Document
from editions.source.file_stamp import FileStamp
from editions.source.folder import IMAGES_FOLDER
from editions.source.front_matter import FrontMatter
from editions.source.yaml_parser import KeyPath

MIN_STORY_IMAGE_WIDTH = 592
"""The least width of a story's picture in pixels: that of the email without its margins."""

_MIN_PORTRAIT_WIDTH = 192
_PORTRAIT: KeyPath = ("letter", "portrait")

ImageSizes: TypeAlias = Mapping[str, ImageSize]
"""The sizes of an edition's pictures by file name."""


@dataclass(frozen=True, kw_only=True)
class _ImageReference:
    """A picture used in the file ``path`` on ``line``, where it needs ``min_width`` pixels."""

    name: str
    path: str
    line: int
    min_width: int


def read_used_images(
    folder: Path,
    documents: Sequence[Document[Any]],
    *,
    present: Collection[str],
    stamps: Mapping[str, FileStamp],
) -> tuple[ImageSizes, list[Problem]]:
    """Measure every picture that the ``documents`` use; ``present`` are the names in ``images/``.

    ``stamps`` are those of :class:`~editions.source.folder.FolderContents`.

    The names are taken from what was written, so that a picture is found even if the rest of a header is
    not valid.
    """
    sizes: dict[str, ImageSize] = {}
    problems: list[Problem] = []
    references = [reference for document in documents for reference in _find_references(document)]
    for reference in references:
        problems += _read_image(folder, reference, stamps, sizes)
    if all(document.front_matter.values is not None for document in documents):
        named = {reference.name for reference in references}
        problems += [_unused_image_problem(name) for name in present if name not in named]
    return sizes, problems


def image_paths(front_matter: FrontMatter) -> tuple[KeyPath, ...]:
    """The key paths at which ``front_matter`` may name a picture, in reading order."""
    return (("image",), *front_matter.item_paths("images"), _PORTRAIT)


def _find_references(document: Document[Any]) -> tuple[_ImageReference, ...]:
    return tuple(
        _ImageReference(
            name=name,
            path=document.name,
            line=document.front_matter.line_of(*key_path, "file"),
            min_width=_MIN_PORTRAIT_WIDTH if key_path == _PORTRAIT else MIN_STORY_IMAGE_WIDTH,
        )
        for key_path in image_paths(document.front_matter)
        if (name := document.front_matter.text(*key_path, "file"))
    )


def _read_image(
    folder: Path, reference: _ImageReference, stamps: Mapping[str, FileStamp], sizes: dict[str, ImageSize]
) -> list[Problem]:
    name = reference.name
    try:
        size = sizes.get(name) or _measure(folder, name, stamps.get(f"{IMAGES_FOLDER}/{name}"))
    except ImageError as error:
        return [_problem(reference, error.code, error.reason, Level.error)]
    sizes[name] = size
    if size.width >= reference.min_width:
        return []
    message = (
        f"{name} is {size.width} pixels wide and would look blurred. Use a picture at least "
        f"{reference.min_width} pixels wide, or better {2 * reference.min_width}."
    )
    return [_problem(reference, "narrow-image", message, Level.warning)]


def _measure(folder: Path, name: str, stamp: FileStamp | None) -> ImageSize:
    if stamp and (size := recall_size(stamp)):
        return size
    return measure_image(locate_image(folder, name))


def _problem(reference: _ImageReference, code: str, message: str, level: Level) -> Problem:
    return Problem(path=reference.path, line=reference.line, level=level, code=code, message=message)


def _unused_image_problem(name: str) -> Problem:
    return Problem(
        path=f"{IMAGES_FOLDER}/{name}",
        line=1,
        level=Level.warning,
        code="unused-image",
        message="no story uses this picture, so it will not be sent. Use it in a story, or delete it.",
    )
