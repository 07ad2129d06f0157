"""The Markdown of editions: what it has beyond CommonMark, such as footnotes and lettered lists."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block.list import list_block
from markdown_it.rules_block.state_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from editions.markdown.writing_systems import use_cjk_rules

# Two noncharacters, which no text contains: what is between them becomes a link after the rest was sanitised.
_START, _END = "\ufdd2", "\ufdd3"
_MARK = re.compile(f"{_START}([a-z])(\\d*){_END}")
NUMBER = "footnote_number"
TOKENS = (
    "footnote_ref",
    NUMBER,
    *(f"footnote{part}_{end}" for part in ("", "_block") for end in ("open", "close")),
)
"""The types of tokens that :func:`write_mark` writes."""
_MARKER = re.compile(r"([A-Z](?=[.)](?: {2}|\t))|[a-z]|[ivxlc]{2,8}|[IVXLC]{2,8})([.)])[ \t]+\S")
_NUMERALS = (
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)
_STYLES = {"a": "lower-alpha", "A": "upper-alpha", "i": "lower-roman", "I": "upper-roman"}
MAX_CHARACTERS = 200_000
"""The most characters a body may have. An email must stay below 100 kB, so this is generous."""
MAX_NESTING = 20
"""How deep quotations and lists may be nested, a list counting twice. The parser silently leaves out anything
deeper."""
# A span may go over a line end, but not over an empty line, where its paragraph ends.
_SPAN = re.compile(r"(?<![\\`])(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)
_MAY_BE_CODE = re.compile(r"`|~~~|^(?: {4}|\t)", re.MULTILINE)
_CHARACTER = re.compile(r"[^\n]")


def use_footnotes(parser: MarkdownIt) -> None:
    """Make ``parser`` read footnotes; :func:`prepare_notes` and :func:`link_notes` do the rest."""
    footnote_plugin(parser, inline=False)
    # Markdown takes [^A] for [^a], as it does with links; the plugin does not.
    parser.core.ruler.before("normalize", "footnote_table", _begin_table)
    parser.core.ruler.before("footnote_tail", "footnote_names", _fold_names)


def _begin_table(state: StateCore) -> None:
    state.env["footnotes"] = {"refs": _FoldedNames(), "list": {}}


class _FoldedNames(dict[str, int]):
    """The numbers of footnotes by name, whose capitals do not matter."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(_fold(name))

    def __getitem__(self, name: str) -> int:
        return super().__getitem__(_fold(name))

    def __setitem__(self, name: str, number: int) -> None:
        super().__setitem__(_fold(name), number)

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(_fold(name), default)


def _fold(name: object) -> str:
    return str(name).casefold()


def _fold_names(state: StateCore) -> None:
    """Give a footnote and its marks one name, by which the plugin puts them together."""
    for token in state.tokens:
        if token.type == "footnote_reference_open":
            token.meta["label"] = _fold(token.meta["label"])
    for note in state.env["footnotes"]["list"].values():
        note["label"] = _fold(note["label"])


def prepare_notes(tokens: list[Token]) -> None:
    """Put the number of each footnote into its first paragraph, in place of the plugin's own link back."""
    kept: list[Token] = []
    number = 0
    for token in tokens:
        if token.type == "footnote_open":
            number = token.meta["id"] + 1
        elif token.type == "footnote_close" and number:
            # The note is empty, or begins with a list or the like.
            kept += _number_paragraph(number)
            number = 0
        elif token.type == "inline" and number and kept[-1].type == "paragraph_open":
            token.children = [_number_token(number), *(token.children or [])]
            number = 0
        elif number and token.type not in {"paragraph_open", "footnote_anchor"}:
            kept += _number_paragraph(number)
            number = 0
        if token.type != "footnote_anchor":
            kept.append(token)
    tokens[:] = kept


def _number_token(number: int) -> Token:
    return Token(NUMBER, "", 0, meta={"number": number})


