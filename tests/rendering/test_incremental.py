"""Drawing a mail again: the same as drawing it whole, by drawing less."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

import templates
from editions.images.prepare import PreparedImage
from editions.model import Edition, Story
from editions.reader import read_edition
from editions.source import file_stamp
from mailer.errors import TemplateError
from mailer.rendering import incremental
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition, compile_mjml
from mailer.rendering.template_context.page import Page
from mailer.settings import Settings
from tests.factories.draft_edition import Draft
from tests.factories.sample_edition import SAMPLE, SECTORS
from tests.rendering.caches import forget, forget_everything

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


TITLES = "{% for s in page.sections %}{% for story in s.stories %}{{ story.title }}, {% endfor %}{% endfor %}"


@pytest.fixture(scope="module")
def sample() -> Edition:
    edition = read_edition(SAMPLE, sectors=SECTORS)
    # Nine stories in five sections, without pictures: quick to draw.
    return replace(edition, stories=tuple(replace(story, image=None) for story in edition.stories[::3]))


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing kept, and files believed as soon as they are written."""
    monkeypatch.setattr(file_stamp, "_SETTLED", -(10**18))
    forget_everything()
    yield
    forget_everything()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many stories each drawing had."""
    counts: list[int] = []
    draw_apart = incremental.render_in_worker

    def counting(page: Page, *, template: str, overrides: Path | None) -> incremental.RenderedPage:
        counts.append(sum(len(section.stories) for section in page.sections))
        return draw_apart(page, template=template, overrides=overrides)

    monkeypatch.setattr(incremental, "render_in_worker", counting)
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
    forget_everything()
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
    forget(incremental._cached_renders)
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


def test_a_story_that_moves_over_the_border_of_its_section_draws_the_whole_mail(
    sample: Edition, drawn: list[int]
) -> None:
    """The order of all stories stays as it is, and so do the sections."""
    stories = sample.stories
    place = next(
        place
        for place in range(1, len(stories) - 1)
        if stories[place - 1].sector == stories[place].sector != stories[place + 1].sector
        and stories[place].kind == stories[place + 1].kind == "story"
    )
    moved = replace(stories[place], sector=stories[place + 1].sector)
    changed = replace(sample, stories=(*stories[:place], moved, *stories[place + 1 :]))
    compile_edition(sample, SETTINGS)
    again = compile_edition(changed, SETTINGS)
    assert drawn == [9, 9]
    assert again == compile_anew(changed)


def test_languages_without_phrases_of_ours_are_not_taken_for_each_other(sample: Edition) -> None:
    edition = replace(sample, languages=("en", "ar", "he"))
    compile_edition(edition, SETTINGS, language="ar")
    again = compile_edition(edition, SETTINGS, language="he")
    forget_everything()
    assert again == compile_edition(edition, SETTINGS, language="he")


def test_a_mark_that_comes_into_a_story_is_refused_as_in_the_whole_mail(sample: Edition) -> None:
    compile_edition(sample, SETTINGS)
    words = replace(sample.stories[4].texts["en"], title="Write to @@greeting@@")
    broken = replace(
        sample,
        stories=tuple(
            replace(story, texts={"en": words}) if place == 4 else story
            for place, story in enumerate(sample.stories)
        ),
    )
    with pytest.raises(TemplateError) as first:
        compile_edition(broken, SETTINGS)
    with pytest.raises(TemplateError) as whole:
        compile_anew(broken)
    assert str(first.value) == str(whole.value)
    assert str(first.value).startswith(f"{sample.stories[4].source}: “Write to @@greeting@@” contains @@")


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ('{{ begin("greeting") }}Dear{{ end("greeting") }}', ""),
        ("@@nobody@@", "@@nobody@@ is an unknown merge tag"),
        ('{{ end("story") }}', 'end("story") '),
        ('{{ begin("entry", "x") }}', 'end("story") is inside the entry x'),
    ],
)
def test_what_varies_inside_a_story_is_left_to_the_whole_mail(
    sample: Edition, tmp_path: Path, drawn: list[int], added: str, message: str
) -> None:
    """It must fit what is around it, and its faults are told of the whole."""
    block = tmp_path / "email" / "blocks" / "story.mjml.j2"
    block.parent.mkdir(parents=True)
    shipped = (templates.ROOT / "email" / "blocks" / "story.mjml.j2").read_text(encoding="utf-8")
    row = f'<mj-raw><tr><td>{{% if "!" in story.title %}}{added}{{% endif %}}</td></tr></mj-raw>'
    block.write_text(f"{shipped}\n{row}", encoding="utf-8")
    ordinary = next(place for place, story in enumerate(sample.stories) if story.kind == "story")
    changed = change_some(sample, ordinary)

    def compile_it() -> CompiledEdition | str:
        try:
            return compile_edition(changed, SETTINGS, overrides=tmp_path)
        except TemplateError as error:
            return str(error)

    compile_edition(sample, SETTINGS, overrides=tmp_path)
    again = compile_it()
    assert drawn == [9, 1, 9]
    forget_everything()
    assert again == compile_it()
    assert isinstance(again, CompiledEdition) == (not message)
    assert message in str(again)


@pytest.mark.parametrize(
    ("name", "place", "added"),
    [
        (
            "email/blocks/contents.mjml.j2",
            '<h2 class="q"',
            TITLES,
        ),
        (
            "email/blocks/section.mjml.j2",
            "<h2 ",
            '<p>{{ section.stories | map(attribute="title") | first }}</p>',
        ),
        ("email/blocks/section.mjml.j2", "<h2 ", '<p>{{ section.stories[0]["title"] }}</p>'),
        ("email/blocks/section.mjml.j2", "<h2 ", '<p>{{ section.stories[0] | attr("title") }}</p>'),
        (
            "email/periodical.txt.j2",
            "{{ page.words.contents }}",
            TITLES,
        ),
        (
            "email/blocks/story.txt.j2",
            "{{ story.title",
            "({{ section.stories[0].body if section.stories[0].slug != story.slug }}) ",
        ),
    ],
)
def test_stories_that_are_spoken_of_elsewhere_draw_the_whole_mail(
    sample: Edition, tmp_path: Path, drawn: list[int], name: str, place: str, added: str
) -> None:
    shipped = (templates.ROOT / name).read_text(encoding="utf-8")
    assert shipped.count(place) == 1
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(shipped.replace(place, added + place), encoding="utf-8")
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    changed = change_some(sample, 0)
    again = compile_edition(changed, SETTINGS, overrides=tmp_path)
    assert drawn == [9, 9]
    forget_everything()
    assert again == compile_edition(changed, SETTINGS, overrides=tmp_path)
    assert "!" in again.html


def test_a_theme_may_draw_everything_where_only_stories_are_wanted(
    sample: Edition, tmp_path: Path, drawn: list[int]
) -> None:
    (tmp_path / "email").mkdir()
    for name in ("periodical.mjml.j2", "periodical.txt.j2"):
        shipped = (templates.ROOT / "email" / name).read_text(encoding="utf-8")
        (tmp_path / "email" / name).write_text(shipped.replace("page.whole", "true"), encoding="utf-8")
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    again = compile_edition(change_some(sample, 3), SETTINGS, overrides=tmp_path)
    assert drawn == [9, 1]
    assert again == compile_anew(change_some(sample, 3))


@pytest.mark.parametrize("theme", ["periodical", "bulletin"])
def test_our_themes_draw_no_more_than_is_wanted(
    sample: Edition, monkeypatch: pytest.MonkeyPatch, theme: str
) -> None:
    answers: list[incremental.RenderedPage] = []
    draw_apart = incremental.render_in_worker

    def listening(page: Page, *, template: str, overrides: Path | None) -> incremental.RenderedPage:
        answers.append(draw_apart(page, template=template, overrides=overrides))
        return answers[-1]

    monkeypatch.setattr(incremental, "render_in_worker", listening)
    edition = replace(sample, template=theme)
    compile_edition(edition, SETTINGS)
    compile_edition(change_some(edition, 3), SETTINGS)
    whole, few = answers
    for part in ("html", "text"):
        assert "@@unsubscribe_url@@" in getattr(whole, part)
        assert "@@" not in getattr(few, part).replace("@@stories@@", "").replace("@@number@@", "")


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
    forget(incremental._cached_renders)
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
    forget(incremental._cached_renders)
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
    monkeypatch.setattr(file_stamp, "_SETTLED", 60 * 10**9)
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


# --- whatever a writer does ---------------------------------------------------------------------------------


class Desk:
    """An edition on disk, its templates and its settings, and what a writer may do to them."""

    def __init__(self, folder: Path) -> None:
        self.draft = Draft(folder / "2021-2")
        for number, title in (("020", "Another"), ("030", "A third"), ("040", "A fourth")):
            name = f"stories/{number}-{title[-5:].strip().lower()}.md"
            self.draft.write(name, f"---\ntitle: {title}\nsector: culture\n---\n\nWords of {title}.\n")
        self.stories = sorted(path.name for path in (folder / "2021-2" / "stories").iterdir())
        self.overrides = folder / "templates"
        self.settings = SETTINGS

    def reword(self, number: int) -> None:
        name = f"stories/{self.stories[number % 4]}"
        head, _, _ = (self.draft.folder / name).read_text(encoding="utf-8").rpartition("---\n")
        self.draft.write(name, f"{head}---\n\nVersion {number} of *this*, 你好.\n")

    def retitle(self, number: int) -> None:
        self._set(f"stories/{self.stories[number % 4]}", "title", f"Title {number}")

    def move(self, number: int) -> None:
        self._set(f"stories/{self.stories[number % 4]}", "sector", "education" if number > 4 else "culture")

    def reframe(self, number: int) -> None:
        self._set("edition.md", "subject" if number % 2 else "title", f"What we did in year {number}")

    def repaint(self, number: int) -> None:
        picture = Image.new("RGB", (1184, 700), f"#3a62{16 * number:02x}")
        picture.save(self.draft.folder / "images" / "forum.jpg")

    def redesign(self, number: int) -> None:
        block = self.overrides / "email" / "blocks" / "story.mjml.j2"
        block.parent.mkdir(parents=True, exist_ok=True)
        shipped = (templates.ROOT / "email" / "blocks" / "story.mjml.j2").read_text(encoding="utf-8")
        block.write_text(f"{shipped}<mj-raw><tr><td>Design {number}</td></tr></mj-raw>", encoding="utf-8")

    def restore(self, _number: int) -> None:
        shutil.rmtree(self.overrides, ignore_errors=True)

    def recolour(self, number: int) -> None:
        self._override("email/periodical.toml", f'[light]\nink = "#0000{number:02x}"\n')

    def rephrase(self, number: int) -> None:
        self._override("email/words/en.toml", f'read_more = "More {number}: {{what}}"\n')

    def rehost(self, number: int) -> None:
        web = self.settings.web.model_copy(update={"base_url": f"https://news{number}.example.org"})
        self.settings = self.settings.model_copy(update={"web": web})

    def rename(self, number: int) -> None:
        self.settings = self.settings.model_copy(update={"countries": {"MN": f"Mongolia {number}"}})

    def _set(self, name: str, key: str, value: str) -> None:
        text = (self.draft.folder / name).read_text(encoding="utf-8")
        changed, times = re.subn(rf"(?m)^{key}: .*$", f"{key}: {value}", text)
        assert times == 1
        self.draft.write(name, changed)

    def _override(self, name: str, content: str) -> None:
        path = self.overrides / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def compile(self) -> tuple[CompiledEdition, tuple[PreparedImage, ...]]:
        edition = read_edition(self.draft.folder, sectors=SECTORS)
        compiled = compile_edition(edition, self.settings, overrides=self.overrides)
        return compiled, compiled.images


EDITS = (
    Desk.reword, Desk.reword, Desk.retitle, Desk.move, Desk.reframe, Desk.repaint, Desk.redesign,
    Desk.restore, Desk.recolour, Desk.rephrase, Desk.rehost, Desk.rename,
)  # fmt: skip


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 7)), min_size=1, max_size=6))
@example(edits=[(Desk.reword, 1), (Desk.reword, 5), (Desk.reword, 1), (Desk.reword, 2), (Desk.retitle, 2)])
@example(edits=[(Desk.move, 7), (Desk.move, 6), (Desk.move, 3), (Desk.move, 2), (Desk.move, 0)])
@example(edits=[(Desk.repaint, 1), (Desk.reword, 0), (Desk.repaint, 2), (Desk.repaint, 1)])
@example(edits=[(Desk.redesign, 1), (Desk.reword, 1), (Desk.restore, 0), (Desk.redesign, 1)])
@example(edits=[(Desk.recolour, 1), (Desk.recolour, 2), (Desk.rephrase, 1), (Desk.restore, 0)])
@example(edits=[(Desk.rehost, 1), (Desk.reword, 0), (Desk.rehost, 2), (Desk.reframe, 1)])
@example(edits=[(Desk.rename, 1), (Desk.reword, 0), (Desk.rename, 2), (Desk.reframe, 2)])
def test_after_any_edits_the_mail_is_the_one_made_from_nothing(
    tmp_path: Path, edits: list[tuple[Callable[[Desk, int], None], int]]
) -> None:
    def write(*, anew: bool) -> list[object]:
        shutil.rmtree(tmp_path / "desk", ignore_errors=True)
        desk = Desk(tmp_path / "desk")
        made: list[object] = [desk.compile()]
        for edit, number in edits:
            # Longer than a tick of the file system's clock, within which no file that has settled changes.
            time.sleep(0.01)
            edit(desk, number)
            if anew:
                forget_everything()
            made.append(desk.compile())
        return made

    forget_everything()
    warm = write(anew=False)
    forget_everything()
    assert warm == write(anew=True)
