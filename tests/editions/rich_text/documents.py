"""Documents that a person could make in the editor, and edits of them, for hypothesis."""

import copy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.editions.rich_text.seen import Node, find_texts, node_at

# What begins or ends something in Markdown, and what people really write.
_WORDS = (
    *("a", "word", "snake_case", "AT&T", "&amp;", "&#8212;", "2021.", "1)", "+", "-", "#", "#tag", "c++"),
    *("*", "**", "_", "~~", "~~~", "`", "``", "```", "[x]", "(y)", "[^1]", "[ref]", "<b>", "<!--", "!["),
    *(
        "\\",
        "!",
        "|",
        "---",
        "===",
        ":--",
        ">",
        "http://x.org",
        "a*b",
        "*a",
        "b*",
        "i.",
        "a.",
        "B. ",
        "{{x}}",
    ),
    *(
        "“引号”",
        "中文",
        "「重要」",
        "2021年",
        "。",
        "（",
        "）",
        "한국어",
        "Ж",
        "é",
        "😀",
        "'",
        '"',
        ".",
        ",",
        "&",
    ),
    *("  ", " ", "\t", "\u3000", "\u00a0", "\u200b"),
)
_HREFS = (
    *(
        "https://x.org",
        "https://x.org/a_(b)",
        "https://x.org/)",
        "https://x.org/?a=1&copy=2",
        "https://x.org/a b",
    ),
    *(
        "https://例え.jp/あ",
        "mailto:a@b.org",
        "relative",
        "",
        "https://x.org/\\*a&amp;b",
        "https://x.org/<b>",
    ),
)
_TITLES = (None, None, "Title", 'q"uo\\te', "a&amp;b")
_RAW = ("| a | b |\n|---|---|\n| 1 | 2 |", "```\ncode\n```", "[^1]: note", "[ref]: https://x.org", "    code")

_texts = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=6).map(" ".join) | st.lists(
    st.sampled_from(_WORDS), min_size=1, max_size=6
).map("".join)
_links = st.builds(
    lambda href, title: {"type": "link", "attrs": {"href": href, "title": title}},
    st.sampled_from(_HREFS),
    st.sampled_from(_TITLES),
)
_marks = st.lists(
    st.sampled_from([{"type": kind} for kind in ("em", "strong", "strike", "code")]) | _links,
    max_size=3,
    unique_by=lambda mark: str(mark["type"]),
)
_runs = st.builds(lambda text, marks: {"type": "text", "text": text, "marks": marks}, _texts, _marks)
_inline = st.lists(_runs | _runs | _runs | st.just({"type": "hard_break"}), max_size=5)
_paragraphs = st.builds(lambda content: {"type": "paragraph", "content": content}, _inline)
_headings = st.builds(
    lambda level, runs: {"type": "heading", "attrs": {"level": level}, "content": runs},
    st.sampled_from([2, 3]),
    st.lists(_runs, max_size=3),
)
_leaves = _paragraphs | _paragraphs | _headings | st.just({"type": "horizontal_rule"})


def _make_containers(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    items = st.builds(
        lambda first, others: {"type": "list_item", "content": [first, *others]},
        _paragraphs,
        st.lists(inner, max_size=2),
    )
    some_items = st.lists(items, min_size=1, max_size=4)
    return (
        st.builds(
            lambda content: {"type": "blockquote", "content": content},
            st.lists(inner, min_size=1, max_size=3),
        )
        | st.builds(
            lambda tight, content: {"type": "bullet_list", "attrs": {"tight": tight}, "content": content},
            st.booleans(),
            some_items,
        )
        | st.builds(
            lambda tight, order, content: {
                "type": "ordered_list",
                "attrs": {"tight": tight, "order": order},
                "content": content,
            },
            st.booleans(),
            st.sampled_from([1, 1, 1, 0, 7, 2021]),
            some_items,
        )
    )


blocks = st.recursive(_leaves, _make_containers, max_leaves=8)
raw_blocks = st.sampled_from(_RAW).map(
    lambda source: {"type": "raw", "attrs": {"why": ""}, "content": [{"type": "text", "text": source}]}
)
documents = st.lists(blocks | blocks | blocks | raw_blocks, min_size=1, max_size=6).map(
    lambda content: {"type": "doc", "content": content}
)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Something that a person does to a document at a place."""

    act: str
    place: int
    block: Node
    text: str
    marks: list[Any]

    def apply(self, document: Node) -> Node:
        """``document`` after it."""
        edited = copy.deepcopy(document)
        content: list[Node] = edited["content"]
        place = self.place % len(content)
        if self.act == "insert":
            content.insert(place, copy.deepcopy(self.block))
        elif self.act == "remove":
            del content[place]
        elif self.act == "move":
            content.insert(self.place // 7 % len(content), content.pop(place))
        elif self.act == "copy":
            content.insert(self.place // 7 % len(content), copy.deepcopy(content[place]))
        else:
            self._type_into(edited)
        return edited if content else {"type": "doc", "content": [{"type": "paragraph"}]}

    def _type_into(self, document: Node) -> None:
        paths = [path for path in find_texts(document) if document["content"][path[0]]["type"] != "raw"]
        if not paths:
            return
        node = node_at(document, paths[self.place % len(paths)])
        at = self.place // 7 % (len(node["text"]) + 1)
        node["text"] = node["text"][:at] + self.text + node["text"][at:]
        if self.act == "mark":
            node["marks"] = copy.deepcopy(self.marks)


edits = st.builds(
    Edit,
    act=st.sampled_from(["insert", "remove", "move", "copy", "type", "type", "mark"]),
    place=st.integers(0, 10_000),
    block=blocks,
    text=_texts,
    marks=_marks,
)
