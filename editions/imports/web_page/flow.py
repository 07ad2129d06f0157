"""The blocks of a page, made from its text in reading order."""

from collections import Counter
from dataclasses import replace

from lxml import etree

from editions.imports.html.formatted_text import TextFormat, append_image, append_text
from editions.imports.web_page.styles import ShownStyle

_SPACES = " \t\r\n\f\xa0\u200b\u200c\u200d\u2060\ufeff\u034f\u00ad"
SIZE_IN_PIXELS = "data-pixels"
"""The size of most of a paragraph's type, until it can be compared with that of the page."""
BOLD = "data-bold"


class Flow:
    """Collects ``blocks``: text goes into a paragraph until it ends. A flow with a ``holder`` is one line:
    its text goes into the holder, whatever ends within it."""

    def __init__(self, holder: etree._Element | None = None) -> None:
        self.blocks: list[etree._Element] = []
        self._holder = holder
        self._line: etree._Element | None = None
        self._breaks = 0
        self._sizes: Counter[float] = Counter()
        self._is_bold = True

    def add_text(self, text: str, style: ShownStyle) -> None:
        """Add ``text`` to the paragraph."""
        visible = text.strip(_SPACES)
        if not visible and self._line is None:
            return
        line = self._open()
        if visible and self._breaks:
            self._write_breaks()
            line = self._open()
        # A space in bold is not bold, and would only split the text.
        format = style.format if visible else TextFormat(href=style.format.href)
        append_text(line, text, replace(format, hidden=False))
        if visible:
            self._sizes[style.size] += len(visible)
            self._is_bold = self._is_bold and style.format.bold

    def add_image(self, number: int, alt: str, style: ShownStyle) -> None:
        """Add a picture; two line breaks before it end the paragraph."""
        self._write_breaks()
        append_image(self._open(), number, alt=alt, href=style.format.href)

    def add_element(self, element: etree._Element) -> None:
        """Add an inline element, such as the mark of a note."""
        self._write_breaks()
        self._open().append(element)

    def add_break(self) -> None:
        """Add a line break. Two of them end the paragraph."""
        if self._line is not None:
            self._breaks += 1

    def add_block(self, block: etree._Element) -> None:
        """End the paragraph, and add a block."""
        self.end_paragraph()
        if self._holder is None:
            self.blocks.append(block)
        else:
            append_text(self._holder, " ", TextFormat())
            self._holder.extend(list(block) if block.tag == "p" else [block])

    def end_paragraph(self) -> None:
        """End the paragraph, if there is one."""
        line, self._line, self._breaks = self._line, None, 0
        if line is None:
            return
        if self._holder is not None:
            append_text(self._holder, " ", TextFormat())
            return
        if self._sizes:
            line.set(SIZE_IN_PIXELS, f"{self._sizes.most_common(1)[0][0]:.1f}:{self._sizes.total()}")
            if self._is_bold:
                line.set(BOLD, "")
        self.blocks.append(line)

    def _open(self) -> etree._Element:
        if self._line is None:
            self._line = self._holder if self._holder is not None else etree.Element("p")
            self._sizes, self._is_bold = Counter(), True
        return self._line

    def _write_breaks(self) -> None:
        if self._breaks > 1:
            self.end_paragraph()
        elif self._breaks and self._line is not None:
            etree.SubElement(self._line, "br")
        self._breaks = 0
