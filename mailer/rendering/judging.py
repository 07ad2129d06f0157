"""Judging a compiled mail: what only shows once edition, theme and renderer have met."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from lxml import html as lxml_html

from editions.problem import Level, Problem
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.holes import PATTERN, Hole

LARGEST = 100_000
"""Bytes of HTML above which a mail is refused: Gmail cuts off a little above 102,000 and hides the rest, with
the link to unsubscribe."""

LARGE = 85_000
"""Bytes of HTML above which a writer is warned: a translation or two more stories would be too much."""

_DOCTYPE = "<!DOCTYPE html>"
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
# What is left where a step of the way did not do its work. The code of the problem, the traces, whose they
# are.
_LEFTOVERS = (
    ("jinja-left", re.compile(r"\{\{|\{%|%7B%7B|%7B%25"), "a template’s own signs"),
    ("mjml-left", re.compile(r"</?mj-[\w-]+"), "an MJML component"),
    ("escape-left", re.compile(r"\\u\{[0-9a-f]+\}"), "the renderer’s escapes"),
    (
        "escape-left",
        re.compile(r"""=(?:"[^"<>]*\\n[^"<>]*"|'[^'<>]*\\n[^'<>]*')"""),
        "the renderer’s escapes",
    ),
)


def check_compiled(compiled: CompiledEdition) -> list[Problem]:
    """Everything that is wrong with ``compiled`` as a mail, errors and warnings; empty where all is well."""
    document = lxml_html.document_fromstring(compiled.html)
    findings = [
        *_check_size(compiled.html),
        *_check_leftovers(compiled),
        *_check_frame(compiled, document),
        *_check_headings(document),
        *_check_pictures(document),
        *_check_links(document),
        *_check_leaving(compiled),
    ]
    return [
        Problem(path="edition.md", line=1, level=level, code=code, message=f"{compiled.language}: {message}")
        for level, code, message in findings
    ]


_Findings = Iterator[tuple[Level, str, str]]


def _check_size(html: str) -> _Findings:
    size = len(html.encode())
    if size > LARGEST:
        yield (
            Level.error,
            "mail-too-large",
            f"the mail is {size:,} bytes of HTML, more than the {LARGEST:,} that Gmail shows: it would hide "
            "the rest and the link to unsubscribe. Shorten stories, or move some to the next edition.",
        )
    elif size > LARGE:
        yield (
            Level.warning,
            "mail-large",
            f"the mail is {size:,} bytes of HTML, close to the {LARGEST:,} that Gmail shows. It can be sent; "
            "a longer one, or a longer translation, could not.",
        )


def _check_leftovers(compiled: CompiledEdition) -> _Findings:
    for part, content in (("HTML", compiled.html), ("text", compiled.text)):
        for code, trace, what in _LEFTOVERS:
            found = trace.search(content)
            if found:
                yield (
                    Level.error,
                    code,
                    f"the {part} part holds {what}: “{_around(content, found.start())}”. "
                    "Mend the template or the text.",
                )
        unfilled = PATTERN.sub(lambda match: "" if match[1] in set(Hole) else match[0], content)
        if "@@" in unfilled:
            where = _around(unfilled, unfilled.index("@@"))
            yield (
                Level.error,
                "unknown-hole",
                f"the {part} part holds @@ that no reader’s value fills: “{where}”. Use one of page.hole.",
            )


def _around(content: str, place: int) -> str:
    return content[max(place - 20, 0) : place + 30].replace("\n", " ")


def _check_frame(compiled: CompiledEdition, document: lxml_html.HtmlElement) -> _Findings:
    if not compiled.html.startswith(_DOCTYPE):
        yield (
            Level.error,
            "no-doctype",
            f"the HTML must begin with {_DOCTYPE}, or browsers draw it by old rules.",
        )
    for element in (document, *document.xpath("//*[@role='article']")):
        missing = [name for name in ("lang", "dir") if not element.get(name)]
        if missing:
            yield (
                Level.error,
                "no-language",
                f"<{element.tag}> lacks {' and '.join(missing)}, by which screen readers choose their voice. "
                "Set lang and dir on <mjml> in the template.",
            )
    if not document.xpath("//*[@role='article']"):
        yield Level.error, "no-article", "nothing in the mail has role=article. Set mj-title in the template."
    if not compiled.text.strip():
        yield Level.error, "no-text", "there is no text part. Give the template its .txt.j2 twin."


def _check_headings(document: lxml_html.HtmlElement) -> _Findings:
    headings = document.xpath("//h1|//h2|//h3|//h4|//h5|//h6")
    levels = [int(str(heading.tag)[1]) for heading in headings]
    if levels.count(1) != 1:
        yield (
            Level.error,
            "headings",
            f"the mail has {levels.count(1)} headings of level 1, and needs exactly one.",
        )
    for before, after, heading in zip(levels, levels[1:], headings[1:], strict=False):
        if after > before + 1:
            name = " ".join(heading.text_content().split())
            yield Level.warning, "headings", f"“{name}” skips from heading level {before} to {after}."
    if any(not heading.text_content().strip() for heading in headings):
        yield Level.error, "headings", "a heading is empty. Give it a title, or take it out."


def _check_pictures(document: lxml_html.HtmlElement) -> _Findings:
    for image in document.iter("img"):
        source = image.get("src", "")
        if image.get("alt") is None:
            yield (
                Level.error,
                "no-alt",
                f"the picture {source} has no alt. Say what it shows, or write an empty one.",
            )
        if not _is_absolute(source, {"http", "https"}):
            yield Level.error, "relative-picture", f"the picture {source!r} has no full web address."
        width = image.get("width", "")
        if not width.isdecimal():
            message = f"the picture {source} has the width {width!r}, and Outlook needs whole pixels."
            yield Level.error, "picture-width", message


def _check_links(document: lxml_html.HtmlElement) -> _Findings:
    anchors = set(document.xpath("//@id"))
    marks = {hole.mark for hole in Hole}
    for link in document.iter("a"):
        target = link.get("href")
        if target is None or target in marks:
            continue
        words = " ".join(link.text_content().split())
        if target.startswith("#"):
            if target[1:] not in anchors:
                yield (
                    Level.error,
                    "dead-anchor",
                    f"the link “{words}” leads to {target}, and there is no such place.",
                )
        elif not _is_absolute(target, _SCHEMES):
            yield (
                Level.error,
                "relative-link",
                f"the link “{words}” leads to {target!r}, which is no full web address.",
            )
        if not words and not link.xpath(".//img[@alt!='']"):
            yield Level.error, "empty-link", f"a link to {target} has no words. Say where it leads."


def _is_absolute(target: str, schemes: frozenset[str] | set[str]) -> bool:
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.netloc or parts.scheme in {"mailto", "tel"})


def _check_leaving(compiled: CompiledEdition) -> _Findings:
    for part, content in (("HTML", compiled.html), ("text", compiled.text)):
        for hole in (Hole.unsubscribe_url, Hole.preferences_url):
            if hole.mark not in content:
                yield (
                    Level.error,
                    "no-unsubscribe",
                    f"the {part} part has no {hole.mark}. Every mail must say how to leave: "
                    "put it into the footer.",
                )
