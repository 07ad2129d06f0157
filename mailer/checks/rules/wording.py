"""Checks of the words of a mail: their language, their fonts, and code that was never filled in."""

import re
from collections.abc import Iterable, Iterator

from editions.markdown.writing_systems import mark_languages_in_text
from locales.languages import canonical_language, language_name
from locales.phrase import gettext_noop
from mailer.checks.mail.parsed_mail import MailFinding, ParsedMail, TextRun, excerpt, finding
from mailer.rendering.body.fragments import DELIMITER, TAG_PATTERN, MergeTag
from mailer.rendering.themes.theme import Theme

_MARKED = re.compile(r'<span lang="([^"]+)">([^<]*)</span>')
_EAST_ASIAN = re.compile(r"[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
# Prefixes of font families that contain Chinese, Japanese or Korean characters.
_EAST_ASIAN_FAMILIES = (
    "apple sd gothic", "arial unicode", "batang", "dotum", "gulim", "heiti", "hiragino", "malgun", "meiryo",
    "microsoft jhenghei", "microsoft yahei", "ms gothic", "ms mincho", "nanum", "nsimsun", "noto sans cjk",
    "noto sans hk", "noto sans jp", "noto sans kr", "noto sans sc", "noto sans tc", "noto serif cjk",
    "pingfang", "pmingliu", "simhei", "simsun", "songti", "source han", "stheiti", "yu gothic", "yu mincho",
)  # fmt: skip
_FAMILY = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([^,]+))\s*(?:,|$)")
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


def check_language(mail: ParsedMail) -> Iterator[MailFinding]:
    """1 and 2: lang and dir, on html and on the element inside body that remains when html is stripped."""
    for node in [mail.nodes[0], *mail.articles]:
        language, direction = node.get("lang") or "", node.get("dir") or ""
        if not language:
            yield finding(
                "no-language",
                gettext_noop(
                    "<%(tag)s> has no lang, which screen readers need to choose their voice. Set lang on "
                    "<mjml> in the template."
                ),
                tag=node.tag,
            )
        elif canonical_language(language) is None:
            yield finding(
                "bad-language",
                gettext_noop(
                    '<%(tag)s lang="%(language)s"> has an unknown language tag. Use a tag such as en or '
                    "zh-Hans."
                ),
                tag=node.tag,
                language=language,
            )
        if not direction:
            yield finding(
                "no-direction",
                gettext_noop(
                    "<%(tag)s> has no dir, so right-to-left text would start on the wrong side. Set dir "
                    "on <mjml> in the template."
                ),
                tag=node.tag,
            )
        elif direction != mail.source.direction:
            yield finding(
                "wrong-direction",
                gettext_noop(
                    '<%(tag)s dir="%(direction)s"> does not match the language of the email, which runs '
                    "%(wanted)s. Set dir to page.direction in the template."
                ),
                tag=node.tag,
                direction=direction,
                wanted=mail.source.direction,
            )


def check_foreign_words(mail: ParsedMail) -> Iterator[MailFinding]:
    """11: text in another script is marked with its language."""
    for run in mail.text_runs:
        for language, words in _find_foreign_runs(run):
            yield finding(
                "unmarked-language",
                gettext_noop(
                    "screen readers read “%(words)s” with the voice for %(voice)s. Put it in an element "
                    'with lang="%(language)s".'
                ),
                words=excerpt(words),
                voice=run.node.language or "no language",
                language=language,
                place=mail.place_of(run.node, words),
            )


def check_phrases(mail: ParsedMail) -> Iterator[MailFinding]:
    """11: the fixed phrases are in the reader's language too."""
    spoken, wanted = (tag.partition("-")[0] for tag in (mail.source.words_language, mail.source.language))
    if spoken and spoken != wanted:
        yield finding(
            "no-words",
            gettext_noop(
                "phrases such as “Read more” and “Unsubscribe” are not available in %(language)s, "
                "so they appear in %(other)s. Add templates/email/words/%(tag)s.toml to the "
                "workspace; docs/templates.md lists its keys."
            ),
            language=_name_language(wanted),
            other=_name_language(spoken),
            tag=wanted,
        )


def _name_language(tag: str) -> str:
    return language_name(tag, "en")


