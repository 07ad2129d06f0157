"""Writes styles into ``style`` attributes, for programs that read no style sheets. Only this module uses
premailer.

On a whole email premailer takes thirty milliseconds, because it searches the document for every rule. But the
effect of a class rule on an element depends only on that element's name, classes and style, and the six
hundred elements of an email have only some sixty combinations. So premailer is given one sample element for
each combination, once, and the results are copied to the email. For rules that depend on more than one
element (``.a p``), premailer processes the whole email.
"""

import logging
import re
import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, TypeAlias

from lxml import etree

_DOCTYPE = "<!DOCTYPE html>"
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]*)\{[^{}]*\}")
# A selector that depends on one element only: p, .a, p.a, .a.b.
_SIMPLE_SELECTOR = re.compile(r"([a-z][a-z0-9]*)?((?:\.[a-z_][\w-]*)*)", re.ASCII | re.IGNORECASE)
_STYLE_ATTRIBUTE = re.compile(r' style="([^"]*)"')
# Attributes written by MRML that have no effect or are not HTML, and their values in that case.
_LEFTOVERS = {"height": ("auto",), "vertical-align": ("middle", "top"), "class": ("",)}
# Searches by attribute, which takes a third of the time of testing every element for four attributes.
_HAS_LEFTOVER = etree.XPath(
    "//*/@height/.. | //*/@vertical-align/.. | //*/@class[.='']/.. | //*/@width[contains(., '.')]/.."
)
_HAS_STYLE = etree.XPath("//*[@style]")
_EMPTY_ITEM = etree.XPath("//li[not(node())]")
_HAS_ANGLE_BRACKET = etree.XPath("//*[@*[contains(., '<') or contains(., '>')]]")
# Two noncharacters (Unicode 23.7) in place of the characters that lxml does not escape in an attribute.
_LESS_THAN, _GREATER_THAN = "\ufdd0", "\ufdd1"
_DUPLICATE_BACKGROUND = re.compile(r"\bbackground:(#\w+);background-color:\1")
_ZERO_PIXELS = re.compile(r"(?<=[ :])0px(?![\w.])")
_CSS_WHITE_SPACE = re.compile(r"(?<=[:,])\s+|\s*;?\s*(?=\})|(?<=[{};])\s+|\s+(?=\{)")
_FRACTION = re.compile(r"\d+\.\d+")
_MAX_STYLE_KEYS = 5000
# premailer's cache is global: one transformation at a time, each starting with an empty cache.
_LOCK = threading.Lock()


StyleKey: TypeAlias = tuple[str, str, str]
"""What determines the style of an element: its name if a rule selects by it (otherwise empty), classes and
style."""


class _Sheet:
    """The rules of ``css``. ``is_simple`` is whether every rule selects by a single element; ``tag_names``
    are the element names in its selectors; ``affected`` finds the elements that a rule may match or that
    have a style already; ``styles`` caches premailer's result for each key, minified."""

    def __init__(self, css: str) -> None:
        bare = _CSS_COMMENT.sub("", css)
        selectors = [part.strip() for match in _RULE.finditer(bare) for part in match[1].split(",")]
        plain = [match for match in map(_SIMPLE_SELECTOR.fullmatch, selectors) if match]
        self.css = css
        self.is_simple = len(plain) == len(selectors) and not _RULE.sub("", bare).strip()
        self.tag_names = frozenset(match[1] for match in plain if match[1])
        names = (f"self::{name}" for name in sorted(self.tag_names))
        self.affected = etree.XPath(f"//*[{' or '.join(['@class', '@style', *names])}]")
        self.styles: dict[StyleKey, str] = {}


_read_sheet = lru_cache(maxsize=8)(_Sheet)


