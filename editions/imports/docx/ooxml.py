"""A .docx: its parts, their relationships, and the names and elements of Word's XML."""

import io
import posixpath
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from lxml import etree

from editions.imports.office_archive import OfficeArchive, XmlNames
from locales.phrase import gettext_noop

NAMESPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "pic": "http://schemas.openxmlformats.org/drawingml/2006/picture",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "dc": "http://purl.org/dc/elements/1.1/",
}
# "Strict Open XML", which Word can save, has the same names in other namespaces.
_STRICT_NAMESPACES = {
    "http://purl.oclc.org/ooxml/wordprocessingml/main": NAMESPACES["w"],
    "http://purl.oclc.org/ooxml/officeDocument/relationships": NAMESPACES["r"],
    "http://purl.oclc.org/ooxml/drawingml/wordprocessingDrawing": NAMESPACES["wp"],
    "http://purl.oclc.org/ooxml/drawingml/main": NAMESPACES["a"],
    "http://purl.oclc.org/ooxml/drawingml/picture": NAMESPACES["pic"],
    "http://purl.oclc.org/ooxml/drawingml/chart": NAMESPACES["c"],
    "http://purl.oclc.org/ooxml/drawingml/diagram": NAMESPACES["dgm"],
    "http://purl.oclc.org/ooxml/officeDocument/math": NAMESPACES["m"],
}


_NAMES = XmlNames(NAMESPACES)
qualified_name = _NAMES.qualified_name
prefixed_name = _NAMES.prefixed_name
ALL_TEXT = ("w:t", "w:delText", "m:t", "a:t")
"""Text of every kind: of the document, deleted, of equations, of drawings."""
INSTRUCTIONS = ("w:instrText", "w:delInstrText")
_PARAGRAPHS = frozenset({"w:p", "a:p"})
_SIGNS = {
    **dict.fromkeys(("w:br", "w:cr", "w:tab", "w:ptab", "w:sym"), " "),
    "w:noBreakHyphen": "\N{NON-BREAKING HYPHEN}",
}
_LINEAR = frozenset({"m:oMath", "m:oMathPara", "m:r", "m:t"})
_HYPERLINK = re.compile(r"\s*HYPERLINK\b", re.IGNORECASE)
_TOKEN = re.compile(r'\\(?P<switch>[a-zA-Z])|["“”](?P<quoted>[^"“”]*)["“”]|(?P<bare>[^\s"“”]+)')
# Switches with a value of their own: the part of the page, the text shown on hover, the window.
_VALUED_SWITCHES = frozenset("lot")
_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="png" ContentType="image/png"/></Types>'
)
_RELATIONSHIPS_NAMESPACE = "http://schemas.openxmlformats.org/package/2006/relationships"


def get_attribute(element: etree._Element | None, path: str = "", name: str = "w:val") -> str:
    """Return the attribute ``name`` of the element at ``path`` below ``element``; empty if there is none."""
    found = element if element is None or not path else element.find(path, NAMESPACES)
    return found.get(qualified_name(name), "") if found is not None else ""


def is_enabled(properties: etree._Element | None, name: str) -> bool:
    found = None if properties is None else properties.find(name, NAMESPACES)
    return found is not None and get_attribute(found) not in {"0", "false", "off", "none"}


def plain_text(element: etree._Element, *names: str) -> str:
    """Return the text below ``element`` on one line, as its readers see it: with a space between paragraphs,
    and one of several alternatives. The text is that of the elements ``names``, ``w:t`` by default."""
    return " ".join("".join(_text_pieces(element, names or ("w:t",))).split())


def _text_pieces(element: etree._Element, names: Collection[str]) -> Iterator[str]:
    name = prefixed_name(element)
    if name in names:
        yield element.text or ""
    elif name in _SIGNS:
        yield _SIGNS[name]
    elif name == "w:ruby":
        yield read_ruby(element, *names)
    elif name == "mc:AlternateContent":
        # The last is for simple programs. Each is read once: they may be nested.
        yield max(("".join(_text_pieces(form, names)) for form in reversed(element)), key=len, default="")
    else:
        end = " " if name in _PARAGRAPHS else ""
        yield end
        for child in element:
            yield from _text_pieces(child, names)
        yield end


