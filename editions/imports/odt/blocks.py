"""Making the blocks of HTML that an OpenDocument text becomes."""

from collections.abc import Iterator, Sequence

from lxml import etree

from editions.imports.html.tree import HEADINGS, text_content
from editions.imports.odt.odf import get_count, prefixed_name
from editions.imports.odt.styles import ParagraphRole

_MAX_REPEATED_ROWS = 100


def make_block(role: ParagraphRole, level: int) -> etree._Element:
    """An empty block for a paragraph with this role; ``level`` is that of a heading."""
    if role is ParagraphRole.heading:
        return etree.Element(f"h{min(level, 6)}")
    named = role in {ParagraphRole.document_title, ParagraphRole.subtitle, ParagraphRole.caption}
    return etree.Element("p", {"class": role.value} if named else {})


def is_heading(block: etree._Element) -> bool:
    """Whether ``block`` is a heading."""
    return block.tag in HEADINGS


def join_quotations(blocks: Sequence[etree._Element]) -> list[etree._Element]:
    """Paragraphs of a quotation that follow each other as one quotation."""
    joined: list[etree._Element] = []
    for block in blocks:
        is_quotation = block.tag == "blockquote" and block.get("class") == ParagraphRole.quote.value
        if is_quotation and joined and joined[-1].get("class") == ParagraphRole.quote.value:
            joined[-1].extend(list(block))
        else:
            joined.append(block)
    return joined


def part_caption(block: etree._Element) -> list[etree._Element]:
    """A picture of a text box and the text next to it, which is its caption."""
    pictures = list(block.iter("img"))
    if block.tag != "p" or not pictures or not text_content(block).strip():
        return [block]
    shown = etree.Element("p")
    for picture in pictures:
        tail, picture.tail = picture.tail or "", None
        around = picture.getparent()
        if around is not None:
            before = picture.getprevious()
            if before is not None:
                before.tail = (before.tail or "") + tail
            else:
                around.text = (around.text or "") + tail
            around.remove(picture)
        shown.append(picture)
    block.set("class", ParagraphRole.caption.value)
    return [shown, block]


def rows_of(table: etree._Element) -> Iterator[etree._Element]:
    """The rows of ``table``, also those in groups, but not those of tables in its cells."""
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
