"""The blocks of a page, made from its text in reading order."""

from dataclasses import replace

from lxml import etree

from editions.imports.html.formatted_text import TextFormat, append_image, append_text
from editions.imports.html.type_size import TypeMeasure
from editions.imports.web_page.styles import ShownStyle

_SPACES = " \t\r\n\f\xa0\u200b\u200c\u200d\u2060\ufeff\u034f\u00ad"


class Flow:
    """Collects ``blocks``: text goes into a paragraph until it ends. A flow with a ``holder`` is one line:
    its text goes into the holder, whatever ends within it."""

    def __init__(self, holder: etree._Element | None = None) -> None:
        self.blocks: list[etree._Element] = []
        self._holder = holder
        self._line: etree._Element | None = None
        self._breaks = 0
        self._measure = TypeMeasure()

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
            self._measure.add(visible, size=style.size, bold=style.format.bold)

    def add_image(self, number: int, style: ShownStyle) -> None:
        """Add a picture; two line breaks before it end the paragraph."""
        self._write_breaks()
        append_image(self._open(), number, href=style.format.href)

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
        self._measure.write(line)
        self.blocks.append(line)

    def _open(self) -> etree._Element:
        if self._line is None:
            self._line = self._holder if self._holder is not None else etree.Element("p")
            self._measure = TypeMeasure()
        return self._line

    def _write_breaks(self) -> None:
        if self._breaks > 1:
            self.end_paragraph()
        elif self._breaks and self._line is not None:
            etree.SubElement(self._line, "br")
        self._breaks = 0
