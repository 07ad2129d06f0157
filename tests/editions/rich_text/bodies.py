"""The bodies of the sample edition."""

from functools import cache

from editions.source.front_matter import read_front_matter
from editions.source.text_file import read_text_file
from tests.paths import ROOT

SAMPLE = ROOT / "editions" / "samples" / "unesco-beijing-2021-2"


@cache
def sample_bodies() -> dict[str, str]:
    """The Markdown below the front matter of each file, by name."""
    bodies = {}
    for path in sorted(SAMPLE.rglob("*.md")):
        file, _ = read_text_file(SAMPLE, str(path.relative_to(SAMPLE)))
        assert file is not None
        bodies[file.name] = read_front_matter(file)[0].body
    return bodies
