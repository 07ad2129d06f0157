"""Markdown as the document of the editor."""

import json
from typing import Any

import pytest

from editions.rich_text.document import read_document
from editions.rich_text.nodes import RawReason
from tests.editions.rich_text.torture import TORTURE


def text(words: str, *marks: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **({"marks": list(marks)} if marks else {})}


def paragraph(*content: Any) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(content)}


def item(*content: Any) -> dict[str, Any]:
    return {"type": "list_item", "content": list(content)}


STRONG, EM, CODE, STRIKE = ({"type": kind} for kind in ("strong", "em", "code", "strike"))


def link(href: str, title: str | None = None) -> dict[str, Any]:
    return {"type": "link", "attrs": {"href": href, "title": title}}


@pytest.mark.parametrize(
    ("markdown", "content"),
    [
        ("", [{"type": "paragraph"}]),
        ("One\ntwo", [paragraph(text("One two"))]),
        ("中文\n折行", [paragraph(text("中文折行"))]),
        ("a\\\nb", [paragraph(text("a"), {"type": "hard_break"}, text("b"))]),
        (
            "a *b **c*** `d` ~~e~~",
            [
                paragraph(
                    text("a "),
                    text("b ", EM),
                    text("c", EM, STRONG),
                    text(" "),
                    text("d", CODE),
                    text(" "),
                    text("e", STRIKE),
                )
            ],
        ),
        (
            "[*a*](https://x.org 'T')",
            [paragraph(text("a", link("https://x.org", "T"), EM))],
        ),
        ("**“引号”**2021年", [paragraph(text("“引号”", STRONG), text("2021年"))]),
        ("AT&amp;T \\*", [paragraph(text("AT&T *"))]),
        (
            "## a\n### b",
            [
                {"type": "heading", "attrs": {"level": 2}, "content": [text("a")]},
                {"type": "heading", "attrs": {"level": 3}, "content": [text("b")]},
            ],
        ),
        (
            "> a\n\n---",
            [{"type": "blockquote", "content": [paragraph(text("a"))]}, {"type": "horizontal_rule"}],
        ),
        (
            "- a\n  - b",
            [
                {
                    "type": "bullet_list",
                    "attrs": {"tight": True},
                    "content": [
                        item(
                            paragraph(text("a")),
                            {
                                "type": "bullet_list",
                                "attrs": {"tight": True},
                                "content": [item(paragraph(text("b")))],
                            },
                        )
                    ],
                }
            ],
        ),
        (
            "7) a\n\n8) b",
            [
                {
                    "type": "ordered_list",
                    "attrs": {"tight": False, "order": 7},
                    "content": [item(paragraph(text("a"))), item(paragraph(text("b")))],
                }
            ],
        ),
        # The editor begins every item with a paragraph.
        (
            "-\n- > q",
            [
                {
                    "type": "bullet_list",
                    "attrs": {"tight": True},
                    "content": [
                        item({"type": "paragraph"}),
                        item(
                            {"type": "paragraph"}, {"type": "blockquote", "content": [paragraph(text("q"))]}
                        ),
                    ],
                }
            ],
        ),
    ],
)
def test_markdown_becomes_the_blocks_and_marks_of_the_editor(
    markdown: str, content: list[dict[str, Any]]
) -> None:
    assert read_document(markdown) == {"type": "doc", "content": content}


@pytest.mark.parametrize(
    ("markdown", "why"),
    [
        ("a | b\n--|--\n1 | 2", RawReason.table),
        ("```\ncode\n```", RawReason.code),
        ("    code", RawReason.code),
        ("<div>", RawReason.html),
        ("a <b>b</b>", RawReason.html),
        ("![a](b.jpg)", RawReason.picture),
        ("[^1]: note\n\n    more", RawReason.footnote),
        ("[a]: https://example.org", RawReason.definition),
        ("> [a]: https://example.org", RawReason.definition),
        ("# a", RawReason.heading),
        ("#### a", RawReason.heading),
        ("a. x\nb. y", RawReason.lettered_list),
        ("[x](javascript:alert(1))", RawReason.link),
        ("[x](data:text/html,x)", RawReason.link),
        ("- a\n  - [x](vbscript:x)", RawReason.link),
        ("> " * 20 + "a", RawReason.nested_too_deep),
        ("- " * 10 + "a", RawReason.nested_too_deep),
        ("x" * 200_001, RawReason.too_long),
    ],
)
def test_what_the_editor_cannot_show_is_one_block_of_markdown_as_written(
    markdown: str, why: RawReason
) -> None:
    assert read_document(f"{markdown}\n")["content"] == [
        {"type": "raw", "attrs": {"why": why.value}, "content": [{"type": "text", "text": markdown}]}
    ]


def test_every_reason_for_a_raw_block_is_tried_above() -> None:
    [mark] = test_what_the_editor_cannot_show_is_one_block_of_markdown_as_written.pytestmark  # type: ignore[attr-defined]
    assert {why for _, why in mark.args[1]} == set(RawReason)


def test_a_note_and_the_text_that_refers_to_it_are_raw_where_they_are_written() -> None:
    document = read_document("A[^1].\n\n[^1]: Note.\n\nB.\n")
    assert [node["type"] for node in document["content"]] == ["raw", "raw", "paragraph"]


@pytest.mark.parametrize("markdown", TORTURE)
def test_every_text_is_a_document(markdown: str) -> None:
    document = read_document(markdown)
    assert json.loads(json.dumps(document)) == document
    assert document["content"]
