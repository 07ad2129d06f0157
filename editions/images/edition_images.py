"""The pictures that an edition's files use, and adding one."""

import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from anyascii import anyascii

from editions.cache import BoundedCache, FileStamp
from editions.errors import ImageError, Problem, ProblemLevel
from editions.images.files import convert_image, locate_image
from editions.images.prepared_images import ImageSize, decode_size, measure_image, recall_size
from editions.model import AiOrigin
from editions.source.document import Document
from editions.source.folder import IMAGES_FOLDER
from editions.source.front_matter import FrontMatter
from editions.source.yaml_parser import KeyPath
from locales.phrase import gettext_noop

MIN_STORY_IMAGE_WIDTH = 592
"""The least width of a story's picture in pixels: that of the email without its margins."""

_MIN_PORTRAIT_WIDTH = 192
_PORTRAIT: KeyPath = ("letter", "portrait")

ImageSizes: TypeAlias = Mapping[str, ImageSize]
"""The sizes of an edition's pictures by file name."""
MAX_UPLOAD_BYTES = 30_000_000
"""The largest file that is taken. What is kept of it is smaller."""
_MAX_NAME = 60
_MAX_TRIES = 1000


@dataclass(frozen=True, kw_only=True)
class _ImageReference:
    """A picture used in the file ``path`` on ``line``, where it needs ``min_width`` pixels."""

    name: str
    path: str
    line: int
    min_width: int
    ai: str
    ai_line: int


# Without it, reading an edition after a change to one story takes a twentieth longer.
_found_references: BoundedCache[tuple[_ImageReference, ...]] = BoundedCache(5000)


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
    references = [reference for document in documents for reference in _recall_references(document)]
    for reference in references:
        problems += _read_image(folder, reference, stamps, sizes)
    if all(document.front_matter.values is not None for document in documents):
        named = {reference.name for reference in references}
        problems += [_unused_image_problem(name) for name in present if name not in named]
    return sizes, problems


def image_paths(front_matter: FrontMatter) -> tuple[KeyPath, ...]:
    """Return the key paths at which ``front_matter`` may name a picture, in reading order."""
    return (("image",), *front_matter.item_paths("images"), ("video",), _PORTRAIT)


def _recall_references(document: Document[Any]) -> tuple[_ImageReference, ...]:
    key = (document.name, document.text)
    return _found_references.get_or_create(key, lambda: _find_references(document))


def _find_references(document: Document[Any]) -> tuple[_ImageReference, ...]:
    return tuple(
        _ImageReference(
            name=name,
            path=document.name,
            line=document.front_matter.line_of(*key_path, "file"),
            ai=document.front_matter.text(*key_path, "ai"),
            ai_line=document.front_matter.line_of(*key_path, "ai"),
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
        return [_problem(reference, error.code, error.reason, ProblemLevel.error)]
    sizes[name] = size
    found = [*_check_ai_label(reference, size.ai)]
    if size.width >= reference.min_width:
        return found
    message = gettext_noop(
        "%(name)s is %(width)s pixels wide and would look blurred. Use a picture at "
        "least %(least)s pixels wide, or better %(better)s."
    ) % {"name": name, "width": size.width, "least": reference.min_width, "better": 2 * reference.min_width}
    return [*found, _problem(reference, "narrow-image", message, ProblemLevel.warning)]


def _check_ai_label(reference: _ImageReference, label: AiOrigin | None) -> Iterator[Problem]:
    """Compare what the picture's own label says with ``ai`` in the front matter. The label is what readers
    are told: laws of several countries forbid removing it."""
    if label is None or reference.ai == label:
        return
    did = gettext_noop("generated by AI") if label is AiOrigin.generated else gettext_noop("edited with AI")
    if not reference.ai:
        message = gettext_noop(
            "%(name)s has a label that says it was %(did)s, and readers are told so. Add "
            "`ai: %(label)s` below `file`, so that the edition says it too."
        ) % {"name": reference.name, "did": did, "label": label}
        yield _problem(reference, "ai-unsaid", message, ProblemLevel.warning)
        return
    message = gettext_noop(
        "`ai` says %(ai)s, but %(name)s has a label that says it was %(did)s, and "
        "readers are told that. Write `ai: %(label)s`, or take the picture from its "
        "source again if the label is wrong."
    ) % {"ai": reference.ai, "name": reference.name, "did": did, "label": label}
    yield replace(_problem(reference, "ai-differs", message, ProblemLevel.warning), line=reference.ai_line)


def _measure(folder: Path, name: str, stamp: FileStamp | None) -> ImageSize:
    if stamp and (size := recall_size(stamp)):
        return size
    return measure_image(locate_image(folder, name))


def _problem(reference: _ImageReference, code: str, message: str, level: ProblemLevel) -> Problem:
    return Problem(path=reference.path, line=reference.line, level=level, code=code, message=message)


def _unused_image_problem(name: str) -> Problem:
    return Problem.warning(
        f"{IMAGES_FOLDER}/{name}",
        1,
        "unused-image",
        gettext_noop("no story uses this picture, so it will not be sent. Use it in a story, or delete it."),
    )


def add_image(folder: Path, name: str, content: bytes) -> str:
    """Save a picture in the edition in ``folder`` and return its file name.

    ``name`` is the file's name where it comes from, of which letters, digits and hyphens are kept. A picture
    that is there already, byte for byte, is not saved twice; one of the same name is never replaced.

    Raises:
        ImageError: it is no picture, is damaged, or is too large.
        OSError: it cannot be saved.
    """
    if len(content) > MAX_UPLOAD_BYTES:
        raise ImageError(
            name,
            "image-too-large",
            gettext_noop("%(name)s is larger than %(most)s MB. Save a smaller copy."),
            name=name,
            most=MAX_UPLOAD_BYTES // 1_000_000,
        )
    data, ending = convert_image(name, content)
    decode_size(name, data)
    images = folder / IMAGES_FOLDER
    images.mkdir(exist_ok=True)
    for stem in _list_stems(name):
        path = images / f"{stem}{ending}"
        if path.is_file() and path.read_bytes() == data:
            return path.name
        if _write_new(path, data):
            return path.name
    raise ImageError(
        name,
        "image-name",
        gettext_noop("%(name)s: too many pictures have this name. Rename the file."),
        name=name,
    )


def _list_stems(name: str) -> list[str]:
    ascii_name = anyascii(Path(name).stem).lower()
    stem = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:_MAX_NAME].strip("-") or "picture"
    return [stem, *(f"{stem}-{number}" for number in range(2, _MAX_TRIES))]


def _write_new(path: Path, data: bytes) -> bool:
    """Write a file that does not exist yet, complete or not at all; return False if there is one."""
    if path.exists() or path.is_symlink():
        return False
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        # A link is made only if the name is free, also when two people send a picture at once.
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True