def inline_styles(html: str, css: str) -> str:
    """Return ``html``, a whole document, with the simple rules of ``css`` written into ``style`` attributes.
    Its own ``<style>`` blocks are left alone: they hold what cannot be inlined (media queries, dark mode,
    rules for single email programs), and inlining them too would use up a quarter of the size that Gmail
    shows."""
    written = html.strip().replace("<!doctype html>", _DOCTYPE, 1)
    tree = etree.fromstring(written, etree.HTMLParser()).getroottree()
    with _LOCK:
        sheet = _read_sheet(css)
        if sheet.is_simple:
            _inline_by_key(tree, sheet)
        else:
            _inline_document(tree, css)
            for element in _select(_HAS_STYLE, tree):
                element.set("style", _minify_style(element.get("style", "")))
    # The space before !important stays, because some programs ignore the keyword without it.
    for block in tree.iter("style"):
        block.text = _minify_rules(block.text or "")
    remove_unknown_attributes(tree)
    if "<li></li>" in written:
        close_empty_items(tree)
    if "&lt;" in written or "&gt;" in written:
        escape_angle_brackets(tree)
    # lxml adds a doctype if there is none.
    doctype: str = tree.docinfo.doctype  # type: ignore[union-attr]  # lxml-stubs do not know it
    root = tree if written.startswith(doctype) else tree.getroot()
    return _serialise(root)


def _inline_by_key(tree: etree._ElementTree, sheet: _Sheet) -> None:
    elements: list[etree._Element] = sheet.affected(tree)  # type: ignore[assignment]  # it finds elements only
    kinds = [_style_key(element, sheet.tag_names) for element in elements]
    unknown = list(dict.fromkeys(kind for kind in kinds if kind not in sheet.styles))
    if unknown:
        if len(sheet.styles) > _MAX_STYLE_KEYS:
            sheet.styles.clear()
            unknown = list(dict.fromkeys(kinds))
        sheet.styles.update(zip(unknown, _style_samples(unknown, sheet.css), strict=True))
    for element, kind in zip(elements, kinds, strict=True):
        style = sheet.styles[kind]
        if style != kind[2]:
            element.set("style", style)


def _style_key(element: etree._Element, names: frozenset[str]) -> StyleKey:
    name = str(element.tag) if names and element.tag in names else ""
    return name, element.get("class", ""), element.get("style", "")


def _style_samples(kinds: Sequence[StyleKey], css: str) -> list[str]:
    """Return the ``style`` that premailer gives to a sample element for each of ``kinds``."""
    body = etree.SubElement(etree.Element("html"), "body")
    specimens = [
        etree.SubElement(body, name or "specimen", {"class": classes, "style": style})
        for name, classes, style in kinds
    ]
    _transform(body.getroottree(), css)
    return [_minify_style(specimen.get("style", "")) for specimen in specimens]


def _inline_document(tree: etree._ElementTree, css: str) -> None:
    """Let premailer process the whole email, except its style blocks."""
    sheets = list(tree.iter("style"))
    for sheet in sheets:
        sheet.set("data-premailer", "ignore")
    _transform(tree, css)
    for sheet in sheets:
        # It removes the mark itself, except if a media attribute made it skip the block earlier.
        sheet.attrib.pop("data-premailer", "")


def _transform(tree: etree._ElementTree, css: str) -> None:
    import premailer.cache

    # One cache serves selectors, style sheets and style attributes, keyed by their text only, so a style
    # sheet of one email can be mistaken for a selector of another. cache_css_parsing=False fixes only half of
    # it.
    premailer.cache.cache.clear()
    _load_premailer()(tree.getroot(), **_premailer_options(css)).transform(pretty_print=False)


@cache
def _load_premailer() -> Any:
    """Load premailer without two of its habits. Loading takes a sixth of a second, and most commands never
    inline anything."""
    import cssutils.util
    import premailer.premailer
    from lxml.cssselect import CSSSelector

    # cssutils opens any @import, file: and http:, regardless of premailer's network options.
    cssutils.util._defaultFetcher = _refuse_to_fetch
    # Even within one email, style="em" would be mistaken for the selector em: see the cache above.
    premailer.premailer._create_cssselector = lru_cache(maxsize=256)(CSSSelector)
    # For a selector with a colon it passes re.split's maxsplit by position, which Python 3.13 deprecates. To
    # silence the warning would not be safe with threads, and no use once Python refuses such an argument.
    premailer.premailer.re = SimpleNamespace(**{**vars(re), "split": _split})
    return premailer.premailer.Premailer


