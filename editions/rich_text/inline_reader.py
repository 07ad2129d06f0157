"""Reads the text of a block, with its marks, from what the parser found in it."""

from collections.abc import Sequence

from markdown_it.token import Token

from editions.markdown.cjk import join_soft_breaks
from editions.rich_text.links import is_editable_link
from editions.rich_text.nodes import BREAK, MARK_ORDER, Mark, MarkKind, RawReason, Text, append_text

_EMPHASIS = {
    f"{name}_{end}": kind
    for name, kind in (("em", MarkKind.em), ("strong", MarkKind.strong), ("s", MarkKind.strike))
    for end in ("open", "close")
}
_CODE = Mark(MarkKind.code)
_UNMODELLED = {
    "image": RawReason.picture,
    "html_inline": RawReason.html,
    "footnote_ref": RawReason.footnote,
}


class UnmodelledError(Exception):
    """The editor has nothing like it."""

    def __init__(self, why: RawReason) -> None:
        super().__init__(why)
        self.why = why


def read_inline(children: Sequence[Token]) -> tuple[Text, ...]:
    """Read the tokens inside a block. A line end of the source becomes what it is in the mail: a space, or
    nothing between two Chinese or Japanese characters.

    Raises:
        UnmodelledError: a picture, a footnote, HTML, or a link that must not be opened.
    """
    tokens = [*children]
    join_soft_breaks(tokens)
    texts: list[Text] = []
    opened: list[Mark] = []
    for token in tokens:
        kind = token.type
        if kind == "text":
            append_text(texts, Text(_show_tabs(token.content), sort_marks(opened)))
        elif kind == "code_inline":
            append_text(texts, Text(_show_tabs(token.content), sort_marks([*opened, _CODE])))
        elif kind == "hardbreak":
            texts.append(BREAK)
        elif kind == "link_open":
            opened.append(_read_link(token))
        elif kind == "link_close":
            _close(opened, MarkKind.link)
        elif kind not in _EMPHASIS:
            raise UnmodelledError(_UNMODELLED[kind])
        elif token.nesting > 0:
            opened.append(Mark(_EMPHASIS[kind]))
        else:
            _close(opened, _EMPHASIS[kind])
    return tuple(texts)


def _show_tabs(text: str) -> str:
    """``text`` as the mail shows it, in which a tab is a space."""
    return text.replace("\t", " ")


def sort_marks(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """The marks as a text has them: in order, one of each kind."""
    if len(marks) < 2:
        return tuple(marks)
    by_kind = {mark.kind: mark for mark in reversed(marks)}
    return tuple(sorted(by_kind.values(), key=lambda mark: MARK_ORDER[mark.kind]))


def _read_link(token: Token) -> Mark:
    href = str(token.attrs.get("href", ""))
    if not is_editable_link(href):
        raise UnmodelledError(RawReason.link)
    return Mark(MarkKind.link, href, str(token.attrs.get("title", "")))


def _close(opened: list[Mark], kind: MarkKind) -> None:
    place = max(place for place, mark in enumerate(opened) if mark.kind is kind)
    del opened[place]
