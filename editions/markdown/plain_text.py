"""The plain text of Markdown, and the first sentences of it."""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from editions.markdown.dialect import NUMBER, write_marker

_BULLET = "•"
# Without a mark, struck-out text would be valid again ("3 May 4 May"); left out, a cancelled item would be an
# empty line; and only people who write Markdown understand "~~". A cross works in every language.
_STRUCK_OUT = "[× {}]"
_MAILTO = "mailto:"
# A line of plain-text email is wrapped after 76 characters, which would mix up the cells of a row.
_MAX_ROW = 76
MAX_LEAD_WIDTH = 130
"""The most that a lead is long, in columns of a fixed-width font: a Chinese character counts as two. On a
phone this is three or four lines."""
_MIN_LEAD_WIDTH = 60
_PARAGRAPH = re.compile(r"<(p|li|blockquote)(?:\s[^>]*)?>(.*?)</\1>", re.DOTALL)
# A reference to a note says nothing without the note.
_NOTE_REFERENCE = re.compile(r"<sup\b[^>]*>.*?</sup>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
# A full stop ends a sentence if something that begins one follows, and if it does not end an abbreviation
# such as "Dr." or "U.N.": before it are two small letters, a digit or a closing mark.
_SENTENCE_END = re.compile(
    r"(?:(?:(?<=[^\W\d_]{2})|(?<=[\d)\]”’\"»%]))\.|[!?…؟۔])[”’\"»)]*(?=\s+[^\sa-z])|[。！？][”’」』）]*"
)
_ABBREVIATION = re.compile(
    r"\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|Nos|Art|cf|vs|approx|Mme|Mlle|Inc|Ltd|Jr|Sr|Col|Gen|Vol|Fig)\.$"
)
_WIDE = re.compile("[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60]")


def render_plain_text(tokens: Sequence[Token]) -> str:
    """Return ``tokens`` as text: blank lines between paragraphs, ``•`` before items, ``> `` before
    quotations, the address of a link in brackets after its text. Lines are not wrapped."""
    return "\n".join(_blocks(SyntaxTreeNode(tokens).children)).strip("\n")


def _blocks(nodes: Sequence[SyntaxTreeNode], *, tight: bool = False) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        block = _block(node)
        if lines and block and not tight:
            lines.append("")
        lines += block
    return lines


def _block(node: SyntaxTreeNode) -> list[str]:
    if node.type in {"bullet_list", "ordered_list"}:
        return _list(node)
    if node.type == "blockquote":
        return [f"> {line}".rstrip() for line in _blocks(node.children)]
    if node.type in {"fence", "code_block"}:
        return [f"    {line}".rstrip() for line in node.content.rstrip("\n").split("\n")]
    if node.type == "table":
        return _table([row for part in node.children for row in part.children])
    if node.type == "footnote_block":
        return [line for note in node.children for line in _note(note)]
    if node.type == "hr":
        return ["* * *"]
    if node.type == "html_block":
        return []
    return [line.strip() for line in _inline(node.children).split("\n")]


def _table(rows: Sequence[SyntaxTreeNode]) -> list[str]:
    """Return a line for each row; if one would be too long, a group of lines for each, with the headings."""
    cells = [[_inline(cell.children) for cell in row.children] for row in rows]
    lines = [" | ".join(row) for row in cells]
    if len(lines) < 2 or max(map(len, lines)) <= _MAX_ROW:
        return lines
    (_, *heads), *records = cells
    return [
        line
        for name, *values in records
        for line in (
            name,
            *(f"  {head}: {value}" for head, value in zip(heads, values, strict=True) if value),
        )
    ]


def _note(node: SyntaxTreeNode) -> list[str]:
    """Return a footnote, whose further lines begin below its first word."""
    first, *others = _blocks(node.children) or [""]
    lead = " " * (first.find("]") + 2)
    return [first, *(f"{lead}{line}".rstrip() for line in others)]


def _list(node: SyntaxTreeNode) -> list[str]:
    lines: list[str] = []
    tight = all(
        child.hidden for item in node.children for child in item.children if child.type == "paragraph"
    )
    number = int(node.attrs.get("start", 1))
    for position, item in enumerate(node.children):
        kind = str(node.attrs.get("type", ""))
        mark = _BULLET if node.type == "bullet_list" else write_marker(number + position, kind)
        if lines and not tight:
            lines.append("")
        first, *others = _blocks(item.children, tight=tight) or [""]
        lines.append(f"{mark} {first}".rstrip())
        lines += [f"{' ' * (len(mark) + 1)}{line}".rstrip() for line in others]
    return lines


def _inline(nodes: Sequence[SyntaxTreeNode]) -> str:
    return "".join(_text(node) for node in nodes)


def _text(node: SyntaxTreeNode) -> str:
    if node.type == "hardbreak":
        return "\n"
    if node.type == "html_inline":
        return ""
    if node.type == "footnote_ref":
        return f"[{node.meta['id'] + 1}]"
    if node.type == NUMBER:
        return f"[{node.meta['number']}] "
    if node.type == "link":
        return _link(_inline(node.children), str(node.attrs.get("href", "")))
    if node.type == "s":
        return _STRUCK_OUT.format(_inline(node.children))
    if node.children:
        return _inline(node.children)
    return " ".join(node.content.split("\n")) if node.type == "text" else node.content


def _link(words: str, url: str) -> str:
    address = _printable_url(url)
    return f"{words} ({address})" if address and words.strip() not in {"", url, address} else address or words


def _printable_url(url: str) -> str:
    """Return a link's address to be read or copied; of ``mailto:`` links the email address alone."""
    if not url.startswith(_MAILTO):
        return url
    written = url.removeprefix(_MAILTO).partition("?")[0]
    plain = unquote(written)
    return plain if plain.isprintable() else written


# A story is asked for its lead each time its edition is read, and changes seldom.
@lru_cache(maxsize=1000)
def find_lead(html: str) -> str:
    """Return the first paragraph of ``html``, or its first item or quotation, as plain text: whole sentences
    of at most ``MAX_LEAD_WIDTH`` columns, or if the first is longer, its beginning with an ellipsis. Empty if
    there is none."""
    paragraphs = (_plain(found[2]) for found in _PARAGRAPH.finditer(html))
    return shorten_at_sentence(next((text for text in paragraphs if text), ""))


def shorten_at_sentence(text: str, most: int = MAX_LEAD_WIDTH) -> str:
    """Return ``text`` if it is at most ``most`` columns wide, else as many whole sentences as fit; if not
    even one of a useful length does, as many words, followed by an ellipsis."""
    if _width(text) <= most:
        return text
    best = ""
    for end in _SENTENCE_END.finditer(text):
        sentence = text[: end.end()]
        if _width(sentence) > most:
            break
        if not _ABBREVIATION.search(sentence):
            best = sentence
    return best if _width(best) >= min(_MIN_LEAD_WIDTH, most) else _cut_at_word(text, most)


def _cut_at_word(text: str, most: int) -> str:
    # Of most texts, every character is one column wide.
    cut = text[: most - 1]
    while _width(cut) >= most:
        cut = cut[:-1]
    space = cut.rfind(" ")
    # Chinese and Japanese are written without spaces: one that is far back divides something else.
    if space > len(cut) * 0.6:
        cut = cut[:space]
    return cut.rstrip(" ,;:–—-、，；：（(“‘「") + "…"


def _plain(html: str) -> str:
    return " ".join(unescape(_TAG.sub("", _NOTE_REFERENCE.sub("", html.replace("<br />", " ")))).split())


def _width(text: str) -> int:
    return len(text) + len(_WIDE.findall(text))
