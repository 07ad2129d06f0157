"""Writes the texts of an edition as XLIFF 2.1 (OASIS Standard, 13 February 2018)."""

from lxml import etree

from editions.translation_exchange.unit import Exchange, FileUnits, TranslationUnit, drop_invalid
from editions.translation_exchange.xliff_inline import NAMESPACE, InlineCodes, write_inline

_NS = f"{{{NAMESPACE}}}"
_TEXTS = frozenset({f"{_NS}source", f"{_NS}target", f"{_NS}note", f"{_NS}data"})
_DEFAULT_NAMESPACE: dict[str, str] = {None: NAMESPACE}  # type: ignore[dict-item] # as lxml documents it
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def write_xliff(exchange: Exchange) -> bytes:
    """Write ``exchange`` as XLIFF 2.1 in UTF-8: a ``file`` for each file, a ``unit`` of one segment for each
    text."""
    root = etree.Element(
        f"{_NS}xliff",
        {"version": "2.1", "srcLang": exchange.source_language, "trgLang": exchange.language},
        nsmap=_DEFAULT_NAMESPACE,
    )
    for file in exchange.files:
        if file.units:
            _write_file(root, file)
    _indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _write_file(root: etree._Element, file: FileUnits) -> None:
    element = etree.SubElement(root, f"{_NS}file", {"id": file.id, "original": file.name})
    notes = etree.SubElement(element, f"{_NS}notes")
    etree.SubElement(notes, f"{_NS}note", {"category": "title"}).text = drop_invalid(file.title or file.name)
    for unit in file.units:
        _write_unit(element, unit)


def _write_unit(file: etree._Element, unit: TranslationUnit) -> None:
    element = etree.SubElement(file, f"{_NS}unit", {"id": unit.id, _SPACE: "preserve"})
    notes = etree.SubElement(element, f"{_NS}notes")
    etree.SubElement(notes, f"{_NS}note", {"category": "description"}).text = unit.note
    codes = InlineCodes()
    segment = etree.Element(f"{_NS}segment", {"state": "translated" if unit.target else "initial"})
    source = etree.SubElement(segment, f"{_NS}source")
    write_inline(source, unit.source, codes)
    if unit.target:
        write_inline(etree.SubElement(segment, f"{_NS}target"), unit.target, codes)
    data = list(codes.list_data())
    if data:
        stored = etree.SubElement(element, f"{_NS}originalData")
        for identifier, href in data:
            etree.SubElement(stored, f"{_NS}data", {"id": identifier}).text = drop_invalid(href)
    element.append(segment)


def _indent(element: etree._Element, level: int = 1) -> None:
    """Put each element on a line of its own, but none within a text, where a line end would be part of it."""
    if element.tag in _TEXTS or not len(element):
        return
    element.text = "\n" + "  " * level
    for child in element:
        _indent(child, level + 1)
        child.tail = "\n" + "  " * level
    element[-1].tail = "\n" + "  " * (level - 1)
