"""Draw the picture of a story: with a chosen arrangement for the sample, a random one otherwise."""

from collections.abc import Mapping
from hashlib import sha256
from random import Random

from PIL import Image

from artwork import arcs, circles, contours, grid, pages, portrait, weave
from artwork.canvas import Arrangement, Canvas
from artwork.palette import Palette

ARRANGEMENTS_BY_SECTOR: Mapping[str, Mapping[str, Arrangement]] = {
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
    """Draw the picture of a story, always the same for a slug; unknown sectors count as cross-cutting."""
    sector = sector if sector in ARRANGEMENTS_BY_SECTOR else "cross-cutting"
    arrangements, canvas = ARRANGEMENTS_BY_SECTOR[sector], make_canvas(slug, size)
    random_choice = canvas.random.choice(sorted(arrangements))
    chosen = CHOSEN.get(slug, random_choice)
    arrangements.get(chosen, arrangements[random_choice])(canvas, Palette.of(sector))
    return canvas.finish()


def illustrate_person(slug: str, side: int) -> Image.Image:
    """Draw a placeholder for a portrait, ``side`` pixels square."""
    canvas = make_canvas(slug, (side, side))
    portrait.draw_portrait(canvas)
    return canvas.finish()


def make_canvas(slug: str, size: tuple[int, int]) -> Canvas:
    """Return a canvas whose random numbers are seeded by the slug, so that they never change."""
    return Canvas(*size, Random(int.from_bytes(sha256(slug.encode()).digest())))
