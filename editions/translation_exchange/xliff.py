"""Translations as XLIFF: written for a translator, and read when it comes back."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from lxml import etree

from editions.errors import DocumentError
from editions.rich_text.nodes import BREAK, Mark, MarkKind, Text
from editions.translation_exchange.units import (
    Exchange,
    ReturnedUnit,
    Texts,
    TranslatedFile,
    TranslationUnit,
    drop_invalid,
)
from locales.phrase import gettext_noop

NAMESPACE = "urn:oasis:names:tc:xliff:document:2.0"
_NS = f"{{{NAMESPACE}}}"
_TYPES: Mapping[MarkKind, tuple[str, str]] = MappingProxyType(
    {
        MarkKind.link: ("link", ""),
        MarkKind.em: ("fmt", "xlf:i"),
        MarkKind.strong: ("fmt", "xlf:b"),
        MarkKind.strike: ("fmt", "mailer:strike"),
        MarkKind.code: ("fmt", "mailer:code"),
    }
)
"""The ``type`` and ``subType`` of each mark (XLIFF 2.1, 4.3.1.36 and 4.3.1.31); other prefixes are allowed
for what it has no type for."""
_KINDS = {pair: kind for kind, pair in _TYPES.items()}


def write_inline(parent: etree._Element, texts: Texts, marks: list[Mark]) -> None:
    """Write ``texts`` into a ``source`` or ``target`` element. ``marks`` are those of the unit so far, to
    which new ones are added: a translation has the same mark under the same number as the source. A line
    break has a number of its own each time."""
    counts: dict[int, int] = {}
    breaks = 0
    opened: list[tuple[Mark, etree._Element]] = []
    for text in texts:
        keep = _count_same([mark for mark, _ in opened], text.marks)
        del opened[keep:]
        for mark in text.marks[keep:]:
            host = opened[-1][1] if opened else parent
            opened.append((mark, _open_code(host, mark, marks, counts)))
        host = opened[-1][1] if opened else parent
        if text.text == "\n":
            breaks += 1
            etree.SubElement(host, f"{_NS}ph", {"id": f"br{breaks}", "type": "fmt", "subType": "xlf:lb"})
        else:
            _append_text(host, text.text)


def _open_code(host: etree._Element, mark: Mark, marks: list[Mark], counts: dict[int, int]) -> etree._Element:
    if mark not in marks:
        marks.append(mark)
    number = marks.index(mark) + 1
    counts[number] = counts.get(number, 0) + 1
    # An id is used once in a source: the same mark again has the number of the time behind it.
    identifier = f"{number}" if counts[number] == 1 else f"{number}-{counts[number]}"
    kind, sub_type = _TYPES[mark.kind]
    attributes = {"id": identifier, "type": kind}
    if sub_type:
        attributes["subType"] = sub_type
    if mark.kind is MarkKind.link:
        attributes["dataRefStart"] = f"d{number}"
    return etree.SubElement(host, f"{_NS}pc", attributes)


def _count_same(opened: Sequence[Mark], wanted: Sequence[Mark]) -> int:
    same = 0
    while same < min(len(opened), len(wanted)) and opened[same] == wanted[same]:
        same += 1
    return same


def _append_text(host: etree._Element, text: str) -> None:
    clean = drop_invalid(text)
    if len(host):
        host[-1].tail = (host[-1].tail or "") + clean
    else:
        host.text = (host.text or "") + clean


def read_inline(element: etree._Element, data: Mapping[str, str]) -> Texts:
    """Read a ``source`` or ``target``, through other tools' elements; ``data`` are addresses by id."""
    return tuple(_read(element, (), data, {}))


def _read(
    element: etree._Element, marks: tuple[Mark, ...], data: Mapping[str, str], started: dict[str, Mark]
) -> Iterator[Text]:
    if element.text:
        yield Text(element.text, (*marks, *started.values()))
    for child in element:
        name = etree.QName(child).localname if isinstance(child.tag, str) else ""
        if name == "pc":
            mark = _read_mark(child, data)
            yield from _read(child, (*marks, mark) if mark else marks, data, started)
        elif name == "sc":
            if (mark := _read_mark(child, data)) is not None:
                started[child.get("id", "")] = mark
        elif name == "ec":
            started.pop(child.get("startRef", ""), None)
        elif name == "ph" and child.get("subType") == "xlf:lb":
            yield BREAK
        elif name == "mrk":
            yield from _read(child, marks, data, started)
        if child.tail:
            yield Text(child.tail, (*marks, *started.values()))


def _read_mark(element: etree._Element, data: Mapping[str, str]) -> Mark | None:
    kind = _KINDS.get((element.get("type", ""), element.get("subType", "")))
    if kind is not MarkKind.link:
        return Mark(kind) if kind else None
    href = data.get(element.get("dataRefStart") or element.get("dataRef") or "", "")
    return Mark(kind, href) if href else None


