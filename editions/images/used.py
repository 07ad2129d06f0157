"""The pictures that an edition's files use: finding and checking them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from editions.cache import BoundedCache
from editions.errors import ImageError
from editions.images.files import locate_image
from editions.images.prepare import ImageSize, cached_size, measure_image
from editions.problem import Level, Problem
from editions.source.document import Document
from editions.source.file_stamp import FileStamp
from editions.source.folder import IMAGES_FOLDER
from editions.source.yaml_parser import KeyPath

MIN_STORY_IMAGE_WIDTH = 592
"""The least width of a story's picture in pixels: that of the email without its margins."""

_MIN_PORTRAIT_WIDTH = 192
_IMAGE_KEYS: tuple[KeyPath, ...] = (("image",), ("letter", "portrait"))

ImageSizes: TypeAlias = Mapping[str, ImageSize]
"""The sizes of an edition's pictures by file name."""


@dataclass(frozen=True, kw_only=True)
class _ImageReference:
    """A picture used in the file ``path`` on ``line``, where it needs ``min_width`` pixels."""

    name: str
    path: str
    line: int
    min_width: int


_references: BoundedCache[tuple[_ImageReference, ...]] = BoundedCache(5000)


def read_used_images(
    folder: Path,
    documents: Sequence[Document[Any]],
    *,
    present: Collection[str],
    stamps: Mapping[str, FileStamp],
) -> tuple[ImageSizes, list[Problem]]:
    """Measure every picture that the ``documents`` use; ``present`` are the names in ``images/``, and
    ``stamps`` are the current ones of the edition's files.

    The names are taken from what was written, so that a picture is found even if the rest of a header is
    not valid.
    """
    sizes: dict[str, ImageSize] = {}
    problems: list[Problem] = []
    mentions = [*_list_references(documents)]
    for mention in mentions:
        problems += _read_image(folder, mention, stamps.get(f"{IMAGES_FOLDER}/{mention.name}"), sizes)
    if all(document.front_matter.values is not None for document in documents):
        named = {mention.name for mention in mentions}
        problems += [_unused_image_problem(name) for name in present if name not in named]
    return sizes, problems


def _list_references(documents: Sequence[Document[Any]]) -> Iterator[_ImageReference]:
    for document in documents:
        yield from _references.get_or_create(
            (document.name, document.text), partial(_find_references, document)
        )


def _find_references(document: Document[Any]) -> tuple[_ImageReference, ...]:
    return tuple(
        _ImageReference(
            name=name,
            path=document.name,
            line=document.front_matter.line_of(*place, "file"),
            min_width=MIN_STORY_IMAGE_WIDTH if place == ("image",) else _MIN_PORTRAIT_WIDTH,
        )
        for place in _IMAGE_KEYS
        if (name := document.front_matter.text(*place, "file"))
    )


def _read_image(
    folder: Path, reference: _ImageReference, stamp: FileStamp | None, sizes: dict[str, ImageSize]
) -> list[Problem]:
    name = reference.name
    try:
        size = sizes.get(name) or (stamp and cached_size(stamp)) or measure_image(locate_image(folder, name))
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
