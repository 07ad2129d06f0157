#!/usr/bin/env python3
"""Draw the illustrations an edition names: ``python scripts/illustrations.py [EDITION_FOLDER]``.

Every image credited "Illustration" is drawn from its story's slug and sector, into the edition's ``images/``.
The same story always gives the same bytes. Images with any other credit are left alone.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artwork.canvas import encode_jpeg
from artwork.composer import illustrate_person, illustrate_story
from ruamel.yaml import YAML

SAMPLE = Path(__file__).resolve().parent.parent / "editions/samples/unesco-beijing-2021-2"
CREDIT = "Illustration"
STORY_SIZE = (1184, 666)
FEATURE_SIZE = (1184, 560)
PORTRAIT_SIDE = 240


@dataclass(frozen=True, kw_only=True)
class Illustration:
    """A picture to draw: the file it goes to, the slug that seeds it, and its subject."""

    file: str
    slug: str
    sector: str
    kind: str


def list_illustrations(edition: Path) -> Iterator[Illustration]:
    """Yield the pictures to draw for an edition: its portrait first, then story by story."""
    portrait = (_read_front_matter(edition / "edition.md").get("letter") or {}).get("portrait") or {}
    if portrait.get("credit") == CREDIT:
        yield Illustration(
            file=portrait["file"], slug=Path(portrait["file"]).stem, sector="", kind="portrait"
        )
    for path in sorted(edition.glob("stories/*.md")):
        story = _read_front_matter(path)
        image = story.get("image") or {}
        # A translation (010-name.zh.md) shares the picture of its original.
        if image.get("credit") == CREDIT and "file" in image and path.stem.count(".") == 0:
            slug = path.stem.split("-", 1)[1]
            yield Illustration(
                file=image["file"], slug=slug, sector=story.get("sector", ""), kind=story.get("kind", "story")
            )


def draw_illustration(illustration: Illustration) -> bytes:
    """Return the JPEG of a picture, always the same bytes for the same illustration."""
    if illustration.kind == "portrait":
        return encode_jpeg(illustrate_person(illustration.slug, PORTRAIT_SIDE))
    size = FEATURE_SIZE if illustration.kind == "feature" else STORY_SIZE
    return encode_jpeg(illustrate_story(illustration.slug, illustration.sector, size))


def _read_front_matter(path: Path) -> dict[str, Any]:
    _, front_matter, _ = path.read_text(encoding="utf-8").split("---\n", 2)
    loaded = YAML(typ="safe").load(front_matter)
    return dict(loaded) if loaded else {}


def main(arguments: list[str]) -> int:
    edition = Path(arguments[0]) if arguments else SAMPLE
    if not (edition / "edition.md").is_file():
        print(f"{edition}: no edition.md here. Give the folder of an edition.", file=sys.stderr)
        return 2
    images = edition / "images"
    images.mkdir(exist_ok=True)
    for illustration in list_illustrations(edition):
        data = draw_illustration(illustration)
        (images / illustration.file).write_bytes(data)
        print(f"{illustration.file:<44} {len(data):>8,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
