"""The JSON Schemas in docs/ are sound, and judge front matter as the program does."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, FormatChecker
from pydantic import BaseModel
from ruamel.yaml import YAML

import editions
from editions.correction_note import NoteHeader, NoteTranslation
from editions.skeleton import create_skeleton
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation
from tests.factories import small_edition
from tests.paths import ROOT

DOCS = ROOT / "docs"
SAMPLES = Path(editions.__file__).parent / "samples"
MODELS: dict[str, type[BaseModel]] = {
    "edition": EditionHeader,
    "edition-translation": EditionTranslation,
    "story": StoryHeader,
    "story-translation": StoryTranslation,
    "correction": NoteHeader,
    "correction-translation": NoteTranslation,
}
STORY = """\
title: A forum
sector: culture
countries: [CN, MN]
kind: campaign
date: 24 October
image: {file: forum.jpg, alt: Young people}
read_more: {what: the forum, url: https://example.org/forum}
everyone: yes
"""
EDITION = """\
title: Our newsletter
number: 2
period: "2026"
date: 2026-12-31
language: zh-Hans
subject: What we did
preheader: Forums and workshops.
"""


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return loaded


def load(text: str) -> Any:
    """Front matter as an editor reads it: YAML 1.2, with numbers, and dates as they are written."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=_write_date))


def _write_date(value: Any) -> str:
    assert isinstance(value, datetime.date)
    return value.isoformat()


def judge(name: str, text: str) -> list[str]:
    validator = Draft7Validator(schema(name), format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(load(text))]


def front_matter(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n---\n", 1)[0].removeprefix("---\n")


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_is_one(name: str) -> None:
    Draft7Validator.check_schema(schema(name))


@pytest.mark.parametrize(("name", "model"), MODELS.items())
def test_no_key_is_missing_and_each_is_described(name: str, model: type[BaseModel]) -> None:
    properties = schema(name)["properties"]
    assert properties.keys() == model.model_fields.keys()
    assert all(part["description"].endswith(".") for part in properties.values())


def list_files(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    create_skeleton(
        tmp_path,
        "example",
        organisation="X",
        sectors={"a": "A"},
        countries={"MN": "M"},
        today=datetime.date(2026, 1, 2),
    )
    small_edition.write_edition(tmp_path)
    for folder in (SAMPLES, tmp_path):
        for path in folder.rglob("*.md"):
            kind = "story" if path.parent.name == "stories" else "edition"
            yield kind + ("-translation" if path.name.count(".") == 2 else ""), path


def test_the_samples_and_the_example_are_right_by_it(tmp_path: Path) -> None:
    judged = {str(path): judge(name, front_matter(path)) for name, path in list_files(tmp_path)}
    assert len(judged) > 30
    assert {path: faults for path, faults in judged.items() if faults} == {}


@pytest.mark.parametrize(("name", "text"), [("story", STORY), ("edition", EDITION)])
def test_what_the_faults_below_are_planted_in_is_right(name: str, text: str) -> None:
    assert judge(name, text) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("story", "title: A forum\n", ""),
        ("story", "sector:", "sektor:"),
        ("story", "[CN, MN]", "[cn]"),
        ("story", "[CN, MN]", "Mongolia"),
        ("story", "campaign", "compaign"),
        ("story", "alt: Young people", "caption: x"),
        ("story", "https://example.org/forum", "example.org"),
        ("story", "everyone: yes", "everyone: perhaps"),
        ("story", "title: A forum", "title: [A, forum]"),
        ("edition", "2026-12-31", "31 December"),
        ("edition", "2026-12-31", "2026-02-30x"),
        ("edition", "zh-Hans", "Chinese, simplified"),
        ("edition", "subject: What we did\n", "subject:\n"),
        ("edition", "period:", "personalise: sometimes\nperiod:"),
        ("edition", "period:", "letter: {title: x}\nperiod:"),
    ],
)
def test_a_planted_fault_is_found(name: str, old: str, new: str) -> None:
    text = {"story": STORY, "edition": EDITION}[name]
    assert old in text
    assert judge(name, text.replace(old, new)) != []


def test_a_kind_is_explained_where_it_is_chosen() -> None:
    kind = schema("story")["$defs"]["StoryKind"]
    assert len(kind["enum"]) == len(kind["enumDescriptions"]) == 8
