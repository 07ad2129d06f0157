"""Translations as a Word document: written for a translator, and read when it comes back."""

import io
import zipfile
from collections.abc import Iterator, Mapping

from lxml import etree

from editions.errors import DocumentError
from editions.imports.docx.ooxml import DocxPackage, Relationship
from editions.imports.office_archive import ZIP_ERRORS
from editions.rich_text.nodes import BREAK, Mark, MarkKind, Text
from editions.translation_exchange.units import (
    Exchange,
    ReturnedUnit,
    Texts,
    TranslatedFile,
    TranslationUnit,
    drop_invalid,
    normalise,
)
from locales.languages import language_name
from locales.phrase import gettext_noop

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_W, _R = f"{{{WORD}}}", f"{{{RELATIONSHIPS}}}"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_CONTENT_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/>'
    '<Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.styles+xml"/></Types>'
)
_ROOT_RELATIONSHIPS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
    f'Type="{RELATIONSHIPS}/officeDocument" Target="word/document.xml"/></Relationships>'
)
_STYLES = (
    f'<w:styles xmlns:w="{WORD}"><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Calibri" '
    'w:hAnsi="Calibri" w:eastAsia="SimSun" w:cs="Arial"/><w:sz w:val="21"/></w:rPr></w:rPrDefault>'
    '<w:pPrDefault><w:pPr><w:spacing w:after="60" w:line="264" w:lineRule="auto"/></w:pPr></w:pPrDefault>'
    '</w:docDefaults><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
    '</w:style><w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/><w:rPr><w:sz w:val="36"/>'
    "</w:rPr></w:style></w:styles>"
)
_WIDTHS = (5000, 5000)
_GREY, _NOTE_GREY, _BLUE = "F1EEE7", "6B7280", "0A5A9C"
ID_SEPARATOR = "|"


def write_docx(exchange: Exchange) -> bytes:
    """Write ``exchange`` as a .docx. Each row has a text's id in hidden letters before the original."""
    document = _DocumentWriter(exchange)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("[Content_Types].xml", _CONTENT_TYPES.encode()),
            ("_rels/.rels", _ROOT_RELATIONSHIPS.encode()),
            ("word/document.xml", document.write()),
            ("word/_rels/document.xml.rels", document.write_relationships()),
            ("word/styles.xml", _STYLES.encode()),
        ):
            # The same texts give the same file.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


