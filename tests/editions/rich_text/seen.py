"""What a person sees in a document of the editor: written apart from the program, to compare by."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from markdown_it import MarkdownIt

Node: TypeAlias = dict[str, Any]
_EMPHASIS = {"em", "strong", "strike"}
_LINKS = MarkdownIt("commonmark")


def see_document(document: Mapping[str, Any], *, with_raw: bool = True) -> list[Any]:
    """The blocks with their characters, each with its marks. Empty paragraphs and spaces at the ends of lines
    are not seen, nor emphasis on a space, nor how far list items are apart."""
    return [
        seen for block in document["content"] if (with_raw or block["type"] != "raw") for seen in _see(block)
    ]


def contains_in_order(all_blocks: list[Any], some: list[Any]) -> bool:
    """Whether ``some`` are among ``all_blocks``, in this order."""
    rest = iter(all_blocks)
    return all(any(block == wanted for block in rest) for wanted in some)


def find_texts(node: Node, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """The places of all texts, as the numbers that lead to them."""
    if node["type"] == "text":
        yield path
    for place, inner in enumerate(node.get("content", [])):
        yield from find_texts(inner, (*path, place))


def node_at(document: Node, path: tuple[int, ...]) -> Node:
    """The node at ``path``."""
    for place in path:
        document = document["content"][place]
    return document


def _see(block: Node) -> Iterator[Any]:
    kind, content, attrs = block["type"], block.get("content", []), block.get("attrs") or {}
    if kind == "raw":
        source = "".join(text["text"] for text in content).strip("\n")
        if source:
            yield kind, source
    elif kind in {"paragraph", "heading"}:
        lines = _see_lines(content)
        if lines or kind == "heading":
            yield kind, attrs.get("level"), lines
    else:
        yield kind, attrs.get("order"), [seen for inner in content for seen in _see(inner)]


def _see_lines(content: list[Node]) -> list[Any]:
    lines: list[list[Any]] = [[]]
    for node in content:
        if node["type"] == "hard_break":
            lines.append([])
            continue
        marks = {_see_mark(mark) for mark in node.get("marks", [])}
        is_code = ("code",) in marks
        for character in node["text"].replace("\t", " "):
            shown = (
                marks if is_code or not character.isspace() else {m for m in marks if m[0] not in _EMPHASIS}
            )
            lines[-1].append((character, frozenset(shown)))
    stripped = [_strip(line) for line in lines]
    while stripped and not stripped[-1]:
        stripped.pop()
    return stripped


def _see_mark(mark: Node) -> tuple[str, ...]:
    if mark["type"] != "link":
        return (mark["type"],)
    return ("link", _LINKS.normalizeLink(mark["attrs"]["href"].strip()), mark["attrs"].get("title") or "")


def _strip(line: list[Any]) -> list[Any]:
    def is_space(character: Any) -> bool:
        return character[0] == " " and ("code",) not in character[1]

    while line and is_space(line[0]):
        line = line[1:]
    while line and is_space(line[-1]):
        line = line[:-1]
    return line