def _number_paragraph(number: int) -> list[Token]:
    return [
        Token("paragraph_open", "p", 1, block=True),
        Token("inline", "", 0, content="", children=[_number_token(number)]),
        Token("paragraph_close", "p", -1, block=True),
    ]


def write_mark(tokens: Sequence[Token], index: int) -> str:
    """Return the mark that stands for the footnote token at ``index`` until the HTML is sanitised."""
    token = tokens[index]
    if token.type == "footnote_ref":
        # The note links back to the first reference alone.
        return f"{_START}{'s' if token.meta['subId'] else 'r'}{token.meta['id'] + 1}{_END}"
    if token.type == NUMBER:
        return f"{_START}n{token.meta['number']}{_END}"
    return {"footnote_block_open": f"{_START}o{_END}", "footnote_block_close": f"{_START}c{_END}"}.get(
        token.type, ""
    )


def link_notes(html: str, anchor: str) -> str:
    """Sanitised ``html`` with the marks replaced by links; ``anchor`` is part of every id."""
    if _START not in html:
        return html

    def replace(found: re.Match[str]) -> str:
        kind, number = found.groups()
        note, reference = (f"{name}-{anchor}{'-' * bool(anchor)}{number}" for name in ("note", "ref"))
        match kind:
            case "o":
                return '<div class="c fn">'
            case "c":
                return "</div>"
            case "r":
                return f'{_name(reference)}<sup id="{reference}">{_link(note, number, "doc-noteref")}</sup>'
            case "s":
                return f"<sup>{_link(note, number, 'doc-noteref')}</sup>"
        return f'{_name(note)}<span id="{note}">{_link(reference, number, "doc-backlink")}</span>&#160;'

    return _MARK.sub(replace, html)


def _link(target: str, number: str, role: str) -> str:
    return f'<a href="#{target}" role="{role}">[{number}]</a>'


def _name(anchor: str) -> str:
    return f'<!--[if mso]><a name="{anchor}"></a><![endif]-->'


def use_lettered_lists(parser: MarkdownIt) -> None:
    """Make ``parser`` read such lists as ordered ones with the attributes ``type`` and ``style``."""
    parser.block.ruler.before(
        "list", "lettered_list", _read_list, {"alt": ["paragraph", "reference", "blockquote"]}
    )


def write_marker(number: int, kind: str) -> str:
    """Return the sign of item ``number`` in a list of ``kind``: ``a.``, ``iv.``, or ``4.`` in others."""
    if kind.lower() == "i":
        sign = _to_roman(number)
    elif kind.lower() == "a" and 1 <= number <= 26:
        sign = chr(ord("a") + number - 1)
    else:
        return f"{number}."
    return f"{sign.upper() if kind.isupper() else sign}."


