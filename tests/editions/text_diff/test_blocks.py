"""A text is its blocks, one after the other."""

from hypothesis import given

from editions.text_diff.comparison import TextBlockKind, split_blocks
from tests.editions.text_diff.text_strategies import TEXTS

STORY = """\
---
title: Water
# a comment
image:
  file: a.jpg
countries:
- MN
---

The first
paragraph.

## Heading
Right below.
- one
- two
  goes on

```
code

more code
```
After the code.
> A quotation.
> Its second line.
"""


@given(TEXTS)
def test_blocks_joined_are_the_text(text: str) -> None:
    blocks = split_blocks(text)
    assert "".join(block.text for block in blocks) == text
    assert all(block.text for block in blocks)


def test_blocks_are_what_a_writer_takes_for_one() -> None:
    blocks = split_blocks(STORY)
    assert [(block.key, block.content) for block in blocks if block.kind is TextBlockKind.header] == [
        ("", "---"),
        ("title", "title: Water\n# a comment"),
        ("image", "image:\n  file: a.jpg"),
        ("countries", "countries:\n- MN"),
        ("", "---"),
    ]
    assert [block.content for block in blocks if block.kind is not TextBlockKind.header] == [
        "The first\nparagraph.",
        "## Heading",
        "Right below.",
        "- one",
        "- two\n  goes on",
        "```\ncode\n\nmore code\n```",
        "After the code.\n> A quotation.\n> Its second line.",
    ]
    assert [block.content for block in blocks if block.kind is TextBlockKind.list_item] == [
        "- one",
        "- two\n  goes on",
    ]


def test_a_front_matter_without_an_end_is_text() -> None:
    assert {block.kind for block in split_blocks("---\ntitle: A\n\nText\n")} == {TextBlockKind.text}
