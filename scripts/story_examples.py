"""An edition for the gallery, with a story for each thing that a story can hold."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

STORIES: Mapping[str, str] = MappingProxyType(
    {
        "long": "A long story goes on below its picture",
        "table": "A table of six columns",
        "pictures": "Three pictures",
        "footnotes": "Footnotes and lettered lists",
        "video": "A video and a button",
    }
)
"""Their titles, by the names of their pictures."""

_EDITION = """\
---
title: What a story can hold
number: 1
period: Spring
date: 2026-03-31
language: en
subject: What a story can hold, in five examples
preheader: A long text, a table, pictures, footnotes, a video and a button, each in a story of its own.
template: periodical
---
"""
_PARAGRAPH = (
    "In spring the river carries less water than it did ten years ago, and the herders know it before any "
    "instrument does. They met engineers from three cities, compared what they had written down, and found "
    "that their notebooks agree with the gauges to within a few days. "
)
_BODIES: Mapping[str, str] = MappingProxyType(
    {
        "long": f"{_PARAGRAPH}\n\n{_PARAGRAPH * 2}\n\n> We had the figures all along.\n\n"
        f"- the gauges, read every hour\n- the notebooks, kept since 1987\n\n{_PARAGRAPH}",
        "table": "| Country | Students | Teachers | Schools | Budget | Change |\n"
        "|---|---|---|---|---|---|\n"
        "| China | 1,250,000 | 84,300 | 2,150 | 12,400,000 | +4.2% |\n"
        "| Japan | 310,500 | 22,940 | 870 | 8,150,000 | −1.1% |\n"
        "| Mongolia | 96,200 | 7,410 | 312 | 1,060,000 | +7.8% |\n\n"
        "The figures are of the year before.",
        "pictures": "Three studios opened their doors on the same evening.",
        "footnotes": "The count was made twice[^1], by people who did not know of each other[^2].\n\n"
        "a. by hand, in the field\nb. by satellite, from above\n\n"
        "[^1]: In May and in September.\n[^2]: They met only afterwards.",
        "video": "The opening was filmed from the first row.",
    }
)
_FRONT_MATTER: Mapping[str, str] = MappingProxyType(
    {
        "long": "image:\n  file: cop15-kunming.jpg\n  alt: Contour lines of a river\n"
        "  caption: The river, drawn.\n",
        "pictures": "image:\n  file: silk-roads-youth-forum.jpg\n  alt: Circles that meet\n"
        "images:\n  - file: anso-exhibition.jpg\n    alt: Contour lines\n    caption: The first studio.\n"
        "  - file: esd-hiratsuka.jpg\n    alt: Overlapping pages\n    caption: The second studio.\n",
        "video": "video:\n  file: nanjing-peace-forum.jpg\n  alt: Circles on a shore\n"
        "  what: the opening of the forum\n  url: https://www.example.org/video\n  duration: 3:20\n"
        "button:\n  what: Register for the next forum\n  url: https://www.example.org/register\n",
    }
)


def write_examples(folder: Path, samples: Path) -> Path:
    """Write the edition into ``folder``, with pictures of the editions in ``samples``; return the folder."""
    (folder / "stories").mkdir(parents=True)
    shutil.copytree(next(samples.glob("*/images")), folder / "images")
    (folder / "edition.md").write_text(_EDITION, encoding="utf-8")
    for number, (name, title) in enumerate(STORIES.items(), 1):
        head = f"---\ntitle: {title}\nsector: natural-sciences\n{_FRONT_MATTER.get(name, '')}---\n"
        file = folder / "stories" / f"{number:02d}0-{name}.md"
        file.write_text(f"{head}{_BODIES[name]}\n", encoding="utf-8")
    return folder
