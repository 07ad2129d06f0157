"""A document as every reader of a format hands it on, whatever it was made with.

The ``<body>`` of a :class:`SourceDocument` has, besides ordinary blocks, tables and lists,

- ``<p class="title">``, ``<p class="subtitle">`` and ``<p class="caption">``, for paragraphs with that role,
- ``<img src="3">`` for the picture with that number in ``images``,
- ``<sup><a href="#x">`` for the mark of a note, and as last blocks lists of ``<li id="x">`` for the notes,
- ``<a id="item-5">`` at the beginning of a list item whose list begins there with 5,
- ``data-size="140"`` on a paragraph in type of 140 % of the size most of the text has, and ``data-bold`` on
  one that is all bold, by which titles are found where there are no headings,
- ``align`` with ``right`` or ``center`` on a table's cell that is not at the left,

and no scripts, styles or addresses that anything would fetch.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

ITEM_BOOKMARK = "item-"
"""The beginning of a list item's bookmark, before its number."""

SIZE_ATTRIBUTE = "data-size"
"""On a paragraph: the size of its type, in percent of that of most of the text."""

BOLD_ATTRIBUTE = "data-bold"
"""On a paragraph: all of it is bold, by its style or otherwise."""

NO_CROP = (0.0, 0.0, 0.0, 0.0)
MAX_IMAGE_BYTES = 60_000_000
"""Bytes a picture of a document may have, unpacked; a huge one is made smaller."""


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """A picture of a document. ``part`` tells it from the others and ends in its file name; ``size`` is in
    bytes; ``read`` returns them, and may raise a DocumentError; ``crop`` is how much is cropped off its left,
    top, right and bottom, as a fraction of its width or height."""

    part: str
    alt: str
    size: int
    read: Callable[[], bytes]
    crop: tuple[float, float, float, float] = NO_CROP


@dataclass(frozen=True, kw_only=True)
class SourceDocument:
    """A document, read. ``name`` is its file or address; ``title`` is that of its properties.

    ``language`` is what its program set, such as ``en-GB``, which is often the language the program was
    installed in; ``east_asian_language`` is what it set for Chinese, Japanese and Korean text.
    ``heading_advice`` says how to mark a heading with the program that made it.
    """

    name: str
    body: etree._Element
    images: tuple[SourceImage, ...] = ()
    title: str = ""
    language: str = ""
    east_asian_language: str = ""
    heading_advice: str = "Give the title of each story the style Heading 1"
