"""Parse a row of a file into the details of one subscriber, before anything is stored.

A list of a million people contains forty countries, six languages and a few thousand domains and
organisations, so the values of cells are cached. Ordinary addresses take a fast path, which is tested against
the rules of :mod:`subscribers.address` with addresses of every kind.
"""

import re
from collections.abc import Callable, Collection
from typing import NamedTuple, TypeVar

from email_validator import SPECIAL_USE_DOMAIN_NAMES

from subscribers.address import Address, normalise_address
from subscribers.csv_format import SEPARATOR
from subscribers.errors import AddressError, CountryError, DetailError, SubscriberError
from subscribers.imports.address_cell import parse_address_cell
from subscribers.imports.columns.layouts import RawRow
from subscribers.models import ConsentEvent
from subscribers.validation import clean_language, clean_line, clean_sectors, clean_tags, resolve_country

Parsed = TypeVar("Parsed")

_MAX_CACHED = 20_000
ORDINARY_LOCAL = "[A-Za-z0-9]++(?:[._+-][A-Za-z0-9]++)*+"
"""A local part that normalise_address neither changes nor refuses, as a regular expression."""

_ORDINARY_LOCAL = re.compile(ORDINARY_LOCAL)
# It only lower-cases a domain like this, unless the last label is reserved.
_ORDINARY_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63})")
_MAX_LOCAL, _MAX_DOMAIN, _MAX_ADDRESS = 64, 253, 254

SubscriberDetails = tuple[str, str, str, str, str, str, frozenset[str], frozenset[str]]
"""What is stored of a subscriber: the fields of :class:`ParsedRow` from ``email`` to ``tags``."""


class ParsedRow(NamedTuple):
    """A valid row. ``email`` and ``envelope`` are those of an :class:`subscribers.address.Address`; missing
    details are empty. ``suppress_reason`` is why the address must not receive mail. ``others`` are further
    addresses in the same cell, normalised, and ``unusable`` its texts that only look like one.
    """

    row: int
    email: str
    envelope: str
    name: str
    organisation: str
    country: str
    language: str
    sectors: frozenset[str]
    tags: frozenset[str]
    suppress_reason: ConsentEvent | None
    others: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()

    @property
    def details(self) -> SubscriberDetails:
        return self[1:9]


class RowParser:
    """Parses rows for a workspace with these sectors. Its caches give the value of a cell, unescaped."""

    def __init__(self, sectors: Collection[str]) -> None:
        self._domain = CellCache(_parse_domain)
        self.organisation = CellCache(lambda cell: clean_line(cell, "organisation"))
        self.country = CellCache(_parse_country)
        self.language = CellCache(lambda cell: clean_language(cell) or "")
        self.sectors = CellCache(lambda cell: clean_sectors(cell.split(SEPARATOR), sectors))
        self.tags = CellCache(lambda cell: clean_tags(cell.split(SEPARATOR)))

    def parse(self, number: int, row: RawRow) -> ParsedRow:
        """Parse the row with that number.

        Raises:
            SubscriberError: the row is refused; the message says why.
        """
        try:
            email, envelope = self.parse_address(row.email)
        except AddressError:
            return self._parse_with_address_cell(number, row)
        return self._parse_details(number, row, email, envelope)

    def _parse_with_address_cell(self, number: int, row: RawRow) -> ParsedRow:
        cell = parse_address_cell(row.email)
        if cell.name and not row.name.strip():
            row = row._replace(name=cell.name)
        parsed = self._parse_details(number, row, cell.address.email, cell.address.envelope)
        return parsed._replace(others=tuple(other.email for other in cell.others), unusable=cell.rest)

    def _parse_details(self, number: int, row: RawRow, email: str, envelope: str) -> ParsedRow:
        if row.suppress_reason is not None:
            # Nothing else about a suppressed address is kept, so nothing else can be wrong.
            return ParsedRow(
                number, email, envelope, "", "", "", "", frozenset(), frozenset(), row.suppress_reason
            )
        return ParsedRow(
            number,
            email,
            envelope,
            clean_line(row.name, "name"),
            self.organisation[row.organisation],
            self.country[row.country],
            self.language[row.language],
            self.sectors[row.sectors],
            self.tags[row.tags],
            None,
        )

    def parse_address(self, text: str) -> tuple[str, str]:
        """``email`` and ``envelope``, as :func:`subscribers.address.normalise_address` finds them.

        Raises:
            AddressError: as there.
        """
        if ordinary := self.parse_ordinary_address(text):
            return ordinary
        address: Address = normalise_address(text)
        return address.email, address.envelope

    def parse_ordinary_address(self, text: str) -> tuple[str, str] | None:
        """As :meth:`parse_address`, but None for an address that is not ordinary, which may be right."""
        local, _, domain = text.partition("@")
        if not _ORDINARY_LOCAL.fullmatch(local) or len(local) > _MAX_LOCAL or len(text) > _MAX_ADDRESS:
            return None
        known = self._domain[domain]
        if known is None or len(local) + 1 + len(known[1]) > _MAX_ADDRESS:
            return None
        email, envelope = known
        if email == envelope == domain:
            return text.lower(), text
        return f"{local.lower()}@{email}", f"{local}@{envelope}"


class CellCache(dict[str, Parsed]):
    """A cache of a function's results by cell, errors included, which is emptied when it is full.

    It is a dictionary, because a million cells are looked up in it.
    """

    def __init__(self, find: Callable[[str], Parsed]) -> None:
        super().__init__()
        self._parse = find
        self._errors: dict[str, SubscriberError] = {}

    def __missing__(self, cell: str) -> Parsed:
        if cell in self._errors:
            raise self._errors[cell]
        if len(self) + len(self._errors) >= _MAX_CACHED:
            self.clear()
            self._errors.clear()
        try:
            found = self[cell] = self._parse(cell)
        except SubscriberError as fault:
            self._errors[cell] = fault
            raise
        return found


def _parse_domain(domain: str) -> tuple[str, str] | None:
    """Return a domain in Unicode and as A-labels, None if its addresses need the slow path."""
    if not domain.isascii() or domain != domain.strip():
        return None
    # A double hyphen may indicate Punycode.
    if (found := _ORDINARY_DOMAIN.fullmatch(domain)) and "--" not in domain:
        small = domain.lower()
        if found[1].lower() not in SPECIAL_USE_DOMAIN_NAMES and len(small) <= _MAX_DOMAIN:
            return small, small
    try:
        address = normalise_address(f"a@{domain}")
    except SubscriberError:
        return None
    return address.email.removeprefix("a@"), address.envelope.removeprefix("a@")


def _parse_country(cell: str) -> str:
    if not cell.strip():
        return ""
    try:
        return resolve_country(cell)
    except CountryError as error:
        raise DetailError("country", error.words) from error
