"""Styles into ``style`` attributes, for programs that read no others. Only this module knows premailer.

Over a whole mail premailer takes thirty milliseconds: it looks through all of it for every rule. Yet what a
rule of classes does to an element depends on nothing but the element's own name, classes and style, and the
six hundred elements of a mail are of some sixty kinds. So premailer is shown one specimen of each kind, and
once; the mail itself is only written over. Rules that look further than one element (``.a p``) have premailer
read the whole mail.
"""

import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, TypeAlias

from lxml import etree

_DOCTYPE = "<!DOCTYPE html>"
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]*)\{[^{}]*\}")
# A selector that one element answers by itself: p, .a, p.a, .a.b.
_SIMPLE_SELECTOR = re.compile(r"([a-z][a-z0-9]*)?((?:\.[a-z_][\w-]*)*)", re.ASCII | re.IGNORECASE)
_STYLE_ATTRIBUTE = re.compile(r' style="([^"]*)"')
# Attributes of MRML's that say nothing, or nothing that HTML knows, with the values they have then.
_LEFTOVERS = {"height": ("auto",), "vertical-align": ("middle", "top"), "class": ("",)}
# By way of the attributes, which takes a third of the time of asking every element for four.
_HAS_LEFTOVER = etree.XPath(
    "//*/@height/.. | //*/@vertical-align/.. | //*/@class[.='']/.. | //*/@width[contains(., '.')]/.."
)
_HAS_STYLE = etree.XPath("//*[@style]")
_EMPTY_ITEM = etree.XPath("//li[not(node())]")
_HAS_ANGLE_BRACKET = etree.XPath("//*[@*[contains(., '<') or contains(., '>')]]")
# Two characters that are none (Unicode 23.7), for the signs that lxml would not escape in an attribute.
_LESS_THAN, _GREATER_THAN = "\ufdd0", "\ufdd1"
_DUPLICATE_BACKGROUND = re.compile(r"\bbackground:(#\w+);background-color:\1")
_ZERO_PIXELS = re.compile(r"(?<=[ :])0px(?![\w.])")
_CSS_WHITE_SPACE = re.compile(r"(?<=[:,])\s+|\s*;?\s*(?=\})|(?<=[{};])\s+|\s+(?=\{)")
_FRACTION = re.compile(r"\d+\.\d+")
_MAX_STYLE_KEYS = 5000
# premailer's cache belongs to the process: one transformation at a time, each beginning with an empty cache.
_LOCK = threading.Lock()


StyleKey: TypeAlias = tuple[str, str, str]
"""What decides the style of an element: its name where a rule asks for it (else empty), classes and style."""


@dataclass(frozen=True, kw_only=True)
class _InlinedSheet:
    """The rules of ``css``. ``plain`` is whether one element answers each of them alone; ``names`` are the
    elements its selectors name, and ``meant`` finds those a rule might mean, or that have a style already;
    ``styles`` has what premailer said of each kind so far, in the fewest bytes."""

    css: str
    is_simple: bool
    tag_names: frozenset[str]
    affected: etree.XPath
    styles: dict[StyleKey, str] = field(default_factory=dict)


def inline_styles(html: str, css: str) -> str:
    """``html``, a whole document, with the plain rules of ``css`` written into ``style`` attributes.

    The document's own ``<style>`` blocks stay as they are: they hold what cannot be inlined (media queries,
    dark mode, rules for single mail programs), and inlining them as well costs a quarter of the size Gmail
    shows.
    """
    written = html.strip().replace("<!doctype html>", _DOCTYPE, 1)
    tree = etree.fromstring(written, etree.HTMLParser()).getroottree()
    with _LOCK:
        sheet = _read_sheet(css)
        if sheet.is_simple:
            _inline_by_key(tree, sheet)
        else:
            _inline_document(tree, css)
            _minify_styles(tree)
    minify_sheets(tree)
    remove_unknown_attributes(tree)
    if "<li></li>" in written:
        close_empty_items(tree)
    if "&lt;" in written or "&gt;" in written:
        escape_angle_brackets(tree)
    # lxml makes up a doctype where there was none.
    doctype: str = tree.docinfo.doctype  # type: ignore[union-attr]  # lxml-stubs do not know it
    root = tree if written.startswith(doctype) else tree.getroot()
    return _serialise(root)


@lru_cache(maxsize=8)
def _read_sheet(css: str) -> _InlinedSheet:
    bare = _CSS_COMMENT.sub("", css)
    selectors = [part.strip() for match in _RULE.finditer(bare) for part in match[1].split(",")]
    plain = [match for match in map(_SIMPLE_SELECTOR.fullmatch, selectors) if match]
    names = frozenset(match[1] for match in plain if match[1])
    return _InlinedSheet(
        css=css,
        is_simple=len(plain) == len(selectors) and not _RULE.sub("", bare).strip(),
        tag_names=names,
        affected=etree.XPath(
            f"//*[{' or '.join(['@class', '@style', *(f'self::{name}' for name in sorted(names))])}]"
        ),
    )


def _inline_by_key(tree: etree._ElementTree, sheet: _InlinedSheet) -> None:
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
    """The ``style`` that premailer gives an element of each of ``kinds``."""
    body = etree.SubElement(etree.Element("html"), "body")
    specimens = [
        etree.SubElement(body, name or "specimen", {"class": classes, "style": style})
        for name, classes, style in kinds
    ]
    _transform(body.getroottree(), css)
    return [_minify_style(specimen.get("style", "")) for specimen in specimens]


