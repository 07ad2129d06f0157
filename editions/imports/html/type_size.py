"""How large and how bold paragraphs are, by which titles are found where a document has no headings."""

from collections import Counter

from lxml import etree

from editions.imports.source_document import BOLD_ATTRIBUTE, SIZE_ATTRIBUTE

_MEASURED = "data-measured"
"""The size and the length of a paragraph, until its size can be compared with that of the whole."""
_MAX_TITLE_LENGTH = 120


class TypeMeasure:
    """Measures the text of one paragraph."""

    def __init__(self) -> None:
        self._sizes: Counter[float] = Counter()
        self._is_bold = True

    def add(self, text: str, *, size: float, bold: bool) -> None:
        """Add visible text of this size, in any unit."""
        self._sizes[size] += len(text)
        self._is_bold = self._is_bold and bold

    def write(self, block: etree._Element) -> None:
        """Write what was measured into ``block``."""
        if self._sizes:
            block.set(_MEASURED, f"{self._sizes.most_common(1)[0][0]:.2f}:{self._sizes.total()}")
            if self._is_bold:
                block.set(BOLD_ATTRIBUTE, "")


def is_possible_title(block: etree._Element, text: str) -> bool:
    """Whether ``block``, which was measured, is a short paragraph all in bold."""
    return block.get(BOLD_ATTRIBUTE) is not None and 0 < len(text) <= _MAX_TITLE_LENGTH


def compare_sizes(body: etree._Element) -> None:
    """Write the size of each paragraph's type in percent of that of most of the text."""
    sizes: Counter[float] = Counter()
    measured: list[tuple[etree._Element, float]] = []
    for line in body.iter("p"):
        if written := str(line.attrib.pop(_MEASURED, "")):
            size, _, length = written.partition(":")
            sizes[float(size)] += int(length)
            measured.append((line, float(size)))
    usual = sizes.most_common(1)[0][0] if sizes else 0.0
    for line, shown in measured if usual else ():
        if (percent := round(shown / usual * 100)) != 100:
            line.set(SIZE_ATTRIBUTE, str(percent))
