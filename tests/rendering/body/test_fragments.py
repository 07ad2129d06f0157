"""Parsing a mail into fragments: the tree the template describes, or an error that names the template."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.errors import TemplateError
from mailer.rendering.body.fragments import (
    Fragment,
    FragmentGroup,
    FragmentKind,
    MergeTag,
    Parts,
    StoryCount,
    find_fragment,
    map_texts,
    mark_begin,
    mark_begin_text,
    mark_end,
    mark_end_text,
    parse_fragments,
    walk_fragments,
    walk_texts,
)


def _parse(*pieces: str, markup: bool = True) -> Parts[str]:
    return parse_fragments("".join(pieces), what="email/x.mjml.j2", markup=markup)


def _story(slug: str, text: str) -> str:
    return f"{mark_begin('story', slug)}{text}{mark_end('story')}"


def test_a_mail_without_marks_is_one_text() -> None:
    assert _parse("<p>Hello</p>") == ("<p>Hello</p>",)


def test_a_fragment_is_found_at_its_position() -> None:
    marked = f"<p>{_story('a', 'Alpha')}{_story('ab', 'Beta')}"
    for slug, words in (("a", "Alpha"), ("ab", "Beta")):
        found = find_fragment(marked, FragmentKind.story, slug, markup=True)
        assert found
        assert marked[slice(*found)] == words
    text = f"{mark_begin_text('story', 'a')}\nAlpha\n{mark_end_text('story')}\n"
    found = find_fragment(text, FragmentKind.story, "a", markup=False)
    assert found
    assert text[slice(*found)] == "\nAlpha\n"


@pytest.mark.parametrize(
    "marked",
    [
        "Alpha",
        _story("b", "Alpha"),
        mark_begin("story", "a") + "Alpha",
        mark_end("story") + mark_begin("story", "a") + "Alpha",
        _story("a", _story("b", "Beta")),
        _story("a", mark_begin("greeting") + "Dear" + mark_end("greeting")),
    ],
)
def test_a_fragment_that_is_missing_unclosed_or_not_innermost_is_not_found(marked: str) -> None:
    assert find_fragment(marked, FragmentKind.story, "a", markup=True) is None


def test_adjacent_fragments_form_a_group() -> None:
    first, second = Fragment(FragmentKind.story, "a", ("A",)), Fragment(FragmentKind.story, "b", ("B",))
    assert _parse("<", _story("a", "A"), _story("b", "B"), ">") == ("<", FragmentGroup((first, second)), ">")


def test_white_space_between_fragments_is_ignored() -> None:
    assert _parse(_story("a", "A"), " \n ", _story("b", "B")) == _parse(_story("a", "A"), _story("b", "B"))


def test_text_between_fragments_separates_their_groups() -> None:
    groups = [
        part for part in _parse(_story("a", "A"), "and", _story("b", "B")) if isinstance(part, FragmentGroup)
    ]
    assert [len(group.fragments) for group in groups] == [1, 1]


def test_a_section_and_a_contents_entry_do_not_form_a_group() -> None:
    entry = f"{mark_begin('entry', 's')}E{mark_end('entry')}"
    section = f"{mark_begin('section', 's')}S{mark_end('section')}"
    assert [type(part) for part in _parse(entry, section)] == [FragmentGroup, FragmentGroup]


def test_the_middle_belongs_to_the_group_of_entries() -> None:
    entry, middle = (
        mark_begin("entry", "s") + "E" + mark_end("entry"),
        mark_begin("middle") + mark_end("middle"),
    )
    (group,) = _parse(entry, middle)
    assert isinstance(group, FragmentGroup)
    assert [one.kind for one in group.fragments] == [FragmentKind.entry, FragmentKind.middle]


def test_fragments_can_contain_fragments() -> None:
    parts = _parse(mark_begin("section", "s"), "head", _story("a", "A"), mark_end("section"))
    assert [(one.kind, one.key) for one in walk_fragments(parts)] == [("section", "s"), ("story", "a")]


def test_merge_tags_and_counts_become_parts() -> None:
    section = f"{mark_begin('section', 's')}@@stories@@{mark_end('section')}"
    parts = _parse("Dear @@greeting@@!", section)
    assert parts[:3] == ("Dear ", MergeTag.greeting, "!")
    (inside,) = walk_fragments(parts)
    assert inside.parts == (StoryCount.stories,)


def test_a_mark_in_the_text_part_takes_its_line_with_it() -> None:
    text = f"one\n{mark_begin_text('story', 'a')}\ntwo\n{mark_end_text('story')}\nthree\n"
    assert _parse(text, markup=False) == (
        "one\n",
        FragmentGroup((Fragment(FragmentKind.story, "a", ("two\n",)),)),
        "three\n",
    )


def test_mapping_the_texts_changes_nothing_else() -> None:
    parts = _parse("x@@greeting@@", _story("a", "y"))
    changed = map_texts(parts, str.encode)
    assert list(walk_texts(changed)) == [b"x", b"y"]
    assert [one.key for one in walk_fragments(changed)] == ["a"]


@pytest.mark.parametrize(
    ("marked", "error"),
    [
        (mark_begin("story", "a") + "A", r"the story 'a' has no end\. Write end\(\"story\"\)"),
        ("A" + mark_end("story"), r"end\(\"story\"\) does not match an open fragment"),
        (mark_begin("section", "s") + mark_end("story"), r"is inside the section s"),
        (_story("a", "A") + _story("a", "B"), r"the story 'a' is marked twice"),
        ("@@shoe_size@@", r"@@shoe_size@@ is an unknown merge tag\. You can use: @@greeting@@"),
        (
            _story("a", "@@stories@@"),
            r"@@stories@@ counts the stories of a section, but is outside any section",
        ),
    ],
)
def test_misplaced_marks_are_refused_by_name(marked: str, error: str) -> None:
    with pytest.raises(TemplateError, match=rf"^email/x\.mjml\.j2: .*{error}"):
        _parse(marked)


@pytest.mark.parametrize("make", [mark_begin, mark_begin_text])
def test_unknown_kinds_and_unsafe_keys_cannot_be_marked(make: object) -> None:
    assert callable(make)
    with pytest.raises(
        ValueError, match=r"'chapter' is not a kind of fragment\. The kinds are: section, story"
    ):
        make("chapter", "x")
    with pytest.raises(ValueError, match="is not a valid key for a story fragment"):
        make("story", "x--><script>")


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x1e\x1f")))
def test_escaped_text_by_an_author_is_never_a_mark(text: str) -> None:
    for markup in (True, False):
        harmless = text.replace("<", "&lt;").replace("@@", "") if markup else text.replace("@@", "")
        assert list(walk_fragments(_parse(harmless, markup=markup))) == []
