"""Adapting the HTML of a compiled email to a browser: without its reader, in dark mode, without images."""

import re
from dataclasses import replace
from html import escape
from itertools import islice

from mailer.rendering.body.fragments import MergeTag
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import anonymous_reader, fill_merge_tags, merge_values
from mailer.settings import Settings

_SEPARATOR = r"(?:\s|\xa0|&nbsp;|&#160;)*·(?:\s|\xa0|&nbsp;|&#160;)*"
_READER_LINK_MARKS = "|".join(
    re.escape(hole.placeholder)
    for hole in (MergeTag.unsubscribe_url, MergeTag.preferences_url, MergeTag.archive_url)
)
_READER_LINK = re.compile(
    rf"<a\b[^>]*\bhref=[\"'](?:{_READER_LINK_MARKS})[\"'][^>]*>.*?</a>(?:{_SEPARATOR})?",
    re.IGNORECASE | re.DOTALL,
)
# The paragraph with the code of a message.
_CODE_PARAGRAPH = re.compile(
    rf"<p\b[^>]*>(?:(?!</?p\b).)*{re.escape(MergeTag.verification_code.placeholder)}(?:(?!</p>).)*</p>\s*",
    re.IGNORECASE | re.DOTALL,
)
_DARK_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_PAPER_QUERY = re.compile(r"(@media\s+|\bmedia=[\"'])(print|screen)(?=\s*[{\"'])", re.IGNORECASE)
# 2 cm of the 21 cm of A4.
_SHEET = "body{box-sizing:border-box;max-width:700px;margin:0 auto!important;padding:9.5%!important}"
_HEADING = re.compile(r"(<h[1-6])\b[^>]*>", re.IGNORECASE)
_BOTH_SCHEMES = re.compile(
    r"((?:color-scheme|supported-color-schemes)\s*:\s*|\bcontent=[\"'])light\s+dark\b", re.IGNORECASE
)
_IMAGE_SOURCE = re.compile(r"(<img\b[^>]*?)\s+(?:src|srcset)=(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_OUTSIDE_LINK = re.compile(r"<a\b(?=[^>]*\bhref=[\"']https?:)(?![^>]*\btarget=)", re.IGNORECASE)


def force_colour_scheme(html: str, *, dark: bool) -> str:
    """Force ``html`` into dark (or light) mode, whatever the browser's own setting is."""
    # The width of a window is never negative: the first query is always true, the second never.
    always, never = "(min-width:0)", "(max-width:-1px)"
    wanted = "dark" if dark else "light"
    forced = _DARK_QUERY.sub(lambda query: always if query[1].lower() == wanted else never, html)
    return _BOTH_SCHEMES.sub(lambda both: f"{both[1]}{wanted}", forced)


def force_paper(html: str) -> str:
    """Show ``html`` on a screen as it is printed, with the margins of a sheet."""
    printed = _PAPER_QUERY.sub(
        lambda query: f"{query[1]}{'all' if query[2].lower() == 'print' else 'not all'}", html
    )
    return printed.replace("</head>", f"<style>{_SHEET}</style></head>", 1)


def mark_heading(html: str, source: str, start: int, anchor: str) -> str:
    """Give the first heading at or after ``start`` the id ``anchor``, so that a link leads to it.

    ``start`` is a place in ``source``, which is ``html`` before its merge tags were filled in: no value of
    one has a tag, so that the same number of tags is before it in both.
    """
    before = source.count("<", 0, start)
    places = islice(re.finditer("<", html), before, None)
    place = next((found.start() for found in places), len(html))
    heading = _HEADING.search(html, place)
    if heading is None or " id=" in heading[0]:
        return html
    return f'{html[: heading.end(1)]} id="{escape(anchor)}"{html[heading.end(1) :]}'


def remove_images(html: str) -> str:
    """Remove the image sources from ``html``, so that the alternative text is shown."""
    return _IMAGE_SOURCE.sub(r"\1", html)


def rewrite_media_urls(html: str, base_url: str, prefix: str = "") -> str:
    """Point the image URLs in ``html`` from the public address to this server, below ``prefix``."""
    return html.replace(f"{base_url}/media/", f"{prefix}/media/")


def open_links_in_new_tab(html: str) -> str:
    """Make links to other sites open in a new tab; links within the page stay in it."""
    return _OUTSIDE_LINK.sub('<a target="_blank" rel="noopener noreferrer"', html)


def render_without_reader(
    compiled: CompiledEdition, settings: Settings, variant: Variant | None = None
) -> str:
    """Render the HTML of ``compiled`` without a name, the links that belong to one reader, and a code.

    With all stories, or those of ``variant``.
    """
    shown = replace(variant or compiled.full_variant, named=False)
    html = _CODE_PARAGRAPH.sub("", _READER_LINK.sub("", compiled.assemble(shown).html))
    return fill_merge_tags(html, merge_values(compiled, anonymous_reader(settings)), escape)
