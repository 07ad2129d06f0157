"""Footnotes: numbered within a text, listed at its end, and linked there and back."""

import re

from editions.markdown.renderer import render_markdown

SOURCE = (
    "One[^a] and two[^b], and one again[^a].\n\n[^b]: Second.\n[^a]: First, with a [link](https://x.org/).\n"
)


def test_notes_are_numbered_as_they_are_mentioned_and_listed_at_the_end() -> None:
    rendered = render_markdown(SOURCE, language="en", anchor="forum")
    assert rendered.problems == ()
    assert rendered.text == (
        "One[1] and two[2], and one again[1].\n\n[1] First, with a link (https://x.org/).\n[2] Second."
    )
    body, notes = rendered.html.split('<div class="c fn">')
    assert re.findall(r"\[\d\]", body) == ["[1]", "[2]", "[1]"]
    assert re.sub("<[^>]*>", "", notes) == "[1]&#160;First, with a link.[2]&#160;Second."


def test_every_link_of_a_note_leads_to_an_id_that_is_there_once_and_has_a_name_for_word() -> None:
    html = render_markdown(SOURCE, language="en", anchor="forum").html
    targets = re.findall(r'href="#([^"]*)"', html)
    assert sorted(set(targets)) == ["note-forum-1", "note-forum-2", "ref-forum-1", "ref-forum-2"]
    for target in targets:
        assert html.count(f' id="{target}"') == html.count(f'<a name="{target}">') == 1


def test_capitals_do_not_matter_in_the_name_of_a_note() -> None:
    rendered = render_markdown("One[^Fund], two[^fund].\n\n[^FUND]: Of the year.\n", language="en")
    assert rendered.text == "One[1], two[1].\n\n[1] Of the year."


def test_texts_of_one_mail_have_different_ids() -> None:
    ids = [
        set(
            re.findall(
                r' id="([^"]*)"', render_markdown("a[^1]\n\n[^1]: b", language="en", anchor=anchor).html
            )
        )
        for anchor in ("", "forum", "forum-1", "culture.")
    ]
    assert [len(one) for one in ids] == [2, 2, 2, 2]
    assert len(set().union(*ids)) == 8


def test_a_note_may_have_several_paragraphs_or_begin_with_a_list() -> None:
    source = "A[^1] b[^2].\n\n[^1]: First.\n\n    Second.\n\n[^2]:\n    - item\n"
    rendered = render_markdown(source, language="en")
    assert rendered.text == "A[1] b[2].\n\n[1] First.\n\n    Second.\n[2]\n\n    • item"
    assert "[1]</a></span>&#160;First.</p><p>Second.</p>" in rendered.html
    assert "[2]</a></span>&#160;</p><ul><li>item</li></ul>" in rendered.html


def test_a_link_in_a_note_is_checked_on_its_own_line() -> None:
    rendered = render_markdown("A[^1].\n\n[^1]: See [here](/relative).\n", language="en", line=10)
    (problem,) = rendered.problems
    assert (problem.code, problem.line) == ("relative-link", 12)


def test_signs_without_a_note_stay_as_they_are() -> None:
    assert render_markdown("Kept[^1] as it is.", language="en").html == "<p>Kept[^1] as it is.</p>"