def read_ruby(ruby: etree._Element, *names: str) -> str:
    """Return ruby's base text with its reading in brackets, as browsers without ruby support show it. The
    text is that of the elements ``names``, as in :func:`plain_text`."""
    parts = (ruby.find("w:rubyBase", NAMESPACES), ruby.find("w:rt", NAMESPACES))
    base, reading = ("" if part is None else plain_text(part, *names) for part in parts)
    return f"{base}（{reading}）" if reading else base


def new_element(name: str, **attributes: str) -> etree._Element:
    """Return a new element; attributes are named ``w_val`` for ``w:val``."""
    return etree.Element(
        qualified_name(name),
        {qualified_name(key.replace("_", ":", 1)): text for key, text in attributes.items()},
        nsmap=NAMESPACES,
    )


def remove_element(element: etree._Element) -> None:
    """Remove ``element`` and the text after it: in Word's files there is none."""
    replace_element(element, ())


def unwrap_element(element: etree._Element) -> list[etree._Element]:
    children = list(element)
    replace_element(element, children)
    return children


def replace_element(element: etree._Element, others: Iterable[etree._Element]) -> None:
    parent = element.getparent()
    if parent is None:
        return
    index = parent.index(element)
    parent[index : index + 1] = list(others)


def ancestors(element: etree._Element, name: str) -> Iterator[etree._Element]:
    return element.iterancestors(qualified_name(name))


def to_transitional(root: etree._Element) -> etree._Element:
    """Return ``root`` with the transitional namespaces, where it has those of Strict Open XML."""
    if not any(address in _STRICT_NAMESPACES for address in root.nsmap.values()):
        return root
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = _transitional_name(element.tag)
        for name, text in list(element.attrib.items()):
            if (usual := _transitional_name(str(name))) != name:
                del element.attrib[name]
                element.set(usual, text)
    return root


def _transitional_name(name: str) -> str:
    address, brace, local = name.removeprefix("{").rpartition("}")
    return f"{{{_STRICT_NAMESPACES.get(address, address)}}}{local}" if brace else name


def is_linear(equation: etree._Element) -> bool:
    """Return whether ``equation`` has no fractions, roots or the like, which its signs alone would lose."""
    return all(
        prefixed_name(part) in _LINEAR
        for part in equation.iter()
        if prefixed_name(part).startswith("m:")
        # Formatting.
        and not prefixed_name(part).endswith("Pr")
        and not any(prefixed_name(ancestor).endswith("Pr") for ancestor in part.iterancestors())
    )


def read_link_address(instruction: str) -> str | None:
    """Return the address in a field's instruction, with its fragment; None when it is no link.

    >>> read_link_address('HYPERLINK "https://example.org/page" \\\\l "part"')
    'https://example.org/page#part'
    """
    found = _HYPERLINK.match(instruction)
    if not found:
        return None
    address, fragment, switch = "", "", ""
    for token in _TOKEN.finditer(instruction, found.end()):
        if token["switch"]:
            switch = token["switch"].lower()
            continue
        value = token["quoted"] if token["quoted"] is not None else token["bare"]
        if switch == "l":
            fragment = fragment or value
        elif switch not in _VALUED_SWITCHES:
            address = address or value
        switch = ""
    return add_fragment(address.strip(), fragment.strip())


def add_fragment(address: str, fragment: str) -> str:
    """Return ``address`` with ``fragment``, unless it has one."""
    return f"{address}#{fragment}" if fragment and "#" not in address else address


@dataclass
class _OpenField:
    """A field that has begun: the pieces of its instruction. From its middle on, ``address`` is where it
    leads, if it is a link, and ``before`` how much had been shown."""

    pieces: list[etree._Element] = dataclass_field(default_factory=list)
    has_result: bool = False
    address: str | None = None
    before: int = 0


class FieldReader:
    """Follows the fields of a part in order, and puts a link's whole address where mammoth looks for it."""

    def __init__(self) -> None:
        # Outermost first.
        self._open: list[_OpenField] = []

    def read_mark(self, mark: etree._Element, shown: int) -> str:
        """Read a ``w:fldChar``: the beginning, the middle or the end of a field; ``shown`` counts what has
        been shown of the part so far. Return the address of a link that ends here and shows nothing."""
        kind = get_attribute(mark, name="w:fldCharType")
        if kind == "begin":
            self._open.append(_OpenField())
        elif kind == "separate" and self._open and not self._open[-1].has_result:
            field = self._open[-1]
            field.address, field.has_result, field.before = _rewrite(field.pieces), True, shown
        elif kind == "end" and self._open:
            field = self._open.pop()
            if field.address and field.before == shown:
                return field.address
        return ""

    def read_instruction(self, instruction: etree._Element) -> None:
        """Read a ``w:instrText``, a piece of a field's instruction."""
        if self._open and not self._open[-1].has_result:
            self._open[-1].pieces.append(instruction)


