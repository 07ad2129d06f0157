"""Names in OpenDocument's XML (ISO/IEC 26300), and small operations on its elements."""

from lxml import etree

from editions.imports.xml_names import XmlNames

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


def get_attribute(element: etree._Element, name: str) -> str:
    """The attribute ``name``, such as ``text:style-name``; empty when there is none."""
    return element.get(qualified_name(name), "")


def get_count(element: etree._Element, name: str, *, most: int) -> int:
    """A number of times something is repeated or spans, from 1 to ``most``."""
    written = get_attribute(element, name)
    return min(max(int(written), 1), most) if written.isascii() and written.isdecimal() else 1


def plain_text(element: etree._Element) -> str:
    """The text below ``element`` on one line, with a space at the end of each paragraph."""
    return " ".join("".join(_text_parts(element)).split())


def _text_parts(element: etree._Element) -> list[str]:
    parts = [element.text or ""]
    for child in element:
        name = prefixed_name(child)
        if name and name not in _NOT_TEXT:
            parts += _text_parts(child)
        parts += [" " if name in _SPACED_AFTER else "", child.tail or ""]
    return parts
