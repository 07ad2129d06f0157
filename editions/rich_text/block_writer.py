"""Writes blocks as Markdown, one by one and beside each other."""

from collections.abc import Sequence
from dataclasses import replace

from editions.rich_text.inline_writer import write_inline
from editions.rich_text.nodes import LIST_KINDS, Block, BlockKind
from editions.rich_text.style import Style, other_style


def write_block(block: Block, style: Style) -> str:
    """The Markdown of a block in its canonical form, without a line end after it."""
    match block.kind:
        case BlockKind.raw:
            return block.source
        case BlockKind.paragraph:
            return write_inline(block.texts, style)
        case BlockKind.heading:
            return f"{'#' * block.level} {write_inline(block.texts, style)}".rstrip(" ")
        case BlockKind.horizontal_rule:
            return "---"
        case BlockKind.blockquote:
            return _prefix_lines(_write_siblings(block.blocks, style), "> ", "> ")
        case BlockKind.bullet_list | BlockKind.ordered_list:
            return _write_list(block, style)
    raise ValueError(block.kind)


def _write_list(block: Block, style: Style) -> str:
    items = []
    for number, item in enumerate(block.blocks, start=block.order):
        ordered = block.kind is BlockKind.ordered_list
        sign = f"{number}{style.delimiter} " if ordered else f"{style.bullet} "
        # Lists inside begin with the usual sign again.
        inner = _write_siblings(item.blocks, replace(style, bullet="-", delimiter="."), tight=block.tight)
        items.append(_prefix_lines(inner, sign, " " * len(sign)))
    return ("\n" if block.tight else "\n\n").join(items)


def _write_siblings(blocks: Sequence[Block], style: Style, *, tight: bool = False) -> str:
    written: list[str] = []
    before: Block | None = None
    for block in blocks:
        same = before is not None and before.kind is block.kind and block.kind in LIST_KINDS
        # Neighbouring lists with the same sign would be one.
        style = other_style(style) if same else style
        # Neither a second "- - -" for an item nor "---" below a paragraph, which would be its heading.
        written.append("___" if block.kind is BlockKind.horizontal_rule else write_block(block, style))
        before = block
    return ("\n" if tight else "\n\n").join(written)


def _prefix_lines(text: str, first: str, others: str) -> str:
    lines = text.split("\n")
    prefixed = [f"{first}{lines[0]}", *(f"{others}{line}" for line in lines[1:])]
    return "\n".join(line.rstrip(" ") if not line.strip(" >") else line for line in prefixed)
