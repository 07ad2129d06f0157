"""Which arrangement a picture gets: chosen to go with the words for the sample, by chance otherwise."""

from collections.abc import Mapping
from hashlib import sha256
from random import Random

from PIL import Image

from drawing import arcs, circles, contours, grid, pages, portrait, weave
from drawing.palette import Palette
from drawing.sheet import Arrangement, Sheet

GRAMMARS: Mapping[str, Mapping[str, Arrangement]] = {
    "education": pages.ARRANGEMENTS,
    "culture": weave.ARRANGEMENTS,
    "natural-sciences": contours.ARRANGEMENTS,
    "social-and-human-sciences": circles.ARRANGEMENTS,
    "communication-and-information": arcs.ARRANGEMENTS,
    "cross-cutting": grid.ARRANGEMENTS,
}

CHOSEN = {
    "esd-hiratsuka": "open",
    "knowledge-sharing-china": "fan",
    "unevoc-krivet": "shelf",
    "kfit-mongolia": "steps",
    "culture-conventions-ulaanbaatar": "plait-of-three",
    "shared-living-heritage": "loom",
    "world-heritage-songtao": "plait-of-four",
    "culture-2030-shilin": "even",
    "cop15-kunming": "massif",
    "eabrn-webinars": "lines",
    "anso-exhibition": "islands",
    "nanjing-peace-forum": "horizon",
    "silk-roads-youth-forum": "chain",
    "ethics-teachers-mongolia": "two",
    "inclusive-development-mongolia": "room",
    "mil-resources-china": "corner",
    "herstory-mongolia": "side-by-side",
    "disability-handbook": "rise",
    "mil-forum-mongolia": "lines",
    "team-retreat": "dots",
    "crihap": "bias",
    "chair-media-gender": "balance",
    "un-day": "open",
    "end-violence-against-women": "row",
    "world-aids-day": "filling",
    "persons-with-disabilities": "loose",
}


def illustrate_story(slug: str, sector: str, size: tuple[int, int]) -> Image.Image:
    """The picture of a story, the same for the same slug; cross-cutting when its sector has no grammar."""
    sector = sector if sector in GRAMMARS else "cross-cutting"
    grammar, sheet = GRAMMARS[sector], take_sheet(slug, size)
    by_chance = sheet.chance.choice(sorted(grammar))
    chosen = CHOSEN.get(slug, by_chance)
    grammar.get(chosen, grammar[by_chance])(sheet, Palette.of(sector))
    return sheet.finish()


def illustrate_person(slug: str, side: int) -> Image.Image:
    """The stand-in for a portrait, ``side`` pixels square."""
    sheet = take_sheet(slug, (side, side))
    portrait.draw_portrait(sheet)
    return sheet.finish()


def take_sheet(slug: str, size: tuple[int, int]) -> Sheet:
    """A sheet whose every chance follows from the slug, on any machine and in any year."""
    return Sheet(*size, Random(int.from_bytes(sha256(slug.encode()).digest())))