def _split(pattern: str, text: str, maxsplit: int = 0) -> list[str | Any]:
    return re.split(pattern, text, maxsplit=maxsplit)


def _refuse_to_fetch(_url: str) -> None:
    return None


def _premailer_options(css: str) -> dict[str, Any]:
    """Options for premailer. Most of its defaults are meant for web pages, and harm email."""
    return {
        "css_text": [css],
        "keep_style_tags": False,
        "disable_leftover_css": True,
        # The default removes !important from every <style> that is kept, and so disables dark mode.
        "strip_important": False,
        "allow_network": False,
        "allow_loading_external_files": False,
        # With a base URL, premailer rewrites merge tags and anchors as if they were relative paths.
        "disable_link_rewrites": True,
        "base_url": None,
        # Media queries need the classes.
        "remove_classes": False,
        "preserve_handlebar_syntax": False,
        "disable_validation": True,
        "align_floating_images": False,
        # Otherwise width="200" becomes width="100%", which Outlook applies to the size of the file.
        "disable_basic_attributes": ["align", "valign", "bgcolor", "width", "height"],
        "method": "html",
        "cache_css_parsing": False,
        "cssutils_logging_level": logging.CRITICAL,
    }


@lru_cache(maxsize=16)
def _minify_rules(rules: str) -> str:
    return _CSS_WHITE_SPACE.sub("", rules)


def remove_unknown_attributes(tree: etree._ElementTree) -> None:
    """Remove from every tag what MRML writes and HTML does not define (``height="auto"``, ``vertical-align``,
    fractional pixels). An author's text about HTML stays as it is."""
    for element in _select(_HAS_LEFTOVER, tree):
        for name, values in _LEFTOVERS.items():
            if element.get(name) in values:
                del element.attrib[name]
        if width := element.get("width"):
            element.set("width", str(round(float(width))) if _FRACTION.fullmatch(width) else width)
    for comment in tree.iter(etree.Comment):
        # Tags for Outlook, which are a comment for all other programs.
        text = comment.text or ""
        if text.startswith("[if ") and (tidied := _clean_outlook_tags(text)) != text:
            comment.text = tidied


def _select(path: etree.XPath, tree: etree._ElementTree) -> list[etree._Element]:
    found: list[etree._Element] = path(tree)  # type: ignore[assignment]  # these paths find elements only
    return found


def close_empty_items(tree: etree._ElementTree) -> None:
    """Put a comment into each empty list item, whose end tag lxml omits and a fragment needs."""
    for item in _select(_EMPTY_ITEM, tree):
        item.append(etree.Comment(""))


def escape_angle_brackets(tree: etree._ElementTree) -> None:
    """Escape ``<`` and ``>`` in attributes. HTML allows them, and lxml writes them so; but Outlook searches
    the source for conditional comments, and must not find an author's ``<!--[if`` in an alternative text."""
    for element in _select(_HAS_ANGLE_BRACKET, tree):
        for name, value in element.attrib.items():
            element.set(name, str(value).replace("<", _LESS_THAN).replace(">", _GREATER_THAN))


def _serialise(root: etree._ElementTree | etree._Element) -> str:
    html: str = etree.tostring(root, method="html", encoding="utf-8").decode()
    return html.replace(_LESS_THAN, "&lt;").replace(_GREATER_THAN, "&gt;")


@lru_cache(maxsize=64)
def _clean_outlook_tags(tags: str) -> str:
    """Return ``tags``, which are text here, with minified styles and without leftovers."""
    for name, values in _LEFTOVERS.items():
        for value in values:
            tags = tags.replace(f' {name}="{value}"', "")
    return _STYLE_ATTRIBUTE.sub(lambda match: f' style="{_minify_style(match[1])}"', tags)


@lru_cache(maxsize=2048)
def _minify_style(style: str) -> str:
    """Return a style in the fewest bytes with the same meaning: one byte in fifty is redundant."""
    closed = _ZERO_PIXELS.sub("0", re.sub(r"([;:,]) ", r"\1", style)).rstrip(";")
    return _DUPLICATE_BACKGROUND.sub(r"background-color:\1", closed)
