"""Converting the text of an .odt to HTML."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lxml import etree

from editions.imports.html.tree import (
    HEADINGS,
    TextFormat,
    TypeMeasure,
    append_image,
    append_text,
    detach,
    is_possible_title,
    make_list_item,
    text_content,
)
from editions.imports.odt.frames import FrameReader
from editions.imports.odt.odf import (
    CHANGE_MARKS,
    INDEXES,
    NAMESPACES,
    WITHOUT_TEXT,
    get_attribute,
    get_count,
    plain_text,
    prefixed_name,
    qualified_name,
)
from editions.imports.odt.styles import ListNumbering, OdtParagraphRole, OdtStyles
from editions.imports.source_document import (
    FORM_FIELD,
    LIFTED_BOX,
    QUOTED_AFTER,
    SCRIPT,
    OmissionKind,
    OmissionLog,
    name_comment,
    quote,
)
from locales.phrase import gettext_noop

_MAX_REPEATED_ROWS = 100
_MAX_COLUMNS = 63
_TITLES = frozenset({OdtParagraphRole.heading, OdtParagraphRole.document_title})


def make_block(role: OdtParagraphRole, level: int) -> etree._Element:
    """Return an empty block for a paragraph with this role; ``level`` is that of a heading."""
    if role is OdtParagraphRole.heading:
        return etree.Element(f"h{min(level, 6)}")
    named = role in {OdtParagraphRole.document_title, OdtParagraphRole.subtitle, OdtParagraphRole.caption}
    return etree.Element("p", {"class": role.value} if named else {})


def join_quotations(blocks: Sequence[etree._Element]) -> list[etree._Element]:
    """Paragraphs of a quotation that follow each other as one quotation."""
    joined: list[etree._Element] = []
    for block in blocks:
        is_quotation = block.tag == "blockquote" and block.get("class") == OdtParagraphRole.quote.value
        if is_quotation and joined and joined[-1].get("class") == OdtParagraphRole.quote.value:
            joined[-1].extend(list(block))
        else:
            joined.append(block)
    return joined


def part_caption(block: etree._Element) -> list[etree._Element]:
    """Return a picture of a text box and the text next to it, which is its caption."""
    pictures = list(block.iter("img"))
    if block.tag != "p" or not pictures or not text_content(block).strip():
        return [block]
    shown = etree.Element("p")
    for picture in pictures:
        detach(picture)
        shown.append(picture)
    block.set("class", OdtParagraphRole.caption.value)
    return [shown, block]


def rows_of(table: etree._Element) -> Iterator[etree._Element]:
    """Yield the rows of ``table``, also those in groups, but not those of tables in its cells."""
    for child in table:
        name = prefixed_name(child)
        if name == "table:table-row":
            for _ in range(get_count(child, "table:number-rows-repeated", most=_MAX_REPEATED_ROWS)):
                yield child
        elif name in {"table:table-header-rows", "table:table-rows", "table:table-row-group"}:
            yield from rows_of(child)


def order_pictures(row: etree._Element) -> None:
    """Move a picture on the left of a title below the title, where the reading order has the story's text."""
    for cell in list(row)[:-1]:
        beside = cell.getnext()
        title = None if beside is None or not len(beside) else beside[0]
        if title is None or title.tag not in HEADINGS or not len(cell):
            continue
        if all(block.find(".//img") is not None and not text_content(block).strip() for block in cell):
            for block in reversed(cell):
                title.addnext(block)


class TrackedChanges:
    """The changes that a document keeps a record of, by id."""

    def __init__(self, text: etree._Element, omissions: OmissionLog) -> None:
        self._omissions = omissions
        self._deletions: dict[str, str] = {}
        self._insertions: set[str] = set()
        self._open: dict[str, list[str]] = {}
        for region in text.iterfind("text:tracked-changes/text:changed-region", NAMESPACES):
            name = get_attribute(region, "text:id") or region.get(
                "{http://www.w3.org/XML/1998/namespace}id", ""
            )
            deleted = region.find("text:deletion", NAMESPACES)
            if deleted is not None:
                self._deletions[name] = plain_text(deleted)
            elif region.find("text:insertion", NAMESPACES) is not None:
                self._insertions.add(name)

    def pass_mark(self, mark: etree._Element, kind: str) -> None:
        """Pass the beginning, the end or the place of a change."""
        name = get_attribute(mark, "text:change-id")
        if kind == "text:change" and name in self._deletions:
            self._omissions.count(OmissionKind.deletion, self._deletions[name])
        elif kind == "text:change-start" and name in self._insertions:
            self._open[name] = []
        elif kind == "text:change-end" and name in self._open:
            words = "".join(self._open.pop(name))
            if words.strip():
                self._omissions.count(OmissionKind.insertion, words)

    def read(self, text: str) -> None:
        """Take note of text that may be part of an insertion."""
        for words in self._open.values():
            words.append(text)


