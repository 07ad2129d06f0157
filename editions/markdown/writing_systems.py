"""Writing systems: the rules for Chinese, Japanese and Korean, and marking text in another script."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from html import escape
from typing import Literal, TypeAlias

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline.state_inline import Scanned, StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u31ff\u3200-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f"
    "\uff00-\uffef\U0001aff0-\U0001b16f\U0001f200-\U0001f2ff\U00020000-\U0003fffd]"
)
# Used by Latin scripts and by Chinese and Japanese; they count as the latter next to a letter of theirs.
_SHARED_PUNCTUATION = "“”‘’—…·"
# How many characters are looked at: "……”" is the longest run that is in use.
_NEAR = 4
_WIDE = frozenset({"W", "F", "H"})
_HAN = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003fffd"
)
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d\U0001aff0-\U0001b16f"
_HANGUL_SCRIPT = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7ff"
_HANGUL = re.compile(f"[{_HANGUL_SCRIPT}]")
_CYRILLIC = "\u0400-\u0482\u048a-\u052f\u1c80-\u1c8f"
_MONGOLIAN = "\u1820-\u18aa"
_NON_LATIN = re.compile(f"[{_HAN}{_KANA}{_HANGUL_SCRIPT}{_CYRILLIC}{_MONGOLIAN}]")
# East Asian punctuation: part of a run, but not a run on its own.
_CJK_PUNCTUATION = "\u3001-\u3003\u3008-\u301f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
# Allowed between two letters of one run: spaces, digits and common punctuation; U+0301 is a stress mark.
_JOINING_CHARACTERS = " 0-9·–—,.:;“”‘’'\u0301\u00a0-"
# The languages written in a script, in which it needs no mark.
_NATIVE_LANGUAGES = {
    "han": frozenset({"zh", "yue", "wuu", "hak", "nan", "lzh", "ja", "ko"}),
    "kana": frozenset({"ja"}),
    "hangul": frozenset({"ko"}),
    "cyrillic": frozenset(("be", "bg", "kk", "ky", "mk", "mn", "ru", "sr", "tg", "tt", "tyv", "uk")),
    "mongolian": frozenset({"mn"}),
}
_LANGUAGE_BY_SCRIPT = {
    "han": "zh-Hans",
    "kana": "ja",
    "hangul": "ko",
    "cyrillic": "mn",
    "mongolian": "mn-Mong",
}
_IS_CJK_PUNCTUATION = re.compile(f"[{_CJK_PUNCTUATION}]")
_HAS_KANA = re.compile(f"[{_KANA}]")
_MARKUP = re.compile("(<[^>]*>)")
_INLINE = re.compile(r"</?(a|em|strong|s|code|span)\b")


def is_cjk(character: str) -> bool:
    """Return whether ``character`` belongs to Chinese, Japanese or Korean, punctuation included."""
    return bool(_CJK.match(character))


def split_cjk(text: str) -> tuple[str, str]:
    """Return the characters of ``text`` for which :func:`is_cjk` holds, and ``text`` with spaces for them."""
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
    """Replace the line ends of the source, in place: with nothing between two wide characters, else a space
    (CSS Text 3 §4.1.3). Korean has spaces between words, so Hangul counts as other letters do."""
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


@lru_cache(maxsize=4096)
def mark_languages_in_text(text: str, *, language: str) -> str:
    """Plain ``text`` in ``language`` as HTML, with text in other scripts in ``<span lang="…">``.

    >>> mark_languages_in_text("Visible (看见) & heard", language="en")
    'Visible (<span lang="zh-Hans">看见</span>) &amp; heard'
    """
    return _wrap_runs(text, 0, _find_runs(text, language), escape)


def mark_languages_in_html(html: str, *, language: str) -> str:
    """Sanitised ``html`` with the same marks. A run continues through inline tags, so that all of
    ``<strong>重要</strong>です`` is Japanese."""
    marked: list[str] = []
    block: list[str] = []
    for piece in _MARKUP.split(html):
        if piece.startswith("<") and not _INLINE.match(piece):
            marked += [*_mark_block(block, language), piece]
            block = []
        else:
            block.append(piece)
    return "".join([*marked, *_mark_block(block, language)])


def _mark_block(pieces: list[str], language: str) -> list[str]:
    runs = _find_runs("".join(piece for piece in pieces if not piece.startswith("<")), language)
    if not runs:
        return pieces
    marked, offset, first = [], 0, 0
    for piece in pieces:
        if piece.startswith("<"):
            marked.append(piece)
            continue
        while first < len(runs) and runs[first][1] <= offset:
            first += 1
        end = offset + len(piece)
        last = first
        while last < len(runs) and runs[last][0] < end:
            last += 1
        marked.append(_wrap_runs(piece, offset, runs[first:last], str))
        offset = end
    return marked


def _wrap_runs(text: str, offset: int, runs: Sequence["_Run"], encode: Callable[[str], str]) -> str:
    """Return ``text`` with the ``runs`` marked; it begins at ``offset`` of the text they were found in."""
    parts, end = [], 0
    for start, stop, other in runs:
        first, last = max(start - offset, 0), min(stop - offset, len(text))
        if first < last:
            parts += [encode(text[end:first]), f'<span lang="{other}">{encode(text[first:last])}</span>']
            end = last
    return "".join([*parts, encode(text[end:])])


_Run: TypeAlias = tuple[int, int, str]
"""The beginning and end of a run, and its language."""


def _find_runs(text: str, language: str) -> list[_Run]:
    # Most texts are in one script, which this detects in a tenth of the time.
    if not _NON_LATIN.search(text):
        return []
    own = language.partition("-")[0].lower()
    runs: list[_Run] = []
    end = 0
    for found in _run_pattern().finditer(text):
        start = found.start()
        while start > end and _IS_CJK_PUNCTUATION.match(text[start - 1]):
            start -= 1
        end = found.end()
        if other := _language_of(found, own):
            runs.append((start, end, other))
    return runs


def _language_of(run: re.Match[str], own: str) -> str | None:
    """Return the language of a run within text in ``own``; None where ``own`` is written in that script."""
    script = run.lastgroup or ""
    if script == "han" and _HAS_KANA.search(run.group()):
        script = "kana"
    return None if own in _NATIVE_LANGUAGES[script] else _LANGUAGE_BY_SCRIPT[script]


@cache
def _run_pattern() -> re.Pattern[str]:
    scripts = {"han": _HAN + _KANA, "hangul": _HANGUL_SCRIPT, "cyrillic": _CYRILLIC, "mongolian": _MONGOLIAN}
    return re.compile(
        "|".join(f"(?P<{name}>{_run_expression(letters)})" for name, letters in scripts.items())
    )


def _run_expression(letters: str) -> str:
    between = f"[{_JOINING_CHARACTERS}]+(?=[{_CJK_PUNCTUATION}]*[{letters}])"
    return f"[{letters}](?:[{letters}{_CJK_PUNCTUATION}]|{between})*"
