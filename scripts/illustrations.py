#!/usr/bin/env python3
"""Draw the illustrations an edition names: ``python scripts/illustrations.py [EDITION_FOLDER]``.

Every image credited "Illustration" is drawn into the edition's ``images/`` from its story's slug and sector.
The same story always gives the same bytes. Images with any other credit are somebody's pictures: left alone.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawing.direction import illustrate_person, illustrate_story
from drawing.sheet import encode_jpeg
from ruamel.yaml import YAML

SAMPLE = Path(__file__).resolve().parent.parent / "editions/samples/unesco-beijing-2021-2"
CREDIT = "Illustration"
STORY_SIZE = (1184, 666)
FEATURE_SIZE = (1184, 560)
PORTRAIT_SIDE = 240


@dataclass(frozen=True, kw_only=True)
class Commission:
    """One picture to draw: the file it goes to, the slug that seeds it, and what it is of."""

    file: str
    slug: str
    sector: str
    kind: str


def list_commissions(edition: Path) -> Iterator[Commission]:
    """The pictures an edition wants drawn, its own portrait first, then story by story."""
    portrait = (_read_front_matter(edition / "edition.md").get("letter") or {}).get("portrait") or {}
    if portrait.get("credit") == CREDIT:
        yield Commission(file=portrait["file"], slug=Path(portrait["file"]).stem, sector="", kind="portrait")
    for path in sorted(edition.glob("stories/*.md")):
        story = _read_front_matter(path)
        image = story.get("image") or {}
        # A translation (010-name.zh.md) shares the picture of its original.
        if image.get("credit") == CREDIT and "file" in image and path.stem.count(".") == 0:
            slug = path.stem.split("-", 1)[1]
            yield Commission(
                file=image["file"], slug=slug, sector=story.get("sector", ""), kind=story.get("kind", "story")
            )


def draw_commission(commission: Commission) -> bytes:
    """The JPEG of one picture, the same bytes for the same commission."""
    if commission.kind == "portrait":
        return encode_jpeg(illustrate_person(commission.slug, PORTRAIT_SIDE))
    size = FEATURE_SIZE if commission.kind == "feature" else STORY_SIZE
    return encode_jpeg(illustrate_story(commission.slug, commission.sector, size))


def _read_front_matter(path: Path) -> dict[str, Any]:
    _, front_matter, _ = path.read_text(encoding="utf-8").split("---\n", 2)
    loaded = YAML(typ="safe").load(front_matter)
    return dict(loaded) if loaded else {}


def main(arguments: list[str]) -> int:
    edition = Path(arguments[0]) if arguments else SAMPLE
    if not (edition / "edition.md").is_file():
        print(f"{edition}: no edition.md here; name the folder of an edition", file=sys.stderr)
        return 2
    images = edition / "images"
    images.mkdir(exist_ok=True)
    for commission in list_commissions(edition):
        data = draw_commission(commission)
        (images / commission.file).write_bytes(data)
        print(f"{commission.file:<44} {len(data):>8,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
