"""The example edition passes every check, leaves no key out, and never overwrites."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from editions.errors import NewEditionError
from editions.reader import inspect_edition
from editions.skeleton import create_skeleton, format_example
from editions.skeleton_examples import Example
from editions.source.front_matter import FrontMatter, find_model, read_front_matter, validate_front_matter
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation
from editions.source.text_file import TextFile

SECTORS = {"education": "Education", "culture": "Culture"}
COUNTRIES = {"KR": "Republic of Korea", "JP": "Japan", "MN": "Mongolia"}
TODAY = date(2026, 11, 24)
STORY = "stories/010-how-a-story-is-written.md"


def write(
    folder: Path,
    slug: str = "2026-2",
    sectors: dict[str, str] = SECTORS,
    countries: dict[str, str] = COUNTRIES,
) -> Path:
    return create_skeleton(
        folder, slug, organisation="UNESCO Beijing", sectors=sectors, countries=countries, today=TODAY
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "editions")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def take_away_signs(text: str) -> str:
    """Set every key that is only shown: take the ``#`` before it away."""
    return re.sub(r"^( *)#(?=[^\s#])", r"\1", text, flags=re.MULTILINE)


def list_keys(schema: type[BaseModel]) -> set[tuple[str, ...]]:
    """Every key of a schema, and every key below it."""
    keys = set()
    for key, field in schema.model_fields.items():
        keys.add((key,))
        if inner := find_model(field.annotation):
            keys |= {(key, *below) for below in list_keys(inner)}
    return keys


def list_written(front: FrontMatter) -> set[tuple[str, ...]]:
    """Every key of front matter, set to something or to nothing."""
    return {tuple(part for part in place if isinstance(part, str)) for place in front.lines} - {()}


def parse(text: str) -> FrontMatter:
    front, problems = read_front_matter(TextFile(name="x", text=text))
    assert problems == []
    return front


def test_the_example_has_no_problem(folder: Path) -> None:
    assert inspect_edition(folder, sectors=SECTORS).problems == ()


@pytest.mark.parametrize(("sectors", "countries"), [({}, COUNTRIES), (SECTORS, {}), ({}, {})])
def test_nor_has_it_where_sectors_or_countries_are_not_configured(
    tmp_path: Path, sectors: dict[str, str], countries: dict[str, str]
) -> None:
    folder = write(tmp_path, sectors=sectors, countries=countries)
    assert inspect_edition(folder, sectors=sectors).problems == ()


def test_it_uses_the_settings_and_the_day(folder: Path) -> None:
    edition = inspect_edition(folder, sectors=SECTORS).edition
    assert edition is not None
    assert (edition.title, edition.number) == ("News from UNESCO Beijing", "2026-2")
    assert (edition.date, edition.period) == (TODAY, "November 2026")
    assert edition.stories[0].sector == "education"
    assert edition.stories[0].countries == ("KR", "JP")
    assert edition.stories[0].image is not None
    assert len({story.kind for story in edition.stories}) == 3


@pytest.mark.parametrize(("name", "schema"), [("edition.md", EditionHeader), (STORY, StoryHeader)])
def test_no_key_is_missing_and_every_key_shown_is_right(
    folder: Path, name: str, schema: type[BaseModel]
) -> None:
    front = parse(take_away_signs(read(folder / name)))
    below_maps = {("introductions",), ("checks",)}
    written = {key for key in list_written(front) if key[:1] not in below_maps or len(key) == 1}
    assert list_keys(schema) - written == set()
    assert written - list_keys(schema) == set()
    header, problems = validate_front_matter(schema, front, path=name, sectors=SECTORS)
    assert problems == []
    assert header is not None


@pytest.mark.parametrize(("name", "schema"), [("edition.md", EditionTranslation), (STORY, StoryTranslation)])
def test_nor_is_one_of_a_translation(folder: Path, name: str, schema: type[BaseModel]) -> None:
    shown = re.findall(r"^#     ?(.*)$|^#$", read(folder / name), flags=re.MULTILINE)
    front = parse("\n".join(shown))
    written = {key for key in list_written(front) if key[0] != "introductions" or len(key) == 1}
    assert written == list_keys(schema)
    header, problems = validate_front_matter(schema, front, path=name, sectors=SECTORS)
    assert problems == []
    assert header is not None
    assert front.body.strip()


@pytest.mark.parametrize(("name", "schema"), [("edition.md", EditionHeader), (STORY, StoryHeader)])
def test_every_key_is_explained_in_the_schema_s_own_words(
    folder: Path, name: str, schema: type[BaseModel]
) -> None:
    explained = " ".join(line.removeprefix("# ") for line in read(folder / name).splitlines())
    for field in schema.model_fields.values():
        assert str(field.description) in explained


def test_a_new_key_of_the_schema_appears_by_itself() -> None:
    class Wider(StoryHeader):
        mood: str = "calm"

    example = Example(name="x", schema=Wider, values={"title": "A"}, commented_out={"date": "today"}, body="")
    assert "\n#mood: calm\n" in format_example(example)


def test_a_new_key_that_must_be_given_asks_for_an_example() -> None:
    class Wider(StoryHeader):
        mood: str

    example = Example(name="x", schema=Wider, values={"title": "A"}, commented_out={"date": "today"}, body="")
    with pytest.raises(ValueError, match="no example of `mood`"):
        format_example(example)


def test_an_edition_is_never_overwritten(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(NewEditionError, match="mailer new 2026-2-2"):
        write(folder.parent)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_not_even_an_empty_folder_or_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for slug in ("empty", "link"):
        with pytest.raises(NewEditionError, match="editions are never overwritten"):
            write(tmp_path, slug)


@pytest.mark.parametrize("slug", ["../x", "a/b", "", ".", "zweite ausgabe", "二〇二六"])
def test_a_slug_must_do_for_a_folder_and_a_web_address(tmp_path: Path, slug: str) -> None:
    with pytest.raises(NewEditionError, match="part of a web address"):
        write(tmp_path / "editions", slug)
    assert list(tmp_path.rglob("*.md")) == []


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("editions.skeleton._draw_hills", fail)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []
