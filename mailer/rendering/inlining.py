"""Styles into ``style`` attributes, for programs that read no others. Only this module knows premailer."""

import logging
import re
import threading
from typing import Any

_DOCTYPE = "<!DOCTYPE html>"
_COMMENT = re.compile(r"(<!--.*?-->)", re.DOTALL)
_STYLE = re.compile(r"<style(?![^>]*data-premailer)([^>]*)>")
_STYLED = re.compile(r""" style=(["'])(.*?)\1""")
_TWICE = re.compile(r"\bbackground:(#\w+);background-color:\1")
_ZERO = re.compile(r"(?<=[ :])0px(?![\w.])")
# premailer takes its mark off again, except where a media attribute made it look away sooner.
_IGNORE = ' data-premailer="ignore"'
_SHEET = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL)
_SIGNS = re.compile(r"(?<=[:,])\s+|\s*;?\s*(?=\})|(?<=[{};])\s+|\s+(?=\{)")
_FRACTION = re.compile(r' width="(\d+\.\d+)"')
# premailer's cache belongs to the process: one transformation at a time, each beginning with an empty cache.
_LOCK = threading.Lock()


def inline_styles(html: str, css: str) -> str:
    """``html``, a whole document, with the plain rules of ``css`` written into ``style`` attributes.

    The document's own ``<style>`` blocks stay as they are: they hold what cannot be inlined (media queries,
    dark mode, rules for single mail programs), and inlining them as well costs a quarter of the size Gmail
    shows.
    """
    marked = _mark_styles(html.replace("<!doctype html>", _DOCTYPE, 1))
    with _LOCK:
        inlined = _transform(marked, css)
    return tidy_attributes(squeeze_sheets(inlined))


def _mark_styles(html: str) -> str:
    """Mark every ``<style>`` outside comments as none of premailer's business; it removes the mark again."""
    return "".join(
        part if part.startswith("<!--") else _STYLE.sub(rf"<style{_IGNORE}\1>", part)
        for part in _COMMENT.split(html)
    )


def _transform(html: str, css: str) -> str:
    # Imported here: premailer takes a sixth of a second to load, and most commands never inline anything.
    import cssutils.util
    import premailer.cache
    from premailer import Premailer

    # cssutils opens whatever an @import names, file: and http:, whatever premailer is told about networks.
    cssutils.util._defaultFetcher = _refuse_to_fetch
    # One cache serves selectors, sheets and style attributes, keyed by their text alone, so that one mail's
    # sheet can be taken for another's selector. cache_css_parsing=False cures only half of it.
    premailer.cache.cache.clear()
    result: str = Premailer(html, **_options(css)).transform(pretty_print=False)
    return result


def _refuse_to_fetch(_url: str) -> None:
    return None


def _options(css: str) -> dict[str, Any]:
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


def squeeze_sheets(html: str) -> str:
    """``html`` without the white space around the signs of its style sheets; the space before ``!important``
    stays, because some programs ignore the word without it."""
    return "".join(
        part if part.startswith("<!--") else _SHEET.sub(lambda match: _SIGNS.sub("", match[0]), part)
        for part in _COMMENT.split(html)
    )


def tidy_attributes(html: str) -> str:
    """``html`` without what MRML writes and HTML does not know (``height="auto"``, ``vertical-align``, part
    pixels), and without the bytes in style attributes that say nothing: they are one in fifty."""
    for leftover in (
        ' height="auto"',
        ' vertical-align="middle"',
        ' vertical-align="top"',
        ' class=""',
        _IGNORE,
    ):
        html = html.replace(leftover, "")
    html = _STYLED.sub(lambda match: f" style={match[1]}{_squeeze(match[2])}{match[1]}", html)
    return _FRACTION.sub(lambda match: f' width="{round(float(match[1]))}"', html)


def _squeeze(style: str) -> str:
    closed = _ZERO.sub("0", re.sub(r"([;:,]) ", r"\1", style)).rstrip(";")
    return _TWICE.sub(r"background-color:\1", closed)