def _inline_document(tree: etree._ElementTree, css: str) -> None:
    """Let premailer read the whole mail, but none of its style sheets."""
    sheets = list(tree.iter("style"))
    for sheet in sheets:
        sheet.set("data-premailer", "ignore")
    _transform(tree, css)
    for sheet in sheets:
        # It takes the mark off by itself, except where a media attribute made it look away sooner.
        sheet.attrib.pop("data-premailer", "")


def _transform(tree: etree._ElementTree, css: str) -> None:
    import premailer.cache

    # One cache serves selectors, sheets and style attributes, keyed by their text alone, so that one mail's
    # sheet can be taken for another's selector. cache_css_parsing=False cures only half of it.
    premailer.cache.cache.clear()
    _load_premailer()(tree.getroot(), **_premailer_options(css)).transform(pretty_print=False)


@cache
def _load_premailer() -> Any:
    """Premailer, without three of its habits. It takes a sixth of a second to load, and most commands never
    inline anything."""
    import cssutils.util
    import premailer.premailer
    from lxml.cssselect import CSSSelector

    # cssutils opens whatever an @import names, file: and http:, whatever premailer is told about networks.
    cssutils.util._defaultFetcher = _refuse_to_fetch
    # Within one mail, too, style="em" would be taken for the selector em: see the cache above.
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
    """What premailer is told. Most of its own defaults are for pages, and harm mail."""
    return {
        "css_text": [css],
        "keep_style_tags": False,
        "disable_leftover_css": True,
        # The default takes !important out of every kept <style>, and with it the dark mode.
        "strip_important": False,
        "allow_network": False,
        "allow_loading_external_files": False,
        # With a base URL, premailer rewrites holes and anchors as if they were relative paths.
        "disable_link_rewrites": True,
        "base_url": None,
        # Classes are what media queries hold on to.
        "remove_classes": False,
        "preserve_handlebar_syntax": False,
        "disable_validation": True,
        "align_floating_images": False,
        # Else width="200" becomes width="100%", which Outlook takes of the file's own pixels.
        "disable_basic_attributes": ["align", "valign", "bgcolor", "width", "height"],
        "method": "html",
        "cache_css_parsing": False,
        "cssutils_logging_level": logging.CRITICAL,
    }


def minify_sheets(tree: etree._ElementTree) -> None:
    """Take the white space around the signs of the style sheets out of ``tree``; the space before
    ``!important`` stays, because some programs ignore the word without it."""
    for sheet in tree.iter("style"):
        sheet.text = _minify_rules(sheet.text or "")


@lru_cache(maxsize=16)
def _minify_rules(rules: str) -> str:
    return _CSS_WHITE_SPACE.sub("", rules)


def remove_unknown_attributes(tree: etree._ElementTree) -> None:
    """Take out of every tag what MRML writes and HTML does not know (``height="auto"``, ``vertical-align``,
    part pixels).

    In the tags alone: a writer's words about HTML stay as they are.
    """
    for element in _select(_HAS_LEFTOVER, tree):
        for name, values in _LEFTOVERS.items():
            if element.get(name) in values:
                del element.attrib[name]
        if width := element.get("width"):
            element.set("width", _round(width))
    for comment in tree.iter(etree.Comment):
        # Tags for Outlook, which are a comment to everybody else.
        text = comment.text or ""
        if text.startswith("[if ") and (tidied := _clean_outlook_tags(text)) != text:
            comment.text = tidied


def _minify_styles(tree: etree._ElementTree) -> None:
    for element in _select(_HAS_STYLE, tree):
        element.set("style", _minify_style(element.get("style", "")))


def _select(path: etree.XPath, tree: etree._ElementTree) -> list[etree._Element]:
    found: list[etree._Element] = path(tree)  # type: ignore[assignment]  # these paths find elements only
    return found


def _round(width: str) -> str:
    return str(round(float(width))) if _FRACTION.fullmatch(width) else width


def close_empty_items(tree: etree._ElementTree) -> None:
    """Put a comment into each empty item of a list: of an item without content lxml leaves the end out, which
    HTML allows, and a slice would not stand on its own."""
    for item in _select(_EMPTY_ITEM, tree):
        item.append(etree.Comment(""))


def escape_angle_brackets(tree: etree._ElementTree) -> None:
    """Keep ``<`` and ``>`` in attributes from being written bare.

    HTML allows that, and lxml does it; but Outlook looks for its conditional comments in the text of a mail,
    and a writer's ``<!--[if`` in an alternative text is none.
    """
    for element in _select(_HAS_ANGLE_BRACKET, tree):
        for name, value in element.attrib.items():
            element.set(name, str(value).replace("<", _LESS_THAN).replace(">", _GREATER_THAN))


def _serialise(root: etree._ElementTree | etree._Element) -> str:
    html: str = etree.tostring(root, method="html", encoding="utf-8").decode()
    return html.replace(_LESS_THAN, "&lt;").replace(_GREATER_THAN, "&gt;")


@lru_cache(maxsize=64)
def _clean_outlook_tags(tags: str) -> str:
    """``tags`` with their styles in the fewest bytes and without leftovers, which are text here."""
    for name, values in _LEFTOVERS.items():
        for value in values:
            tags = tags.replace(f' {name}="{value}"', "")
    return _STYLE_ATTRIBUTE.sub(lambda match: f' style="{_minify_style(match[1])}"', tags)


@lru_cache(maxsize=2048)
def _minify_style(style: str) -> str:
    """A style in the fewest bytes that say the same: what says nothing is one byte in fifty."""
    closed = _ZERO_PIXELS.sub("0", re.sub(r"([;:,]) ", r"\1", style)).rstrip(";")
    return _DUPLICATE_BACKGROUND.sub(r"background-color:\1", closed)
