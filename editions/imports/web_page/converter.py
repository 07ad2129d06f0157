"""Converting a page to blocks of clean HTML, in reading order."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urljoin

from lxml import etree

from editions.imports.html.tree import (
    HEADINGS,
    TextFormat,
    TypeMeasure,
    append_image,
    append_text,
    is_possible_title,
    make_list_item,
    text_content,
)
from editions.imports.source_document import OmissionKind, OmissionLog
from editions.imports.web_page.left_out import LeftOutContent, drawing_words, visible_text
from editions.imports.web_page.lists_and_tables import cells, is_data_table, rows_of, wrap_loose_items
from editions.imports.web_page.pictures import PictureFinder
from editions.imports.web_page.styles import PageStyles, ShownStyle

_SPACES = " \t\r\n\f\xa0\u200b\u200c\u200d\u2060\ufeff\u034f\u00ad"
_BLOCKS = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "body",
            "center",
            "dd",
            "details",
            "dialog",
            "div",
            "dl",
            "fieldset",
        ),
        *("figure", "footer", "form", "header", "hgroup", "html", "legend", "main", "p", "pre", "section"),
        *("summary", "tbody", "td", "tfoot", "th", "thead", "tr"),
    }
)
_WITHOUT_TEXT = frozenset(
    {
        *("area", "base", "basefont", "bgsound", "col", "colgroup", "head", "hr", "link", "meta", "param"),
        *("source", "style", "template", "title", "track", "wbr"),
    }
)
_ROLES = {"msotitle": "title", "title": "title", "msosubtitle": "subtitle", "subtitle": "subtitle"}
_CAPTIONS = frozenset({"msocaption", "wp-caption-text", "caption"})
_LONG_QUOTATION = 1500
_MAX_SPAN = 1000


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
        self._write_breaks()
        self._open().append(element)

    def add_break(self) -> None:
        """Add a line break. Two of them end the paragraph."""
        if self._line is not None:
            self._breaks += 1

    def add_block(self, block: etree._Element) -> None:
        self.end_paragraph()
        if self._holder is None:
            self.blocks.append(block)
        else:
            append_text(self._holder, " ", TextFormat())
            self._holder.extend(list(block) if block.tag == "p" else [block])

    def end_paragraph(self) -> None:
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


class PageConverter:
    """Converts one page. ``base`` is the address that its links are relative to, if it is known."""

    def __init__(
        self, root: etree._Element, pictures: PictureFinder, omissions: OmissionLog, *, base: str = ""
    ) -> None:
        self._styles = PageStyles(root)
        self._pictures = pictures
        self._omissions = omissions
        self._base = base
        self._left_out = LeftOutContent(omissions)
        self._note_ids = _find_notes(root)
        self._handlers: dict[str, Callable[[etree._Element, ShownStyle, Flow], None]] = {
            **dict.fromkeys(HEADINGS, self._heading),
            **dict.fromkeys(("ul", "ol", "menu", "dir"), self._list),
            "table": self._table,
            "blockquote": self._quotation,
            "img": self._image,
            "br": lambda _element, _style, flow: flow.add_break(),
            "a": self._link,
            "sup": self._raised,
            "dt": self._term,
            "figcaption": self._caption,
            "caption": self._caption,
            "svg": self._drawing,
            "canvas": self._drawing,
            "button": self._button,
            "ruby": self._ruby,
            "q": self._inline_quotation,
        }

    def convert(self, body: etree._Element) -> list[etree._Element]:
        flow = Flow()
        self._walk(body, self._styles.compute(body, ShownStyle()), flow)
        flow.end_paragraph()
        self._left_out.name_scripts()
        return flow.blocks

    # --- the walk ---------------------------------------------------------------------------------------

    def _walk(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        self._text(element.text, style, flow)
        for child in element:
            if isinstance(child.tag, str):
                self._child(child, style, flow)
            self._text(child.tail, style, flow)

    def _text(self, text: str | None, style: ShownStyle, flow: Flow) -> None:
        if not text:
            return
        if style.is_hidden:
            if any(map(str.isalnum, text)):
                self._omissions.count(OmissionKind.hidden, text)
            return
        for number, line in enumerate(text.split("\n") if style.keeps_lines else (text,)):
            if number:
                flow.add_break()
            flow.add_text(line, style)

    def _child(self, child: etree._Element, outer: ShownStyle, flow: Flow) -> None:
        tag = str(child.tag).lower()
        if tag in _WITHOUT_TEXT:
            return
        style = self._styles.compute(child, outer)
        if style.format.hidden and tag != "script":
            self._left_out.name_hidden(child)
        elif leave_out := self._left_out.handlers.get(tag):
            leave_out(child)
        elif handler := self._handlers.get(tag):
            handler(child, style, flow)
        elif tag in _BLOCKS or style.is_block:
            self._block(child, style, flow)
        else:
            self._walk(child, style, flow)

    def _block(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        flow.end_paragraph()
        before = len(flow.blocks)
        self._walk(element, style, flow)
        flow.end_paragraph()
        names = {name.lower() for name in (element.get("class") or "").split()}
        made = flow.blocks[before:]
        for block in made[-1:]:
            if is_possible_title(block, text := " ".join(text_content(block).split())):
                self._omissions.enter_possible_story(text)
        if element.tag == "p" and len(made) == 1 and made[0].tag == "p":
            role = next((_ROLES[name] for name in names if name in _ROLES), "")
            if role or names & _CAPTIONS:
                made[0].set("class", role or "caption")

    # --- blocks -----------------------------------------------------------------------------------------

    def _heading(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        made = etree.Element(str(element.tag))
        line = Flow(made)
        self._walk(element, replace(style, format=replace(style.format, bold=False)), line)
        line.end_paragraph()
        if words := " ".join(text_content(made).split()):
            self._omissions.enter_possible_story(words)
        flow.add_block(made)

    def _list(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        flow.end_paragraph()
        made = etree.Element("ol" if element.tag == "ol" else "ul")
        number = _read_number(element.get("start"), 1)
        wrap_loose_items(element)
        for child in element:
            if not isinstance(child.tag, str):
                continue
            shown = self._styles.compute(child, style)
            if shown.format.hidden:
                self._left_out.name_hidden(child)
                continue
            inner = Flow()
            if child.tag in {"li", "p", "div"}:
                self._walk(child, shown, inner)
            else:
                self._child(child, style, inner)
            inner.end_paragraph()
            content = [block for block in inner.blocks if len(block) or text_content(block).strip()]
            if not content:
                continue
            if child.tag != "li" and len(made):
                made[-1].extend(content)
                continue
            number = _read_number(child.get("value"), number)
            if _is_article(content):
                self._add_list(made, flow)
                made = etree.Element(made.tag)
                for block in content:
                    flow.add_block(block)
            else:
                first = number if made.tag == "ol" and not len(made) and number != 1 else 0
                made.append(make_list_item(content, first))
                if child.get("id") in self._note_ids:
                    made[-1].set("id", child.get("id") or "")
            number += 1
        self._add_list(made, flow)

    def _add_list(self, made: etree._Element, flow: Flow) -> None:
        if len(made):
            flow.add_block(made)

    def _quotation(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        inner = Flow()
        self._walk(element, style, inner)
        inner.end_paragraph()
        words = sum(len(text_content(block)) for block in inner.blocks)
        # Mail programs put a whole forwarded mail into one.
        is_mail = element.get("type") == "cite" or "gmail_quote" in (element.get("class") or "")
        is_mail = is_mail or element.find(".//table") is not None
        plain = all(block.tag in {"p", "ul", "ol"} and block.find(".//img") is None for block in inner.blocks)
        flow.end_paragraph()
        if plain and not is_mail and words <= _LONG_QUOTATION and inner.blocks:
            made = etree.Element("blockquote")
            made.extend(inner.blocks)
            flow.add_block(made)
            return
        for block in inner.blocks:
            flow.add_block(block)

    def _table(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        flow.end_paragraph()
        shown = [cell for row in rows_of(element) for cell in cells(row)]
        borders = {cell: _has_border(self._styles.declarations(cell)) for cell in shown}
        style = replace(style, alignment="")
        if not is_data_table(element, borders):
            self._walk(element, style, flow)
            flow.end_paragraph()
            return
        made = etree.Element("table")
        for child in element:
            if child.tag == "caption":
                self._child(child, style, flow)
        for row in rows_of(element):
            row_style = self._styles.compute(row, style)
            if row_style.format.hidden:
                self._left_out.name_hidden(row)
                continue
            line = etree.SubElement(made, "tr")
            for cell in cells(row):
                line.append(self._cell(cell, row_style))
        flow.add_block(made)

    def _cell(self, cell: etree._Element, outer: ShownStyle) -> etree._Element:
        made = etree.Element(str(cell.tag))
        style = self._styles.compute(cell, outer)
        if style.format.hidden:
            self._left_out.name_hidden(cell)
            return made
        for name in ("colspan", "rowspan"):
            if (spanned := _read_number(cell.get(name), 1)) > 1:
                made.set(name, str(min(spanned, _MAX_SPAN)))
        if style.alignment:
            made.set("align", style.alignment)
        inner = Flow()
        self._walk(cell, style, inner)
        inner.end_paragraph()
        made.extend(inner.blocks)
        return made

    def _term(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        bold = replace(style, format=replace(style.format, bold=True))
        self._block(element, bold, flow)

    def _caption(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        flow.end_paragraph()
        before = len(flow.blocks)
        self._walk(element, style, flow)
        flow.end_paragraph()
        if element.tag == "figcaption":
            for block in flow.blocks[before:]:
                if block.tag == "p" and block.find(".//img") is None:
                    block.set("class", "caption")

    # --- text -------------------------------------------------------------------------------------------

    def _link(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        address = (element.get("href") or "").strip()
        if address and not address.startswith("#") and self._base:
            address = _join(self._base, address)
        linked = replace(style, format=replace(style.format, href=address or style.format.href))
        if style.is_block:
            self._block(element, linked, flow)
        else:
            self._walk(element, linked, flow)

    def _raised(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        link = element.find(".//a[@href]")
        target = "" if link is None else (link.get("href") or "").removeprefix("#")
        if target not in self._note_ids or style.is_hidden:
            self._walk(element, style, flow)
            return
        mark = etree.Element("sup")
        etree.SubElement(mark, "a", {"href": f"#{target}"}).text = visible_text(element)
        flow.add_element(mark)

    def _inline_quotation(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        self._text("“", style, flow)
        self._walk(element, style, flow)
        self._text("”", style, flow)

    def _ruby(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        """Put ruby text into brackets after its base text, as browsers without ruby support do."""
        self._text(element.text, style, flow)
        for child in element:
            if child.tag == "rt":
                self._text(f"（{visible_text(child)}）", style, flow)
            elif isinstance(child.tag, str):
                self._child(child, style, flow)
            self._text(child.tail, style, flow)

    # --- pictures and what an email cannot carry --------------------------------------------------------

    def _image(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        linked = bool(style.format.href)
        found = self._pictures.find(element, self._styles.declarations(element), linked=linked)
        if isinstance(found, int):
            flow.add_image(found, style)
        elif linked:
            self._text(found or style.format.href, style, flow)

    def _button(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        if style.format.href:
            self._walk(element, style, flow)
        else:
            self._left_out.name_button(element)

    def _drawing(self, element: etree._Element, style: ShownStyle, flow: Flow) -> None:
        if style.format.href:
            self._text(drawing_words(element) or style.format.href, style, flow)
        else:
            self._left_out.name_drawing(element)


def _find_notes(root: etree._Element) -> frozenset[str]:
    """Return the ids of the items of numbered lists to all of which raised numbers refer."""
    referred = {
        (link.get("href") or "").removeprefix("#")
        for mark in root.iter("sup")
        for link in mark.iter("a")
        if (link.get("href") or "").startswith("#")
    }
    found: set[str] = set()
    for numbered in root.iter("ol"):
        ids = [item.get("id") or "" for item in numbered if item.tag == "li"]
        if (
            ids
            and set(ids) <= referred
            and next(numbered.iterancestors("td", "li", "blockquote"), None) is None
        ):
            found |= set(ids)
    return frozenset(found - {""})


def _is_article(content: list[etree._Element]) -> bool:
    """Return whether a list item is an article of its own: it has a heading, a picture or a table."""
    return any(block.tag in {*HEADINGS, "table"} or block.find(".//img") is not None for block in content)


def _has_border(said: dict[str, tuple[str, bool]]) -> bool:
    values = [said.get(name, ("", False))[0] for name in ("border", "border-bottom")]
    return any(value and not value.startswith(("0", "none")) for value in values)


def _read_number(written: str | None, default: int) -> int:
    text = (written or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default


def _join(base: str, address: str) -> str:
    try:
        return urljoin(base, address)
    except ValueError:
        return address
