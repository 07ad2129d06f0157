"""The compiler of the previews, with texts that are not saved yet."""

from pathlib import Path

import pytest

from editions.model import EditionForm
from mailer.errors import ConfigurationError
from mailer.web.mail_preview.compiler import CompilerCache, PreviewCompiler
from mailer.workspace import Workspace
from tests.factories.draft_edition import EDITION, STORY, Draft

FILE = "stories/010-youth-forum.md"
SECOND = "stories/020-museums.md"


@pytest.fixture
def draft(workspace: Workspace) -> Draft:
    draft = Draft(workspace.editions / "2021-2")
    draft.write(SECOND, "---\ntitle: Museums at night\nsector: education\n---\n\nThe doors stay open.\n")
    return draft


@pytest.fixture
def compiler(workspace: Workspace, draft: Draft) -> PreviewCompiler:
    return PreviewCompiler(workspace, draft.folder.name)


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_unsaved_text_is_shown_in_place_of_its_file_and_nothing_is_written(
    compiler: PreviewCompiler, draft: Draft
) -> None:
    before = list_files(draft.folder)
    unsaved = {FILE: STORY.replace("met in October", "met in Xi’an")}
    whole = compiler.compile_unsaved(unsaved).mail
    assert whole is not None
    assert "The forum met in Xi’an." in whole.html
    assert "The doors stay open." in whole.html
    assert list_files(draft.folder) == before
    assert "The forum met in October." in compiler.compile().mails["en"].html


def test_a_story_alone_is_dressed_as_in_the_whole_email(compiler: PreviewCompiler) -> None:
    story = compiler.compile_unsaved({FILE: STORY.replace("October", "May")}, story="youth-forum").mail
    whole = compiler.compile_unsaved({FILE: STORY.replace("October", "May")}).mail
    assert story is not None
    assert whole is not None
    for part in (story.html, story.text):
        assert "The forum met in May." in part
        assert "The doors stay open." not in part
        assert "Dear colleagues" not in part
    paragraph = next(line for line in story.html.split("<p") if "The forum met in May." in line)
    assert paragraph in whole.html.split("<p")


def test_the_letter_alone_has_its_signature_and_no_story(compiler: PreviewCompiler) -> None:
    mail = compiler.compile_unsaved({"edition.md": EDITION.replace("autumn.", "spring.")}, story="").mail
    assert mail is not None
    assert "this was our spring." in mail.html
    assert "Shahbaz Khan" in mail.html
    assert "The forum met" not in mail.html


def test_what_can_be_shown_of_a_text_with_errors_is_shown(compiler: PreviewCompiler) -> None:
    unsaved = {FILE: STORY.replace("sector: culture", "sector: cultur")}
    mail = compiler.compile_unsaved(unsaved, story="youth-forum").mail
    assert mail is not None
    assert "The forum met in October." in mail.html
    broken = compiler.compile_unsaved({FILE: "---\ntitle: [\n---\n\nWords."}, story="youth-forum").mail
    assert broken is not None
    assert "Words." in broken.html
    assert compiler.compile_unsaved({"edition.md": "Nothing"}, story="no-such-story").mail is None


def test_a_mistake_in_a_template_is_said_in_words(compiler: PreviewCompiler, workspace: Workspace) -> None:
    blocks = workspace.root / "templates" / "email" / "blocks"
    blocks.mkdir(parents=True)
    (blocks / "story.mjml.j2").write_text("{% nonsense %}", encoding="utf-8")
    shown = compiler.compile_unsaved({}, story="youth-forum")
    assert shown.mail is None
    assert "nonsense" in shown.words


def test_a_story_is_shown_in_another_language_and_form(compiler: PreviewCompiler, draft: Draft) -> None:
    draft.translate()
    draft.write("stories/020-museums.zh.md", "---\ntitle: 夜间博物馆\n---\n\n大门敞开。\n")
    chinese = compiler.compile_unsaved({}, story="youth-forum", language="zh").mail
    digest = compiler.compile_unsaved({}, story="youth-forum", form=EditionForm.digest).mail
    assert chinese is not None
    assert digest is not None
    assert "论坛于十月举行。" in chinese.html
    assert "/e/2021-2/en/youth-forum" in digest.html


def test_pictures_of_an_unsaved_text_are_found(compiler: PreviewCompiler, draft: Draft) -> None:
    draft.add_image("other.jpg", 600, 400)
    mail = compiler.compile_unsaved({FILE: STORY.replace("forum.jpg", "other.jpg")}, story="youth-forum").mail
    assert mail is not None
    (picture,) = [image for image in mail.images if image.name in mail.html]
    assert compiler.find_image(picture.name) == picture


def test_the_cache_keeps_the_editions_lately_looked_at(workspace: Workspace) -> None:
    for slug in ("a", "b", "c"):
        Draft(workspace.editions / slug)
    cache = CompilerCache(workspace, max_editions=2)
    first, second = cache.compiler("a"), cache.compiler("b")
    assert cache.compiler("a") is first
    cache.compiler("c")
    assert cache.compiler("a") is first
    assert cache.compiler("b") is not second
    for slug in ("d", "..", "a/../b"):
        with pytest.raises(ConfigurationError):
            cache.compiler(slug)
