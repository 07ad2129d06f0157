"""Text with marks as the inline elements of XLIFF 2.1, and back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from lxml import etree

from editions.rich_text.nodes import BREAK, Mark, MarkKind, Text
from editions.translation_exchange.unit import Texts, drop_invalid

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


@dataclass
class InlineCodes:
    """The marks of one unit, numbered in the order of its source: a translation has the same mark under the
    same number. A line break has a number of its own each time."""

    marks: list[Mark] = field(default_factory=list)

    def number(self, mark: Mark) -> int:
        """The number of ``mark``, from 1."""
        if mark not in self.marks:
            self.marks.append(mark)
        return self.marks.index(mark) + 1

    def list_data(self) -> Iterator[tuple[str, str]]:
        """The addresses of links, by the id that the inline elements refer to."""
        for place, mark in enumerate(self.marks, 1):
            if mark.kind is MarkKind.link:
                yield f"d{place}", mark.href


def write_inline(parent: etree._Element, texts: Texts, codes: InlineCodes) -> None:
    """Write ``texts`` into a ``source`` or ``target`` element."""
    counts: dict[int, int] = {}
    breaks = 0
    opened: list[tuple[Mark, etree._Element]] = []
    for text in texts:
        keep = _count_same([mark for mark, _ in opened], text.marks)
        del opened[keep:]
        for mark in text.marks[keep:]:
            host = opened[-1][1] if opened else parent
            opened.append((mark, _open_code(host, mark, codes, counts)))
        host = opened[-1][1] if opened else parent
        if text.text == "\n":
            breaks += 1
            etree.SubElement(host, f"{_NS}ph", {"id": f"br{breaks}", "type": "fmt", "subType": "xlf:lb"})
        else:
            _append_text(host, text.text)


def _open_code(
    host: etree._Element, mark: Mark, codes: InlineCodes, counts: dict[int, int]
) -> etree._Element:
    number = codes.number(mark)
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
    """Read a ``source`` or ``target``. ``data`` are the unit's addresses by id. Elements of other tools, such
    as annotations, are read through."""
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
