"""Estimates whether a story's text is longer than the picture beside it, so that it has to go on below the
picture: a picture above a long empty column, and all of a long text squeezed beside it, is hard to read.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mailer.rendering.template_context.page import PictureView
from mailer.rendering.themes.theme import Theme, TypeStep

# Characters as wide as they are high: Chinese, Japanese and Korean.
_WIDE = re.compile(
    r"[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]"
)
# A text that is longer by this many lines still stands beside its picture: fewer below it would look lost.
_SPARE_LINES = 3


@dataclass(frozen=True, kw_only=True)
class ColumnMeasures:
    """The figures of a theme that decide how high a picture and the text beside it are: widths in pixels, and
    the sizes of the text and of captions."""

    shown: int
    beside: int
    paragraph: int
    body: TypeStep
    caption: TypeStep


def measure_columns(theme: Theme) -> ColumnMeasures:
    """The figures of ``theme``."""
    return ColumnMeasures(
        shown=theme.pictures.shown,
        beside=theme.beside,
        paragraph=theme.spacing.paragraph,
        body=theme.type.body,
        caption=theme.type.caption,
    )


def is_longer_than_picture(
    text: str, labels: Iterable[str], picture: PictureView, columns: ColumnMeasures
) -> bool:
    """Whether ``text`` and the links below it, beside ``picture``, would end well below it."""
    shown = min(columns.shown, picture.width)
    caption = " ".join(filter(None, (picture.caption, picture.credit)))
    picture_height = shown * picture.height / max(picture.width, 1) + _estimate_height(
        caption, columns.shown, columns.caption
    )
    paragraphs = [line for line in (*text.splitlines(), *labels) if line.strip()]
    text_height = sum(
        _estimate_height(paragraph, columns.beside, columns.body) + columns.paragraph
        for paragraph in paragraphs
    )
    return text_height > picture_height + _SPARE_LINES * columns.body.line


def _estimate_height(text: str, width: int, step: TypeStep) -> int:
    """The height in pixels of ``text`` in a column of ``width`` pixels. A Latin letter is half as wide as the
    type is high, measured on the sample in Arial and Georgia."""
    letters = len(text) + len(_WIDE.findall(text))
    in_a_line = max(width * 2 // step.size, 1)
    return -(-letters // in_a_line) * step.line
