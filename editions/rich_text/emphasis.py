"""Moves the ends of emphasis inwards, to where Markdown can write them."""

import unicodedata
from collections.abc import Callable, Sequence

from editions.rich_text.nodes import BREAK, EMPHASIS, TEXT_KINDS, Block, MarkKind, Text, merge_texts


def trim_emphasis(texts: Sequence[Text], is_edge: Callable[[str], bool]) -> list[Text]:
    """``texts`` with no emphasis on characters at its ends for which ``is_edge`` holds."""
    trimmed = [*texts]
    for kind in EMPHASIS:
        if any(text.has(kind) for text in trimmed):
            trimmed = _trim_kind(trimmed, kind, is_edge)
    return trimmed


def draw_in_emphasis(block: Block) -> Block:
    """``block`` with emphasis that neither begins nor ends with punctuation, which Markdown cannot write
    everywhere: ``**“so”**called`` would show its asterisks."""
    if block.kind in TEXT_KINDS:
        return block._replace(texts=tuple(trim_emphasis(block.texts, _is_punctuation_or_space)))
    return block._replace(blocks=tuple(map(draw_in_emphasis, block.blocks)))


def _is_punctuation_or_space(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] in "PS"


def _trim_kind(texts: Sequence[Text], kind: MarkKind, is_edge: Callable[[str], bool]) -> list[Text]:
    done: list[Text] = []
    run: list[Text] = []
    for text in texts:
        # A line break has no marks of its own, and emphasis may go over it.
        if text.has(kind) or (text is BREAK and run):
            run.append(text)
        else:
            done += _trim_run(run, kind, is_edge)
            done.append(text)
            run = []
    return merge_texts([*done, *_trim_run(run, kind, is_edge)])


def _trim_run(run: Sequence[Text], kind: MarkKind, is_edge: Callable[[str], bool]) -> list[Text]:
    before, rest = _split_edge(run, kind, is_edge)
    after, middle = _split_edge([_reverse(text) for text in reversed(rest)], kind, is_edge)
    return [*before, *(_reverse(text) for text in reversed([*after, *middle]))]


def _split_edge(
    run: Sequence[Text], kind: MarkKind, is_edge: Callable[[str], bool]
) -> tuple[list[Text], list[Text]]:
    """The beginning of ``run`` without the mark, and the rest of it."""
    edge: list[Text] = []
    for place, text in enumerate(run):
        if text is BREAK:
            edge.append(text)
            continue
        length = 0 if text.is_code else _edge_length(text.text, is_edge)
        plain = tuple(mark for mark in text.marks if mark.kind is not kind)
        if length:
            edge.append(Text(text.text[:length], plain))
        if length < len(text.text):
            return edge, [Text(text.text[length:], text.marks), *run[place + 1 :]]
    return edge, []


def _edge_length(text: str, is_edge: Callable[[str], bool]) -> int:
    return next((place for place, character in enumerate(text) if not is_edge(character)), len(text))


def _reverse(text: Text) -> Text:
    return text if text is BREAK else Text(text.text[::-1], text.marks)
