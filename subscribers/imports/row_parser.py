"""Parse rows of a file into the details of subscribers, before anything is stored.

A list of a million people contains forty countries, six languages and a few thousand domains and
organisations, so the values of cells are cached. Ordinary addresses take a fast path, which is tested against
the rules of :mod:`subscribers.address`. Others are looked for in their cell as people and programs write
them: with a name, with others, with a link.

Rows of our own columns are parsed by the column: one regular expression over five hundred addresses takes a
third of the time of five hundred. A column with an odd cell is parsed cell by cell; a row that is refused, or
takes more than this, is left to the rest.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

from email_validator import SPECIAL_USE_DOMAIN_NAMES

from locales.phrase import Phrase
from subscribers.address import NO_ADDRESS, Address, normalise_address
from subscribers.csv_format import COLUMNS, SEPARATOR, unescape_formula
from subscribers.errors import AddressError, DetailError, SubscriberError
from subscribers.imports.columns.layouts import OwnColumns, RawRow, fit_width, turn_name
from subscribers.imports.columns.status_titles import suggests_leaving
from subscribers.models import ConsentEvent
from subscribers.validation import (
    are_clean_lines,
    clean_country,
    clean_language,
    clean_line,
    clean_sectors,
    clean_tags,
)

# Spreadsheets and web pages add these without anyone seeing them. The joiners U+200C and U+200D are not here:
# in some scripts they tell one name from another.
_INVISIBLE: dict[int, str | None] = dict.fromkeys(
    [0x00AD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF]
)
_INVISIBLE |= {0xFF20: "@", 0xFE6B: "@"}  # full-width and small
# An address can begin with signs such as { and /, but a domain cannot end with any.
_BEFORE = ' \t\r\n\u00a0\u3000.,;:\\<>()[]"、，；。“”„«»‘’'
_AFTER = f"{_BEFORE}|/{{}}`'"
_SEPARATOR = re.compile(r":::|[;,\r\n、，；]|\s[/|]\s")
_ATTACHED_SEPARATOR = re.compile(r"[/|\s]+(?:(?:and|or|und|et|y)\s+)?")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ANGLE = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>@]*@[^<>]*)>[^<>@]*")
# "(work)" as often as "(Ann Li)", so it is not taken for a name.
_COMMENT = re.compile(r"\s*(?P<address>[^\s()]+@[^\s()]+)\s*\([^()@]*\)[\s,;]*")
_LINK = re.compile(r"\s*(?:mailto|smtp|e-?mail):\s*(?://)?", re.IGNORECASE)
_MAX_LENGTH = 4000
_MAX_ADDRESSES = 50
Parsed = TypeVar("Parsed")
_MAX_CACHED = 20_000
MAX_LEFT_OUT = 1_000
ORDINARY_LOCAL = "[A-Za-z0-9]++(?:[._+-][A-Za-z0-9]++)*+"
"""A local part that normalise_address neither changes nor refuses, as a regular expression."""
_ORDINARY_LOCAL = re.compile(ORDINARY_LOCAL)
# It only lower-cases a domain like this, unless the last label is reserved.
_ORDINARY_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63})")
SubscriberDetails = tuple[str, str, str, str, str, str, frozenset[str], frozenset[str]]
"""What is stored of a subscriber: the fields of :class:`ParsedRow` from ``email`` to ``tags``."""
# Of each line, the last label of an address whose only change is small letters in its local part, or "". The
# domain has no capitals, no double hyphen, which may indicate Punycode, and no room for too long a label.
_LAST_LABELS = re.compile(
    rf"^(?:(?=[^@\n]{{1,64}}@){ORDINARY_LOCAL}@(?=.{{1,63}}$)"
    r"(?:[a-z0-9]++(?:-[a-z0-9]++)*+\.)+([a-z]{2,63})$|.*)",
    re.ASCII | re.MULTILINE,
)
_OTHER_LABELS = frozenset(["", *SPECIAL_USE_DOMAIN_NAMES])


def parse_address_cell(text: str) -> tuple[list[tuple[Address, str]], list[str]]:
    """Return the addresses in a cell that can be used, at least one, each with the name written beside it;
    and the texts that look like one and cannot."""
    cleaned = text.translate(_INVISIBLE)
    if len(text) > _MAX_LENGTH or "@" not in cleaned:
        normalise_address(text)
    found: dict[str, tuple[Address, str]] = {}
    rest: list[str] = []
    failure: AddressError | None = None
    for name, written in _split_mailboxes(cleaned)[:_MAX_ADDRESSES]:
        try:
            address = normalise_address(written)
        except AddressError as error:
            failure = failure or error
            rest.append(written)
        else:
            found.setdefault(address.email, (address, name))
    if not found:
        if failure is not None and len(rest) == 1:
            raise failure
        normalise_address(text)
        raise AddressError(text, Phrase(NO_ADDRESS))
    return list(found.values()), rest


def _split_mailboxes(text: str) -> list[tuple[str, str]]:
    mailboxes: list[tuple[str, str]] = []
    held = ""
    for piece in _split_outside_quotes(text):
        if "@" not in piece:
            # "Li, Ann <ann@example.org>": a name may be written with a comma.
            held = f"{held}{piece}"
            continue
        if not held.strip(_AFTER) or ("<" not in piece and not held.rstrip().endswith(",")):
            held = ""
        mailboxes.extend(_read_mailboxes(piece, held))
        held = ""
    return mailboxes


def _split_outside_quotes(text: str) -> list[str]:
    """Split ``text`` where one mailbox ends; each piece keeps the separator at its end, as part of a name."""
    masked = _QUOTED.sub(lambda found: "\0" * len(found[0]), text)
    ends = [0, *(found.end() for found in _SEPARATOR.finditer(masked)), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def _read_mailboxes(piece: str, before: str) -> list[tuple[str, str]]:
    if found := _ANGLE.fullmatch(piece):
        name = _clean_name(before + found["name"])
        return [(name, _clean_address(found["address"]))]
    if before:
        # "jon,smith@example.org" is more likely a misspelt address than that of another person.
        return [("", f"{before}{piece}".strip())]
    if found := _COMMENT.fullmatch(piece):
        return [("", _clean_address(found["address"]))]
    words = [word for word in _ATTACHED_SEPARATOR.split(piece) if word.strip(_AFTER)]
    if len(words) > 1 and all(word.count("@") == 1 for word in words):
        return [("", _clean_address(word)) for word in words]
    return [("", _clean_address(piece))]


def _clean_address(text: str) -> str:
    if found := _LINK.match(text):
        text = unquote(text[found.end() :].partition("?")[0])
    bare = text.lstrip(_BEFORE)
    if bare.startswith("'") and bare.rstrip(_BEFORE).endswith("'"):
        # Outlook puts an address between single quotation marks.
        bare = bare[1:]
    return bare.rstrip(_AFTER)


def _clean_name(text: str) -> str:
    name = re.sub(r"\\(.)", r"\1", " ".join(text.split())).strip(" ,;|\"'")
    # Many programs write the address again where the name is missing.
    return "" if "@" in name or ":" in name else name


_MAX_LOCAL, _MAX_DOMAIN, _MAX_ADDRESS = 64, 253, 254


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
    """Parses rows for a workspace with these sectors. Its caches give the value of a cell, unescaped.

    A country or a tag that cannot be used costs the value and not the person; ``left_out`` counts them by our
    column and the text.
    """

    def __init__(self, sectors: Collection[str]) -> None:
        self.left_out: Counter[tuple[str, str]] = Counter()
        self._domain = CellCache(_parse_domain)
        self.organisation = CellCache(lambda cell: clean_line(cell, "organisation"))
        self.country = CellCache(lambda cell: clean_country(cell) or "")
        self.language = CellCache(lambda cell: clean_language(cell) or "")
        self.sectors = CellCache(lambda cell: clean_sectors(cell.split(SEPARATOR), sectors))
        self.tags = CellCache(lambda cell: clean_tags(cell.split(SEPARATOR)))

    def parse(self, number: int, row: RawRow) -> ParsedRow:
        try:
            email, envelope = self.parse_address(row.email)
        except AddressError:
            return self._parse_with_address_cell(number, row)
        return self._parse_details(number, row, email, envelope)

    def _parse_with_address_cell(self, number: int, row: RawRow) -> ParsedRow:
        [(address, name), *others], rest = parse_address_cell(row.email)
        if name and not row.name.strip():
            # A mail program writes a person beside an address in the order of its directory.
            row = row._replace(name=turn_name(name))
        parsed = self._parse_details(number, row, address.email, address.envelope)
        return parsed._replace(others=tuple(other.email for other, _ in others), unusable=tuple(rest))

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
            self._find_country(row.country),
            self.language[row.language],
            self.sectors[row.sectors],
            self._find_tags(row.tags),
            None,
        )

    def _find_country(self, cell: str) -> str:
        try:
            return self.country[cell]
        except SubscriberError:
            self._leave_out("country", cell)
            return ""

    def _find_tags(self, cell: str) -> frozenset[str]:
        try:
            return self.tags[cell]
        except SubscriberError:
            pass
        found: set[str] = set()
        for piece in cell.split(SEPARATOR):
            try:
                found |= self.tags[piece]
            except SubscriberError:
                self._leave_out("tags", piece)
        return frozenset(found)

    def _leave_out(self, column: str, text: str) -> None:
        left_out = column, text.strip()
        if left_out in self.left_out or len(self.left_out) < MAX_LEFT_OUT:
            self.left_out[left_out] += 1

    def parse_samples(self, samples: Iterable[Mapping[str, str]]) -> Iterator[ParsedRow]:
        """Yield the samples of a report as they would be stored, but for those that cannot be any more."""
        for sample in samples:
            with suppress(SubscriberError):
                yield self.parse(1, RawRow._make([*(sample.get(column, "") for column in COLUMNS), None]))

    def parse_address(self, text: str) -> tuple[str, str]:
        """Return ``email`` and ``envelope``, as :func:`subscribers.address.normalise_address` finds them."""
        if ordinary := self.parse_ordinary_address(text):
            return ordinary
        address: Address = normalise_address(text)
        return address.email, address.envelope

    def parse_ordinary_address(self, text: str) -> tuple[str, str] | None:
        """Parse an ordinary address; None for any other, which may be right."""
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
    """A cache of a function's results by cell, errors included, which is emptied when it is full. It is a
    dictionary, because a million cells are looked up in it.
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


