"""The fields by which people choose who is in a segment: boxes to tick, and words to write."""

import re
from collections.abc import Sequence

from locales.countries import is_country
from subscribers.errors import CountryError
from subscribers.segments.segment import SegmentFilters
from subscribers.validation import resolve_country

_COMMAS = re.compile("[,，、]")
_BOXES = {
    "status": "statuses",
    "country": "countries",
    "sector": "sectors",
    "language": "languages",
    "tag": "tags",
    "source": "sources",
}
"""The checkboxes of the form, by name, and the filter that each is for."""
FILTER_NAMES = (*_BOXES, "other_countries", "other_tags", "org", "others")
"""The names of all that the form of filters asks for."""


def read_filter_fields(
    given: Sequence[tuple[str, str]],
) -> tuple[SegmentFilters, list[tuple[str, str]]]:
    """Return the filters that the fields of a form choose, and what is wrong with them: pairs of a name and
    words."""
    values = dict(given)
    chosen = {
        field: [value for name, value in given if name == box and value] for box, field in _BOXES.items()
    }
    countries, errors = _read_countries(values.get("other_countries", ""))
    chosen["countries"] += countries
    chosen["tags"] += _split(values.get("other_tags", ""))
    wanted = SegmentFilters(
        **{field: tuple(dict.fromkeys(found)) for field, found in chosen.items()},
        organisations=tuple(_split(values.get("org", ""))),
        others=values.get("others", "").strip(),
    )
    return wanted, errors


def _read_countries(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    codes, errors = [], []
    for words in _split(text):
        try:
            codes.append(words.upper() if is_country(words.upper()) else resolve_country(words))
        except CountryError as error:
            errors.append(("other_countries", str(error)))
    return codes, errors


def _split(text: str) -> list[str]:
    return [part.strip() for part in _COMMAS.split(text) if part.strip()]
