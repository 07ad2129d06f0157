"""Pictures: which are refused, with which words, and what the others become."""

import io
import random
import re
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageDraw

from editions.errors import ImageError, ProblemLevel
from editions.images.files import locate_image
from editions.images.prepared_images import PreparedImage, measure_image, prepare_image
from editions.model import Crop, Focus, ImageShape, PeopleShown
from editions.reader import inspect_edition, read_edition
from tests.factories.draft_edition import SECTORS, Draft

FIRST = "stories/010-youth-forum.md"


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return Draft(tmp_path / "2021-2")


def open_prepared(prepared: PreparedImage) -> Image.Image:
    return Image.open(io.BytesIO(prepared.data))


def draw_photo(path: Path, width: int = 1600, height: int = 1000, **options: object) -> Path:
    """A picture with more colours than a drawing has."""
    photo = Image.merge("RGB", [Image.effect_noise((width, height), spread) for spread in (20, 60, 90)])
    photo.save(path, **options)
    return path


def write_png_header(path: Path, width: int, height: int) -> Path:
    """A PNG of a few bytes that says it is ``width`` by ``height``."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )
    return path


# --- where pictures are taken from --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../edition.md", "a/../../b.jpg", "/etc/passwd", "C:\\b.jpg", "..", ".", "sub/b.jpg", "b\0.jpg", ""],
)
def test_a_name_that_is_more_than_a_name_is_refused(draft: Draft, name: str) -> None:
    with pytest.raises(ImageError, match=r"is not a plain file name\. Pictures must be in images/") as caught:
        locate_image(draft.folder, name)
    assert (caught.value.code, caught.value.name) == ("image-path", name)


@pytest.mark.parametrize("name", ["../forum.jpg", "/etc/hostname", "'a\\b.jpg'"])
def test_a_path_in_a_story_is_named_with_its_line(draft: Draft, name: str) -> None:
    draft.change(FIRST, "file: forum.jpg", f"file: {name}")
    problem = next(problem for problem in draft.problems() if problem.level == ProblemLevel.error)
    assert (problem.path, problem.line, problem.code) == (FIRST, 6, "image-path")
    assert "write the file's name alone" in problem.message


def test_a_link_that_leaves_the_edition_is_refused(draft: Draft, tmp_path: Path) -> None:
    draw_photo(tmp_path / "outside.jpg")
    (draft.folder / "images/forum.jpg").unlink()
    (draft.folder / "images/forum.jpg").symlink_to(tmp_path / "outside.jpg")
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 6, "outside-folder")
    assert "a link to a file outside the edition's folder" in problem.message


def test_a_folder_of_pictures_elsewhere_is_refused(draft: Draft, tmp_path: Path) -> None:
    (draft.folder / "images").rename(tmp_path / "elsewhere")
    (draft.folder / "images").symlink_to(tmp_path / "elsewhere")
    assert draft.problem().code == "outside-folder"


def test_a_link_within_the_edition_is_fine(draft: Draft) -> None:
    (draft.folder / "images/forum.jpg").rename(draft.folder / "images/.original.jpg")
    (draft.folder / "images/forum.jpg").symlink_to(".original.jpg")
    assert draft.problems() == ()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Forum.jpg", "Did you mean forum.jpg?"),
        ("forum.jpeg", "Did you mean forum.jpg?"),
        ("other.png", "Put the picture into images/, or correct the name"),
        ("x" * 300, "Put the picture into images/"),
    ],
)
def test_a_picture_that_is_not_there_is_named(draft: Draft, name: str, advice: str) -> None:
    draft.change(FIRST, "file: forum.jpg", f"file: {name}")
    problem = next(problem for problem in draft.problems() if problem.level == ProblemLevel.error)
    assert (problem.path, problem.line, problem.code) == (FIRST, 6, "missing-image")
    assert f"images/{name} does not exist. {advice}" in problem.message


# --- which pictures a mail can carry ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b"RIFF\x24\0\0\0WEBPVP8 ",
            "is WebP, and Outlook for Windows does not show it. Save it as JPEG or PNG",
        ),
        (b"<svg xmlns='x'/>", "is SVG, and Gmail and Outlook do not show it"),
        (b"<?xml version='1.0'?><svg/>", "is SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is HEIC, and only Apple's programs show it"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "is HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "is AVIF, and Outlook does not show it"),
        (b"II*\0\x08\0\0\0", "is TIFF, and email programs do not show it"),
        (b"BM\x36\0\0\0", "is BMP"),
        (b"%PDF-1.7", "is PDF"),
        (b"Just words.", "is not a JPEG, PNG or GIF, so email programs do not show it. Save it as JPEG"),
    ],
)
def test_other_formats_are_refused_with_the_reason(draft: Draft, data: bytes, words: str) -> None:
    draft.write("images/forum.jpg", data)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 6, "image-format")
    assert f"forum.jpg {words}" in problem.message


def test_a_real_webp_is_refused(draft: Draft) -> None:
    Image.new("RGB", (700, 400), "red").save(draft.folder / "images/forum.jpg", "WEBP")
    assert draft.problem().code == "image-format"


def test_an_empty_file_is_broken(draft: Draft) -> None:
    draft.write("images/forum.jpg", b"")
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 6, "broken-image")
    assert "forum.jpg is empty. Export or download it again" in problem.message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_picture_cut_off_is_broken(draft: Draft, kind: str) -> None:
    path = draw_photo(draft.folder / "images/forum.jpg", 700, 400, format=kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 6, "broken-image")
    assert "forum.jpg is damaged and cannot be read completely" in problem.message


@pytest.mark.parametrize(
    ("width", "height"), [(8_000, 7_000), (12_000, 9_000), (60_000, 60_000), (2_000_000_000, 2_000_000_000)]
)
def test_a_decompression_bomb_is_refused_by_its_header(draft: Draft, width: int, height: int) -> None:
    write_png_header(draft.folder / "images/forum.jpg", width, height)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 6, "image-too-large")
    assert "forum.jpg has more than 50 million pixels. Save a smaller copy" in problem.message


def test_a_heavy_file_is_refused(draft: Draft) -> None:
    with (draft.folder / "images/forum.jpg").open("wb") as file:
        file.truncate(20_000_001)
    problem = draft.problem()
    assert (problem.line, problem.code) == (6, "image-too-large")
    assert "forum.jpg is larger than 20 MB" in problem.message


def test_what_the_system_will_not_open_is_named_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.jpg cannot be read \(No such file or directory\)") as caught:
        measure_image(tmp_path / "a.jpg")
    assert caught.value.code == "unreadable-file"


def test_a_narrow_picture_is_a_warning(draft: Draft) -> None:
    draft.add_image("forum.jpg", 591, 300)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 6, "narrow-image")
    assert problem.level == ProblemLevel.warning
    assert (
        "forum.jpg is 591 pixels wide and would look blurred. Use a picture at least 592 pixels wide"
        in problem.message
    )


def test_a_portrait_may_be_smaller(draft: Draft) -> None:
    draft.add_image("khan.jpg", 200, 200)
    draft.change("edition.md", "  name: ", "  portrait: {file: khan.jpg, alt: The Director}\n  name: ")
    assert draft.problems() == ()
    edition = read_edition(draft.folder, sectors=SECTORS)
    assert edition.letter is not None
    assert edition.letter.portrait is not None
    assert edition.letter.portrait.width == 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_no_damage_to_a_picture_raises_anything_else(tmp_path: Path, kind: str) -> None:
    whole = draw_photo(tmp_path / "whole", 64, 40, format=kind).read_bytes()
    chance, damaged = random.Random(kind), tmp_path / "damaged"
    for _ in range(150):
        data = bytearray(whole[: chance.randrange(1, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(1, 9)):
            data[chance.randrange(min(len(data), chance.choice((30, 200, 10_000))))] = chance.randrange(256)
        damaged.write_bytes(data)
        for use in (lambda: measure_image(damaged), lambda: prepare_image(damaged, width=20)):
            try:
                use()
            except ImageError as error:
                assert error.code in {"broken-image", "image-format", "image-too-large"}  # noqa: PT017


# --- what a picture becomes ---------------------------------------------------------------------------------


def test_a_photograph_becomes_a_progressive_jpeg_of_twice_the_width(tmp_path: Path) -> None:
    prepared = prepare_image(draw_photo(tmp_path / "a.jpg", quality=95), width=592)
    image = open_prepared(prepared)
    assert (prepared.width, prepared.height) == image.size == (1184, 740)
    assert image.format == "JPEG"
    assert image.info["progressive"]
    assert re.fullmatch(r"[0-9a-f]{16}\.jpg", prepared.name)
    assert len(prepared.data) < (tmp_path / "a.jpg").stat().st_size


def test_a_picture_is_never_enlarged(tmp_path: Path) -> None:
    assert prepare_image(draw_photo(tmp_path / "a.jpg", 640, 400), width=592).width == 640


def test_the_same_picture_has_the_same_name_and_another_has_not(tmp_path: Path) -> None:
    first = prepare_image(draw_photo(tmp_path / "a.jpg", 640, 400), width=300)
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    assert prepare_image(tmp_path / "b.jpg", width=300) == first
    assert prepare_image(tmp_path / "b.jpg", width=200).name != first.name


def test_position_and_camera_are_gone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Telltale Phone"
    exif.get_ifd(0x8825).update({1: "N", 2: (39.0, 54.0, 0.0)})
    path = draw_photo(tmp_path / "a.jpg", 640, 400, exif=exif, comment=b"Telltale comment", dpi=(300, 300))
    assert b"Telltale" in path.read_bytes()
    prepared = prepare_image(path, width=592)
    assert b"Telltale" not in prepared.data
    assert b"Exif" not in prepared.data
    assert not open_prepared(prepared).getexif()


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_comments_of_other_formats_are_gone_too(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    drawing = Image.new("P", (640, 400), 3)
    if kind == "GIF":
        drawing.save(path, "GIF", comment=b"Telltale")
    else:
        exif = Image.Exif()
        exif[0x010F] = "Telltale"
        drawing.save(path, "PNG", exif=exif)
    assert b"Telltale" in path.read_bytes()
    assert b"Telltale" not in prepare_image(path, width=592).data


def test_a_picture_taken_sideways_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (800, 600), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, 99, 599), fill="red")
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    size = measure_image(tmp_path / "a.jpg")
    assert (size.width, size.height) == (600, 800)
    image = open_prepared(prepare_image(tmp_path / "a.jpg", width=300))
    assert image.size == (600, 800)
    red, green, _ = image.getpixel((300, 20))  # type: ignore[misc]
    assert red > 200 > green


def test_what_shows_through_a_photograph_becomes_white(tmp_path: Path) -> None:
    photo = Image.open(draw_photo(tmp_path / "a.png", 400, 300)).convert("RGBA")
    photo.paste((0, 0, 0, 0), (0, 0, 100, 300))
    photo.save(tmp_path / "b.png")
    prepared = prepare_image(tmp_path / "b.png", width=592)
    image = open_prepared(prepared)
    assert prepared.name.endswith(".jpg")
    assert all(band > 245 for band in image.getpixel((20, 150)))  # type: ignore[union-attr]


def test_a_drawing_stays_png_and_lets_the_page_through(tmp_path: Path) -> None:
    drawing = Image.new("RGBA", (2400, 300), (0, 0, 0, 0))
    ImageDraw.Draw(drawing).rectangle((0, 0, 1199, 299), fill=(139, 58, 98, 255))
    drawing.save(tmp_path / "a.png")
    prepared = prepare_image(tmp_path / "a.png", width=592)
    image = open_prepared(prepared)
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (1184, 148))
    assert image.getpixel((10, 10)) == (139, 58, 98, 255)
    assert image.getpixel((1100, 10))[3] == 0  # type: ignore[index]


def test_a_photograph_saved_as_png_becomes_jpeg(tmp_path: Path) -> None:
    assert prepare_image(draw_photo(tmp_path / "a.png", 640, 400), width=592).name.endswith(".jpg")


@pytest.mark.parametrize(
    ("mode", "colour", "kind"),
    [
        ("CMYK", (0, 200, 200, 0), "JPEG"),
        ("L", 120, "JPEG"),
        ("1", 1, "PNG"),
        ("LA", (120, 128), "PNG"),
        ("P", 3, "PNG"),
        ("I;16", 40_000, "PNG"),
    ],
)
def test_every_kind_of_pixel_is_understood(tmp_path: Path, mode: str, colour: object, kind: str) -> None:
    Image.new(mode, (700, 40), colour).save(tmp_path / "a", kind)  # type: ignore[arg-type]
    image = open_prepared(prepare_image(tmp_path / "a", width=200))
    assert image.mode in {"L", "RGB", "RGBA"}
    assert image.size[0] == 400
    if mode == "I;16":
        assert image.getpixel((5, 5)) == 40_000 // 256


def test_a_colour_profile_is_applied_and_left_out(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, lab, b"no profile"):
        Image.new("RGB", (640, 400), (200, 30, 60)).save(tmp_path / "a.jpg", icc_profile=profile, quality=95)
        image = open_prepared(prepare_image(tmp_path / "a.jpg", width=592))
        assert "icc_profile" not in image.info
        assert all(
            abs(found - wanted) < 6
            for found, wanted in zip(image.getpixel((9, 9)), (200, 30, 60), strict=True)  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("width", [400, 100])
def test_a_moving_gif_still_moves(tmp_path: Path, width: int) -> None:
    frames = [Image.new("RGB", (800, 200), colour) for colour in ("red", "green", "blue")]
    frames[0].save(
        tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0
    )
    prepared = prepare_image(tmp_path / "a.gif", width=width)
    image = open_prepared(prepared)
    assert prepared.name.endswith(".gif")
    assert (image.width, image.n_frames, image.info["loop"]) == (min(800, 2 * width), 3, 0)  # type: ignore[attr-defined]
    durations = []
    for frame in range(3):
        image.seek(frame)
        durations.append(image.info["duration"])
    assert durations == [100, 200, 300]


def test_a_gif_of_too_many_frames_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("P", (3000, 3000), number) for number in range(6)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="more than 50 million pixels"):
        prepare_image(tmp_path / "a.gif", width=592)


# --- crops --------------------------------------------------------------------------------------------------


def draw_halves(path: Path, **options: object) -> Path:
    """A picture that is red on the left, and blue on the right."""
    picture = Image.new("RGB", (1000, 400), "red")
    picture.paste("blue", (500, 0, 1000, 400))
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["halves.jpg", "halves.png", "halves.gif"])
@pytest.mark.parametrize(("x", "strongest"), [(0, 0), (100, 2)])
def test_a_crop_shows_the_part_around_the_chosen_point(
    tmp_path: Path, name: str, x: int, strongest: int
) -> None:
    crop = Crop(shape=ImageShape.square, focus=Focus(x=x, y=50))
    path = draw_halves(tmp_path / name)
    prepared = prepare_image(path, width=300, crop=crop)
    assert (prepared.width, prepared.height) == (400, 400)
    pixel = open_prepared(prepared).convert("RGB").getpixel((200, 200))
    assert isinstance(pixel, tuple)
    assert max(range(3), key=lambda channel: pixel[channel]) == strongest
    assert prepared.name != prepare_image(path, width=300).name


def test_the_front_matter_says_how_a_picture_is_cropped(draft: Draft) -> None:
    draft.change(
        FIRST, "  file: forum.jpg\n", "  file: forum.jpg\n  shape: square\n  focus: 0 100\n  people: agreed\n"
    )
    image = read_edition(draft.folder, sectors=SECTORS).stories[0].image
    assert image is not None
    assert image.crop == Crop(shape=ImageShape.square, focus=Focus(x=0, y=100))
    assert image.people is PeopleShown.agreed
    assert image.width == image.height


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("shape: round", "unknown-shape"),
        ("focus: 50", "bad-focus"),
        ("focus: 50 101", "bad-focus"),
        ("people: some", "unknown-people"),
        ("ai: perhaps", "unknown-ai"),
    ],
)
def test_a_crop_that_cannot_be_made_is_a_problem_with_a_line(draft: Draft, line: str, code: str) -> None:
    draft.change(FIRST, "  file: forum.jpg\n", f"  file: forum.jpg\n  {line}\n")
    problems = inspect_edition(draft.folder, sectors=SECTORS).problems
    assert [(problem.path, problem.code) for problem in problems if problem.level is ProblemLevel.error] == [
        (FIRST, code)
    ]


def test_that_ai_had_no_part_in_a_picture_can_be_said(draft: Draft) -> None:
    draft.change(FIRST, "  file: forum.jpg\n", "  file: forum.jpg\n  ai: none\n")
    image = read_edition(draft.folder, sectors=SECTORS).stories[0].image
    assert image is not None
    assert image.ai is None
