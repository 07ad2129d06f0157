"""The generated illustrations: reproducible, different for each story, small, and complete."""

import importlib
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.paths import ROOT

SCRIPTS = ROOT / "scripts"
SAMPLE = ROOT / "editions" / "samples" / "unesco-beijing-2021-2"
SMALL = (296, 166)
ONE_OF_EACH = [
    "kfit-mongolia",
    "crihap",
    "anso-exhibition",
    "nanjing-peace-forum",
    "mil-forum-mongolia",
    "world-aids-day",
    "shahbaz-khan",
]


@pytest.fixture
def illustrations(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("illustrations")


@pytest.fixture
def composer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("artwork.composer")


def named_in_sample() -> list[str]:
    documents = [SAMPLE / "edition.md", *sorted(SAMPLE.glob("stories/*.md"))]
    return [
        name
        for document in documents
        for name in re.findall(r"^\s+file: *(\S+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def test_every_image_the_sample_names_exists_and_no_other() -> None:
    names = named_in_sample()

    assert len(names) >= 27
    assert sorted(path.name for path in (SAMPLE / "images").iterdir()) == sorted(set(names))


def test_every_picture_of_the_sample_is_1184_wide_and_weighs_at_most_120_kilobytes() -> None:
    for path in (SAMPLE / "images").glob("*.jpg"):
        with Image.open(path) as picture:
            expected = (1184, 560) if path.stem == "nanjing-peace-forum" else (1184, 666)
            assert picture.size == ((240, 240) if path.stem == "shahbaz-khan" else expected), path.name
        assert path.stat().st_size <= 120_000, path.name


def test_no_two_pictures_of_the_sample_are_the_same() -> None:
    files = list((SAMPLE / "images").glob("*.jpg"))

    assert len({path.read_bytes() for path in files}) == len(files)


@pytest.mark.parametrize("slug", ONE_OF_EACH)
def test_the_sample_holds_what_the_script_draws(illustrations: ModuleType, slug: str) -> None:
    illustration = next(item for item in illustrations.list_illustrations(SAMPLE) if item.slug == slug)
    data = illustrations.draw_illustration(illustration)

    assert len(data) <= 120_000
    # Compared by eye, so to speak: another release of Pillow may spell the same picture in other bytes.
    with Image.open(BytesIO(data)) as drawn, Image.open(SAMPLE / "images" / illustration.file) as kept:
        difference = ImageStat.Stat(ImageChops.difference(drawn, kept))
    assert max(difference.mean) < 1.5


def test_the_same_story_gives_the_same_bytes(illustrations: ModuleType) -> None:
    illustration = illustrations.Illustration(file="a.jpg", slug="a-story", sector="culture", kind="story")

    assert illustrations.draw_illustration(illustration) == illustrations.draw_illustration(illustration)


def test_stories_of_one_sector_differ_from_one_another(composer: ModuleType) -> None:
    for sector in composer.ARRANGEMENTS_BY_SECTOR:
        pictures = {composer.illustrate_story(f"story-{n}", sector, SMALL).tobytes() for n in range(4)}
        assert len(pictures) == 4, sector


def test_stories_in_the_same_arrangement_differ_in_more_than_grain(composer: ModuleType) -> None:
    for sector, arrangements in composer.ARRANGEMENTS_BY_SECTOR.items():
        for name, arrangement in arrangements.items():
            one, other = (draw_arrangement(composer, arrangement, sector, slug) for slug in ("one", "other"))
            assert max(ImageStat.Stat(ImageChops.difference(one, other)).mean) > 1.5, f"{sector}: {name}"


@pytest.mark.spare
def test_every_arrangement_draws_for_any_story(composer: ModuleType) -> None:
    for sector, arrangements in composer.ARRANGEMENTS_BY_SECTOR.items():
        for arrangement in arrangements.values():
            for number in range(5):
                picture = draw_arrangement(composer, arrangement, sector, f"any-{number}")
                assert picture.size == SMALL


def test_a_sector_without_a_arrangements_gets_the_cross_cutting_one(composer: ModuleType) -> None:
    unknown, without, known = (
        composer.illustrate_story("a-story", sector, SMALL) for sector in ("health", "", "cross-cutting")
    )

    assert unknown.tobytes() == without.tobytes() == known.tobytes()


def test_every_choice_for_the_sample_is_an_arrangement_its_sector_has(
    illustrations: ModuleType, composer: ModuleType
) -> None:
    stories = [item for item in illustrations.list_illustrations(SAMPLE) if item.kind != "portrait"]

    assert {item.slug for item in stories} == set(composer.CHOSEN)
    for story in stories:
        assert (
            composer.CHOSEN[story.slug] in composer.ARRANGEMENTS_BY_SECTOR[story.sector or "cross-cutting"]
        ), story.slug


def test_the_command_leaves_pictures_of_another_credit_alone(tmp_path: Path) -> None:
    edition = tmp_path / "edition"
    (edition / "stories").mkdir(parents=True)
    shutil.copy(SAMPLE / "edition.md", edition)
    story = "---\nsector: culture\nimage:\n  file: {name}.jpg\n  alt: A\n  credit: {credit}\n---\n\nText.\n"
    (edition / "stories/010-drawn.md").write_text(story.format(name="drawn", credit="Illustration"))
    (edition / "stories/020-taken.md").write_text(story.format(name="taken", credit="A photographer"))

    finished = subprocess.run(
        [sys.executable, str(SCRIPTS / "illustrations.py"), str(edition)], capture_output=True, text=True
    )

    assert finished.returncode == 0, finished.stderr
    assert sorted(path.name for path in (edition / "images").iterdir()) == ["drawn.jpg", "shahbaz-khan.jpg"]


def test_the_command_refuses_a_folder_that_is_not_an_edition(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, str(SCRIPTS / "illustrations.py"), str(tmp_path)], capture_output=True, text=True
    )

    assert finished.returncode == 2
    assert "no edition.md" in finished.stderr
    assert not (tmp_path / "images").exists()


def draw_arrangement(composer: ModuleType, arrangement: object, sector: str, slug: str) -> Image.Image:
    canvas = composer.make_canvas(slug, SMALL)
    arrangement(canvas, composer.Palette.of(sector))  # type: ignore[operator]
    picture: Image.Image = canvas.finish()
    return picture
