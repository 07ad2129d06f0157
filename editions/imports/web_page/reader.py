"""From a saved page to a document of no format."""

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import chardet
from lxml import etree

from editions.errors import DocumentError
from editions.imports.html.tree import compare_sizes
from editions.imports.source_document import BEFORE_HEADING, WHOLE_DOCUMENT, OmissionLog, SourceDocument
from editions.imports.web_page.converter import PageConverter
from editions.imports.web_page.left_out import remove_mail_links
from editions.imports.web_page.lists_and_tables import rebuild_word_lists
from editions.imports.web_page.pictures import PictureFinder, move_pictures_below_titles
from locales.phrase import gettext_noop

_DECLARED_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]+)|<\?xml[^>]{0,100}encoding\s*=\s*["']([\w-]+)""",
    re.IGNORECASE,
)
# Elements without content that libxml2 does not know as such: all that follows would be in them.
_VOID = re.compile(r"<(wbr|source|track|embed|keygen)\b([^>]*?)/?>", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DECLARATION_BYTES = 4096
_GUESSED_BYTES = 200_000
# Browsers read these names so (WHATWG Encoding Standard).
_BROWSER_NAMES = {
    "iso-8859-1": "windows-1252",
    "latin1": "windows-1252",
    "us-ascii": "windows-1252",
    "ascii": "windows-1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "x-user-defined": "windows-1252",
    "unicode": "utf-8",
}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_MAX_DEPTH = 200
_MAX_ELEMENTS = 200_000
_MAX_PAGE_BYTES = 60_000_000
"""Bytes of a page; pictures may be within it."""
_SAVED_FROM = re.compile(r"saved from url=\(\d+\)(\S+)")
_MERGE_TAG = re.compile(r"\*\|.*?\|\*|\{\{.*?\}\}|%%.*?%%")


def decode_page(data: bytes, *, charset: str = "") -> str:
    """Return the text of a page, by byte order mark, ``charset``, what it says itself, or what it looks
    like."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    found = _DECLARED_CHARSET.search(data[:_DECLARATION_BYTES])
    declared = (found[1] or found[2]).decode() if found else ""
    # A page saved by a browser says its old character set, but is UTF-8; the other way round is rare.
    if declared.lower().startswith(("iso-2022", "hz")):
        # All their bytes are ASCII, so that they would pass as UTF-8.
        charset = charset or declared
    for name in (charset, "utf-8", declared):
        if text := _try_decode(data, name):
            return text
    guessed = chardet.detect(data[:_GUESSED_BYTES]).get("encoding") or ""
    return _try_decode(data, guessed) or data.decode("windows-1252", "replace")


def parse_page(text: str, *, name: str) -> etree._Element:
    """Return the ``<html>`` of a page. Raise DocumentError if it is too large, too deep, or empty."""
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    # Characters that no document may contain would end the parsing there.
    closed = _VOID.sub(r"<\1\2></\1>", _XML_DECLARATION.sub("", text))
    clean = closed.translate({0: None, **dict.fromkeys(range(1, 9)), 11: None})
    root = etree.fromstring(clean.encode("utf-8", "replace") or b"<html></html>", parser)
    if root is None:
        raise DocumentError(
            name, "broken-document", gettext_noop("there is nothing in this page. Save it again.")
        )
    depth, count = _measure(root)
    if depth > _MAX_DEPTH or count > _MAX_ELEMENTS:
        raise DocumentError(
            name,
            "document-too-large",
            gettext_noop(
                "the page has %(count)s elements, %(depth)s in each other, more than any newsletter. "
                "Copy its text into a document and import that."
            ),
            count=f"{count:,}",
            depth=depth,
        )
    return root


def _try_decode(data: bytes, name: str) -> str:
    try:
        return data.decode(_BROWSER_NAMES.get(name.lower(), name)) if name else ""
    except (UnicodeDecodeError, LookupError):
        return ""


def _measure(root: etree._Element) -> tuple[int, int]:
    depth = deepest = count = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
        count += event == "start"
    return deepest, count


@contextmanager
def read_web_page(path: Path, omissions: OmissionLog) -> Iterator[SourceDocument]:
    """Read the page at ``path``, and its pictures from the folder it is in. Raise DocumentError if it is too
    large or nested too deep, and OSError if the file cannot be read."""
    if path.stat().st_size > _MAX_PAGE_BYTES:
        raise DocumentError(
            path.name,
            "document-too-large",
            gettext_noop(
                "the page is larger than %(size)s MB. Save it as “Web page, complete”, so "
                "that its pictures are in a folder next to it."
            ),
            size=_MAX_PAGE_BYTES // 1_000_000,
        )
    root = parse_page(decode_page(path.read_bytes()), name=path.name)
    rebuild_word_lists(root)
    pictures = PictureFinder(path.name, path.parent, omissions)
    body = etree.Element("body")
    body.extend(PageConverter(root, pictures, omissions, base=_find_base(root)).convert(_find_body(root)))
    omissions.set_place(WHOLE_DOCUMENT)
    remove_mail_links(body, omissions)
    compare_sizes(body)
    move_pictures_below_titles(body)
    omissions.set_place(BEFORE_HEADING)
    yield SourceDocument(
        name=path.name,
        body=body,
        images=tuple(pictures.images),
        title=_MERGE_TAG.sub("", root.findtext(".//title") or ""),
        language=root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or "",
        east_asian_language=root.get("lang") or "",
    )


def _find_body(root: etree._Element) -> etree._Element:
    body = root.find("body")
    return root if body is None else body


def _find_base(root: etree._Element) -> str:
    """Return the address that relative links belong to: what the page says, or where it was saved from."""
    base = root.find(".//base[@href]")
    if base is not None and (base.get("href") or "").startswith(("http://", "https://")):
        return base.get("href") or ""
    for comment in root.getroottree().iter(etree.Comment):
        if found := _SAVED_FROM.search(comment.text or ""):
            return found[1]
    for link in root.iter("link"):
        if (link.get("rel") or "").lower() == "canonical":
            return link.get("href") or ""
    return ""
