"""The names, the places and the bytes of the texts of an edition."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.revisions.edition_file import (
    EditionFileError,
    FileMissingError,
    FileNameError,
    FilePlace,
    TextRefusedError,
    decode_text,
    digest_text,
    encode_text,
    list_translations,
    locate_file,
    parse_file_name,
    read_edition_file,
)
from tests.revisions.conftest import Desk


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("edition.md", FilePlace()),
        ("edition.zh-Hans.md", FilePlace(language="zh-Hans")),
        ("stories/010-water.md", FilePlace(story="water")),
        ("stories/010-clean-water-2.mn.md", FilePlace(story="clean-water-2", language="mn")),
    ],
)
def test_a_name_says_which_text_it_is(name: str, place: FilePlace) -> None:
    assert parse_file_name(name) == place


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../edition.md", "/etc/passwd", "stories/../edition.md", "stories/010-water.md/"),
        *("images/a.md", "stories/10-water.md", "stories/010-Water.md", "stories/010-water.md\n", "a.md"),
        *("stories/010-water.zh/../x.md", "stories\\010-water.md", "edition..md", "stories/०१०-water.md"),
        *("stories/010-water.zh.fr.md", f"stories/010-{'a' * 300}.md", "edition.md\0", "ｅdition.md"),
    ],
)
def test_no_other_name_leads_anywhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNameError):
        read_edition_file(tmp_path, name)


def test_a_story_is_found_under_its_new_number(tmp_path: Path) -> None:
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories" / "035-water.md").write_text("now here")
    (tmp_path / "stories" / "035-water.zh.md").write_text("现在")
    assert locate_file(tmp_path, "stories/010-water.md") == "stories/035-water.md"
    assert locate_file(tmp_path, "stories/010-water.zh.md") == "stories/035-water.zh.md"
    assert locate_file(tmp_path, "stories/010-water.fr.md") is None
    assert locate_file(tmp_path, "stories/010-fire.md") is None
    assert locate_file(tmp_path, "edition.md") is None


def test_what_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    outside = tmp_path / "secret.md"
    outside.write_text("secret")
    folder = tmp_path / "edition"
    folder.mkdir()
    with pytest.raises(FileMissingError, match=r"edition\.md is not there any more"):
        read_edition_file(folder, "edition.md")
    (folder / "edition.md").symlink_to(outside)
    with pytest.raises(EditionFileError, match="link to a file outside the edition"):
        read_edition_file(folder, "edition.md")
    (folder / "edition.zh.md").write_bytes("水源地保护".encode("gb18030"))
    with pytest.raises(EditionFileError, match="is not UTF-8"):
        read_edition_file(folder, "edition.zh.md")
    (folder / "edition.fr.md").write_bytes(b"x" * 1_000_001)
    with pytest.raises(EditionFileError, match="larger than 1 MB"):
        read_edition_file(folder, "edition.fr.md")
    (folder / "edition.ja.md").mkdir()
    with pytest.raises(EditionFileError, match="cannot be read"):
        read_edition_file(folder, "edition.ja.md")
    (folder / "edition.ko.md").symlink_to("edition.ko.md")
    with pytest.raises(EditionFileError):
        read_edition_file(folder, "edition.ko.md")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("a\0b", "NUL"), ("a\ud83d b", r"U\+D83D"), ("x" * 1_000_001, "longer than 1 MB")],
)
def test_what_no_file_can_have_is_refused_with_words(text: str, complaint: str) -> None:
    with pytest.raises(TextRefusedError, match=complaint):
        encode_text(text)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_a_text_that_comes_back_is_the_one_that_was_written(text: str) -> None:
    for like in (b"", b"a\nb\n", b"a\r\nb\r\n", b"\xef\xbb\xbfa\n"):
        data = encode_text(text, like=like)
        assert digest_text(decode_text("edition.md", data)) == digest_text(text)


def test_line_ends_and_the_byte_order_mark_of_the_file_stay() -> None:
    assert encode_text("a\nb\n", like=b"\xef\xbb\xbfx\r\ny\r\n") == b"\xef\xbb\xbfa\r\nb\r\n"
    assert encode_text("a\r\nb\r\n", like=b"x\ny\n") == b"a\nb\n"


def test_a_translation_has_the_number_of_its_original(desk: Desk) -> None:
    for name in ("stories/020-water.fr.md", "stories/010-water.mn.md", "edition.ja.md"):
        desk.write_outside("---\n---\n", name)
    assert list_translations(desk.folder, "water") == ["mn", "zh"]
    assert list_translations(desk.folder, "") == ["ja"]
    assert list_translations(desk.folder, "gone") == []
