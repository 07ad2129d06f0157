"""Rendering Markdown as sanitised XHTML and as plain text, from one parse that keeps line numbers.

A body's ``##`` and ``###`` become ``<h4>`` and ``<h5>`` below the story's own ``<h3>`` (one level higher in
the letter); ``#`` is not allowed, because the title is in the front matter. A line end in the source becomes
a space, or nothing between two Chinese or Japanese characters. The HTML has no line ends outside ``<pre>``,
because the templates of an email would join the words around them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from editions.errors import Problem, ProblemLevel
from editions.markdown.dialect import (
    MAX_CHARACTERS,
    MAX_NESTING,
    TOKENS,
    create_parser,
    link_notes,
    prepare_notes,
    write_mark,
)
from editions.markdown.links import find_link_fault
from editions.markdown.plain_text import render_plain_text
from editions.markdown.tables import WIDE_CLASS, arrange_tables, find_oversized_tables
from editions.markdown.writing_systems import is_cjk, join_soft_breaks, mark_languages_in_html, split_cjk
from editions.unsafe_characters import remove_unsafe_characters
from locales.phrase import fill_in, gettext_noop

_BLOCKS = {"p", "h3", "h4", "h5", "ul", "ol", "li", "blockquote", "pre", "hr", "br"}
_TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
_TAGS = {"em", "strong", "s", "a", "code", "span", *_BLOCKS, *_TABLES}
_ATTRIBUTES = {
    "a": {"href"},
    "em": {"style"},
    "ol": {"start", "type", "style"},
    "pre": {"style"},
    "table": {"cellpadding", "cellspacing", "border"},
    "th": {"scope", "style"},
    "td": {"style"},
}
_CLASSES = {"table": {"tb", WIDE_CLASS}, "span": {"tl"}}
_STYLES = {"text-align", "list-style-type", "font-style", "font-weight", "white-space"}
# Chinese, Japanese and Korean have no slanted letters: programs draw them by tilting the upright ones.
_UPRIGHT = "font-style:normal;font-weight:bold"
_SANITISER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    allowed_classes=_CLASSES,
    filter_style_properties=_STYLES,
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel=None,
)
_VOID = re.compile(r"<(br|hr)>")
_SPACES = re.compile(r"[\t\n\f\r]+")
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
STORY_HEADING_LEVEL = 4
LETTER_HEADING_LEVEL = 3


@dataclass(frozen=True, kw_only=True)
class TextLink:
    text: str
    url: str
    line: int


@dataclass(frozen=True, kw_only=True)
class RenderedMarkdown:
    """Rendered Markdown: ``html`` is sanitised XHTML, ``text`` the same as plain text. In ``word_count``, two
    Chinese or Japanese characters count as one word, since they take as long to read. ``has_wide_table`` is
    whether a table in it does not fit the screen of a phone."""

    html: str
    text: str
    word_count: int
    links: tuple[TextLink, ...]
    problems: tuple[Problem, ...]
    has_wide_table: bool = False


def render_markdown(
    source: str,
    *,
    language: str,
    path: str = "",
    line: int = 1,
    heading: int = STORY_HEADING_LEVEL,
    anchor: str = "",
) -> RenderedMarkdown:
    """Render ``source``, which begins on ``line`` of the file ``path``. Text in other scripts than that of
    ``language`` is marked. ``heading`` is the level that ``##`` becomes. ``anchor`` is part of the ids of its
    footnotes; no two texts of an email may have the same. Never raises: what is not allowed is a problem, and
    is harmless in ``html``."""
    reading = _TokenInspector(path, line, heading)
    if len(source) > MAX_CHARACTERS:
        reading.report(
            line,
            "body-too-long",
            gettext_noop(
                "the body has more than %(most)s characters, and an email must stay below 100 kB. Shorten it."
            ),
            most=f"{MAX_CHARACTERS:,}",
        )
        source = source[:MAX_CHARACTERS]
    parser = _parser()
    tokens = parser.parse(remove_unsafe_characters(source))
    prepare_notes(tokens)
    reading.inspect(tokens)
    text, word_count = render_plain_text(tokens), _count_words(tokens)
    has_wide_table = arrange_tables(tokens, language=language)
    html = _sanitise(parser.renderer.render(tokens, parser.options, {}), anchor)
    return RenderedMarkdown(
        html=mark_languages_in_html(html, language=language),
        text=text,
        word_count=word_count,
        has_wide_table=has_wide_table,
        links=tuple(reading.links),
        problems=tuple(reading.problems),
    )


@cache
def _parser() -> MarkdownIt:
    parser = create_parser(_Renderer)
    # The plugin's own rules for rendering make ids that are the same in every text.
    for name in TOKENS:
        parser.add_render_rule(name, _Renderer.footnote_mark)
    return parser


class _TokenInspector:
    """Walks through the tokens once: collects links and problems, sets heading levels, replaces line ends."""

    def __init__(self, path: str, line: int, heading: int) -> None:
        self.path, self.line, self.heading = path, line, heading
        self.links: list[TextLink] = []
        self.problems: list[Problem] = []
        self._level = 1

    def inspect(self, tokens: Sequence[Token]) -> None:
        for index, token in enumerate(tokens):
            line = self.line + (token.map[0] if token.map else 0)
            if token.type == "html_block":
                self._refuse_html(line, token.content)
            elif token.type in {"blockquote_open", "list_item_open"} and token.level >= MAX_NESTING - 1:
                self.report(
                    line,
                    "nested-too-deep",
                    gettext_noop(
                        "quotations and lists are nested too deeply here, and their contents would be lost. "
                        "Use one or two levels."
                    ),
                )
            elif token.type == "heading_open":
                self._inspect_heading(line, token, tokens[index + 1])
            elif token.type == "heading_close":
                token.tag = self._heading_tag(int(token.tag[1]))
            elif token.type == "inline":
                self._inspect_inline(line, token)
        for first in find_oversized_tables(tokens):
            self.report(
                self.line + first,
                "oversized-table",
                gettext_noop(
                    "this table has more or longer words side by side than an email is wide. Leave out "
                    "columns, shorten the headings, or exchange rows and columns."
                ),
                ProblemLevel.warning,
            )

    def _inspect_heading(self, line: int, token: Token, words: Token) -> None:
        level = int(token.tag[1])
        if level == 1:
            self.report(
                line,
                "top-heading",
                gettext_noop("`#` is not allowed: the title is in the front matter. Begin with `##`."),
            )
        elif level > 3:
            self.report(
                line,
                "deep-heading",
                gettext_noop(
                    "`%(sign)s` is not allowed: a story has two levels of headings. Use `##` or `###`."
                ),
                sign="#" * level,
            )
        elif level > self._level + 1:
            self.report(
                line,
                "skipped-heading",
                gettext_noop("`###` has no `##` above it, so a level is skipped. Use `##`."),
            )
        if not words.content.strip():
            self.report(
                line,
                "empty-heading",
                gettext_noop(
                    "this heading is empty, and screen readers announce it all the same. Delete it."
                ),
            )
        self._level = level
        token.tag = self._heading_tag(level)

    def _heading_tag(self, level: int) -> str:
        return f"h{self.heading + min(max(level, 2), 3) - 2}"

    def _inspect_inline(self, first: int, inline: Token) -> None:
        children = inline.children or []
        line, reached = first, 0
        for index, token in enumerate(children):
            at = token.meta.get("at", reached)
            line += inline.content.count("\n", reached, at)
            reached = max(reached, at)
            if token.type == "html_inline":
                self._refuse_html(line, token.content)
            elif token.type == "image":
                self.report(
                    line,
                    "picture-in-body",
                    gettext_noop(
                        "pictures are not allowed in the body, where they would have no size and no credit. "
                        "Name the picture in the front matter, under `image`."
                    ),
                )
            elif token.type == "link_open":
                self._inspect_link(line, token, children[index + 1 :])
            elif token.type == "em_open" and _has_cjk(children[index + 1 :], token.level):
                token.attrSet("style", _UPRIGHT)
        join_soft_breaks(children)

    def _inspect_link(self, line: int, token: Token, following: Sequence[Token]) -> None:
        # A link's title only shows on hover: not on a phone, not in a screen reader. So it is left out.
        token.attrs.pop("title", None)
        url, text = str(token.attrs.get("href", "")), " ".join(_link_text(following).split())
        if fault := find_link_fault(url):
            self.report(line, fault.code, fault.reason)
        if not text:
            self.report(
                line,
                "empty-link",
                gettext_noop(
                    "the link to %(url)s has no text, so readers cannot see it. Write [text](%(url)s)."
                ),
                url=url,
            )
        self.links.append(TextLink(text=text, url=url, line=line))

    def _refuse_html(self, line: int, html: str) -> None:
        if any(problem.code == "raw-html" and problem.line == line for problem in self.problems[-3:]):
            return
        shown = " ".join(html.split())
        shown = shown if len(shown) <= 40 else f"{shown[:37]}…"
        self.report(
            line,
            "raw-html",
            gettext_noop(
                "raw HTML and comments are not allowed, because email programs show them differently: "
                "`%(shown)s`. Use Markdown, or write \\< for the character itself."
            ),
            shown=shown,
        )

    def report(
        self, line: int, code: str, message: str, level: ProblemLevel = ProblemLevel.error, **values: object
    ) -> None:
        words = fill_in(message, values)
        self.problems.append(Problem(path=self.path, line=line, level=level, code=code, message=words))


# ruff: noqa: ARG002 (a render rule has four arguments, whether it needs them or not)
class _Renderer(RendererHTML):
    """Renders HTML without line ends. Raw HTML, which is already a problem, is escaped."""

    def renderToken(  # noqa: N802 (markdown-it's own name)
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        if tokens[idx].type == "th_open":
            tokens[idx].attrSet("scope", "col")
        return super().renderToken(tokens, idx, options, env).strip("\n")

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return _escape(tokens[idx].content)

    def hardbreak(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "<br />"

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        # Where programs drop the style sheet, a line of code would make the mail wider than a phone.
        code = escape(tokens[idx].content, quote=False)
        return f'<pre style="white-space:pre-wrap"><code>{code}</code></pre>'

    def cell_label(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<span class="tl">{_escape(tokens[idx].meta["text"])}</span>'

    def footnote_mark(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return write_mark(tokens, idx)

    fence = code_block
    image = html_inline = html_block = text


def _sanitise(html: str, anchor: str) -> str:
    # nh3 writes HTML, but the template of an email is XML, which has no unclosed tags and no &nbsp;.
    closed = _VOID.sub(r"<\1 />", _SANITISER.clean(html)).replace("&nbsp;", "&#160;")
    return remove_unsafe_characters(link_notes(closed, anchor))


def _escape(text: str) -> str:
    return escape(_SPACES.sub(" ", text), quote=False)


def _has_cjk(following: Sequence[Token], level: int) -> bool:
    """Return whether the emphasis that ``following`` begins with has Chinese, Japanese or Korean letters."""
    for token in following:
        if token.type == "em_close" and token.level == level:
            break
        if any(is_cjk(character) and character.isalpha() for character in token.content):
            return True
    return False


def _link_text(following: Sequence[Token]) -> str:
    words = []
    for token in following:
        if token.type == "link_close":
            break
        words.append(" " if token.type in {"softbreak", "hardbreak"} else token.content)
    return "".join(words)


def _count_words(tokens: Sequence[Token]) -> int:
    cjk, plain = split_cjk(" ".join(_plain_texts(tokens)))
    wide = sum(map(str.isalnum, cjk))
    return len(_WORD.findall(plain)) + (wide + 1) // 2


def _plain_texts(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield "".join(child.content for child in token.children or [])
        elif token.type in {"fence", "code_block"}:
            yield token.content
