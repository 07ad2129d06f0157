"""The built script of the story editor, beside the sources that it comes from. Nothing here needs Node.js."""

import gzip
import hashlib
import json
import re
import tomllib

import pytest

from mailer.web.page_renderer import TEMPLATE_FOLDER
from tests.paths import ROOT

SUMS = ROOT / "studio" / "SHA256SUMS"
BUNDLE = TEMPLATE_FOLDER / "story_editor.js"
PASTE = TEMPLATE_FOLDER / "story_paste.js"
LICENCES = TEMPLATE_FOLDER / "licences"


def read_sums() -> dict[str, str]:
    """The sum of each file, as the last build wrote it."""
    lines = SUMS.read_text().splitlines()
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def test_the_script_is_what_was_built_from_these_sources_and_this_lock() -> None:
    now = {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in read_sums()}
    assert now == read_sums(), "run `make editor` and commit what it writes"


def test_every_source_is_part_of_the_sums() -> None:
    sources = [*(ROOT / "studio" / "src").rglob("*.js"), *(ROOT / "studio").glob("*.mjs")]
    assert {path.relative_to(ROOT).as_posix() for path in sources} <= read_sums().keys()


def test_the_lock_pins_every_package_by_its_content_and_names_no_registry() -> None:
    lock = json.loads((ROOT / "studio" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not re.search(r"resolved|https?://", json.dumps(packages), re.IGNORECASE)


def test_every_package_of_the_script_has_its_licence_beside_it() -> None:
    lock = json.loads((ROOT / "studio" / "package-lock.json").read_text())
    titles = {
        f"{name.removeprefix('node_modules/')} {package['version']} ({package['license']})"
        for name, package in lock["packages"].items()
        if name and "esbuild" not in name
    }
    text = (LICENCES / "story_editor.LICENCES.txt").read_text()
    assert titles == set(re.findall(r"^(.+ \(.+\))\n=+$", text, re.MULTILINE))
    assert text.count("Permission is hereby granted, free of charge") == len(titles)
    assert "Zero-Clause BSD" in (LICENCES / "htmx.LICENCE.txt").read_text()


def test_the_script_says_where_its_licences_are_and_asks_nothing_of_other_sites() -> None:
    for script in (BUNDLE.read_text(), PASTE.read_text()):
        assert script.startswith("/* The licences of what is in here: licences/story_editor.LICENCES.txt */")
        asked = re.findall(
            r"\bimport\b.{0,30}|\beval\s*\(|new Function|XMLHttpRequest|\bfetch\s*\(|sourceMappingURL", script
        )
        # The editor takes the address of the other script from the page.
        assert [text for text in asked if not text.startswith("import(this.#")] == []


def test_building_the_package_runs_nothing_but_its_backend_and_the_compiler_of_translations() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["build-system"] == {
        "requires": ["hatchling>=1.27", "babel>=2.18"],
        "build-backend": "hatchling.build",
    }
    assert project["tool"]["hatch"]["build"]["hooks"] == {"custom": {"path": "scripts/build_hook.py"}}
    assert all("hooks" not in target for target in project["tool"]["hatch"]["build"]["targets"].values())


def test_the_scripts_stay_small_on_the_way() -> None:
    assert len(gzip.compress(BUNDLE.read_bytes(), 9)) <= 75_000
    assert len(read_brotli("story_editor.js")) <= 65_500
    assert len(read_brotli("story_paste.js")) <= 5_200


def read_brotli(name: str) -> bytes:
    """A script by Brotli, as the last build wrote it."""
    return (TEMPLATE_FOLDER / f"{name}.br").read_bytes()


def test_the_sums_hold_each_script_by_brotli_with_the_script_that_it_was_made_of() -> None:
    compressed = {path.relative_to(ROOT).as_posix() for path in TEMPLATE_FOLDER.glob("*.br")}
    assert compressed == {
        f"templates/web/{name}.br" for name in ("htmx.js", "story_editor.js", "story_paste.js")
    }
    assert {path.removesuffix(".br") for path in compressed} | compressed <= read_sums().keys()


@pytest.mark.parametrize("word", ["Bold", "Markdown as written", "Ctrl+"])
def test_the_script_has_no_words_of_its_own(word: str) -> None:
    assert word not in BUNDLE.read_text() + PASTE.read_text()