class OrdinaryRowParser:
    """Parses rows of our own columns exactly as ``parser`` would."""

    def __init__(self, parser: RowParser) -> None:
        self._parser = parser
        # These are by cells as written, so that nobody needs to look for those that are escaped.
        self._organisation = _unescape_first(parser.organisation)
        self._others = [
            *(_unescape_first(cache) for cache in (parser.country, parser.sectors, parser.language)),
            CellCache(self._find_tags),
        ]

    def parse(self, columns: OwnColumns, rows: Sequence[Sequence[str]]) -> tuple[list[list[Any]], list[int]]:
        """Return the details of all rows, by column in the order of
        :data:`subscribers.imports.row_parser.SubscriberDetails`, and the places of rows that have to be
        parsed otherwise, whose details mean nothing.
        """
        odd: set[int] = set()
        emails, names, organisations, *others = columns.pick_columns(
            _fit_width(rows, len(columns.titles), odd)
        )
        email, envelope = self._parse_addresses(emails, odd)
        name = _clean_names(names, odd)
        organisation = self._clean_organisations(organisations, odd)
        country, sectors, language, tags = (
            _look_up(cache, cells, odd) for cache, cells in zip(self._others, others, strict=True)
        )
        return [email, envelope, name, organisation, country, language, sectors, tags], sorted(odd)

    def _find_tags(self, cell: str) -> frozenset[str]:
        tags = self._parser.tags[unescape_formula(cell)]
        if any(map(suggests_leaving, tags)):
            raise DetailError("tags", Phrase("a tag may say that the person left."))
        return tags

    def _parse_addresses(self, cells: Sequence[str], odd: set[int]) -> tuple[list[str], list[str]]:
        joined = "\n".join(cells)
        small = joined.lower()
        envelopes = list(cells)
        emails = envelopes.copy() if small == joined else small.split("\n")
        labels = _LAST_LABELS.findall(joined)
        if len(labels) != len(cells):  # a cell has several lines
            emails, labels = envelopes.copy(), [""] * len(cells)
        if _OTHER_LABELS.isdisjoint(labels):
            return emails, envelopes
        for place, label in enumerate(labels):
            if label not in _OTHER_LABELS:
                continue
            if address := self._parser.parse_ordinary_address(cells[place]):
                emails[place], envelopes[place] = address
            else:
                odd.add(place)
        return emails, envelopes

    def _clean_organisations(self, cells: Sequence[str], odd: set[int]) -> list[str]:
        # Thousands of them do not stay in the processor's cache, so looking them up takes longer.
        if "'" not in "".join(cells) and are_clean_lines(cells):
            return list(cells)
        return _look_up(self._organisation, cells, odd)


