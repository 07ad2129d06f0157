"""A body as units of text, one for each paragraph, heading and item of a list, and back."""

from collections.abc import Callable, Iterator, Sequence

from editions.rich_text.block_reader import SourceDocument, read_blocks
from editions.rich_text.document_writer import write_document
from editions.rich_text.node_json import encode_document
from editions.rich_text.nodes import TEXT_KINDS, Block, BlockKind, Text
from editions.translation_exchange.unit import Texts, TranslationUnit, plain_text

WHOLE_BODY = "body"
_NOTES = {
    BlockKind.paragraph: "Paragraph",
    BlockKind.heading: "Heading in the text",
    BlockKind.raw: "Written in Markdown: keep its signs",
}


def list_body_units(original: str, translation: str) -> Iterator[TranslationUnit]:
    """The units of a body, each with its translation.

    Where the translation is not divided as the original is, nobody can tell which paragraph is which, so the
    whole body is one unit, in Markdown.
    """
    blocks = _read(original)
    translated = _read(translation)
    if translation.strip() and _shapes(blocks) != _shapes(translated):
        yield TranslationUnit(
            id=WHOLE_BODY,
            note="The whole text, in Markdown: keep its signs",
            source=(Text(original.strip()),),
            target=(Text(translation.strip()),),
            is_markdown=True,
        )
        return
    targets = dict(_walk(translated)) if translation.strip() else {}
    for path, block in _walk(blocks):
        is_raw = block.kind is BlockKind.raw
        found = targets.get(path)
        yield TranslationUnit(
            id=path,
            note=_NOTES[block.kind],
            source=_texts_of(block),
            target=_texts_of(found) if found else (),
            plain=is_raw,
            is_markdown=is_raw,
        )


def fill_body(original: str, translation: str, targets: dict[str, Texts]) -> str:
    """Return the translation of a body with new ``targets`` by their ids. What has none keeps the translation
    it has, or else the original's words; every block that does not change keeps its bytes.

    Raises:
        UnwritableError: Markdown cannot write one of the texts.
        DocumentSchemaError: one of the texts has what no email may have, such as a link to a script.
    """
    if WHOLE_BODY in targets:
        return f"{plain_text(targets[WHOLE_BODY]).strip()}\n"
    template = _read(translation) if translation.strip() else _read(original)

    def fill(path: str, block: Block) -> Block:
        if path not in targets:
            return block
        if block.kind is BlockKind.raw:
            return block._replace(source="".join(text.text for text in targets[path]))
        return block._replace(texts=targets[path])

    filled = list(_map(template, fill))
    return write_document(translation, encode_document(filled)).markdown


def _read(body: str) -> tuple[Block, ...]:
    found: SourceDocument = read_blocks(body)
    return tuple(
        one.block._replace(source=one.source) if one.block.kind is BlockKind.raw else one.block
        for one in found.blocks
    )


def _walk(blocks: Sequence[Block], path: str = WHOLE_BODY) -> Iterator[tuple[str, Block]]:
    for number, block in enumerate(blocks):
        here = f"{path}.{number}"
        if block.kind is BlockKind.raw or (block.kind in TEXT_KINDS and block.texts):
            yield here, block
        yield from _walk(block.blocks, here)


def _map(
    blocks: Sequence[Block], change: Callable[[str, Block], Block], path: str = WHOLE_BODY
) -> Iterator[Block]:
    for number, block in enumerate(blocks):
        here = f"{path}.{number}"
        changed = change(here, block)
        yield changed._replace(blocks=tuple(_map(block.blocks, change, here)))


def _shapes(blocks: Sequence[Block]) -> tuple[object, ...]:
    return tuple((block.kind, block.level, _shapes(block.blocks)) for block in blocks)


def _texts_of(block: Block) -> Texts:
    return (Text(block.source),) if block.kind is BlockKind.raw else block.texts
