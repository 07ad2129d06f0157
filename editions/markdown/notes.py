"""Footnotes: numbered within one text, listed at its end, with links there and back.

A link inside an email needs an id that nothing else in the email has, so each contains the text's own
``anchor``. Word, which renders email for Outlook on Windows, jumps to names only.
"""

import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

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
    """Put the number of each footnote in ``tokens`` into its first paragraph, in place, and remove the
    plugin's own link back."""
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
    """The mark that stands for the footnote token at ``index`` until the HTML is sanitised."""
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
