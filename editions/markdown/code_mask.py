"""Hides the code in Markdown from checks that look for patterns in prose."""

import re
from functools import cache

from markdown_it import MarkdownIt

from editions.markdown.lettered_lists import use_lettered_lists
from editions.markdown.notes import use_footnotes

# A span may go over a line end, but not over an empty line, where its paragraph ends.
_SPAN = re.compile(r"(?<![\\`])(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)
_MAY_BE_CODE = re.compile(r"`|~~~|^(?: {4}|\t)", re.MULTILINE)
_CHARACTER = re.compile(r"[^\n]")


def mask_code(source: str) -> str:
    """``source`` with each character of a code block or a code span replaced by a space, so that every line
    and column stays where it is."""
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
    """A parser that finds the blocks of a body and leaves their text alone: what is indented below a list
    item or a footnote is no code."""
    parser = MarkdownIt("commonmark").enable("table")
    use_footnotes(parser)
    use_lettered_lists(parser)
    return parser.disable("inline")