class _DocumentWriter:
    """Writes the document of one exchange; ``_links`` are the ids of the addresses it refers to."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._links: dict[str, str] = {}

    def write(self) -> bytes:
        root = etree.Element(f"{_W}document", nsmap={"w": WORD, "r": RELATIONSHIPS})
        body = etree.SubElement(root, f"{_W}body")
        for style, text in _list_instructions(self._exchange):
            paragraph = _add_paragraph(body, style)
            _add_run(paragraph, text)
        table = etree.SubElement(body, f"{_W}tbl")
        self._describe_table(table)
        self._add_head(table)
        for file in self._exchange.files:
            if file.units:
                self._add_file(table, file)
        _add_paragraph(body)
        section = etree.SubElement(body, f"{_W}sectPr")
        size = {f"{_W}w": "11906", f"{_W}h": "16838"}
        etree.SubElement(section, f"{_W}pgSz", size)
        margins = dict.fromkeys(("top", "right", "bottom", "left", "header", "footer", "gutter"), "900")
        etree.SubElement(section, f"{_W}pgMar", {f"{_W}{name}": value for name, value in margins.items()})
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)

    def write_relationships(self) -> bytes:
        space = f"{_PACKAGE}/relationships"
        root = etree.Element(f"{{{space}}}Relationships")
        entries: list[tuple[str, str, str, dict[str, str]]] = [
            ("styles", f"{RELATIONSHIPS}/styles", "styles.xml", {})
        ] + [
            (identifier, f"{RELATIONSHIPS}/hyperlink", drop_invalid(href), {"TargetMode": "External"})
            for href, identifier in self._links.items()
        ]
        for identifier, kind, target, mode in entries:
            attributes = {"Id": identifier, "Type": kind, "Target": target, **mode}
            etree.SubElement(root, f"{{{space}}}Relationship", attributes)
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)

    def _describe_table(self, table: etree._Element) -> None:
        properties = etree.SubElement(table, f"{_W}tblPr")
        etree.SubElement(properties, f"{_W}tblW", {f"{_W}w": "5000", f"{_W}type": "pct"})
        borders = etree.SubElement(properties, f"{_W}tblBorders")
        for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
            line = {"val": "single", "sz": "4", "space": "0", "color": "C8C2B4"}
            etree.SubElement(borders, f"{_W}{side}", {f"{_W}{name}": value for name, value in line.items()})
        margins = etree.SubElement(properties, f"{_W}tblCellMar")
        for side in ("top", "left", "bottom", "right"):
            etree.SubElement(margins, f"{_W}{side}", {f"{_W}w": "100", f"{_W}type": "dxa"})
        grid = etree.SubElement(table, f"{_W}tblGrid")
        for width in _WIDTHS:
            etree.SubElement(grid, f"{_W}gridCol", {f"{_W}w": str(width)})

    def _add_head(self, table: etree._Element) -> None:
        row = etree.SubElement(table, f"{_W}tr")
        properties = etree.SubElement(row, f"{_W}trPr")
        etree.SubElement(properties, f"{_W}tblHeader")
        for language in (self._exchange.source_language, self._exchange.language):
            paragraph = _add_paragraph(_add_cell(row, fill=_GREY))
            _add_run(paragraph, f"{language_name(language)} ({language})", bold=True)

    def _add_file(self, table: etree._Element, file: TranslatedFile) -> None:
        row = etree.SubElement(table, f"{_W}tr")
        paragraph = _add_paragraph(_add_cell(row, span=2, fill=_GREY))
        _add_run(paragraph, file.title, bold=True)
        for unit in file.units:
            row = etree.SubElement(table, f"{_W}tr")
            properties = etree.SubElement(row, f"{_W}trPr")
            etree.SubElement(properties, f"{_W}cantSplit")
            self._add_original(_add_cell(row), file, unit)
            self._add_texts(_add_paragraph(_add_cell(row), language=self._exchange.language), unit.target)

    def _add_original(self, cell: etree._Element, file: TranslatedFile, unit: TranslationUnit) -> None:
        note = _add_paragraph(cell)
        _add_run(note, f"{file.id}{ID_SEPARATOR}{unit.id}", hidden=True)
        _add_run(note, unit.note, colour=_NOTE_GREY, size=16)
        self._add_texts(_add_paragraph(cell, language=self._exchange.source_language), unit.source)

    def _add_texts(self, paragraph: etree._Element, texts: Texts) -> None:
        for text in texts:
            host = paragraph
            link = next((mark for mark in text.marks if mark.kind is MarkKind.link), None)
            if link is not None:
                identifier = self._links.setdefault(link.href, f"link{len(self._links) + 1}")
                host = etree.SubElement(paragraph, f"{_W}hyperlink", {f"{_R}id": identifier})
            for number, line in enumerate(text.text.split("\n")):
                if number:
                    etree.SubElement(etree.SubElement(host, f"{_W}r"), f"{_W}br")
                if line:
                    _add_marked_run(host, line, text)


def _list_instructions(exchange: Exchange) -> Iterator[tuple[str, str]]:
    name = language_name(exchange.language)
    yield "Title", f"{exchange.title}: translation into {name}"
    yield (
        "",
        "Write in the right-hand column. Leave the left-hand column and the order of the rows as they are: "
        "by them the texts find their way back. A cell that stays empty changes nothing.",
    )
    yield (
        "",
        "Keep bold, italics and links where the original has them. Where the note says Markdown, keep the "
        "signs around the words. Send this file back as .docx.",
    )


def _add_paragraph(host: etree._Element, style: str = "", *, language: str = "") -> etree._Element:
    paragraph = etree.SubElement(host, f"{_W}p")
    if style or language:
        properties = etree.SubElement(paragraph, f"{_W}pPr")
        if style:
            etree.SubElement(properties, f"{_W}pStyle", {f"{_W}val": style})
        if language:
            run = etree.SubElement(properties, f"{_W}rPr")
            etree.SubElement(run, f"{_W}lang", {f"{_W}val": language, f"{_W}eastAsia": language})
    return paragraph


def _add_cell(row: etree._Element, *, span: int = 1, fill: str = "") -> etree._Element:
    cell = etree.SubElement(row, f"{_W}tc")
    properties = etree.SubElement(cell, f"{_W}tcPr")
    width = str(sum(_WIDTHS[:span]))
    etree.SubElement(properties, f"{_W}tcW", {f"{_W}w": width, f"{_W}type": "dxa"})
    if span > 1:
        etree.SubElement(properties, f"{_W}gridSpan", {f"{_W}val": str(span)})
    if fill:
        shade = {f"{_W}val": "clear", f"{_W}color": "auto", f"{_W}fill": fill}
        etree.SubElement(properties, f"{_W}shd", shade)
    return cell


def _add_marked_run(host: etree._Element, line: str, text: Text) -> None:
    _add_run(
        host,
        line,
        bold=text.has(MarkKind.strong),
        italic=text.has(MarkKind.em),
        strike=text.has(MarkKind.strike),
        code=text.has(MarkKind.code),
        colour=_BLUE if text.has(MarkKind.link) else "",
    )


def _add_run(
    host: etree._Element,
    text: str,
    *,
    bold: bool = False,
    italic: bool = False,
    strike: bool = False,
    code: bool = False,
    hidden: bool = False,
    colour: str = "",
    size: int = 0,
) -> None:
    """Add a run. The properties are in the order that the schema of Word demands."""
    run = etree.SubElement(host, f"{_W}r")
    properties = etree.SubElement(run, f"{_W}rPr")
    if code:
        etree.SubElement(properties, f"{_W}rFonts", {f"{_W}ascii": CODE_FONT, f"{_W}hAnsi": CODE_FONT})
    for wanted, name in ((bold, "b"), (italic, "i"), (strike, "strike"), (hidden, "vanish")):
        if wanted:
            etree.SubElement(properties, f"{_W}{name}")
    if colour:
        etree.SubElement(properties, f"{_W}color", {f"{_W}val": colour})
    if size:
        etree.SubElement(properties, f"{_W}sz", {f"{_W}val": str(size)})
    words = etree.SubElement(run, f"{_W}t", {"{http://www.w3.org/XML/1998/namespace}space": "preserve"})
    words.text = drop_invalid(text)


CODE_FONT = "Courier New"
"""The face of code, by which it is recognised when it comes back."""
_COLUMNS = 2
_MARKS = ((MarkKind.em, "i"), (MarkKind.strong, "b"), (MarkKind.strike, "strike"))
_OFF = frozenset({"0", "false", "off"})


def read_docx(name: str, data: bytes, exchange: Exchange) -> list[ReturnedUnit]:
    """Read the file ``name``. ``exchange`` are the texts of the edition now, by which a row is recognised
    that has lost its id. Tracked changes count as accepted; comments are left out. Rows of other kinds are
    not returned: headings, and what is outside the table. Raise DocumentError if it is no Word document, is
    damaged, protected or too large, or has no such table."""
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
    def __init__(self, links: Mapping[str, Relationship], exchange: Exchange) -> None:
        self._links = links
        self._by_words: dict[str, list[tuple[str, str]]] = {}
        for file, unit in exchange.list_units():
            self._by_words.setdefault(normalise(unit.source), []).append((file.id, unit.id))

    def read(self, rows: list[list[etree._Element]]) -> Iterator[ReturnedUnit]:
        for number, cells in enumerate(rows, start=1):
            identifier, source = self._read_original(cells[0])
            target = self._read_paragraphs(cells[1].findall(f"{_W}p"))
            place = f"Row {number}"
            if identifier:
                file_id, _, unit_id = identifier.partition(ID_SEPARATOR)
                found = [(file_id, unit_id)]
            else:
                # The head of the table has an id in no case, and words that are no original.
                found = self._by_words.get(normalise(source), [])
            for file_id, unit_id in found:
                yield ReturnedUnit(file_id=file_id, id=unit_id, source=source, target=target, place=place)

    def _read_original(self, cell: etree._Element) -> tuple[str, Texts]:
        """Return the hidden id, and the original: what follows the id and the note in the cell."""
        paragraphs = cell.findall(f"{_W}p")
        hidden = "".join(
            words.text or ""
            for run in cell.iter(f"{_W}r")
            if _is_on(run, "vanish")
            for words in run.iter(f"{_W}t")
        ).strip()
        originals = paragraphs[1:] if len(paragraphs) > 1 else paragraphs
        return hidden if ID_SEPARATOR in hidden else "", self._read_paragraphs(originals)

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
