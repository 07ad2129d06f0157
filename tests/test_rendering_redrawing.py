"""Drawing a mail again: the same as drawing it whole, by drawing less."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import templates
from editions import fingerprint
from editions.model import Edition, Story
from editions.reading import read_edition
from mailer.errors import TemplateError
from mailer.rendering import redrawing
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.compiling import compile_edition, compile_mjml
from mailer.rendering.page import Page
from mailer.settings import Settings
from tests.sample_edition import SAMPLE, SECTORS

SETTINGS = Settings.model_validate(
    {
        "sender": {
            "name": "UNESCO Beijing",
            "address": "news@example.org",
            "organisation": "UNESCO Beijing",
            "postal_address": "Beijing 100600",
        },
        "sectors": SECTORS,
    }
)
ADDED = '<p>New: 你好, <strong>a&#160;change</strong> &amp; <a href="https://example.org/?a=1&amp;b">link</a>.</p>'


@pytest.fixture(scope="module")
def sample() -> Edition:
    edition = read_edition(SAMPLE, sectors=SECTORS)
    # Nine stories in five sections, without pictures: quick to draw.
    return replace(edition, stories=tuple(replace(story, image=None) for story in edition.stories[::3]))


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing kept, and files believed as soon as they are written."""
    monkeypatch.setattr(fingerprint, "_SETTLED", -(10**18))
    redrawing._drawings.forget()
    yield
    redrawing._drawings.forget()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many stories each drawing had."""
    counts: list[int] = []
    draw_apart = redrawing.draw_apart

    def counting(page: Page, *, template: str, overrides: Path | None) -> redrawing.Drawn:
        counts.append(sum(len(section.stories) for section in page.sections))
        return draw_apart(page, template=template, overrides=overrides)

    monkeypatch.setattr(redrawing, "draw_apart", counting)
    return counts


def change(story: Story) -> Story:
    texts = {
        language: replace(
            text, title=f"{text.title}!", html=text.html + ADDED, text=f"{text.text}\n\nNew: 你好."
        )
        for language, text in story.texts.items()
    }
    return replace(story, texts=texts)


def change_some(edition: Edition, *places: int) -> Edition:
    return replace(
        edition,
        stories=tuple(
            change(story) if place in places else story for place, story in enumerate(edition.stories)
        ),
    )


def compile_anew(edition: Edition) -> CompiledEdition:
    redrawing._drawings.forget()
    return compile_edition(edition, SETTINGS)


@pytest.mark.parametrize("theme", ["periodical", "bulletin"])
def test_each_story_drawn_again_makes_the_mail_drawn_whole(
    sample: Edition, drawn: list[int], theme: str
) -> None:
    edition = replace(sample, template=theme)
    for place in range(len(edition.stories)):
        compile_anew(edition)
        changed = change_some(edition, place)
        again = compile_edition(changed, SETTINGS)
        assert drawn[-1] == 1
        assert "你好" in again.html
        assert again == compile_anew(changed)


def test_the_mjml_is_that_of_the_whole_mail_too(sample: Edition, drawn: list[int]) -> None:
    compile_mjml(sample, SETTINGS)
    changed = change_some(sample, 2)
    again = compile_mjml(changed, SETTINGS)
    assert drawn == [9, 1]
    redrawing._drawings.forget()
    assert again == compile_mjml(changed, SETTINGS)


def test_some_stories_drawn_again(sample: Edition, drawn: list[int]) -> None:
    compile_edition(sample, SETTINGS)
    changed = change_some(sample, 0, 4, 8)
    again = compile_edition(changed, SETTINGS)
    assert drawn == [9, 3]
    assert again == compile_anew(changed)


def test_nothing_changed_is_nothing_drawn(sample: Edition, drawn: list[int]) -> None:
    assert compile_edition(sample, SETTINGS) == compile_edition(sample, SETTINGS)
    assert drawn == [9]


def test_one_change_after_the_other(sample: Edition, drawn: list[int]) -> None:
    compile_edition(sample, SETTINGS)
    for places in [(1,), (1, 2), (2,), (2, 5)]:
        again = compile_edition(change_some(sample, *places), SETTINGS)
    assert drawn == [9, 1, 1, 1, 1]
    assert again == compile_anew(change_some(sample, 2, 5))


@pytest.mark.parametrize("what", ["order", "fewer", "title", "preheader", "letter", "section", "most"])
def test_any_other_change_draws_the_whole_mail(sample: Edition, drawn: list[int], what: str) -> None:
    compile_edition(sample, SETTINGS)
    stories = sample.stories
    changed = {
        "order": lambda: replace(sample, stories=stories[::-1]),
        "fewer": lambda: replace(sample, stories=stories[1:]),
        "title": lambda: replace(sample, texts={}, title="Another"),
        "preheader": lambda: replace(sample, texts={}, preheader="Another"),
        "letter": lambda: replace(sample, letter=None),
        "section": lambda: replace(sample, stories=(replace(stories[0], sector=None), *stories[1:])),
        "most": lambda: change_some(sample, *range(6)),
    }[what]()
    again = compile_edition(changed, SETTINGS)
    assert drawn == [9, len(changed.stories)]
    assert again == compile_anew(changed)


def test_a_fault_of_one_story_names_the_line_in_the_whole_mail(
    sample: Edition, tmp_path: Path, drawn: list[int]
) -> None:
    block = tmp_path / "email" / "blocks" / "story.mjml.j2"
    block.parent.mkdir(parents=True)
    shipped = (templates.ROOT / "email" / "blocks" / "story.mjml.j2").read_text(encoding="utf-8")
    block.write_text(f'{shipped}{{% if "!" in story.title %}}<mj-tabel/>{{% endif %}}', encoding="utf-8")
    ordinary = next(place for place, story in enumerate(sample.stories) if story.kind == "story")
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    with pytest.raises(TemplateError) as first:
        compile_edition(change_some(sample, ordinary), SETTINGS, overrides=tmp_path)
    redrawing._drawings.forget()
    with pytest.raises(TemplateError) as whole:
        compile_edition(change_some(sample, ordinary), SETTINGS, overrides=tmp_path)
    assert str(first.value) == str(whole.value)
    assert drawn == [9, 1, 9, 9]


def test_what_a_story_needs_in_the_head_draws_the_whole_mail(sample: Edition, tmp_path: Path) -> None:
    layout = tmp_path / "email" / "periodical.mjml.j2"
    layout.parent.mkdir(parents=True)
    shipped = (templates.ROOT / "email" / "periodical.mjml.j2").read_text(encoding="utf-8")
    style = '{% if "!" in story.title %}<mj-raw><style>.z{margin:0}</style></mj-raw>{% endif %}'
    stories = "{% for section in page.sections %}{% for story in section.stories %}"
    head = f"{stories}{style}{{% endfor %}}{{% endfor %}}</mj-head>"
    layout.write_text(shipped.replace("</mj-head>", head), encoding="utf-8")
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    changed = change_some(sample, 3)
    again = compile_edition(changed, SETTINGS, overrides=tmp_path)
    assert ".z{margin:0}" in again.html
    redrawing._drawings.forget()
    assert again == compile_edition(changed, SETTINGS, overrides=tmp_path)


@pytest.mark.parametrize("edit", ["change", "add", "remove"])
def test_a_template_that_changes_is_seen_at_once(
    sample: Edition, tmp_path: Path, drawn: list[int], edit: str
) -> None:
    shutil.copytree(templates.ROOT / "email" / "blocks", tmp_path / "email" / "blocks")
    block, other = (tmp_path / "email" / "blocks" / name for name in ("story.mjml.j2", "list.mjml.j2"))
    if edit == "add":
        block.unlink()
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    if edit == "remove":
        block.unlink()
    else:
        block.write_text("<mj-raw><tr><td>Quite another block</td></tr></mj-raw>")
    assert other.exists()
    again = compile_edition(sample, SETTINGS, overrides=tmp_path)
    assert drawn == [9, 9]
    assert ("Quite another block" in again.html) == (edit != "remove")


def test_templates_just_written_are_not_believed(
    sample: Edition, tmp_path: Path, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "_SETTLED", 60 * 10**9)
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "note.txt").write_text("new")
    for _ in range(2):
        compile_edition(sample, SETTINGS, overrides=tmp_path)
    assert drawn == [9, 9]


def test_templates_behind_a_link_are_not_believed(sample: Edition, tmp_path: Path, drawn: list[int]) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "email").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        compile_edition(sample, SETTINGS, overrides=tmp_path / "templates")
    assert drawn == [9, 9]
