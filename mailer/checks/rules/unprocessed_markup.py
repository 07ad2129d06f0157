"""Check 37: markup that a step of rendering should have processed."""

import re
from collections.abc import Iterable, Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.checks.finding import Finding, excerpt, finding
from mailer.checks.mail.parsed_mail import ParsedMail
from mailer.rendering.body.merge_tags import DELIMITER, TAG_PATTERN, MergeTag

# The code of the finding, a substring to search for first because it is fast, a pattern, and a description.
_TRACES = (
    ("jinja-left", "{", re.compile(r"\{\{|\{%"), gettext_noop("template code")),
    ("jinja-left", "%7", re.compile(r"%7B%7B|%7B%25", re.IGNORECASE), gettext_noop("template code")),
    ("merge-left", "%%", re.compile(r"%%[A-Za-z_]\w*%%"), gettext_noop("a merge tag of another program")),
    ("merge-left", "*|", re.compile(r"\*\|[A-Z_:]+\|\*"), gettext_noop("a merge tag of another program")),
    ("merge-left", "${", re.compile(r"\$\{[a-z_.]+\}"), gettext_noop("a merge tag of another program")),
    ("mjml-left", "mj-", re.compile(r"</?mj-[\w-]+"), gettext_noop("an MJML component")),
    (
        "escape-left",
        "\\u{",
        re.compile(r"\\u\{[0-9a-f]+\}"),
        gettext_noop("an escape sequence of the renderer"),
    ),
    (
        "escape-left",
        "\\n",
        re.compile(r"""=(?:"[^"<>]*\\n[^"<>]*"|'[^'<>]*\\n[^'<>]*')"""),
        gettext_noop("an escape sequence of the renderer"),
    ),
    ("mark-left", "<!--@", re.compile("<!--@"), gettext_noop("the mark of a fragment")),
    ("mark-left", "\x1e", re.compile("\x1e"), gettext_noop("the mark of a fragment")),
)


_TEMPLATE_CODE = _TRACES[0][2]


def find_written_code(texts: Iterable[str]) -> frozenset[str]:
    """How each ``{{`` and ``{%`` in ``texts`` goes on. In an author's text these are signs like any others:
    a template never processes it."""
    return frozenset(_shorten(text, found) for text in texts for found in _TEMPLATE_CODE.finditer(text))


def _shorten(content: str, found: re.Match[str]) -> str:
    """The trace ``found`` with what follows it, without white space, so that it is the same in both parts."""
    return "".join(content[found.start() : found.start() + 24].partition("<")[0].split())[:8]


def check_unprocessed_markup(mail: ParsedMail) -> Iterator[Finding]:
    """37, in both parts."""
    for part, content in (("HTML", mail.source.html), ("text", mail.source.text)):
        for code, sign, trace, what in _TRACES:
            for left in trace.finditer(content) if sign in content else ():
                if _shorten(content, left) in mail.source.written:
                    continue
                yield finding(
                    code,
                    Phrase(
                        gettext_noop(
                            "the %(part)s part contains %(what)s: “%(start)s”. Fix the template or the text."
                        ),
                        part=part,
                        what=what,
                        start=_around(content, left.start()),
                    ),
                    key=f"{part} {left[0]}",
                    place=mail.place_in(left[0], left.start(), markup=part == "HTML"),
                )
        yield from _check_merge_tags(part, content)


def _check_merge_tags(part: str, content: str) -> Iterator[Finding]:
    if DELIMITER not in content:
        return
    known = {tag.placeholder for tag in MergeTag}
    unfilled = TAG_PATTERN.sub(lambda match: "" if match[0] in known else match[0], content)
    if DELIMITER in unfilled:
        where = _around(unfilled, unfilled.index(DELIMITER))
        yield finding(
            "unknown-hole",
            Phrase(
                gettext_noop(
                    "the %(part)s part contains an unknown merge tag: “%(where)s”. Use a field of "
                    "page.merge_tag."
                ),
                part=part,
                where=where,
            ),
            key=f"{part} {where}",
        )


def _around(content: str, place: int) -> str:
    return excerpt(content[max(place - 20, 0) : place + 30], 60)
