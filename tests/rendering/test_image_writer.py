"""Pictures in the media folder: whole, once, and readable by the web server."""

from pathlib import Path

import pytest

from editions.images.prepared_images import PreparedImage
from mailer.rendering.compiled_edition import CompiledEdition, write_media

IMAGES = tuple(
    PreparedImage(name=f"{digit * 16}.jpg", data=digit.encode() * 100, width=10, height=10) for digit in "ab"
)
COMPILED = CompiledEdition(
    slug="2021-2",
    language="en",
    title="",
    subject="",
    preheader="",
    sender_name="",
    greeting="",
    one_story="",
    many_stories="",
    html="",
    text="",
    stories=(),
    digest="",
    images=IMAGES,
)


def test_every_image_is_written_completely(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    paths = write_media(COMPILED, folder)
    assert [path.read_bytes() for path in paths] == [image.data for image in IMAGES]
    assert sorted(path.name for path in folder.iterdir()) == [image.name for image in IMAGES]
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in paths)


def test_an_existing_image_is_not_written_again(tmp_path: Path) -> None:
    first = write_media(COMPILED, tmp_path)
    inodes = [path.stat().st_ino for path in first]
    assert [path.stat().st_ino for path in write_media(COMPILED, tmp_path)] == inodes


def test_nothing_is_left_of_an_image_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("mailer.atomic_write.os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write_media(COMPILED, tmp_path)
    assert list(tmp_path.iterdir()) == []
