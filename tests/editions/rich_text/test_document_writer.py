"""What is saved from the editor: unchanged bytes, small differences, never anything else than was seen."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from editions.rich_text.document import read_document, write_document
from editions.rich_text.nodes import UnwritableError
from tests.editions.rich_text.bodies import sample_bodies
from tests.editions.rich_text.documents import Edit, documents, edits
from tests.editions.rich_text.seen import Node, contains_in_order, find_texts, node_at, see_document
from tests.editions.rich_text.torture import TORTURE


def type_letter(document: Node, path: tuple[int, ...]) -> Node:
    edited = copy.deepcopy(document)
    node = node_at(edited, path)
    middle = len(node["text"]) // 2
    node["text"] = f"{node['text'][:middle]}Q{node['text'][middle:]}"
    return edited


def has_one_letter_more(longer: str, shorter: str) -> bool:
    return any(longer[:at] + longer[at + 1 :] == shorter for at, sign in enumerate(longer) if sign == "Q")


def test_stories_that_were_not_edited_keep_their_bytes(figure: Callable[[str], None]) -> None:
    for body in sample_bodies().values():
        written = write_document(body, json.loads(json.dumps(read_document(body))))
        assert (written.text, written.adjusted) == (body, False)
    figure(f"Rich text: {len(sample_bodies())} bodies of the sample keep their bytes.")


@pytest.mark.parametrize("markdown", TORTURE)
def test_odd_markdown_that_was_not_edited_keeps_its_bytes(markdown: str) -> None:
    assert write_document(markdown, json.loads(json.dumps(read_document(markdown)))).text == markdown


def test_a_letter_typed_into_a_story_is_the_only_difference(figure: Callable[[str], None]) -> None:
    edited = 0
    for name, body in sample_bodies().items():
        document = read_document(body)
        for path in find_texts(document):
            written = write_document(body, type_letter(document, path))
            assert has_one_letter_more(written.text, body), (name, path)
            assert write_document(written.text, document).text == body
            edited += 1
    assert edited == 135
    figure(f"Rich text: a letter typed into each of {edited} texts is the only difference, and undone.")


@pytest.mark.parametrize("markdown", TORTURE)
def test_a_letter_typed_into_odd_markdown_reads_back_and_leaves_other_blocks_alone(markdown: str) -> None:
    document = read_document(markdown)
    for path in find_texts(document):
        edited = type_letter(document, path)
        written = write_document(markdown, edited)
        assert not written.adjusted
        again = read_document(written.text)
        if document["content"][path[0]]["type"] != "raw":
            assert see_document(again) == see_document(edited)
            for block in (place for place in range(len(document["content"])) if place != path[0]):
                assert again["content"][block] == document["content"][block]
        # What was not saved in between comes back as it was, whatever was typed.
        assert write_document(markdown, document).text == markdown


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("* first item\n* second\n  wrapped\n", "* first item\n* seQcond\n  wrapped\n"),
        ("A paragraph\nof three\nlines.\n", "A paragraph\nof thQree\nlines.\n"),
        ("__Bold__ and _slanted_ here\n", "__Bold__ and _slanted_ heQre\n"),
        ("Heading here\n---\n", "Heading heQre\n---\n"),
        ("1) one\n1) two\n", "1) one\n1) tQwo\n"),
        ("See [the site][s] now.\n\n[s]: https://x.org\n", "See [the site][s] nQow.\n\n[s]: https://x.org\n"),
        ("One&nbsp;two **three**\n", "One&nbsp;two **thQree**\n"),
    ],
)
def test_an_edited_block_keeps_its_signs_and_lines(before: str, after: str) -> None:
    document = read_document(before)
    at = after.index("Q")
    beside = after[at - 1] + after[at + 1]
    node = next(node for path in find_texts(document) if beside in (node := node_at(document, path))["text"])
    node["text"] = node["text"].replace(beside, f"{beside[0]}Q{beside[1]}", 1)
    assert write_document(before, document).text == after


def paragraph(words: str) -> Node:
    return {"type": "paragraph", "content": [{"type": "text", "text": words}]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "New.\n"),
        ("\n", "\nNew.\n"),
        ("\n\nOne.\n\n\n\nTwo.", "\n\nOne.\n\n\n\nTwo.\n\nNew."),
        ("One.\r\n\r\nTwo.\r\n", "One.\r\n\r\nTwo.\r\n\r\nNew.\r\n"),
        ("One.\r\rTwo.\r", "One.\r\rTwo.\r\rNew.\r"),
        ("  Indented.   \n", "  Indented.   \n\nNew.\n"),
    ],
)
def test_a_new_block_takes_the_line_ends_of_the_file(before: str, after: str) -> None:
    document = read_document(before)
    document["content"].append(paragraph("New."))
    assert write_document(before, document).text == after


def test_blocks_that_were_moved_or_removed_leave_the_others_as_they_are() -> None:
    body = "*A* _a_\n\n* B\n* b\n\n\n\nC  \nc\n\n## D ##\n"
    document = read_document(body)
    first, second, third, fourth = document["content"]
    moved = {"type": "doc", "content": [third, first, fourth]}
    assert write_document(body, moved).text == "C  \nc\n\n*A* _a_\n\n## D ##\n"
    swapped = {"type": "doc", "content": [second, first, third, fourth]}
    assert write_document(body, swapped).text == "* B\n* b\n\n*A* _a_\n\nC  \nc\n\n## D ##\n"
    nothing: Node = {"type": "doc", "content": [{"type": "paragraph"}]}
    assert write_document(body, nothing).text == ""


def test_lists_beside_each_other_stay_two_lists() -> None:
    body = "- a\n\nBetween.\n\n- b\n\n1. c\n\nBetween.\n\n1. d\n"
    document = read_document(body)
    document["content"] = [node for node in document["content"] if node["type"] != "paragraph"]
    written = write_document(body, document).text
    assert written == "- a\n\n* b\n\n1. c\n\n1) d\n"
    assert see_document(read_document(written)) == see_document(document)


def test_a_link_is_written_out_when_the_definition_of_its_address_is_deleted() -> None:
    body = "See [the site][s].\n\n[s]: https://x.org\n"
    document = read_document(body)
    del document["content"][1]
    assert write_document(body, document).text == "See [the site](https://x.org).\n"


def test_typed_signs_that_mean_a_footnote_or_a_definition_elsewhere_mean_themselves() -> None:
    body = "Text[^1] [x]\n\n[^1]: Note.\n\n[x]: https://x.org\n"
    document = read_document(body)
    document["content"].append(paragraph("Not a note [^1] and not [x]."))
    written = write_document(body, document).text
    assert written.endswith("\n\nNot a note \\[^1\\] and not \\[x\\].\n")
    assert written.startswith(body.rstrip())


def strong(words: str) -> Node:
    return {"type": "text", "text": words, "marks": [{"type": "strong"}]}


def write_paragraph(*content: Node) -> Any:
    return write_document("", {"type": "doc", "content": [{"type": "paragraph", "content": list(content)}]})


def test_emphasis_that_cannot_reach_over_punctuation_is_drawn_in_and_said_so() -> None:
    written = write_paragraph(strong("(so)"), {"type": "text", "text": "called"})
    assert (written.text, written.adjusted) == ("(**so**)called\n", True)
    written = write_paragraph(strong("（所谓）"), {"type": "text", "text": "的"})
    assert (written.text, written.adjusted) == ("**（所谓）**的\n", False)


def test_emphasis_on_the_space_beside_a_word_is_left_out_in_silence() -> None:
    written = write_paragraph({"type": "text", "text": "a"}, strong(" b "), {"type": "text", "text": "c"})
    assert (written.text, written.adjusted) == ("a **b** c\n", False)


def test_a_break_in_a_heading_becomes_a_space_and_is_said_so() -> None:
    words = {"type": "text", "text": "a"}
    heading = {"type": "heading", "attrs": {"level": 2}, "content": [words, {"type": "hard_break"}, words]}
    written = write_document("", {"type": "doc", "content": [heading]})
    assert (written.text, written.adjusted) == ("## a a\n", True)


@pytest.mark.parametrize(
    ("words", "markdown"),
    [
        ("AT&T, snake_case, 5 * 3, [sic] and c++", "AT&T, snake_case, 5 * 3, [sic] and c++"),
        ("2021. A year", "2021\\. A year"),
        ("1) first", "1\\) first"),
        ("+ plus", "\\+ plus"),
        ("# no heading", "\\# no heading"),
        ("*not slanted*", "\\*not slanted\\*"),
        ("&amp; <b>", "\\&amp; \\<b>"),
        ("\u3000\u3000缩进", "&#12288;&#12288;缩进"),
        ("[x](y)", "\\[x\\](y)"),
        ("    four spaces", "four spaces"),
        ("ends with \\", "ends with \\"),
    ],
)
def test_typed_words_have_backslashes_only_where_they_need_them(words: str, markdown: str) -> None:
    written = write_paragraph({"type": "text", "text": words})
    assert written.text == f"{markdown}\n"
    assert read_document(written.text)["content"][0]["content"][0]["text"] == words.strip(" ")


def test_a_link_that_shows_its_address_is_written_as_one() -> None:
    def link(words: str, href: str) -> Node:
        mark = {"type": "link", "attrs": {"href": href, "title": None}}
        return {"type": "text", "text": words, "marks": [mark]}

    assert write_paragraph(link("https://x.org/a", "https://x.org/a")).text == "<https://x.org/a>\n"
    assert write_paragraph(link("a@b.org", "mailto:a@b.org")).text == "<a@b.org>\n"
    assert write_paragraph(link("here", "https://x.org/a")).text == "[here](https://x.org/a)\n"


def nest(depth: int) -> Node:
    node = paragraph("deep")
    for _ in range(depth):
        node = {"type": "blockquote", "content": [node]}
    return {"type": "doc", "content": [paragraph("first"), node]}


def test_what_the_mail_would_lose_is_refused_in_words_and_with_its_place() -> None:
    assert read_document(write_document("", nest(16)).text) == nest(16)
    with pytest.raises(UnwritableError, match="nested too deeply") as refusal:
        write_document("", nest(17))
    assert refusal.value.block == 1


def test_a_text_longer_than_a_body_may_be_is_refused() -> None:
    document = {"type": "doc", "content": [paragraph("x" * 99_999), paragraph("y" * 100_000)]}
    with pytest.raises(UnwritableError, match="200,000 characters"):
        write_document("", document)
    document["content"][0] = paragraph("x" * 99_000)
    assert len(write_document("", document).text) == 199_003


def test_a_block_that_another_would_swallow_is_refused() -> None:
    code = {"type": "raw", "attrs": {"why": "code"}, "content": [{"type": "text", "text": "    code"}]}
    items = [{"type": "list_item", "content": [paragraph("a")]}]
    a_list = {"type": "bullet_list", "attrs": {"tight": True}, "content": items}
    with pytest.raises(UnwritableError, match="Put a paragraph between them") as refusal:
        write_document("", {"type": "doc", "content": [a_list, code]})
    assert refusal.value.block == 0


def test_raw_markdown_becomes_what_it_says_when_it_is_edited() -> None:
    body = "| a |\n|---|\n| 1 |\n\nText.\n"
    document = read_document(body)
    document["content"][0]["content"][0]["text"] = "| a |\n|---|\n| 2 |\n| 3 |\n"
    assert write_document(body, document).text == "| a |\n|---|\n| 2 |\n| 3 |\n\nText.\n"
    document["content"][0]["content"][0]["text"] = "Now *two*\n\nparagraphs"
    written = write_document(body, document).text
    assert written == "Now *two*\n\nparagraphs\n\nText.\n"
    assert [node["type"] for node in read_document(written)["content"]] == ["paragraph"] * 3
    document["content"][0]["content"][0]["text"] = "```\nnever closed"
    with pytest.raises(UnwritableError):
        write_document(body, document)


def assert_seen_or_refused(original: str, document: Node) -> str:
    try:
        written = write_document(original, json.loads(json.dumps(document)))
    except UnwritableError:
        return "refused"
    if written.adjusted:
        return "adjusted"
    seen, again = see_document(document, with_raw=False), see_document(read_document(written.text))
    assert contains_in_order(again, seen), written.text
    if len(seen) == len(see_document(document)):
        assert again == seen, written.text
    return "written"


def assert_edits_are_seen(originals: list[str], steps: list[Edit]) -> str:
    original = "\n\n".join(originals)
    document = read_document(original)
    for step in steps:
        document = step.apply(document)
    return assert_seen_or_refused(original, document)


QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LONG = settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
some_markdown = st.lists(st.sampled_from(TORTURE), min_size=1, max_size=3)
some_edits = st.lists(edits, min_size=1, max_size=3)


@QUICK
@given(document=documents)
def test_any_document_reads_back_as_it_was_seen_or_is_refused(document: Node) -> None:
    assert_seen_or_refused("", document)


@QUICK
@given(originals=some_markdown, steps=some_edits)
def test_any_edit_reads_back_as_it_was_seen_or_is_refused(originals: list[str], steps: list[Edit]) -> None:
    assert_edits_are_seen(originals, steps)


@pytest.mark.soak
def test_ten_thousand_documents_and_edits_are_written_as_seen_or_refused(
    figure: Callable[[str], None],
) -> None:
    outcomes: dict[str, int] = {}

    def count(outcome: str) -> None:
        outcomes[outcome] = outcomes.get(outcome, 0) + 1

    @LONG
    @given(document=documents)
    def write_any(document: Node) -> None:
        count(assert_seen_or_refused("", document))

    @LONG
    @given(originals=some_markdown, steps=some_edits)
    def edit_any(originals: list[str], steps: list[Edit]) -> None:
        count(assert_edits_are_seen(originals, steps))

    write_any()
    edit_any()
    assert sum(outcomes.values()) >= 10_000
    figure(f"Rich text: {outcomes} of random documents and edits; none silently wrong.")
