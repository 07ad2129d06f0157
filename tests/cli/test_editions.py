"""``mailer new`` and ``mailer import`` as a person meets them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from tests.factories.word_documents import (
    HEADING,
    PARAGRAPH,
    body,
    draw,
    relations,
    start_document,
    write_package,
)


def run(workspace: Workspace, *words: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), *words])


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A newsletter of two stories, one with a picture and a comment."""
    document = start_document("Our newsletter")
    document.add_heading("Youth forum", 1)
    document.add_paragraph("It met in October.")
    document.add_picture(draw())
    document.add_comment(document.paragraphs[1].runs, "Really?", author="Ann")
    document.add_heading("Clean water", 1)
    document.add_paragraph("There is some.")
    path = tmp_path / "Autumn news.docx"
    document.save(str(path))
    return path


def test_a_new_edition_passes_the_check_and_renders(workspace: Workspace) -> None:
    result = run(workspace, "new", "2026-2")
    assert result.exit_code == 0
    assert result.stdout == f"{workspace.editions / '2026-2'}\n"
    assert f"mailer -C {workspace.root} preview 2026-2" in result.stderr
    checked = run(workspace, "check", "2026-2", "--json")
    assert checked.exit_code == 0, checked.stdout
    assert run(workspace, "render", "2026-2").stdout.startswith("<!DOCTYPE html>")


def test_a_new_edition_names_a_sector_of_the_workspace(workspace: Workspace) -> None:
    run(workspace, "new", "2026-2")
    story = workspace.editions / "2026-2" / "stories" / "010-how-a-story-is-written.md"
    assert "\nsector: education\n" in story.read_text(encoding="utf-8")


def test_new_never_overwrites_and_names_the_command_that_works(workspace: Workspace) -> None:
    assert run(workspace, "new", "2026-2").exit_code == 0
    again = run(workspace, "new", "2026-2")
    assert again.exit_code == 1
    assert again.stdout == ""
    assert "editions are never overwritten. Choose another name: mailer new 2026-2-2" in again.stderr


def test_the_answer_of_new_for_programs(workspace: Workspace) -> None:
    answer = json.loads(run(workspace, "new", "2026-2", "--json").stdout)
    assert answer["edition"] == "2026-2"
    assert answer["folder"] == str(workspace.editions / "2026-2")
    assert set(answer["files"]) >= {"edition.md", "stories/020-in-brief.md", "images/hills.png"}


def test_a_document_is_imported_and_what_is_missing_is_told(workspace: Workspace, document: Path) -> None:
    result = run(workspace, "import", str(document), "--edition", "2026-2")
    folder = workspace.editions / "2026-2"
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        str(folder),
        str(folder / "stories/010-youth-forum.md"),
        str(folder / "stories/020-clean-water.md"),
    ]
    assert "Created the edition 2026-2, “Our newsletter”: 2 stories, 1 picture." in result.stderr
    assert "  in ‘Youth forum’: a comment by Ann “Really?”" in result.stderr.splitlines()
    assert result.stderr.splitlines()[-1] == f"Next: mailer -C {workspace.root} check 2026-2"


def test_the_check_then_asks_for_what_only_a_person_knows(workspace: Workspace, document: Path) -> None:
    run(workspace, "import", str(document), "--edition", "2026-2")
    problems = json.loads(run(workspace, "check", "2026-2", "--json").stdout)["problems"]
    errors = [problem for problem in problems if problem["level"] == "error"]
    assert [(problem["path"], problem["line"], problem["code"]) for problem in errors] == [
        ("stories/010-youth-forum.md", 3, "unknown-sector"),
        ("stories/010-youth-forum.md", 7, "missing-key"),
        ("stories/020-clean-water.md", 3, "unknown-sector"),
    ]


def test_once_it_is_answered_the_mail_is_rendered(workspace: Workspace, document: Path) -> None:
    run(workspace, "import", str(document), "--edition", "2026-2")
    for path in (workspace.editions / "2026-2").rglob("stories/*.md"):
        text = path.read_text(encoding="utf-8").replace("choose-one", "culture")
        path.write_text(text.replace("alt:  # To do:", "alt: A hall #"), encoding="utf-8")
    assert run(workspace, "check", "2026-2").exit_code == 0
    assert "It met in October." in run(workspace, "render", "2026-2", "--format", "text").stdout


def test_the_answer_of_import_for_programs(workspace: Workspace, document: Path) -> None:
    answer = json.loads(run(workspace, "import", str(document), "--json").stdout)
    assert answer["edition"] == "autumn-news"
    assert answer["stories"] == ["stories/010-youth-forum.md", "stories/020-clean-water.md"]
    assert len(answer["images"]) == 1
    assert answer["stories_begin"] == {"at": "heading", "level": 1}
    assert answer["left_behind"] == [
        {"where": "in ‘Youth forum’", "what": "a comment by Ann “Really?”", "words": "Really?"}
    ]


def test_import_never_overwrites_and_names_the_command_that_works(
    workspace: Workspace, document: Path
) -> None:
    run(workspace, "import", str(document))
    again = run(workspace, "import", str(document))
    assert again.exit_code == 1
    assert "mailer import 'Autumn news.docx' --edition autumn-news-2" in again.stderr


def test_what_is_no_document_is_refused_in_words(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "old.docx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    result = run(workspace, "import", str(path))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: old.docx: this is an old .doc, not a .docx. Open it in Word")
    assert list(workspace.editions.iterdir()) == []


def test_a_document_that_is_not_there_or_a_language_that_is_none_is_wrong_usage(
    workspace: Workspace, document: Path
) -> None:
    assert run(workspace, "import", "nowhere.docx").exit_code == 2
    result = run(workspace, "import", str(document), "--language", "klingon")
    assert result.exit_code == 2
    assert "'klingon' is not a language tag" in result.stderr


def test_a_language_is_written_as_it_should_be(workspace: Workspace, document: Path) -> None:
    run(workspace, "import", str(document), "--edition", "x", "--language", "zh-hans")
    assert "\nlanguage: zh-Hans\n" in (workspace.editions / "x" / "edition.md").read_text(encoding="utf-8")


def test_no_network_is_asked_for_anything(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    picture = (
        "<w:p><w:r><w:drawing><wp:inline><a:graphic><a:graphicData><pic:pic><pic:blipFill>"
        '<a:blip r:link="rId2"/></pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing>'
        "</w:r></w:p>"
    )
    path = write_package(
        tmp_path / "x.docx",
        {
            "word/document.xml": body(HEADING.format("Story") + PARAGRAPH.format("Words.") + picture),
            "word/_rels/document.xml.rels": relations(
                {
                    "rId1": ("styles", "http://192.0.2.1/styles.xml", True),
                    "rId2": ("image", "file:///etc/passwd", True),
                    "rId3": ("attachedTemplate", "http://192.0.2.1/template.dotm", True),
                }
            ),
        },
    )
    result = run(workspace, "import", str(path), "--json")
    # Without its styles no paragraph is a heading, and that is what it says.
    assert json.loads(result.stdout)["stories_begin"] == {"at": "document", "level": None}