_MAX_BYTES = 20_000_000


def read_xliff(name: str, data: bytes) -> tuple[str, list[ReturnedUnit]]:
    """Read the file ``name``: the language it is a translation into, and its units. One that a tool has
    divided into segments is put together again; where one of them has no translation, the unit has none.
    Raise DocumentError if it is not XLIFF 2, is damaged or too large, or has a document type."""
    root = _parse(name, data)
    units = [
        _read_unit(file.get("id", ""), unit)
        for file in root.iter(f"{_NS}file")
        for unit in file.iter(f"{_NS}unit")
    ]
    return root.get("trgLang", ""), units


def _parse(name: str, data: bytes) -> etree._Element:
    if len(data) > _MAX_BYTES:
        raise DocumentError(
            name,
            "file-too-large",
            gettext_noop("it is larger than any edition's texts. Choose another file."),
        )
    # No entities, no network, and no document type, in which a few bytes can become gigabytes.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise DocumentError(
            name,
            "not-xliff",
            gettext_noop(
                "it is not XML, or is damaged (%(error)s). Export it from the translation program again."
            ),
            error=error.msg,
        ) from error
    if getattr(root.getroottree().docinfo, "doctype", ""):
        typed = gettext_noop("it has a document type, which XLIFF never has.")
        raise DocumentError(name, "not-xliff", typed)
    if root.tag != f"{_NS}xliff":
        older = "urn:oasis:names:tc:xliff:document:1.2" in str(root.tag)
        advice = (
            gettext_noop("It is XLIFF 1.2: export it as XLIFF 2.1.")
            if older
            else gettext_noop("It is not XLIFF 2. Choose another file.")
        )
        raise DocumentError(name, "not-xliff", advice)
    return root


def _read_unit(file_id: str, unit: etree._Element) -> ReturnedUnit:
    data = {
        entry.get("id", ""): entry.text or ""
        for entry in unit.iter(f"{_NS}data")
        if isinstance(entry.tag, str)
    }
    sources: list[Texts] = []
    targets: list[Texts] = []
    is_whole = True
    # Segments and what is between them, in order: of the target, where a tool has changed it.
    for part in unit:
        if part.tag not in {f"{_NS}segment", f"{_NS}ignorable"}:
            continue
        source, target = part.find(f"{_NS}source"), part.find(f"{_NS}target")
        sources.append(read_inline(source, data) if source is not None else ())
        if target is not None:
            targets.append(read_inline(target, data))
        elif part.tag == f"{_NS}ignorable":
            # Space between segments, which tools need not repeat in the target.
            targets.append(sources[-1])
        else:
            is_whole = False
    identifier = unit.get("id", "")
    return ReturnedUnit(
        file_id=file_id,
        id=identifier,
        source=tuple(text for texts in sources for text in texts),
        target=tuple(text for texts in targets for text in texts) if is_whole else (),
        place=f"{file_id}, {identifier}",
    )


_TEXTS = frozenset({f"{_NS}source", f"{_NS}target", f"{_NS}note", f"{_NS}data"})
_DEFAULT_NAMESPACE: dict[str, str] = {None: NAMESPACE}  # type: ignore[dict-item] # as lxml documents it
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def write_xliff(exchange: Exchange) -> bytes:
    """Write ``exchange`` as XLIFF 2.1: a ``file`` for each file, a ``unit`` of one segment for each text."""
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


def _write_file(root: etree._Element, file: TranslatedFile) -> None:
    element = etree.SubElement(root, f"{_NS}file", {"id": file.id, "original": file.original.name})
    notes = etree.SubElement(element, f"{_NS}notes")
    etree.SubElement(notes, f"{_NS}note", {"category": "title"}).text = drop_invalid(file.title)
    for unit in file.units:
        _write_unit(element, unit)


def _write_unit(file: etree._Element, unit: TranslationUnit) -> None:
    element = etree.SubElement(file, f"{_NS}unit", {"id": unit.id, _SPACE: "preserve"})
    notes = etree.SubElement(element, f"{_NS}notes")
    etree.SubElement(notes, f"{_NS}note", {"category": "description"}).text = unit.note
    marks: list[Mark] = []
    segment = etree.Element(f"{_NS}segment", {"state": "translated" if unit.target else "initial"})
    source = etree.SubElement(segment, f"{_NS}source")
    write_inline(source, unit.source, marks)
    if unit.target:
        write_inline(etree.SubElement(segment, f"{_NS}target"), unit.target, marks)
    links = [(number, mark.href) for number, mark in enumerate(marks, 1) if mark.kind is MarkKind.link]
    if links:
        stored = etree.SubElement(element, f"{_NS}originalData")
        for number, href in links:
            etree.SubElement(stored, f"{_NS}data", {"id": f"d{number}"}).text = drop_invalid(href)
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
