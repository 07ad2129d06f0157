"""The mail that is checked, with its document, styles and texts, and what a check finds in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from types import MappingProxyType
from typing import NamedTuple

from lxml import etree
from lxml import html as lxml_html

from editions.images.prepared_images import PreparedImage
from locales.phrase import fill_in
from mailer.checks.mail.computed_style import Appearance, ComputedStyle, compute_styles
from mailer.checks.mail.dom import Node, list_nodes, match_rules
from mailer.checks.mail.stylesheet import StyleRule, StyleSheet, parse_sheet
from mailer.rendering.body.assembly import StorySpan
from mailer.rendering.body.fragments import MergeTag
from mailer.rendering.themes.theme import Theme

_NON_TEXT_TAGS = frozenset({"head", "script", "style", "template", "title"})
_CONDITION = re.compile(r"<!--\[if ([^\]]*)\]>(.*?)<!\[endif\]-->", re.DOTALL)
_NOT_OUTLOOK = re.compile(r"<!--\[if !mso\]><!-->(.*?)<!--<!\[endif\]-->", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# Begins and ends a story in the parsed email. Comments change nothing that is checked in it.
_STORY_MARK = "story:"
_MAX_TEXTS = 3
_FOLLOWING = 40


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place in an email: the slug of the ``story`` around it, empty outside all stories, and the ``texts``
    that readers see there, the most telling first."""

    story: str = ""
    texts: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class MailFinding:
    """A problem in one email. Findings of several emails are merged if ``code`` and ``key`` are the same; the
    message of the heaviest is shown. ``places`` are where in the email it is, if it is somewhere."""

    code: str
    message: str
    key: str
    weight: float = 0
    places: tuple[Place, ...] = ()


def finding(
    code: str,
    message: str,
    /,
    *,
    key: str | None = None,
    weight: float = 0,
    place: Place | None = None,
    **values: object,
) -> MailFinding:
    """Make a finding from a message, which is its key by default, and the ``values`` in it; give ``key`` and
    ``weight`` if one of them is a measurement, and its ``place`` if the writer can find it by that."""
    words = fill_in(message, values)
    return MailFinding(
        code=code,
        message=words,
        key=words if key is None else key,
        weight=weight,
        places=() if place is None else (place,),
    )


def excerpt(text: str, length: int = 40) -> str:
    """Return ``text`` on one line, in at most ``length`` characters, for quoting."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One distinct email: an edition in one language, as one variant of readers receives it. ``html`` and
    ``text`` may still contain placeholders of :mod:`mailer.rendering.body.fragments`. ``message`` is the
    whole message, or None if none was built; then its headers are not checked. ``images`` are by the last
    part of their address. Addresses that start with ``base_url`` are our own pages, which may be on this
    machine while the program is being tried out. ``words_language`` is that of the fixed phrases, empty if
    unknown. ``written`` is what :func:`~mailer.checks.rules.wording.find_written_code` finds."""

    language: str
    direction: str
    html: str = field(repr=False)
    text: str = field(repr=False)
    subject: str
    preheader: str
    theme: Theme = field(repr=False)
    organisation: str
    postal_address: str
    base_url: str
    message: bytes | None = field(default=None, repr=False)
    images: Mapping[str, PreparedImage] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    variant: str = ""
    words_language: str = ""
    written: frozenset[str] = frozenset()
    html_stories: tuple[StorySpan, ...] = field(default=(), repr=False)
    text_stories: tuple[StorySpan, ...] = field(default=(), repr=False)
    counts_clicks: bool = False
    unsubscribe_url: str = MergeTag.unsubscribe_url.placeholder
    preferences_url: str = MergeTag.preferences_url.placeholder

    def is_own(self, url: str) -> bool:
        """Return whether ``url`` is one of our own pages, or the placeholder for one."""
        own = (*(tag.placeholder for tag in MergeTag), self.unsubscribe_url, self.preferences_url)
        return url in own or url == self.base_url or url.startswith(f"{self.base_url}/")


class TextRun(NamedTuple):
    node: Node
    text: str