def _rewrite(instructions: list[etree._Element]) -> str | None:
    """Write the whole address of a link into the first of its ``instructions``, and return it; None if they
    are not of a link."""
    address = read_link_address("".join(piece.text or "" for piece in instructions))
    if address is None:
        return None
    for piece in instructions[1:]:
        piece.text = ""
    instructions[0].text = (
        f' HYPERLINK \\l "{address[1:]}"' if address.startswith("#") else f' HYPERLINK "{address}"'
    )
    return address


@dataclass(frozen=True, kw_only=True)
class Relationship:
    """A relationship to ``target``, a part's name or an external URL; ``kind`` is such as ``hyperlink``."""

    kind: str
    target: str
    external: bool


class DocxPackage(OfficeArchive):
    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        super().__init__(name, archive, program="Word")
        self.document = self._find_document()

    def parse_part(self, part: str) -> etree._Element | None:
        root = super().parse_part(part)
        return None if root is None else to_transitional(root)

    def relationships(self, part: str) -> Mapping[str, Relationship]:
        folder, _, name = part.rpartition("/")
        root = self.parse_part(posixpath.join(folder, "_rels", f"{name}.rels"))
        if root is None:
            return {}
        return {
            element.get("Id", ""): _read_relationship(folder, element)
            for element in root
            if isinstance(element.tag, str) and element.tag.endswith("}Relationship")
        }

    def part_of_kind(self, kind: str) -> str:
        """Return the name of the document's part of this ``kind``; empty when there is none."""
        found = (relation for relation in self.relationships(self.document).values() if relation.kind == kind)
        return next((relation.target for relation in found if not relation.external), "")

    def _find_document(self) -> str:
        main = (relation for relation in self.relationships("").values() if relation.kind == "officeDocument")
        document = next((relation.target for relation in main), "word/document.xml")
        if document not in self.parts or not document.endswith(".xml"):
            self.reject(
                "not-a-document",
                gettext_noop(
                    "this is a zip file without a Word document. Open it in Word, save it as .docx and "
                    "import that."
                ),
            )
        if self.is_encrypted(document):
            self.reject(
                "protected-document",
                gettext_noop(
                    "it is protected by a password. Open it in Word, remove the password, save it and "
                    "import it again."
                ),
            )
        return document


def _read_relationship(folder: str, element: etree._Element) -> Relationship:
    target = element.get("Target", "")
    external = element.get("TargetMode") == "External"
    if not external:
        # A target outside the zip does not name a part, and nothing outside is ever opened.
        target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    return Relationship(kind=element.get("Type", "").rpartition("/")[2], target=target, external=external)


def write_docx(
    parts: Mapping[str, bytes], links: Mapping[str, Mapping[str, Relationship]], images: int
) -> bytes:
    """Return the ``parts`` (``document``, ``footnotes`` and so on) as a .docx, with the hyperlinks among the
    ``links`` of each; each picture is a part that contains its number."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        for kind, data in parts.items():
            archive.writestr(f"word/{kind}.xml", data)
        for kind, relations in links.items():
            archive.writestr(f"word/_rels/{kind}.xml.rels", _relationships_xml(relations, images))
        for number in range(images):
            archive.writestr(f"word/media/{number}.png", str(number))
    return packed.getvalue()


def _relationships_xml(relationships: Mapping[str, Relationship], images: int) -> bytes:
    root = etree.Element(f"{{{_RELATIONSHIPS_NAMESPACE}}}Relationships")
    entries = [
        (identifier, "hyperlink", relation.target)
        for identifier, relation in relationships.items()
        if relation.kind == "hyperlink"
    ]
    entries += [(f"picture{number}", "image", f"media/{number}.png") for number in range(images)]
    for identifier, kind, target in entries:
        attributes = {"Id": identifier, "Type": f"http://schemas.openxmlformats.org/{kind}", "Target": target}
        etree.SubElement(root, f"{{{_RELATIONSHIPS_NAMESPACE}}}Relationship", attributes)
    return etree.tostring(root)
