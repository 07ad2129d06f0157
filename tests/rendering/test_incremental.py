"""Rendering a mail again: the same as rendering it whole, with less work."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

import templates
from editions import cache
from editions.images.prepared_images import PreparedImage
from editions.model import Edition, Story
from editions.reader import read_edition
from mailer.errors import TemplateError
from mailer.rendering import incremental
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition, compile_mjml
from mailer.rendering.template_context.page import Page
from mailer.settings import Settings
from tests.factories.draft_edition import Draft
from tests.factories.sample_edition import SAMPLE, SECTORS
from tests.rendering.caches import clear_caches, forget

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
    # Nine stories in five sections, without images: quick to render.
    return replace(edition, stories=tuple(replace(story, image=None) for story in edition.stories[::3]))


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty caches, and files trusted as soon as they are written."""
    monkeypatch.setattr(cache, "_SETTLED", -(10**18))
    clear_caches()
    yield
    clear_caches()


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many stories each rendering had."""
    counts: list[int] = []
    render_in_worker = incremental.render_in_worker

    def counting(page: Page, **options: Any) -> incremental.RenderedPage:
        counts.append(sum(len(section.stories) for section in page.sections))
        return render_in_worker(page, **options)

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


def compile_uncached(edition: Edition) -> CompiledEdition:
    clear_caches()
    return compile_edition(edition, SETTINGS)


@pytest.mark.parametrize("theme", ["periodical", "bulletin"])
def test_rendering_one_story_again_gives_the_same_mail_as_rendering_all(
    sample: Edition, rendered: list[int], theme: str
) -> None:
    edition = replace(sample, template=theme)
    for place in range(len(edition.stories)):
        compile_uncached(edition)
        changed = change_some(edition, place)
        again = compile_edition(changed, SETTINGS)
        assert rendered[-1] == 1
        assert "你好" in again.html
        assert again == compile_uncached(changed)


def test_the_mjml_is_the_same_as_that_of_the_whole_mail(sample: Edition, rendered: list[int]) -> None:
    compile_mjml(sample, SETTINGS)
    changed = change_some(sample, 2)
    again = compile_mjml(changed, SETTINGS)
    assert rendered == [9, 1]
    forget(incremental._cached_renders)
    assert again == compile_mjml(changed, SETTINGS)


def test_several_changed_stories_are_rendered_again(sample: Edition, rendered: list[int]) -> None:
    compile_edition(sample, SETTINGS)
    changed = change_some(sample, 0, 4, 8)
    again = compile_edition(changed, SETTINGS)
    assert rendered == [9, 3]
    assert again == compile_uncached(changed)


def test_an_unchanged_edition_is_not_rendered_again(sample: Edition, rendered: list[int]) -> None:
    assert compile_edition(sample, SETTINGS) == compile_edition(sample, SETTINGS)
    assert rendered == [9]


def test_successive_changes_render_only_what_changed(sample: Edition, rendered: list[int]) -> None:
    compile_edition(sample, SETTINGS)
    for places in [(1,), (1, 2), (2,), (2, 5)]:
        again = compile_edition(change_some(sample, *places), SETTINGS)
    assert rendered == [9, 1, 1, 1, 1]
    assert again == compile_uncached(change_some(sample, 2, 5))


@pytest.mark.parametrize("what", ["order", "fewer", "title", "preheader", "letter", "section", "most"])
def test_any_other_change_renders_the_whole_mail(sample: Edition, rendered: list[int], what: str) -> None:
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
    assert rendered == [9, len(changed.stories)]
    assert again == compile_uncached(changed)


def test_a_story_that_moves_to_the_next_section_renders_the_whole_mail(
    sample: Edition, rendered: list[int]
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
    assert rendered == [9, 9]
    assert again == compile_uncached(changed)


def test_languages_without_phrases_are_not_confused(sample: Edition) -> None:
    edition = replace(sample, languages=("en", "ar", "he"))
    compile_edition(edition, SETTINGS, language="ar")
    again = compile_edition(edition, SETTINGS, language="he")
    clear_caches()
    assert again == compile_edition(edition, SETTINGS, language="he")


def test_a_merge_tag_written_into_a_story_is_refused_as_in_the_whole_mail(sample: Edition) -> None:
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
        compile_uncached(broken)
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
def test_marks_inside_a_story_render_the_whole_mail(
    sample: Edition, tmp_path: Path, rendered: list[int], added: str, message: str
) -> None:
    """It must fit what is around it, and its errors refer to the whole mail."""
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
    assert rendered == [9, 1, 9]
    clear_caches()
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
def test_stories_used_outside_their_fragments_render_the_whole_mail(
    sample: Edition, tmp_path: Path, rendered: list[int], name: str, place: str, added: str
) -> None:
    shipped = (templates.ROOT / name).read_text(encoding="utf-8")
    assert shipped.count(place) == 1
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(shipped.replace(place, added + place), encoding="utf-8")
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    changed = change_some(sample, 0)
    again = compile_edition(changed, SETTINGS, overrides=tmp_path)
    assert rendered == [9, 9]
    clear_caches()
    assert again == compile_edition(changed, SETTINGS, overrides=tmp_path)
    assert "!" in again.html


def test_a_theme_may_render_more_than_the_requested_stories(
    sample: Edition, tmp_path: Path, rendered: list[int]
) -> None:
    (tmp_path / "email").mkdir()
    for name in ("periodical.mjml.j2", "periodical.txt.j2"):
        shipped = (templates.ROOT / "email" / name).read_text(encoding="utf-8")
        own = shipped.replace("page.whole", "true").replace("page.needs_head", "true")
        (tmp_path / "email" / name).write_text(own, encoding="utf-8")
    compile_edition(sample, SETTINGS, overrides=tmp_path)
    again = compile_edition(change_some(sample, 3), SETTINGS, overrides=tmp_path)
    assert rendered == [9, 1]
    assert again == compile_uncached(change_some(sample, 3))


@pytest.mark.parametrize("theme", ["periodical", "bulletin"])
def test_our_themes_render_only_the_requested_stories(
    sample: Edition, monkeypatch: pytest.MonkeyPatch, theme: str
) -> None:
    answers: list[incremental.RenderedPage] = []
    render_in_worker = incremental.render_in_worker

    def listening(page: Page, **options: Any) -> incremental.RenderedPage:
        answers.append(render_in_worker(page, **options))
        return answers[-1]

    monkeypatch.setattr(incremental, "render_in_worker", listening)
    edition = replace(sample, template=theme)
    compile_edition(edition, SETTINGS)
    compile_edition(change_some(edition, 3), SETTINGS)
    whole, few = answers
    for part in ("html", "text"):
        assert "@@unsubscribe_url@@" in getattr(whole, part)
        assert "@@" not in getattr(few, part).replace("@@stories@@", "").replace("@@number@@", "")
    assert "prefers-color-scheme" in whole.html
    assert "prefers-color-scheme" not in few.html


def test_an_error_in_one_story_names_the_line_in_the_whole_mail(
    sample: Edition, tmp_path: Path, rendered: list[int]
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
    assert rendered == [9, 1, 9, 9]


def test_a_story_that_changes_the_head_renders_the_whole_mail(sample: Edition, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("is_first_used", [False, True])
def test_a_component_that_changes_the_head_renders_the_whole_mail(
    sample: Edition, tmp_path: Path, rendered: list[int], is_first_used: bool
) -> None:
    """A story that comes to use it, or uses it no longer: its style sheet in the head comes and goes."""
    block = tmp_path / "email" / "blocks" / "story.mjml.j2"
    block.parent.mkdir(parents=True)
    shipped = (templates.ROOT / "email" / "blocks" / "story.mjml.j2").read_text(encoding="utf-8")
    picture = '<mj-image fluid-on-mobile="true" src="https://example.org/a.png" alt="" />'
    block.write_text(f'{shipped}{{% if "!" in story.title %}}{picture}{{% endif %}}', encoding="utf-8")
    ordinary = next(place for place, story in enumerate(sample.stories) if story.kind == "story")
    editions = [sample, change_some(sample, ordinary)]
    first, second = editions[::-1] if is_first_used else editions
    compile_edition(first, SETTINGS, overrides=tmp_path)
    again = compile_edition(second, SETTINGS, overrides=tmp_path)
    assert rendered == [9, 1, 9]
    assert ("full-width-mobile" in again.html) is not is_first_used
    forget(incremental._cached_renders)
    assert again == compile_edition(second, SETTINGS, overrides=tmp_path)


@pytest.mark.parametrize("edit", ["change", "add", "remove"])
def test_a_changed_template_takes_effect_immediately(
    sample: Edition, tmp_path: Path, rendered: list[int], edit: str
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
    assert rendered == [9, 9]
    assert ("Quite another block" in again.html) == (edit != "remove")


def test_templates_just_written_are_not_trusted(
    sample: Edition, tmp_path: Path, rendered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_SETTLED", 60 * 10**9)
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "note.txt").write_text("new")
    for _ in range(2):
        compile_edition(sample, SETTINGS, overrides=tmp_path)
    assert rendered == [9, 9]


def test_templates_behind_a_symlink_are_not_trusted(
    sample: Edition, tmp_path: Path, rendered: list[int]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "email").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        compile_edition(sample, SETTINGS, overrides=tmp_path / "templates")
    assert rendered == [9, 9]


# --- whatever a writer does ---------------------------------------------------------------------------------


class EditedWorkspace:
    """An edition on disk, its templates and its settings, and what a writer may do to them."""

    def __init__(self, folder: Path) -> None:
        self.draft = Draft(folder / "2021-2")
        for number, title in (("020", "Another"), ("030", "A third"), ("040", "A fourth")):
            name = f"stories/{number}-{title[-5:].strip().lower()}.md"
            self.draft.write(name, f"---\ntitle: {title}\nsector: culture\n---\n\nWords of {title}.\n")
        self.stories = sorted(path.name for path in (folder / "2021-2" / "stories").iterdir())
        self.overrides = folder / "templates"
        self.overrides.mkdir(exist_ok=True)
        self.settings = SETTINGS

    def reword(self, number: int) -> None:
        name = f"stories/{self.stories[number % 4]}"
        head, _, _ = (self.draft.folder / name).read_text(encoding="utf-8").rpartition("---\n")
        self.draft.write(name, f"{head}---\n\nVersion {number} of *this*, 你好.\n")

    def retitle(self, number: int) -> None:
        self._set(f"stories/{self.stories[number % 4]}", "title", f"Title {number}")

    def move(self, number: int) -> None:
        self._set(f"stories/{self.stories[number % 4]}", "sector", "education" if number > 4 else "culture")

    def retranslate(self, number: int) -> None:
        self.draft.translate()
        for place, name in enumerate(self.stories):
            version = number if place == number % 4 else 0
            name = f"stories/{name.removesuffix('.md')}.zh.md"
            self.draft.write(name, f"---\ntitle: 标题 {version}\n---\n\n这是第 {version} 版。\n")

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

    def compile(self) -> list[tuple[CompiledEdition, tuple[PreparedImage, ...]]]:
        """The mail in each language."""
        edition = read_edition(self.draft.folder, sectors=SECTORS)
        mails = [
            compile_edition(edition, self.settings, language=language, overrides=self.overrides)
            for language in edition.languages
        ]
        return [(compiled, compiled.images) for compiled in mails]


EDITS = (
    EditedWorkspace.reword,
    EditedWorkspace.reword,
    EditedWorkspace.retitle,
    EditedWorkspace.move,
    EditedWorkspace.retranslate,
    EditedWorkspace.reframe,
    EditedWorkspace.repaint,
    EditedWorkspace.redesign,
    EditedWorkspace.restore,
    EditedWorkspace.recolour,
    EditedWorkspace.rephrase,
    EditedWorkspace.rehost,
    EditedWorkspace.rename,
)


Edits: TypeAlias = list[tuple[Callable[[EditedWorkspace, int], None], int]]
ANY_EDITS = st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 7)), min_size=1, max_size=6)


@pytest.mark.spare
@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=ANY_EDITS)
@example(
    edits=[
        (EditedWorkspace.reword, 1),
        (EditedWorkspace.reword, 5),
        (EditedWorkspace.reword, 1),
        (EditedWorkspace.reword, 2),
        (EditedWorkspace.retitle, 2),
    ]
)
@example(
    edits=[
        (EditedWorkspace.move, 7),
        (EditedWorkspace.move, 6),
        (EditedWorkspace.move, 3),
        (EditedWorkspace.move, 2),
        (EditedWorkspace.move, 0),
    ]
)
@example(
    edits=[
        (EditedWorkspace.repaint, 1),
        (EditedWorkspace.reword, 0),
        (EditedWorkspace.repaint, 2),
        (EditedWorkspace.repaint, 1),
    ]
)
@example(
    edits=[
        (EditedWorkspace.retranslate, 1),
        (EditedWorkspace.retranslate, 5),
        (EditedWorkspace.reword, 1),
        (EditedWorkspace.retranslate, 2),
    ]
)
@example(
    edits=[
        (EditedWorkspace.redesign, 1),
        (EditedWorkspace.reword, 1),
        (EditedWorkspace.restore, 0),
        (EditedWorkspace.redesign, 1),
    ]
)
@example(
    edits=[
        (EditedWorkspace.recolour, 1),
        (EditedWorkspace.recolour, 2),
        (EditedWorkspace.rephrase, 1),
        (EditedWorkspace.restore, 0),
    ]
)
@example(
    edits=[
        (EditedWorkspace.rehost, 1),
        (EditedWorkspace.reword, 0),
        (EditedWorkspace.rehost, 2),
        (EditedWorkspace.reframe, 1),
    ]
)
@example(
    edits=[
        (EditedWorkspace.rename, 1),
        (EditedWorkspace.reword, 0),
        (EditedWorkspace.rename, 2),
        (EditedWorkspace.reframe, 2),
    ]
)
def test_after_any_edits_the_mail_equals_one_rendered_from_scratch(tmp_path: Path, edits: Edits) -> None:
    compare_with_one_rendered_from_scratch(tmp_path, edits)


@pytest.mark.soak
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=ANY_EDITS)
def test_after_many_more_edits_it_does_too(tmp_path: Path, edits: Edits) -> None:
    compare_with_one_rendered_from_scratch(tmp_path, edits)


def compare_with_one_rendered_from_scratch(tmp_path: Path, edits: Edits) -> None:
    def write(*, uncached: bool) -> list[object]:
        # A render process may read one folder of templates: a new folder would take a new process.
        for used in (*tmp_path.glob("workspace/2021-2"), *tmp_path.glob("workspace/templates/*")):
            shutil.rmtree(used)
        workspace = EditedWorkspace(tmp_path / "workspace")
        made: list[object] = [workspace.compile()]
        for edit, number in edits:
            # Longer than a tick of the file system's clock, within which no file that has settled changes.
            time.sleep(0.01)
            edit(workspace, number)
            if uncached:
                clear_caches()
            made.append(workspace.compile())
        return made

    clear_caches()
    warm = write(uncached=False)
    clear_caches()
    assert warm == write(uncached=True)
