"""The words of a text and where its links lead, in the order in which they stand.

Two mails say the same if their streams are the same, however programs have wrapped, quoted and dressed them.
Everything here takes time in proportion to the text, whatever it is.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from mailer.verification.link_target import LinkTarget, read_link

_URL = re.compile(r"(?:https?|ftp):[/\\][^\s<>\"'）」】]{1,4000}", re.IGNORECASE)
# Letters and digits that belong together; Chinese, Japanese and Thai have no spaces, so each sign is a word.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u2e80-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|"
    r"[^\W_\u0e00-\u0eff\u2e80-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_ATTRIBUTE = re.compile(
    r"(?:^|[\s\"'/])(?:xlink:)?(href|src|srcset|action|formaction|background|poster|data|content|style|alt)"
    r"\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)",
    re.IGNORECASE,
)
_STYLE_URL = re.compile(r"url\(\s*[\"']?([^\"')]{1,4000})", re.IGNORECASE)
_REFRESH = re.compile(r"^\s*\d+\s*[;,]\s*(?:url\s*=\s*)?[\"']?(.{1,4000})", re.IGNORECASE | re.DOTALL)
_UNSHOWN = ("style", "script", "title")
_PICTURES = frozenset({"src", "srcset", "background", "poster", "style"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word in small letters, or where a link leads."""

    word: str = ""
    link: LinkTarget | None = None


def read_text_tokens(text: str) -> Iterator[Token]:
    """Yield the words and links of a plain text."""
    position = 0
    for match in _URL.finditer(text):
        yield from _list_words(text[position : match.start()])
        if (link := read_link(match[0].rstrip(".,;:!?)]}>*"))) is not None:
            yield Token(link=link)
        position = match.end()
    yield from _list_words(text[position:])


def read_html_tokens(source: str) -> Iterator[Token]:
    """Yield the words and links of an HTML text, also those in comments, which Outlook reads."""
    for kind, piece in _split_markup(source):
        if kind == "text":
            yield from read_text_tokens(html.unescape(piece))
        elif kind == "tag":
            yield from _read_tag(piece)
        else:
            yield from _list_hidden_links(piece)


def _list_words(text: str) -> Iterator[Token]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return (Token(word=word) for word in _WORD.findall(folded))


def _split_markup(source: str) -> Iterator[tuple[str, str]]:
    """Yield (``text``, ``tag`` or ``hidden``, piece). What is not closed goes to the end."""
    position, lower = 0, source.lower()
    if len(lower) != len(source):
        lower = "".join(one.lower() if len(one.lower()) == 1 else one for one in source)
    while position < len(source):
        start = source.find("<", position)
        if start < 0:
            yield "text", source[position:]
            return
        if start > position:
            yield "text", source[position:start]
        if source.startswith("<!--", start):
            end = source.find("-->", start + 4)
            end = len(source) if end < 0 else end + 3
            yield "hidden", source[start:end]
        else:
            end = source.find(">", start)
            end = len(source) if end < 0 else end + 1
            name = lower[start + 1 : start + 9]
            unshown = next((word for word in _UNSHOWN if name.startswith(word)), "")
            yield "tag", source[start:end]
            if unshown:
                close = lower.find(f"</{unshown}", end)
                close = len(source) if close < 0 else close
                yield "hidden", source[end:close]
                end = close
        position = end


def _read_tag(tag: str) -> Iterator[Token]:
    is_picture = tag[1:4].lower() == "img"
    is_link = tag[1:2].lower() == "a" and tag[2:3].isspace()
    for match in _ATTRIBUTE.finditer(tag):
        name, value = match[1].lower(), html.unescape(match[2].strip("\"'"))
        if name == "alt":
            yield from _list_words(value)
        elif name == "style":
            for url in _STYLE_URL.findall(value):
                yield from _make_link(url, is_picture=True)
        elif name == "content":
            if refresh := _REFRESH.match(value):
                yield from _make_link(refresh[1], is_picture=False)
        elif name == "srcset":
            for entry in value.split(","):
                yield from _make_link(entry.split()[0] if entry.split() else "", is_picture=True)
        else:
            yield from _make_link(value, is_picture=is_picture or (name in _PICTURES and not is_link))


def _make_link(url: str, *, is_picture: bool) -> Iterator[Token]:
    link = read_link(url, is_picture=is_picture)
    if link is not None:
        yield Token(link=link)


def _list_hidden_links(source: str) -> Iterator[Token]:
    for url in _URL.findall(html.unescape(source)):
        yield from _make_link(url.rstrip(");,'\""), is_picture=True)
