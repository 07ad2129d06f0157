"""Documents that the editor does not make are refused, whatever they are."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editions.rich_text.document import write_document
from editions.rich_text.nodes import DocumentSchemaError, UnwritableError


def make_document(*content: Any) -> dict[str, Any]:
    return {"type": "doc", "content": list(content)}


def make_text(words: Any, *marks: Any) -> dict[str, Any]:
    text = {"type": "text", "text": words, "marks": list(marks)}
    return make_document({"type": "paragraph", "content": [text]})


def make_link(href: Any, **others: Any) -> dict[str, Any]:
    return make_text("x", {"type": "link", "attrs": {"href": href, **others}})


def nest(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "paragraph"}
    for _ in range(depth):
        node = {"type": "blockquote", "content": [node]}
    return make_document(node)


ITEM = {"type": "list_item", "content": [{"type": "paragraph"}]}
HOSTILE: list[Any] = [
    None,
    [],
    "doc",
    {},
    {"type": "paragraph"},
    {"type": "doc", "content": "text"},
    {"type": "doc", "content": [1]},
    {"type": "doc", "content": [None]},
    {"type": "doc", "content": [[]]},
    {"type": "doc", "script": "x", "content": []},
    {"type": "doc", "attrs": {"x": 1}, "content": []},
    make_document({"type": "image", "attrs": {"src": "x"}}),
    make_document({"type": "html", "text": "<script>"}),
    make_document({"type": ["paragraph"]}),
    make_document({"type": {"paragraph": 1}}),
    make_document(ITEM),
    make_document({"type": "doc", "content": []}),
    make_document({"type": "text", "text": "x"}),
    make_document({"type": "hard_break"}),
    make_document({"type": "bullet_list", "attrs": {"tight": True}, "content": []}),
    make_document({"type": "bullet_list", "attrs": {"tight": True}, "content": [{"type": "paragraph"}]}),
    make_document({"type": "bullet_list", "attrs": {"tight": "yes"}, "content": [ITEM]}),
    make_document({"type": "bullet_list", "attrs": {"tight": True, "order": 2}, "content": [ITEM]}),
    make_document({"type": "ordered_list", "attrs": {"order": -1}, "content": [ITEM]}),
    make_document({"type": "ordered_list", "attrs": {"order": 10**30}, "content": [ITEM]}),
    make_document({"type": "ordered_list", "attrs": {"order": "1"}, "content": [ITEM]}),
    make_document({"type": "ordered_list", "attrs": {"order": True}, "content": [ITEM]}),
    make_document({"type": "ordered_list", "attrs": {"order": 1.5}, "content": [ITEM]}),
    make_document({"type": "heading", "attrs": {"level": 1}}),
    make_document({"type": "heading", "attrs": {"level": 7}}),
    make_document({"type": "heading", "attrs": {"level": None}}),
    make_document({"type": "heading", "attrs": []}),
    make_document({"type": "horizontal_rule", "content": [{"type": "paragraph"}]}),
    make_document({"type": "paragraph", "marks": [{"type": "em"}]}),
    make_document({"type": "paragraph", "content": [{"type": "paragraph"}]}),
    make_document({"type": "paragraph", "content": [{"type": "raw"}]}),
    make_document({"type": "raw", "attrs": {"why": 5}}),
    make_document({"type": "raw", "content": [{"type": "hard_break"}]}),
    make_document({"type": "raw", "content": [{"type": "text", "text": "x", "marks": [{"type": "em"}]}]}),
    make_document({"type": "raw", "content": [{"type": "text", "text": "a\x00b"}]}),
    make_text(5),
    make_text(None),
    make_text(["x"]),
    make_text("a\x00b"),
    make_text("a\x1b[31mb"),
    make_text("a\x7fb"),
    make_text("a\x9bb"),
    make_text("a\ud800b"),
    make_text("a\ufdd0b"),
    make_text("a\uffffb"),
    make_text("x" * 1_000_001),
    make_text("x", "em"),
    make_text("x", {"type": "underline"}),
    make_text("x", {"type": "em", "attrs": {"onclick": "x"}}),
    make_text("x", {"type": "em", "content": [1]}),
    make_text("x", *[{"type": "em"}] * 50),
    make_link(None),
    make_link(5),
    make_link("https://x.org", onclick="x"),
    make_link("https://x.org", title=5),
    make_link("https://x.org/" + "a" * 5000),
    make_link("javascript:alert(1)"),
    make_link("JavaScript:alert(1)"),
    make_link(" javascript:alert(1)"),
    make_link("java\tscript:alert(1)"),
    make_link("java\nscript:alert(1)"),
    make_link("\x01javascript:alert(1)"),
    make_link("vbscript:x"),
    make_link("data:text/html,<script>"),
    make_link("file:///etc/passwd"),
    make_link("blob:https://x.org/1"),
    make_link("view-source:javascript:x"),
    nest(5000),
    make_document(*[{"type": "horizontal_rule"}] * 100_001),
]


@pytest.mark.parametrize("document", HOSTILE, ids=range(len(HOSTILE)))
def test_what_the_editor_does_not_make_is_refused(document: Any) -> None:
    with pytest.raises(DocumentSchemaError):
        write_document("Text.\n", document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["doc", "text", "em"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "content", "attrs", "marks", "text", "level", "href", "x"]), inner
        )
    ),
    max_leaves=10,
)


@settings(max_examples=100)
@given(content=st.lists(json_values, max_size=3))
def test_any_json_is_written_or_refused(content: list[Any]) -> None:
    with contextlib.suppress(DocumentSchemaError, UnwritableError):
        write_document("", {"type": "doc", "content": content})


@pytest.mark.parametrize(
    ("typed", "markdown"),
    [
        ("line\u2028separator", "line separator"),
        ("line\nend", "line end"),
        ("vertical\x0btab", "vertical tab"),
        ("turned\u202e around\u2066", "turned around"),
    ],
)
def test_what_other_programs_leave_in_pasted_text_is_no_reason_to_refuse_it(
    typed: str, markdown: str
) -> None:
    assert write_document("", make_text(typed)).text == f"{markdown}\n"
    assert write_document("", make_link("example.org:8080/x")).text == "[x](example.org:8080/x)\n"
