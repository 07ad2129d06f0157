"""Writes the document of the rich-text editor as Markdown, and leaves all that is as it was as it is written.

The rule is: what is written is read again, and it is written only if it says what the writer saw.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from editions.rich_text.assembly import Assembly, Part
from editions.rich_text.block_proof import FormerBlock, write_proved
from editions.rich_text.block_reader import SourceDocument, read_blocks
from editions.rich_text.canonical_form import canonical_block, canonical_blocks, has_broken_heading
from editions.rich_text.errors import UnwritableError
from editions.rich_text.kept_blocks import find_origins
from editions.rich_text.line_ends import normalise_line_ends
from editions.rich_text.node_json import decode_document
from editions.rich_text.nodes import Block


@dataclass(frozen=True, kw_only=True)
class WrittenDocument:
    """A body as Markdown. ``adjusted`` is whether it shows something else than the document did: emphasis
    that does not reach as far over punctuation, or a heading on one line."""

    markdown: str
    adjusted: bool


def write_document(original: str, document: Mapping[str, Any]) -> WrittenDocument:
    """Write a document as Markdown. ``original`` is the body that it was read from: of it, every block that
    has not changed keeps its bytes, and so does what is between them.

    Raises:
        UnwritableError: Markdown cannot say what the document shows.
        DocumentSchemaError: the editor makes no such document.
    """
    decoded = decode_document(document)
    wanted = canonical_blocks(decoded)
    source = read_blocks(original)
    former = tuple(canonical_block(found.block) for found in source.blocks)
    if wanted == former:
        return WrittenDocument(markdown=original, adjusted=False)
    parts = _write_parts(wanted, former, source)
    markdown = Assembly(original, source, parts).join()
    adjusted = any(part.adjusted for part in parts) or any(map(has_broken_heading, decoded))
    return WrittenDocument(markdown=markdown, adjusted=adjusted)


def _write_parts(wanted: tuple[Block, ...], former: tuple[Block, ...], source: SourceDocument) -> list[Part]:
    parts: list[Part] = []
    for place, (block, origin) in enumerate(zip(wanted, find_origins(wanted, former), strict=True)):
        if origin is not None and former[origin] == block:
            parts.append(Part(block=block, source=source.blocks[origin].source, origin=origin, kept=True))
            continue
        before = (
            None
            if origin is None
            else FormerBlock(block=former[origin], source=normalise_line_ends(source.blocks[origin].source))
        )
        try:
            written = write_proved(block, before, references=source.references)
        except UnwritableError as error:
            raise UnwritableError(str(error), block=place) from error
        parts.append(
            Part(block=written.block, source=written.source, origin=origin, adjusted=written.adjusted)
        )
    return parts
