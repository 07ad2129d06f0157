"""Markdown next to Chinese, Japanese and Korean characters, where CommonMark expects spaces between words.

In CommonMark, ``**`` next to punctuation can only open or close emphasis when there is a space or more
punctuation on its other side. Chinese and Japanese have no such spaces, so ``**「重要」**です`` would
show its asterisks. The rule here is the one proposed to CommonMark: a CJK character counts as a space. Text
without CJK characters is parsed exactly as before.
"""

import re
import unicodedata
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline.state_inline import Scanned, StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u31ff\u3200-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f"
    "\uff00-\uffef\U0001aff0-\U0001b16f\U0001f200-\U0001f2ff\U00020000-\U0003fffd]"
)
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7ff]")
# Used by Latin scripts and by Chinese and Japanese; they count as the latter next to a letter of theirs.
_SHARED_PUNCTUATION = "“”‘’—…·"
# How many characters are looked at: "……”" is the longest run that is in use.
_NEAR = 4
_WIDE = frozenset({"W", "F", "H"})


def is_cjk(character: str) -> bool:
    """Return whether ``character`` belongs to Chinese, Japanese or Korean, punctuation included."""
    return bool(_CJK.match(character))


def split_cjk(text: str) -> tuple[str, str]:
    """Return the characters of ``text`` for which :func:`is_cjk` holds, and ``text`` with a space for
    each."""
    cjk = "".join(_CJK.findall(text))
    return cjk, _CJK.sub(" ", text) if cjk else text


class _CjkState(StateInline):
    """The state of one text; its tokens also record where they begin (``meta["at"]``)."""

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        token = super().push(ttype, tag, nesting)
        token.meta["at"] = self.pos
        return token

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803 (markdown-it's own names)
        scanned = super().scanDelims(start, canSplitWord)
        end = start + scanned.length
        before = _nearest(self.src[max(start - _NEAR, 0) : start][::-1])
        after = _nearest(self.src[end : min(end + _NEAR, self.posMax)])
        if not (is_cjk(before) or is_cjk(after)):
            return scanned
        left = not _is_space(after) and (
            not _is_non_cjk_punctuation(after)
            or _is_space(before)
            or _is_non_cjk_punctuation(before)
            or is_cjk(before)
        )
        right = not _is_space(before) and (
            not _is_non_cjk_punctuation(before)
            or _is_space(after)
            or _is_non_cjk_punctuation(after)
            or is_cjk(after)
        )
        return Scanned(
            left and (canSplitWord or not right or _is_punctuation(before)),
            right and (canSplitWord or not left or _is_punctuation(after)),
            scanned.length,
        )


def _nearest(text: str) -> str:
    """Return the first character of ``text``; an ideographic comma in place of punctuation that belongs to
    the CJK letter behind it; a space if there is none."""
    if not text:
        return " "
    beyond = text.lstrip(_SHARED_PUNCTUATION)[:1]
    return "、" if text[0] in _SHARED_PUNCTUATION and is_cjk(beyond) else text[0]


class _CjkInline(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _CjkState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def use_cjk_rules(parser: MarkdownIt) -> None:
    """Make ``parser``, and no other, follow the rule above."""
    inline = _CjkInline()
    inline.ruler, inline.ruler2, inline.terminator_re = (
        parser.inline.ruler,
        parser.inline.ruler2,
        parser.inline.terminator_re,
    )
    parser.inline = inline


def join_soft_breaks(children: list[Token]) -> None:
    """Replace the line ends of the source, in place: with nothing between two wide characters, else a space.

    This is the rule of CSS Text 3 §4.1.3. Korean has spaces between words, so Hangul counts as other letters
    do.
    """
    before = " "
    breaks: list[Token] = []
    for token in children:
        if token.type == "softbreak":
            token.type, token.tag, token.content = "text", "", " "
            breaks.append(token)
        elif token.content:
            if _is_written_without_spaces(before) and _is_written_without_spaces(token.content[0]):
                for line_end in breaks:
                    line_end.content = ""
            before, breaks = token.content[-1], []


def _is_written_without_spaces(character: str) -> bool:
    return (
        is_cjk(character)
        and unicodedata.east_asian_width(character) in _WIDE
        and not _HANGUL.match(character)
    )


def _is_space(character: str) -> bool:
    return character in "\t\n\x0b\x0c\r" or unicodedata.category(character) == "Zs"


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith(("P", "S"))


def _is_non_cjk_punctuation(character: str) -> bool:
    return _is_punctuation(character) and not is_cjk(character)
