"""How large and how bold paragraphs are, by which titles are found where a document has no headings."""

from collections import Counter
from collections.abc import Iterator

from lxml import etree

from editions.imports.docx.ooxml import ancestors, is_enabled, new_element, qualified_name
from editions.imports.docx.styles import ParagraphRole, Styles, read_size

FACT_BOOKMARK = "fact-"
"""The beginning of the name of a bookmark that says something about its paragraph, such as ``fact-size-140``.
mammoth keeps bookmarks, and nothing else about how a paragraph looks."""

_MAX_LENGTH = 300


class Typography:
    """The type of the paragraphs of one part."""

    def __init__(self, root: etree._Element, styles: Styles) -> None:
        self._styles = styles
        sizes: Counter[int] = Counter()
        for paragraph in root.iter(qualified_name("w:p")):
            for size, _, length in self._runs(paragraph):
                sizes[size] += length
        self._body_size = sizes.most_common(1)[0][0] if sizes else styles.default_size

    def facts(self, paragraph: etree._Element, role: ParagraphRole) -> list[str]:
        """What is particular about a paragraph that may be a title: its size, and whether it is all bold."""
        if role not in {ParagraphRole.body, ParagraphRole.document_title}:
            return []
        runs = [*self._runs(paragraph)]
        if not runs or sum(length for _, _, length in runs) > _MAX_LENGTH:
            return []
        size = round(100 * min(size for size, _, _ in runs) / self._body_size)
        return [*([f"size-{size}"] if size != 100 else []), *(["bold"] if all(b for _, b, _ in runs) else [])]

    def _runs(self, paragraph: etree._Element) -> Iterator[tuple[int, bool, int]]:
        """The size, boldness and length of each run with visible text."""
        properties = paragraph.find(qualified_name("w:pPr"))
        look = self._styles.paragraph_look(properties)
        for run in paragraph.iter(qualified_name("w:r")):
            length = sum(len((text.text or "").strip()) for text in run.findall(qualified_name("w:t")))
            if not length or next(ancestors(run, "w:p"), None) is not paragraph:
                continue
            own = run.find(qualified_name("w:rPr"))
            style = self._styles.run_style(own)
            size = read_size(own) or style.size or look.size or self._styles.default_size
            has_own = own is not None and own.find(qualified_name("w:b")) is not None
            yield size, is_enabled(own, "w:b") if has_own else style.bold or look.bold, length


def add_facts(paragraph: etree._Element, facts: list[str]) -> None:
    """Write ``facts`` into ``paragraph``, after its properties."""
    for fact in facts:
        paragraph.insert(1, new_element("w:bookmarkStart", w_name=f"{FACT_BOOKMARK}{fact}"))
