"""Checks of alt texts, which screen readers read out in place of pictures."""

import re
from collections.abc import Iterator

from editions.errors import Problem
from editions.images.used import image_paths
from editions.source.document import AnyDocument, make_error, make_warning
from locales.phrase import gettext_noop

_MAX_ALT_LENGTH = 125
_FILE_NAME = re.compile(
    r"\S+\.(jpe?g|png|gif|webp|heic|tiff?|bmp)|(img|dsc[nf]?|image|picture|photo)[ _-]?\d+", re.IGNORECASE
)


def check_alt_texts(document: AnyDocument) -> Iterator[Problem]:
    """Check the alt texts of all pictures of one file."""
    for key_path in image_paths(document.front_matter):
        if alt := document.front_matter.text(*key_path, "alt"):
            name, caption = (
                document.front_matter.text(*key_path, "file"),
                document.front_matter.text(*key_path, "caption"),
            )
            yield from _check_alt(
                document, document.front_matter.line_of(*key_path, "alt"), alt, name, caption
            )


def _check_alt(document: AnyDocument, line: int, alt: str, name: str, caption: str) -> Iterator[Problem]:
    if is_file_name(alt) or (
        name and alt.casefold() in {name.casefold(), name.rpartition(".")[0].casefold()}
    ):
        yield make_error(
            document,
            line,
            "alt-is-file-name",
            gettext_noop(
                "the alt text %(alt)s is a file name, which screen readers would read out. Describe what "
                "the picture shows."
            )
            % {"alt": f"{alt!r}"},
        )
    if caption and alt.casefold() == caption.casefold():
        yield make_error(
            document,
            line,
            "alt-repeats-caption",
            gettext_noop(
                "the alt text repeats the caption, so people using a screen reader would hear it twice. "
                "Describe what the picture shows."
            ),
        )
    if len(alt) > _MAX_ALT_LENGTH:
        yield make_warning(
            document,
            line,
            "long-alt",
            gettext_noop(
                "the alt text has %(number)s characters, and a screen reader reads it without a pause. "
                "Keep it to %(most)s, and put the rest in the caption or the body."
            )
            % {"number": len(alt), "most": _MAX_ALT_LENGTH},
        )


def is_file_name(text: str) -> bool:
    """Whether ``text`` is a file name as cameras and programs give them, not a description."""
    return bool(_FILE_NAME.fullmatch(text))
