"""Finds the passage of a story that a comment is about, also after the story was edited."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from editions.rich_text.block_reader import read_blocks
from editions.rich_text.nodes import TEXT_KINDS, Block

MAX_QUOTE_LENGTH = 1000


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """Where a passage was when somebody commented on it: its words on one line, the SHA-256 of the block in
    which it began, and the place of that block from zero."""

    quote: str
    block_digest: str
    block: int


def list_passages(titles: Sequence[str], body: str) -> list[str]:
    """The text of a story as its readers see it, block by block, each on one line: its ``titles``, and the
    paragraphs, items and headings of its Markdown ``body``."""
    blocks = [text for found in read_blocks(body).blocks for text in _list_texts(found.block)]
    return [one for one in map(_on_one_line, [*titles, *blocks]) if one]


def anchor_passage(passages: Sequence[str], quote: str, *, near: int = 0) -> Anchor | None:
    """Find ``quote`` in the text of a story; of several places, the one nearest to block ``near``. None if it
    is not there."""
    wanted = _on_one_line(quote)
    places = _find_blocks(passages, wanted)
    if not wanted or not places:
        return None
    block = min(places, key=lambda place: abs(place - near))
    return Anchor(quote=wanted, block_digest=_digest(passages[block]), block=block)


def find_passage(passages: Sequence[str], anchor: Anchor) -> int | None:
    """The block in which the passage begins now; None if its words have changed.

    The block that is as it was comes first, wherever it is now, and then the nearest that has the words.
    """
    places = _find_blocks(passages, anchor.quote)
    same = [place for place in places if _digest(passages[place]) == anchor.block_digest]
    return min(same or places, key=lambda place: abs(place - anchor.block), default=None)


def _find_blocks(passages: Sequence[str], quote: str) -> list[int]:
    """The blocks in which ``quote`` begins; it may go on over the ends of blocks."""
    if not quote:
        return []
    text = " ".join(passages)
    begins = [0]
    for passage in passages:
        begins.append(begins[-1] + len(passage) + 1)
    found: list[int] = []
    at, block = text.find(quote), 0
    while at >= 0:
        while begins[block + 1] <= at:
            block += 1
        if not found or found[-1] != block:
            found.append(block)
        at = text.find(quote, at + 1)
    return found


def _list_texts(block: Block) -> list[str]:
    if block.kind in TEXT_KINDS:
        return ["".join(text.text for text in block.texts)]
    if block.source:
        return [block.source]
    return [text for inner in block.blocks for text in _list_texts(inner)]


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()