def _unescape_first(cache: CellCache[Any]) -> CellCache[Any]:
    return CellCache(lambda cell: cache[unescape_formula(cell)])


def _fit_width(rows: Sequence[Sequence[str]], width: int, odd: set[int]) -> Sequence[Sequence[str]]:
    if set(map(len, rows)) == {width}:
        return rows
    fitting: list[Sequence[str]] = []
    for place, cells in enumerate(rows):
        try:
            fitting.append(fit_width(tuple(cells), width))
        except DetailError:
            odd.add(place)
            fitting.append(("",) * width)
    return fitting


def _clean_names(cells: Sequence[str], odd: set[int]) -> list[str]:
    names = list(cells)
    if "'" in "".join(names):
        names = [unescape_formula(cell) if "'" in cell else cell for cell in names]
    if are_clean_lines(names):
        return names
    for place, name in enumerate(names):
        try:
            names[place] = clean_line(name, "name")
        except DetailError:
            odd.add(place)
    return names


def _look_up(cache: CellCache[Any], cells: Sequence[str], odd: set[int]) -> list[Any]:
    try:
        return list(map(cache.__getitem__, cells))
    except SubscriberError:
        pass
    found: list[Any] = []
    for place, cell in enumerate(cells):
        try:
            found.append(cache[cell])
        except SubscriberError:
            odd.add(place)
            found.append(None)
    return found
