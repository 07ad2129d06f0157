"""An .odt: its archive, the names in its XML, and reading them."""

import posixpath

from lxml import etree

from editions.imports.office_archive import OfficeArchive, XmlNames
from locales.phrase import gettext_noop

NAMESPACES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
    "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
    "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
    "chart": "urn:oasis:names:tc:opendocument:xmlns:chart:1.0",
    "meta": "urn:oasis:names:tc:opendocument:xmlns:meta:1.0",
    "xlink": "http://www.w3.org/1999/xlink",
    "dc": "http://purl.org/dc/elements/1.1/",
    "math": "http://www.w3.org/1998/Math/MathML",
}
_SPACED_AFTER = frozenset({"text:p", "text:h", "text:line-break", "text:tab", "text:s", "math:annotation"})
# Within the text of a paragraph, but not part of it.
_NOT_TEXT = frozenset(
    {
        "office:annotation",
        "office:change-info",
        "text:note",
        "text:tracked-changes",
        "text:ruby-text",
        "svg:title",
        "svg:desc",
        "math:annotation",
    }
)


_NAMES = XmlNames(NAMESPACES)
qualified_name = _NAMES.qualified_name
prefixed_name = _NAMES.prefixed_name
INDEXES = frozenset(
    f"text:{name}"
    for name in (
        "table-of-content",
        "illustration-index",
        "table-index",
        "object-index",
        "user-index",
        "alphabetical-index",
        "bibliography",
    )
)
WITHOUT_TEXT = frozenset(
    {
        "text:tracked-changes",
        "text:sequence-decls",
        "text:variable-decls",
        "text:user-field-decls",
        "text:dde-connection-decls",
        "text:alphabetical-index-auto-mark-file",
        "text:soft-page-break",
        "text:list-header-decl",
        "office:forms",
        "office:annotation-end",
        "office:event-listeners",
        "table:table-column",
        "table:table-columns",
        "table:table-header-columns",
        "table:covered-table-cell",
        "svg:title",
        "svg:desc",
    }
)
CHANGE_MARKS = frozenset({"text:change", "text:change-start", "text:change-end"})
_MANIFEST = "META-INF/manifest.xml"
_MAX_MANIFEST_BYTES = 4_000_000


def get_attribute(element: etree._Element, name: str) -> str:
    """Return the attribute ``name``, such as ``text:style-name``; empty when there is none."""
    return element.get(qualified_name(name), "")


def get_count(element: etree._Element, name: str, *, most: int) -> int:
    """Return a number of times something is repeated or spans, from 1 to ``most``."""
    written = get_attribute(element, name)
    return min(max(int(written), 1), most) if written.isascii() and written.isdecimal() else 1


def plain_text(element: etree._Element) -> str:
    """Return the text below ``element`` on one line, with a space at the end of each paragraph."""
    return " ".join("".join(_text_parts(element)).split())


def _text_parts(element: etree._Element) -> list[str]:
    parts = [element.text or ""]
    for child in element:
        name = prefixed_name(child)
        if name and name not in _NOT_TEXT:
            parts += _text_parts(child)
        parts += [" " if name in _SPACED_AFTER else "", child.tail or ""]
    return parts


class OdtPackage(OfficeArchive):
    def parse_required(self, part: str) -> etree._Element:
        """Return the root of ``part``. Raise DocumentError if it is missing, too large or damaged."""
        root = self.parse_part(part)
        if root is None:
            self.reject(
                "broken-document",
                gettext_noop("its part %(part)s is missing. %(save_again)s"),
                part=part,
                save_again=self.save_again,
            )
        return root

    def find_part(self, address: str) -> str:
        """Return the name of the part at an ``address``; empty when it is not in the file."""
        if ":" in address:
            return ""
        # An address that leads out of the zip names no part, and nothing outside is ever opened.
        part = posixpath.normpath(posixpath.join("/", address)).lstrip("/")
        return part if part in self.parts else ""

    def reject_if_protected(self) -> None:
        """Reject a document whose parts are encrypted. Raise DocumentError if a password protects it."""
        # Not parsed: OpenOffice wrote a document type into it.
        size = self.part_size(_MANIFEST)
        encrypted = "encrypted-package" in self.parts or any(map(self.is_encrypted, self.parts))
        if encrypted or (0 < size <= _MAX_MANIFEST_BYTES and b"encryption-data" in self.read_part(_MANIFEST)):
            self.reject(
                "protected-document",
                gettext_noop(
                    "it is protected by a password. Open it in %(program)s, save it without the "
                    "password (File, Save As), and import it again."
                ),
                program=self.program,
            )
