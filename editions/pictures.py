"""The pictures an edition's files name, found and looked at."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from editions.documents import Document
from editions.errors import ImageError
from editions.folder import IMAGES
from editions.imagefiles import locate_image
from editions.imaging import ImageSize, read_image
from editions.plainyaml import Place
from editions.problem import Level, Problem

NARROWEST = 592
"""Pixels a story's picture should have: the width of the sheet less its gutters."""

_NARROWEST_PORTRAIT = 192
_PLACES: tuple[Place, ...] = (("image",), ("letter", "portrait"))

Pictures: TypeAlias = Mapping[str, ImageSize]
"""The sizes of an edition's pictures by file name."""


def read_pictures(
    folder: Path, documents: Sequence[Document[Any]], present: Collection[str]
) -> tuple[Pictures, list[Problem]]:
    """Look at every picture the ``documents`` name; ``present`` are the names in ``images/``.

    The names are taken from what was written, so that a picture is found even where the rest of a header is
    wrong.
    """
    sizes: dict[str, ImageSize] = {}
    problems: list[Problem] = []
    named = set()
    for document in documents:
        for place in _PLACES:
            if name := document.front.text(*place, "file"):
                named.add(name)
                line = document.front.line(*place, "file")
                narrowest = NARROWEST if place == ("image",) else _NARROWEST_PORTRAIT
                problems += _read_picture(folder, name, document.name, line, narrowest, sizes)
    if all(document.front.values is not None for document in documents):
        problems += [_unused(name) for name in present if name not in named]
    return sizes, problems


def _read_picture(
    folder: Path, name: str, path: str, line: int, narrowest: int, sizes: dict[str, ImageSize]
) -> list[Problem]:
    try:
        size = sizes[name] = sizes.get(name) or read_image(locate_image(folder, name))
    except ImageError as error:
        return [Problem(path=path, line=line, level=Level.error, code=error.code, message=error.reason)]
    if size.width >= narrowest:
        return []
    message = (
        f"{name} is {size.width} pixels wide and would look blurred. Use one of at least {narrowest} pixels, "
        f"better {2 * narrowest}."
    )
    return [Problem(path=path, line=line, level=Level.warning, code="narrow-image", message=message)]


def _unused(name: str) -> Problem:
    return Problem(
        path=f"{IMAGES}/{name}",
        line=1,
        level=Level.warning,
        code="unused-image",
        message="no story names this file, so it is not sent. Name it in a story, or delete it.",
    )
