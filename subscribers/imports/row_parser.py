"""Parse a row of a file into the details of one subscriber, before anything is stored.

A list of a million people contains forty countries, six languages and a few thousand domains and
organisations, so the values of cells are cached. Ordinary addresses take a fast path, which is tested against
the rules of :mod:`subscribers.address` with addresses of every kind, and so do ordinary rows of our own
columns.
"""

import re
from collections.abc import Callable, Collection
from typing import NamedTuple, TypeVar

from email_validator import SPECIAL_USE_DOMAIN_NAMES

from subscribers.address import Address, normalise_address
from subscribers.country import resolve_country
from subscribers.csv_format import SEPARATOR, unescape_formulas
from subscribers.errors import AddressError, CountryError, DetailError, SubscriberError
from subscribers.imports.address_cell import parse_address_cell
from subscribers.imports.columns.raw_row import RawRow
from subscribers.models import ConsentEvent
from subscribers.validation import clean_language, clean_line, clean_sectors, clean_tags

Parsed = TypeVar("Parsed")

_MAX_CACHED = 20_000
# normalise_address neither changes nor refuses a local part like this.
_ORDINARY_LOCAL = re.compile(r"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*", re.ASCII)
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
    """Parses rows for a workspace with these sectors."""

    def __init__(self, sectors: Collection[str]) -> None:
        self._domain = _Cache(_parse_domain)
        self._organisation = _Cache(lambda cell: clean_line(cell, "organisation"))
        self._country = _Cache(_parse_country)
        self._language = _Cache(lambda cell: clean_language(cell) or "")
        self._sectors = _Cache(lambda cell: clean_sectors(cell.split(SEPARATOR), sectors))
        self._tags = _Cache(lambda cell: clean_tags(cell.split(SEPARATOR)))

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

    def parse_ordinary(self, cells: tuple[str, ...]) -> SubscriberDetails | None:
        """Parse the cells of our own columns, in their order and as written, as :meth:`parse` would; None if
        the address takes more.

        A fifth of reading a file was to pack each row into a raw and a parsed one and to unpack it.

        Raises:
            SubscriberError: the row is refused; the message says why.
        """
        text, name, organisation, country, sectors, language, tags = unescape_formulas(cells)
        address = self._parse_ordinary_address(text)
        if address is None:
            return None
        return (
            *address,
            clean_line(name, "name"),
            self._organisation[organisation],
            self._country[country],
            self._language[language],
            self._sectors[sectors],
            self._tags[tags],
        )

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
            self._organisation[row.organisation],
            self._country[row.country],
            self._language[row.language],
            self._sectors[row.sectors],
            self._tags[row.tags],
            None,
        )

    def parse_address(self, text: str) -> tuple[str, str]:
        """``email`` and ``envelope``, as :func:`subscribers.address.normalise_address` finds them.

        Raises:
            AddressError: as there.
        """
        if ordinary := self._parse_ordinary_address(text):
            return ordinary
        address: Address = normalise_address(text)
        return address.email, address.envelope

    def _parse_ordinary_address(self, text: str) -> tuple[str, str] | None:
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


class _Cache(dict[str, Parsed]):
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
