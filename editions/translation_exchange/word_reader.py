"""Reads the Word table as translators return it: by its hidden ids, or else by the originals' words."""

import io
import zipfile
from collections.abc import Iterator, Mapping

from lxml import etree

from editions.errors import DocumentError
from editions.imports.docx.package import DocxPackage, Relationship
from editions.imports.zip_archive import ZIP_ERRORS
from editions.rich_text.nodes import BREAK, Mark, MarkKind, Text
from editions.translation_exchange.unit import Exchange, ReturnedUnit, Texts, normalise
from editions.translation_exchange.word_writer import CODE_FONT, ID_SEPARATOR, RELATIONSHIPS, WORD
from locales.phrase import gettext_noop

_W, _R = f"{{{WORD}}}", f"{{{RELATIONSHIPS}}}"
_COLUMNS = 2
_MARKS = ((MarkKind.em, "i"), (MarkKind.strong, "b"), (MarkKind.strike, "strike"))
_OFF = frozenset({"0", "false", "off"})


def read_docx(name: str, data: bytes, exchange: Exchange) -> list[ReturnedUnit]:
    """Read the file ``name``. ``exchange`` are the texts of the edition now, by which a row is recognised
    that has lost its id. Tracked changes count as accepted; comments are left out. Rows of other kinds are
    not returned: headings, and what is outside the table.

    Raises:
        DocumentError: it is no Word document, is damaged, protected or too large, or has no such table.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            package = DocxPackage(name, archive)
            root = package.parse_part(package.document)
            links = package.relationships(package.document)
    except ZIP_ERRORS as error:
        raise DocumentError(
            name,
            "not-a-document",
            gettext_noop("it is not a Word document, or is damaged. Save it as .docx again."),
        ) from error
    rows = (
        [] if root is None else [cells for row in root.iter(f"{_W}tr") if len(cells := _list_cells(row)) > 1]
    )
    units = list(_Reader(links, exchange).read(rows))
    if not units:
        raise DocumentError(
            name,
            "no-table",
            gettext_noop(
                "there is no table of originals and translations in it. Send the file back that was exported."
            ),
        )
    return units


def _list_cells(row: etree._Element) -> list[etree._Element]:
    return row.findall(f"{_W}tc") or row.findall(f"{_W}sdt/{_W}sdtContent/{_W}tc")


class _Reader:
    """Reads rows of one document."""

    def __init__(self, links: Mapping[str, Relationship], exchange: Exchange) -> None:
        self._links = links
        self._by_words: dict[str, list[tuple[str, str]]] = {}
        for file, unit in exchange.list_units():
            self._by_words.setdefault(normalise(unit.source), []).append((file.id, unit.id))

    def read(self, rows: list[list[etree._Element]]) -> Iterator[ReturnedUnit]:
        for number, cells in enumerate(rows, start=1):
            identifier, source = self._read_original(cells[0])
            target = self._read_cell(cells[1])
            place = f"Row {number}"
            if not identifier:
                # The head of the table has an id in no case, and words that are no original.
                found = self._by_words.get(normalise(source), [])
                if not found:
                    continue
                for file_id, unit_id in found:
                    yield ReturnedUnit(file_id=file_id, id=unit_id, source=source, target=target, place=place)
                continue
            file_id, _, unit_id = identifier.partition(ID_SEPARATOR)
            yield ReturnedUnit(file_id=file_id, id=unit_id, source=source, target=target, place=place)

    def _read_original(self, cell: etree._Element) -> tuple[str, Texts]:
        """The hidden id, and the original: what is in the cell after the paragraph of the id and the note."""
        paragraphs = cell.findall(f"{_W}p")
        hidden = "".join(
            words.text or ""
            for run in cell.iter(f"{_W}r")
            if _is_on(run, "vanish")
            for words in run.iter(f"{_W}t")
        ).strip()
        originals = paragraphs[1:] if len(paragraphs) > 1 else paragraphs
        return hidden if ID_SEPARATOR in hidden else "", self._read_paragraphs(originals)

    def _read_cell(self, cell: etree._Element) -> Texts:
        return self._read_paragraphs(cell.findall(f"{_W}p"))

    def _read_paragraphs(self, paragraphs: list[etree._Element]) -> Texts:
        """Paragraphs that are not empty, with a line break between them."""
        texts: list[Text] = []
        for paragraph in paragraphs:
            found = _strip(list(self._read_runs(paragraph, ())))
            if found and texts:
                texts.append(BREAK)
            texts += found
        return tuple(texts)

    def _read_runs(self, host: etree._Element, marks: tuple[Mark, ...]) -> Iterator[Text]:
        for child in host:
            name = etree.QName(child).localname if isinstance(child.tag, str) else ""
            if name == "hyperlink":
                target = self._links.get(child.get(f"{_R}id", ""))
                is_link = target is not None and target.external
                link = (Mark(MarkKind.link, target.target),) if target is not None and is_link else ()
                yield from self._read_runs(child, link)
            elif name == "r":
                yield from _read_run(child, marks)
            elif name in {"ins", "moveTo", "smartTag", "sdt", "sdtContent", "customXml", "bdo", "dir"}:
                yield from self._read_runs(child, marks)


def _read_run(run: etree._Element, marks: tuple[Mark, ...]) -> Iterator[Text]:
    if _is_on(run, "vanish"):
        return
    own = [*marks, *(Mark(kind) for kind, name in _MARKS if _is_on(run, name))]
    fonts = run.find(f"{_W}rPr/{_W}rFonts")
    if fonts is not None and fonts.get(f"{_W}ascii") == CODE_FONT:
        own.append(Mark(MarkKind.code))
    for child in run:
        name = etree.QName(child).localname if isinstance(child.tag, str) else ""
        if name == "t" and child.text:
            yield Text(child.text, tuple(own))
        elif name == "tab":
            yield Text(" ", tuple(own))
        elif name in {"br", "cr"}:
            yield BREAK
        elif name == "noBreakHyphen":
            yield Text("\u2011", tuple(own))


def _is_on(run: etree._Element, name: str) -> bool:
    found = run.find(f"{_W}rPr/{_W}{name}")
    return found is not None and found.get(f"{_W}val", "1") not in _OFF


def _strip(texts: list[Text]) -> list[Text]:
    while texts and not texts[0].text.strip():
        del texts[0]
    while texts and not texts[-1].text.strip():
        del texts[-1]
    if texts:
        texts[0] = texts[0]._replace(text=texts[0].text.lstrip())
        texts[-1] = texts[-1]._replace(text=texts[-1].text.rstrip())
    return texts