class ParsedMail:
    """``source`` with everything that several checks need, computed once and only when needed."""

    def __init__(self, mail: Mail) -> None:
        self.source = mail
        # Parsed from text, because a declaration of another encoding would mislead the parser about bytes. If
        # a template writes nothing, lxml has no document; the checks will report plenty about an empty one.
        try:
            self.root = lxml_html.document_fromstring(_mark_stories(mail))
        except etree.ParserError:
            self.root = lxml_html.document_fromstring("<html><body></body></html>")

    @cached_property
    def _stories(self) -> dict[lxml_html.HtmlElement, str]:
        """The slug of the story around each element that is inside one."""
        found: dict[lxml_html.HtmlElement, str] = {}
        story = ""
        for element in self.root.iter():
            words = element.text or ""
            if not isinstance(element.tag, str) and words.startswith(_STORY_MARK):
                story = words.removeprefix(_STORY_MARK)
            elif story:
                found[element] = story
        return found

    def place_of(self, node: Node, text: str = "") -> Place:
        """Return where ``node`` is, for a finding about it, or about the ``text`` in it."""
        words = sorted((part.strip() for part in node.element.itertext()), key=len, reverse=True)
        written = (text, node.get("alt") or "", *words[:_MAX_TEXTS])
        return Place(
            story=self._stories.get(node.element, ""),
            texts=tuple(filter(None, written)),
            link=(node.get("href") or "") if node.tag == "a" else "",
        )

    def place_in(self, text: str, position: int, *, markup: bool) -> Place:
        """Return where ``text`` is, which was found at ``position`` of the HTML part or of the text part."""
        mail = self.source
        part, spans = (mail.html, mail.html_stories) if markup else (mail.text, mail.text_stories)
        story = next((span.slug for span in spans if span.start <= position < span.end), "")
        # What follows it tells one place from another, as far as no element begins.
        following = unescape(part[position : position + _FOLLOWING].partition("<")[0])
        return Place(story=story, texts=(following, text))

    @cached_property
    def nodes(self) -> list[Node]:
        nodes = list_nodes(self.root)
        match_rules(nodes, self.rules)
        return nodes

    @cached_property
    def sheets(self) -> tuple[StyleSheet, ...]:
        """The ``<style>`` blocks that are not inside a comment."""
        sheets: list[StyleSheet] = []
        for element in self.root.iter("style"):
            first = sum(len(sheet.rules) for sheet in sheets)
            sheets.append(parse_sheet(element.text or "", element.get("media") or "", first))
        return tuple(sheets)

    @cached_property
    def rules(self) -> tuple[StyleRule, ...]:
        return tuple(rule for sheet in self.sheets for rule in sheet.rules)

    @cached_property
    def light_styles(self) -> dict[Node, ComputedStyle]:
        return compute_styles(self.nodes, Appearance.light)

    @cached_property
    def dark_styles(self) -> dict[Node, ComputedStyle]:
        return compute_styles(self.nodes, Appearance.dark)

    @cached_property
    def bare_styles(self) -> dict[Node, ComputedStyle]:
        return compute_styles(self.nodes, Appearance.bare)

    def styles_in(self, appearance: Appearance) -> dict[Node, ComputedStyle]:
        return {Appearance.light: self.light_styles, Appearance.dark: self.dark_styles}.get(
            appearance
        ) or self.bare_styles

    @cached_property
    def by_tag(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.tag, []).append(node)
        return found

    def find_all(self, *tags: str) -> list[Node]:
        """Return the elements with one of ``tags``, in document order for a single tag."""
        return [node for tag in tags for node in self.by_tag.get(tag, ())]

    @cached_property
    def articles(self) -> list[Node]:
        """The elements marked as the article itself."""
        return [node for node in self.find_all("div", "td", "table", "main") if node.get("role") == "article"]

    @cached_property
    def text_runs(self) -> list[TextRun]:
        """Every run of text that a reader can see, in document order."""
        by_element = {node.element: node for node in self.nodes}
        found: list[TextRun] = []
        hidden = {node for node, style in self.light_styles.items() if style.is_hidden}
        for element in self.root.iter():
            node = by_element.get(element)
            if node is not None and element.text and node.tag not in _NON_TEXT_TAGS and node not in hidden:
                found.append(TextRun(node, element.text))
            parent = by_element.get(element.getparent())
            if (
                element.tail
                and parent is not None
                and parent.tag not in _NON_TEXT_TAGS
                and parent not in hidden
            ):
                found.append(TextRun(parent, element.tail))
        return [run for run in found if not run.text.isspace()]

    @cached_property
    def visible_text(self) -> str:
        """All text that a reader can see, separated by spaces."""
        return " ".join(run.text for run in self.text_runs)

    @cached_property
    def outlook_comments(self) -> str:
        """The content of comments for Outlook on Windows."""
        return "\n".join(
            content for condition, content in _CONDITION.findall(self.source.html) if "!" not in condition
        )

    @cached_property
    def outlook_view(self) -> str:
        """The HTML as Outlook on Windows reads it: with what comments have for it, but not for others."""
        opened = _NOT_OUTLOOK.sub("", self.source.html)
        opened = _CONDITION.sub(lambda match: "" if "!" in match[1] else match[2], opened)
        return _COMMENT.sub("", opened)

    @cached_property
    def browser_view(self) -> str:
        """The HTML as all other programs read it: without comments."""
        return _COMMENT.sub("", self.source.html)


def _mark_stories(mail: Mail) -> str:
    """Return the HTML of ``mail`` with a comment where each of its stories starts and ends."""
    pieces, end = [], 0
    for span in mail.html_stories:
        story = mail.html[span.start : span.end]
        pieces += [mail.html[end : span.start], f"<!--{_STORY_MARK}{span.slug}-->", story]
        pieces.append(f"<!--{_STORY_MARK}-->")
        end = span.end
    return "".join([*pieces, mail.html[end:]])
