"""From a saved page to a document of no format."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lxml import etree

from editions.errors import DocumentError
from editions.imports.html.type_size import compare_sizes
from editions.imports.omissions import BEFORE_HEADING, WHOLE_DOCUMENT, OmissionLog
from editions.imports.source_document import SourceDocument
from editions.imports.web_page.converter import PageConverter
from editions.imports.web_page.mail_links import remove_mail_links
from editions.imports.web_page.parser import decode_page, parse_page
from editions.imports.web_page.picture_order import move_pictures_below_titles
from editions.imports.web_page.pictures import PictureFinder
from editions.imports.web_page.word_lists import rebuild_word_lists
from locales.phrase import Phrase, gettext_noop

_MAX_PAGE_BYTES = 60_000_000
"""Bytes of a page; pictures may be within it."""
_SAVED_FROM = re.compile(r"saved from url=\(\d+\)(\S+)")
_MERGE_TAG = re.compile(r"\*\|.*?\|\*|\{\{.*?\}\}|%%.*?%%")


@contextmanager
def read_web_page(path: Path, omissions: OmissionLog) -> Iterator[SourceDocument]:
    """Read the page at ``path``, and its pictures from the folder it is in.

    Raises:
        DocumentError: it is too large or nested too deep.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > _MAX_PAGE_BYTES:
        raise DocumentError(
            path.name,
            "document-too-large",
            Phrase(
                gettext_noop(
                    "the page is larger than %(size)s MB. Save it as “Web page, complete”, so "
                    "that its pictures are in a folder next to it."
                ),
                size=_MAX_PAGE_BYTES // 1_000_000,
            ),
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
        heading_advice="In the program it was written with, give the title of each story a heading",
    )


def _find_body(root: etree._Element) -> etree._Element:
    body = root.find("body")
    return root if body is None else body


def _find_base(root: etree._Element) -> str:
    """The address that relative links belong to: what the page says, or where it was saved from."""
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
