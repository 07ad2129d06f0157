"""The pictures an edition's files name, found and looked at."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from editions.cache import Memory
from editions.errors import ImageError
from editions.images.files import locate_image
from editions.images.prepare import ImageSize, known_size, read_image
from editions.problem import Level, Problem
from editions.source.document import Document
from editions.source.file_stamp import Stamp
from editions.source.folder import IMAGES
from editions.source.yaml_parser import Place

NARROWEST = 592
"""Pixels a story's picture should have: the width of the sheet less its gutters."""

_NARROWEST_PORTRAIT = 192
_PLACES: tuple[Place, ...] = (("image",), ("letter", "portrait"))

Pictures: TypeAlias = Mapping[str, ImageSize]
"""The sizes of an edition's pictures by file name."""


@dataclass(frozen=True, kw_only=True)
class _Mention:
    """A picture named in the file ``path`` on ``line``, where it needs ``narrowest`` pixels."""

    name: str
    path: str
    line: int
    narrowest: int


_mentions: Memory[tuple[_Mention, ...]] = Memory(5000)


def read_pictures(
    folder: Path,
    documents: Sequence[Document[Any]],
    *,
    present: Collection[str],
    stamps: Mapping[str, Stamp],
) -> tuple[Pictures, list[Problem]]:
    """Look at every picture the ``documents`` name; ``present`` are the names in ``images/``, and ``stamps``
    those of the edition's files, just taken.

    The names are taken from what was written, so that a picture is found even where the rest of a header is
    wrong.
    """
    sizes: dict[str, ImageSize] = {}
    problems: list[Problem] = []
    mentions = [*_list_mentions(documents)]
    for mention in mentions:
        problems += _read_picture(folder, mention, stamps.get(f"{IMAGES}/{mention.name}"), sizes)
    if all(document.front.values is not None for document in documents):
        named = {mention.name for mention in mentions}
        problems += [_unused(name) for name in present if name not in named]
    return sizes, problems


def _list_mentions(documents: Sequence[Document[Any]]) -> Iterator[_Mention]:
    for document in documents:
        yield from _mentions.recall((document.name, document.text), partial(_find_mentions, document))


def _find_mentions(document: Document[Any]) -> tuple[_Mention, ...]:
    return tuple(
        _Mention(
            name=name,
            path=document.name,
            line=document.front.line(*place, "file"),
            narrowest=NARROWEST if place == ("image",) else _NARROWEST_PORTRAIT,
        )
        for place in _PLACES
        if (name := document.front.text(*place, "file"))
    )


def _read_picture(
    folder: Path, mention: _Mention, stamp: Stamp | None, sizes: dict[str, ImageSize]
) -> list[Problem]:
    name = mention.name
    try:
        size = sizes.get(name) or (stamp and known_size(stamp)) or read_image(locate_image(folder, name))
    except ImageError as error:
        return [_problem(mention, error.code, error.reason, Level.error)]
    sizes[name] = size
    if size.width >= mention.narrowest:
        return []
    message = (
        f"{name} is {size.width} pixels wide and would look blurred. Use a picture at least "
        f"{mention.narrowest} pixels wide, or better {2 * mention.narrowest}."
    )
    return [_problem(mention, "narrow-image", message, Level.warning)]


def _problem(mention: _Mention, code: str, message: str, level: Level) -> Problem:
    return Problem(path=mention.path, line=mention.line, level=level, code=code, message=message)


def _unused(name: str) -> Problem:
    return Problem(
        path=f"{IMAGES}/{name}",
        line=1,
        level=Level.warning,
        code="unused-image",
        message="no story uses this picture, so it will not be sent. Use it in a story, or delete it.",
    )
