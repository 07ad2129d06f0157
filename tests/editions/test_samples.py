"""The sample edition is without a fault."""

from editions.model import arrange_sections
from editions.reader import inspect_edition
from tests.factories.sample_edition import SAMPLE

SECTORS = (
    "education",
    "culture",
    "natural-sciences",
    "social-and-human-sciences",
    "communication-and-information",
)


def test_the_sample_has_neither_errors_nor_warnings() -> None:
    inspection = inspect_edition(SAMPLE, sectors=SECTORS)
    assert [str(problem) for problem in inspection.problems] == []
    assert inspection.edition is not None
    assert len(inspection.edition.stories) == 26


def test_the_sample_has_every_section() -> None:
    edition = inspect_edition(SAMPLE, sectors=SECTORS).edition
    assert edition is not None
    keys = list(arrange_sections(edition, sectors=SECTORS))
    assert keys == ["feature", *SECTORS, "centres-and-chairs", "campaigns", "office"]