def _read_list(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Read a list with digits in place of its signs, as many, for the rule that reads numbered lists."""
    sign = "" if state.is_code_block(start_line) else _sign_at(state, start_line)
    kind = _find_kind(state, start_line, end_line, sign) if sign else ""
    # As in CommonMark, only a list from its beginning can follow a paragraph without a blank line.
    if not kind or silent:
        return bool(kind) and _read_sign(sign, kind) == 1
    source, position = state.src, len(state.tokens)
    state.src = _write_digits(state, start_line, end_line, kind)
    try:
        found = list_block(state, start_line, end_line, silent)
    finally:
        state.src = source
    if not found:
        return False
    opening, number = state.tokens[position], _read_sign(sign, kind)
    # The digits may have had too few places.
    opening.attrs.pop("start", None)
    if number != 1:
        opening.attrs["start"] = number
    opening.attrSet("type", kind)
    opening.attrSet("style", f"list-style-type:{_STYLES[kind]}")
    return True


def _sign_at(state: StateBlock, line: int) -> str:
    start = state.bMarks[line] + state.tShift[line]
    found = _MARKER.match(state.src, start, state.eMarks[line])
    return found[1] if found else ""


def _find_kind(state: StateBlock, start_line: int, end_line: int, sign: str) -> str:
    """Return the ``type`` of list that ``sign`` begins and another item follows in; else empty."""
    following = _find_next_sign(state, start_line, end_line)
    for kind in ("i", "a") if sign.islower() else ("I", "A"):
        number = _read_sign(sign, kind)
        if number and _read_sign(following, kind) == number + 1:
            return kind
    return ""


def _find_next_sign(state: StateBlock, start_line: int, end_line: int) -> str:
    """Return the next sign as far in as the one on ``start_line``; empty if other text comes first."""
    after_blank = False
    for line in range(start_line + 1, end_line):
        if state.isEmpty(line):
            after_blank = True
        elif state.sCount[line] > state.sCount[start_line]:
            after_blank = False
        elif sign := _sign_at(state, line) if state.sCount[line] == state.sCount[start_line] else "":
            return sign
        elif after_blank or state.sCount[line] < state.blkIndent:
            return ""
    return ""


def _write_digits(state: StateBlock, start_line: int, end_line: int, kind: str) -> str:
    source, expected = state.src, 0
    for line in range(start_line, end_line):
        sign = _sign_at(state, line) if state.sCount[line] == state.sCount[start_line] else ""
        if number := _read_sign(sign, kind):
            # "i." after "b." begins another list.
            if expected and number != expected:
                break
            expected = number + 1
            start = state.bMarks[line] + state.tShift[line]
            digits = str(number).zfill(len(sign))[-len(sign) :]
            source = f"{source[:start]}{digits}{source[start + len(sign) :]}"
    return source


def _read_sign(sign: str, kind: str) -> int:
    """Return the number that ``sign`` stands for in a list of ``kind``; 0 if it is no sign of such a list."""
    if not sign or sign.isupper() != kind.isupper():
        return 0
    small = sign.lower()
    if kind.lower() == "a":
        return ord(small) - ord("a") + 1 if len(small) == 1 else 0
    number, rest = 0, small
    for value, numeral in _NUMERALS:
        while rest.startswith(numeral):
            number, rest = number + value, rest.removeprefix(numeral)
    return number if not rest and _to_roman(number) == small else 0


def _to_roman(number: int) -> str:
    text = ""
    for value, numeral in _NUMERALS:
        while number >= value:
            text, number = text + numeral, number - value
    return text


def create_parser(renderer: type[RendererHTML] = RendererHTML) -> MarkdownIt:
    """Create a parser of bodies; ``renderer`` writes what it has read as HTML."""
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}, renderer_cls=renderer)
    parser.enable(["table", "strikethrough"])
    use_footnotes(parser)
    use_lettered_lists(parser)
    use_cjk_rules(parser)
    # Accept every link here, so that it can be reported; by default `[x](javascript:…)` stays text.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
    return parser


def mask_code(source: str) -> str:
    """Return ``source`` with each character of code as a space, so that every line and column stays."""
    if not _MAY_BE_CODE.search(source):
        return source
    lines = source.split("\n")
    for token in _block_parser().parse(source):
        if token.type in {"fence", "code_block"} and token.map:
            for number in range(*token.map):
                lines[number] = " " * len(lines[number])
    return mask_code_spans("\n".join(lines))


def mask_code_spans(source: str) -> str:
    """Like :func:`mask_code`, for text in which an indented line is no code, such as front matter."""
    return _SPAN.sub(lambda span: _CHARACTER.sub(" ", span[0]), source) if "`" in source else source


@cache
def _block_parser() -> MarkdownIt:
    """Return a parser of blocks alone, to which what is indented below an item or a footnote is no code."""
    parser = MarkdownIt("commonmark").enable("table")
    use_footnotes(parser)
    use_lettered_lists(parser)
    return parser.disable("inline")
