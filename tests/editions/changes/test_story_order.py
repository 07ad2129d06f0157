"""Stories are moved by their numbers, one file at a time, and are in order after every step."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editions.changes.story_order import (
    NumberedStory,
    apply_moves,
    list_numbered_stories,
    plan_new_story,
    plan_story_move,
)
from editions.errors import StoryOrderError


def make_stories(*numbers: int) -> tuple[NumberedStory, ...]:
    """Stories a, b, c … with these numbers."""
    names = ("".join(letters) for letters in itertools.product("abcdefghij", repeat=3))
    return tuple(
        NumberedStory(number=number, slug=slug, files=(f"{number:03d}-{slug}.md",))
        for number, slug in zip(numbers, names, strict=False)
    )


def write_stories(folder: Path, *names: str) -> None:
    (folder / "stories").mkdir()
    for name in names:
        (folder / "stories" / name).write_text(name)


def list_slugs(folder: Path) -> list[str]:
    return [story.slug for story in list_numbered_stories(folder)]


@pytest.mark.parametrize(
    ("numbers", "moved", "before", "renamed"),
    [
        ((10, 20, 30), 2, 0, ["030-aac.md -> 005-aac.md"]),
        ((10, 20, 30), 2, 1, ["030-aac.md -> 015-aac.md"]),
        ((10, 20, 30), 0, None, ["010-aaa.md -> 040-aaa.md"]),
        ((10, 20, 50), 0, 2, ["010-aaa.md -> 030-aaa.md"]),
        (
            (10, 11, 12),
            2,
            1,
            ["012-aac.md -> 040-aac.md", "011-aab.md -> 030-aab.md", "040-aac.md -> 020-aac.md"],
        ),
        ((10, 20, 30), 0, 1, []),
        ((10, 20, 30), 2, None, []),
        (
            (998, 999),
            0,
            None,
            ["998-aaa.md -> 010-aaa.md", "999-aab.md -> 020-aab.md", "010-aaa.md -> 030-aaa.md"],
        ),
    ],
)
def test_a_story_takes_a_free_number_and_the_others_move_only_if_there_is_none(
    numbers: tuple[int, ...], moved: int, before: int | None, renamed: list[str]
) -> None:
    stories = make_stories(*numbers)
    target = "" if before is None else stories[before].slug
    moves = plan_story_move(stories, stories[moved].slug, before=target)
    assert [f"{move.old} -> {move.new}".replace("stories/", "") for move in moves] == renamed


def test_the_translations_of_a_story_go_with_it_whatever_their_language(tmp_path: Path) -> None:
    write_stories(tmp_path, "010-a.md", "010-a.zh-Hans.md", "010-a.klingon9x.md", "020-b.md", "020-b.mn.md")
    apply_moves(tmp_path, plan_story_move(list_numbered_stories(tmp_path), "b", before="a"))
    apply_moves(tmp_path, plan_story_move(list_numbered_stories(tmp_path), "a"))
    assert sorted(path.name for path in (tmp_path / "stories").iterdir()) == [
        "005-b.md",
        "005-b.mn.md",
        "010-a.klingon9x.md",
        "010-a.md",
        "010-a.zh-Hans.md",
    ]


def test_two_stories_with_one_name_are_not_renamed_onto_each_other() -> None:
    one, other = make_stories(10, 20)
    twice = (one, NumberedStory(number=20, slug=one.slug, files=("020-aaa.md",)), other)
    with pytest.raises(StoryOrderError, match="two stories"):
        plan_story_move(twice, other.slug, before=one.slug)


def test_a_story_that_is_gone_is_named() -> None:
    stories = make_stories(10, 20)
    with pytest.raises(StoryOrderError, match="no story zzz"):
        plan_story_move(stories, "zzz")
    with pytest.raises(StoryOrderError, match="no story zzz"):
        plan_story_move(stories, "aaa", before="zzz")


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ((), "010"),
        ((10, 20), "030"),
        ((10, 25), "030"),
        ((10, 985), "990"),
        ((10, 995), "997"),
        ((1, 999), "030"),
    ],
)
def test_a_new_story_comes_last(numbers: tuple[int, ...], name: str) -> None:
    written, moves = plan_new_story(make_stories(*numbers), "new")
    assert written == f"stories/{name}-new.md"
    assert bool(moves) == (999 in numbers)


def test_a_new_story_has_a_name_of_its_own() -> None:
    with pytest.raises(StoryOrderError, match="already"):
        plan_new_story(make_stories(10), "aaa")


def test_an_edition_that_is_full_says_so() -> None:
    full = make_stories(*range(1, 1000))
    with pytest.raises(StoryOrderError, match="999"):
        plan_new_story(full, "new")
    with pytest.raises(StoryOrderError, match="999"):
        plan_story_move(full, full[5].slug, before=full[2].slug)
    assert len(plan_story_move(full[:998], full[5].slug, before=full[2].slug)) == 996 + 1


@settings(deadline=None, max_examples=100)
@given(data=st.data(), numbers=st.lists(st.integers(1, 999), min_size=1, max_size=40, unique=True))
def test_any_move_gives_the_order_asked_for_and_is_in_order_on_the_way(
    data: st.DataObject, numbers: list[int]
) -> None:
    stories = make_stories(*sorted(numbers))
    moved = data.draw(st.sampled_from(stories))
    others = [story.slug for story in stories if story is not moved]
    before = data.draw(st.sampled_from([*others, ""]))
    place = others.index(before) if before else len(others)
    wanted = [*others[:place], moved.slug, *others[place:]]
    old = [story.slug for story in stories]
    files = {story.files[0] for story in stories}
    for move in plan_story_move(stories, moved.slug, before=before):
        assert move.new.removeprefix("stories/") not in files
        files.remove(move.old.removeprefix("stories/"))
        files.add(move.new.removeprefix("stories/"))
        assert [name[4:-3] for name in sorted(files)] in (old, wanted)
        assert len({name[:3] for name in files}) == len(files)
    assert [name[4:-3] for name in sorted(files)] == wanted