def _find_foreign_runs(run: TextRun) -> list[tuple[str, str]]:
    """Return language and text of every passage in ``run`` whose script its language does not use."""
    if run.text.isascii():
        return []
    return _MARKED.findall(mark_languages_in_text(run.text, language=run.node.language or "en"))


def check_fonts(mail: ParsedMail) -> Iterator[MailFinding]:
    """12: East Asian text has a font with its characters, and no element lists a web font first."""
    known = _list_families(mail.source.theme)
    lacking: dict[str, TextRun] = {}
    for run in mail.text_runs:
        family = mail.light_styles[run.node].font_family
        if _EAST_ASIAN.search(run.text) and not _has_east_asian(family, known):
            lacking.setdefault(family, run)
    for family, run in lacking.items():
        yield finding(
            "no-east-asian-font",
            gettext_noop(
                "“%(text)s” is set in %(font)s, which does not contain these characters, so each "
                "email program substitutes another font. List one such as PingFang SC or Microsoft "
                "YaHei before the last."
            ),
            text=excerpt(run.text, 20),
            font=family or gettext_noop("no font"),
            place=mail.place_of(run.node, run.text),
        )
    yield from _check_web_fonts(mail)


def _check_web_fonts(mail: ParsedMail) -> Iterator[MailFinding]:
    faces = {name.lower() for sheet in mail.sheets for name in sheet.font_faces}
    if not faces:
        return
    for family in sorted({mail.light_styles[node].font_family for node in mail.nodes if node.style}):
        first = next(iter(_split_families(family)), "")
        if first in faces:
            yield finding(
                "web-font-first",
                gettext_noop(
                    "the font stack %(family)s starts with a web font, so Outlook on Windows uses Times "
                    "instead of the whole list. Use the web font only inside @media."
                ),
                family=family,
            )


def _list_families(theme: Theme) -> frozenset[str]:
    """Return the families that the theme names for languages, without the generic ones."""
    stacks = theme.fonts.languages.values()
    return frozenset(name for stack in stacks for name in _split_families(stack)) - {"sans-serif", "serif"}


def _has_east_asian(family: str, known: frozenset[str]) -> bool:
    return any(name in known or name.startswith(_EAST_ASIAN_FAMILIES) for name in _split_families(family))


def _split_families(stack: str) -> list[str]:
    return ["".join(parts).strip().lower() for parts in _FAMILY.findall(stack)]


def find_written_code(texts: Iterable[str]) -> frozenset[str]:
    """Return how each ``{{`` and ``{%`` in ``texts`` goes on. In an author's text these are signs like any
    others: a template never processes it."""
    return frozenset(_shorten(text, found) for text in texts for found in _TEMPLATE_CODE.finditer(text))


def _shorten(content: str, found: re.Match[str]) -> str:
    """Return the trace ``found`` and what follows, without white space: it is the same in both parts."""
    return "".join(content[found.start() : found.start() + 24].partition("<")[0].split())[:8]


def check_unprocessed_markup(mail: ParsedMail) -> Iterator[MailFinding]:
    """37, in both parts."""
    for part, content in (("HTML", mail.source.html), ("text", mail.source.text)):
        for code, sign, trace, what in _TRACES:
            for left in trace.finditer(content) if sign in content else ():
                if _shorten(content, left) in mail.source.written:
                    continue
                yield finding(
                    code,
                    gettext_noop(
                        "the %(part)s part contains %(what)s: “%(start)s”. Fix the template or the text."
                    ),
                    part=part,
                    what=what,
                    start=_around(content, left.start()),
                    key=f"{part} {left[0]}",
                    place=mail.place_in(left[0], left.start(), markup=part == "HTML"),
                )
        yield from _check_merge_tags(part, content)


def _check_merge_tags(part: str, content: str) -> Iterator[MailFinding]:
    if DELIMITER not in content:
        return
    known = {tag.placeholder for tag in MergeTag}
    unfilled = TAG_PATTERN.sub(lambda match: "" if match[0] in known else match[0], content)
    if DELIMITER in unfilled:
        where = _around(unfilled, unfilled.index(DELIMITER))
        yield finding(
            "unknown-hole",
            gettext_noop(
                "the %(part)s part contains an unknown merge tag: “%(where)s”. Use a field of page.merge_tag."
            ),
            part=part,
            where=where,
            key=f"{part} {where}",
        )


def _around(content: str, place: int) -> str:
    return excerpt(content[max(place - 20, 0) : place + 30], 60)
