"""Creating the example edition's folder."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from editions.new_edition import create_edition_folder
from editions.skeleton.examples import IMAGE_NAME, edition_example, story_examples
from editions.skeleton.formatter import format_example
from editions.source.folder import IMAGES_FOLDER, STORIES_FOLDER


def create_skeleton(
    editions: Path,
    slug: str,
    *,
    organisation: str,
    sectors: Mapping[str, str],
    countries: Mapping[str, str],
    today: date,
) -> Path:
    """Create the example edition ``slug`` in the folder ``editions``, and return its folder.

    ``organisation`` is used in its title. Its stories are about the first of ``sectors`` and ``countries``
    (slugs and codes with their names), if there are any.

    Raises:
        NewEditionError: there is an edition of that name, or the slug is not a valid folder name.
        OSError: the folder cannot be written.
    """
    with create_edition_folder(editions, slug, advice=f"mailer new {slug}-2") as building:
        for folder in (STORIES_FOLDER, IMAGES_FOLDER):
            (building / folder).mkdir()
        examples = [
            edition_example(slug, organisation, list(sectors), today),
            *story_examples(list(sectors), list(countries)),
        ]
        for example in examples:
            text = format_example(example)
            (building / example.name).write_text(text, encoding="utf-8", newline="\n")
        _draw_hills(building / IMAGES_FOLDER / IMAGE_NAME)
    return editions / slug


def _draw_hills(path: Path) -> None:
    """Draw a picture in flat colours, as wide as an email needs on a high-density screen."""
    from PIL import Image, ImageDraw

    picture = Image.new("P", (1184, 592))
    picture.putpalette(bytes.fromhex("f4efe4 c9d7cf 8fb0a4 3f7a6d e3a857".replace(" ", "")))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((820, 90, 960, 230), fill=4)
    for colour, height, step in ((1, 330, 296), (2, 420, 237), (3, 500, 197)):
        for left in range(-step, 1184 + step, step):
            draw.ellipse((left, height - step // 3, left + 2 * step, height + 2 * step), fill=colour)
    picture.save(path, optimize=True)