class OdtConverter:
    """Converts one document. ``notes`` are its footnotes and endnotes, as list items."""

    def __init__(
        self, styles: OdtStyles, frames: FrameReader, changes: TrackedChanges, omissions: OmissionLog
    ) -> None:
        self.notes: list[etree._Element] = []
        self._styles = styles
        self._frames = frames
        self._changes = changes
        self._omissions = omissions
        self._numbering = ListNumbering(styles)
        # The paragraphs of text boxes, for each paragraph that is being read.
        self._boxed: list[list[etree._Element]] = []
        self._in_note = False

    def convert(self, text: etree._Element) -> etree._Element:
        body = etree.Element("body")
        body.extend(join_quotations(self._blocks(text)))
        if self.notes:
            body.append(etree.Element("ol"))
            body[-1].extend(self.notes)
        return body

    # --- blocks -----------------------------------------------------------------------------------------

    def _blocks(self, parent: etree._Element) -> list[etree._Element]:
        return [block for child in parent for block in self._block(child)]

    def _block(self, element: etree._Element) -> list[etree._Element]:
        name = prefixed_name(element)
        if not name or name in WITHOUT_TEXT:
            return []
        if name in {"text:p", "text:h"}:
            return self._paragraph(element)
        if name in {"text:list", "text:numbered-paragraph"}:
            return self._list(element)
        if name == "table:table":
            return [self._table(element)]
        if name in INDEXES:
            for line in element.iter(qualified_name("text:p")):
                if words := plain_text(line):
                    self._omissions.count(OmissionKind.contents, words)
            return []
        if name == "text:section" and self._is_hidden_section(element):
            self._omissions.count(OmissionKind.hidden, plain_text(element))
            return []
        if name in CHANGE_MARKS:
            self._changes.pass_mark(element, name)
            return []
        if name.startswith("draw:"):
            return self._anchored_to_page(element)
        if name == "office:annotation":
            self._comment(element)
            return []
        return self._blocks(element)

    def _is_hidden_section(self, section: etree._Element) -> bool:
        display = get_attribute(section, "text:display")
        is_hidden = get_attribute(section, "text:is-hidden")
        return display == "none" or (display == "condition" and is_hidden != "false")

    def _paragraph(self, paragraph: etree._Element) -> list[etree._Element]:
        style = _style_name(paragraph)
        role, level = self._role(paragraph, style)
        text = plain_text(paragraph)
        format = self._styles.paragraph_format(style)
        if kind := _kind_left_out(paragraph, role, format):
            if text:
                self._omissions.count(kind, text)
            return []
        block = make_block(role, level)
        if role in {OdtParagraphRole.body, OdtParagraphRole.document_title}:
            measure = TypeMeasure()
            self._measure(paragraph, format, measure)
            measure.write(block)
        if text and (role in _TITLES or is_possible_title(block, text)):
            self._omissions.enter_possible_story(text)
        if role is OdtParagraphRole.body and (alignment := self._styles.column_alignment(style)):
            block.set("align", alignment)
        self._boxed.append([])
        is_text = role in {OdtParagraphRole.body, OdtParagraphRole.quote}
        self._inline(paragraph, block, format if is_text else TextFormat())
        boxed = self._boxed.pop()
        if role is OdtParagraphRole.quote:
            quoted = etree.Element("blockquote", {"class": OdtParagraphRole.quote.value})
            quoted.append(block)
            block = quoted
        return [block, *boxed]

    def _role(self, paragraph: etree._Element, style: str) -> tuple[OdtParagraphRole, int]:
        role, level = self._styles.paragraph_role(style)
        # A title that also has an outline level, as LibreOffice can give it, stays the title.
        if prefixed_name(paragraph) == "text:h" and role not in {
            OdtParagraphRole.document_title,
            OdtParagraphRole.subtitle,
        }:
            written = get_attribute(paragraph, "text:outline-level")
            return OdtParagraphRole.heading, int(written) if written.isdecimal() else level or 1
        return role, level

    def _measure(self, element: etree._Element, format: TextFormat, measure: TypeMeasure) -> None:
        """Measure the text of a paragraph or of a span in it, without reading it."""
        for text in (element.text or "", *(child.tail or "" for child in element)):
            if text.strip():
                measure.add(text.strip(), size=format.size, bold=format.bold)
        for child in element:
            name = prefixed_name(child)
            if name == "text:span":
                self._measure(child, self._styles.text_format(_style_name(child), format), measure)
            elif name in {"text:a", "text:meta", "text:bookmark-ref"}:
                self._measure(child, format, measure)

    def _list(self, element: etree._Element) -> list[etree._Element]:
        """Return a list; its headings, which LibreOffice numbers as list items, become blocks."""
        self._numbering.enter(element)
        blocks: list[etree._Element] = []
        items = [element] if prefixed_name(element) == "text:numbered-paragraph" else list(element)
        for item in items:
            if prefixed_name(item) in CHANGE_MARKS:
                self._changes.pass_mark(item, prefixed_name(item))
            if prefixed_name(item) not in {"text:list-item", "text:list-header", "text:numbered-paragraph"}:
                continue
            content = [block for block in self._blocks(item) if len(block) or text_content(block).strip()]
            if not content:
                continue
            if prefixed_name(item) == "text:list-header" or any(block.tag in HEADINGS for block in content):
                blocks += content
                continue
            numbered, number, is_first = self._numbering.count(item)
            tag = "ol" if numbered else "ul"
            if not blocks or blocks[-1].tag != tag or blocks[-1].get("class") != "list":
                blocks.append(etree.Element(tag, {"class": "list"}))
                is_first = True
            bookmark = number if numbered and is_first and number != 1 else 0
            blocks[-1].append(make_list_item(content, bookmark))
        self._numbering.leave()
        for block in blocks:
            if block.tag in {"ol", "ul"}:
                block.attrib.clear()
        return blocks

    def _table(self, table: etree._Element) -> etree._Element:
        made = etree.Element("table")
        for row in rows_of(table):
            cells = etree.Element("tr")
            for cell in row:
                if prefixed_name(cell) != "table:table-cell":
                    continue
                repeated = get_count(cell, "table:number-columns-repeated", most=_MAX_COLUMNS)
                for _ in range(repeated):
                    cells.append(self._cell(cell))
            if get_attribute(row, "table:visibility") in {"collapse", "filter"}:
                self._omissions.count(OmissionKind.hidden, text_content(cells))
                continue
            order_pictures(cells)
            made.append(cells)
        return made

    def _cell(self, cell: etree._Element) -> etree._Element:
        made = etree.Element("td")
        for name, html_name in (("columns", "colspan"), ("rows", "rowspan")):
            spanned = get_count(cell, f"table:number-{name}-spanned", most=1000)
            if spanned > 1:
                made.set(html_name, str(spanned))
        made.extend(join_quotations(self._blocks(cell)))
        alignments = {str(block.attrib.pop("align", "")) for block in made if text_content(block).strip()}
        if len(alignments) == 1 and (alignment := alignments.pop()):
            made.set("align", alignment)
        return made

    # --- text -------------------------------------------------------------------------------------------

    def _inline(self, parent: etree._Element, into: etree._Element, format: TextFormat) -> None:
        self._text(parent.text, into, format)
        for child in parent:
            self._inline_element(child, into, format)
            self._text(child.tail, into, format)

    def _text(self, text: str | None, into: etree._Element, format: TextFormat) -> None:
        if text:
            self._changes.read(text)
            append_text(into, text, format)

    def _inline_element(self, element: etree._Element, into: etree._Element, format: TextFormat) -> None:
        name = prefixed_name(element)
        if not name or name in WITHOUT_TEXT:
            return
        if name == "text:span":
            self._span(element, into, format)
        elif name == "text:a":
            self._inline(element, into, replace(format, href=get_attribute(element, "xlink:href").strip()))
        elif name == "text:line-break":
            etree.SubElement(into, "br")
        elif name in {"text:s", "text:tab"}:
            self._text(" ", into, format)
        elif name == "text:note":
            self._note(element, into)
        elif name == "office:annotation":
            self._comment(element)
        elif name == "text:ruby":
            self._ruby(element, into, format)
        elif name in CHANGE_MARKS:
            self._changes.pass_mark(element, name)
        elif name == "text:hidden-text" and get_attribute(element, "text:is-hidden") == "true":
            words = get_attribute(element, "text:string-value") or plain_text(element)
            self._omissions.count(OmissionKind.hidden, words)
        elif name == "text:script":
            self._omissions.add(SCRIPT)
        elif name.startswith("draw:"):
            self._drawing(element, into, format)
        else:
            self._inline(element, into, format)

    def _span(self, span: etree._Element, into: etree._Element, format: TextFormat) -> None:
        own = self._styles.text_format(_style_name(span), format)
        if own.hidden:
            if words := plain_text(span):
                self._omissions.count(OmissionKind.hidden, words)
            return
        self._inline(span, into, own)

    def _note(self, note: etree._Element, into: etree._Element) -> None:
        body = note.find("text:note-body", NAMESPACES)
        if body is None or self._in_note:
            return
        name = f"note-{len(self.notes) + 1}"
        mark = etree.SubElement(etree.SubElement(into, "sup"), "a", {"href": f"#{name}"})
        mark.text = note.findtext("text:note-citation", "", NAMESPACES) or "*"
        item = etree.Element("li", {"id": name})
        self.notes.append(item)
        self._in_note = True
        for number, paragraph in enumerate(body.iter(qualified_name("text:p"), qualified_name("text:h"))):
            if number:
                etree.SubElement(item, "br")
            self._inline(paragraph, item, TextFormat())
        self._in_note = False

    def _ruby(self, ruby: etree._Element, into: etree._Element, format: TextFormat) -> None:
        """Put ruby text into brackets after its base text, as browsers without ruby support do."""
        base = ruby.find("text:ruby-base", NAMESPACES)
        if base is not None:
            self._inline(base, into, format)
        if reading := "".join(ruby.findtext("text:ruby-text", "", NAMESPACES).split()):
            self._text(f"（{reading}）", into, format)

    def _comment(self, comment: etree._Element) -> None:
        author = comment.findtext("dc:creator", "", NAMESPACES).strip()
        words = " ".join(plain_text(paragraph) for paragraph in comment.iter(qualified_name("text:p")))
        self._omissions.add(quote(name_comment(author), words), words=words)

    # --- frames -----------------------------------------------------------------------------------------

    def _anchored_to_page(self, element: etree._Element) -> list[etree._Element]:
        block = etree.Element("p")
        self._boxed.append([])
        self._drawing(element, block, TextFormat())
        boxed = self._boxed.pop()
        return [*([block] if len(block) or block.text else []), *boxed]

    def _drawing(self, element: etree._Element, into: etree._Element, format: TextFormat) -> None:
        name = prefixed_name(element)
        if name == "draw:a":
            format = replace(format, href=get_attribute(element, "xlink:href").strip())
        if name in {"draw:a", "draw:g"}:
            for child in element:
                if prefixed_name(child).startswith("draw:"):
                    self._drawing(child, into, format)
        elif name == "draw:control":
            self._omissions.add(FORM_FIELD)
        elif name == "draw:frame":
            self._frame(element, into, format)
        elif plain_text(element):
            self._text_box(element)
        elif name not in {"draw:line", "draw:connector"}:
            self._frames.log_drawing(element)

    def _frame(self, frame: etree._Element, into: etree._Element, format: TextFormat) -> None:
        children = {prefixed_name(child): child for child in reversed(frame)}
        if (box := children.get("draw:text-box")) is not None:
            self._text_box(box)
        elif (table := children.get("table:table")) is not None:
            self._lift([self._table(table)])
        elif embedded := [
            children[name]
            for name in (
                "draw:object",
                "draw:object-ole",
                "draw:plugin",
                "draw:floating-frame",
                "draw:applet",
            )
            if name in children
        ]:
            self._text(self._frames.read_object(frame, embedded[0]), into, format)
        elif "draw:image" in children:
            if self._in_note:
                self._omissions.add(gettext_noop("a picture in a note"))
            elif (number := self._frames.read_image(frame)) is not None:
                append_image(into, number, href=format.href)

    def _text_box(self, box: etree._Element) -> None:
        if self._in_note:
            words = plain_text(box)
            self._omissions.add(quote(gettext_noop("a text box in a note"), words), words=words)
            return
        blocks = self._blocks(box)
        if any(next(block.iter("img"), None) is not None for block in blocks):
            self._lift([part for block in blocks for part in part_caption(block)])
            return
        words = " ".join(text_content(block) for block in blocks)
        if words.strip():
            self._omissions.add(quote(LIFTED_BOX, words, QUOTED_AFTER))
            self._lift(blocks)

    def _lift(self, blocks: Sequence[etree._Element]) -> None:
        self._boxed[-1].extend(blocks)


def _kind_left_out(
    paragraph: etree._Element, role: OdtParagraphRole, format: TextFormat
) -> OmissionKind | None:
    """As what a paragraph is left out; None if it stays."""
    condition = paragraph.find(".//text:hidden-paragraph[@text:is-hidden='true']", NAMESPACES)
    if format.hidden or condition is not None:
        return OmissionKind.hidden
    return OmissionKind.contents if role is OdtParagraphRole.contents else None


def _style_name(element: etree._Element) -> str:
    return get_attribute(element, "text:style-name")
