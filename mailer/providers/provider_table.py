"""A provider that receives mail, what it accepts from one sender, and what it asks of senders.

Whatever is said of a provider carries its source and the date of that source.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from locales.phrase import gettext_noop


class Requirement(StrEnum):
    """What a provider may ask of those who send to it."""

    spf = "spf"
    """SPF allows the server that sends (RFC 7208)."""

    dkim = "dkim"
    """Each message is signed (RFC 6376)."""

    dmarc = "dmarc"
    """The domain in From has a DMARC record (RFC 9989)."""

    alignment = "alignment"
    """SPF or DKIM passes for the domain in From itself."""

    ptr = "ptr"
    """The address of the sending server has a name that leads back to it."""

    tls = "tls"
    """Mail is handed over encrypted."""

    from_domain = "from_domain"
    """The domain in From can receive mail: it has an MX or an address."""

    one_click = "one_click"
    """The mail program can unsubscribe with one click (RFC 8058)."""

    unsubscribe_mailto = "unsubscribe_mailto"
    """List-Unsubscribe has a mail address to which leaving can be written."""

    unsubscribe_link = "unsubscribe_link"
    """The mail shows a link to unsubscribe."""

    opt_in = "opt_in"
    """Only people who asked for it get the newsletter."""

    few_complaints = "few_complaints"
    """Hardly anybody reports the mail as spam: under 0.3 %, better under 0.1 %."""

    clean_list = "clean_list"
    """Addresses that do not exist are removed at once."""

    imprint = "imprint"
    """The mail, and the sending server's website, say who the sender is and how to reach them."""

    complaint_loop = "complaint_loop"
    """The sender is registered to be told of complaints."""

    registration = "registration"
    """The sender or the sending server is registered with the provider or with an authority."""

    advertisement_label = "advertisement_label"
    """The subject of advertising begins with a label."""

    @property
    def label(self) -> str:
        """The requirement as people read it, in a few words."""
        return _LABELS[self]


_LABELS = {
    Requirement.spf: "SPF",
    Requirement.dkim: "DKIM",
    Requirement.dmarc: "DMARC",
    Requirement.alignment: gettext_noop("alignment with From"),
    Requirement.ptr: gettext_noop("name of the sending server (PTR)"),
    Requirement.tls: "TLS",
    Requirement.from_domain: gettext_noop("From domain that receives mail"),
    Requirement.one_click: gettext_noop("one-click unsubscribe"),
    Requirement.unsubscribe_mailto: gettext_noop("unsubscribe by mail"),
    Requirement.unsubscribe_link: gettext_noop("visible unsubscribe link"),
    Requirement.opt_in: gettext_noop("consent"),
    Requirement.few_complaints: gettext_noop("few complaints"),
    Requirement.clean_list: gettext_noop("no dead addresses"),
    Requirement.imprint: gettext_noop("imprint"),
    Requirement.complaint_loop: gettext_noop("complaint loop"),
    Requirement.registration: gettext_noop("registration"),
    Requirement.advertisement_label: gettext_noop("label of advertising"),
}


class Level(StrEnum):
    """How much a provider insists."""

    required = "required"
    """Without it, mail is refused or goes to the spam folder."""

    recommended = "recommended"
    """With it, mail is trusted more."""


class Period(StrEnum):
    """What a number of messages is counted over."""

    second = "second"
    """Counted each second."""

    hour = "hour"
    """Counted each hour; sent evenly over it."""

    day = "day"
    """Counted each day (UTC)."""

    @property
    def seconds(self) -> int:
        """How long it is, in seconds."""
        return {"second": 1, "hour": 3600, "day": 86400}[self.value]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where something is said. ``date`` is the page's own, or the day on which we read it."""

    url: str
    date: date


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One thing that a provider asks of senders."""

    requirement: Requirement
    level: Level
    source: Source


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How many messages the provider accepts from one sending address. ``note`` says how it was found."""

    messages: int
    per: Period
    source: Source
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Connections:
    """How many connections from one sending address the provider takes at the same time."""

    at_once: int
    source: Source


@dataclass(frozen=True, kw_only=True)
class KnownRefusal:
    """A refusal by which a provider is known.

    ``codes`` are marks of which its words contain one ("5.7.26", "HL:IFC"), ``means`` says in a sentence what
    happened, ``advice`` what to do.
    """

    codes: tuple[str, ...]
    means: str
    advice: str
    source: Source


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider, or a maker of gateways that stand before other servers.

    ``mx`` are ends of the names of its MX hosts, ``domains`` its own mail domains, which need no look-up;
    ``found_by`` is the source of both. ``postmaster`` is its page for senders, or "".
    """

    key: str
    name: str
    mx: tuple[str, ...]
    domains: tuple[str, ...]
    found_by: Source
    postmaster: str = ""
    asks: tuple[Ask, ...] = ()
    limits: tuple[Limit, ...] = ()
    connections: Connections | None = None
    refusals: tuple[KnownRefusal, ...] = ()

    @property
    def rate(self) -> float | None:
        """Messages per second, or None if there is no published number."""
        rates = [each.messages / each.per.seconds for each in self.limits if each.per is not Period.day]
        return min(rates, default=None)

    @property
    def daily_limit(self) -> int | None:
        """Messages per day, or None if there is no published number."""
        return min((each.messages for each in self.limits if each.per is Period.day), default=None)


_TABLE = Path(__file__).with_name("providers.toml")
_KEYS = {
    *("name", "mx", "domains", "found_by", "postmaster", "asks", "limits", "connections", "refusals"),
    "sources",
}


class ProviderTableError(ValueError):
    """The table has mistakes: ``problems`` names all of them, one a line."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ProviderTable:
    """All providers, by key and by their own domains."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self.by_key: Mapping[str, Provider] = {each.key: each for each in providers}
        self._by_mx = {end: each for each in self.by_key.values() for end in each.mx}
        self.by_domain: Mapping[str, Provider] = {
            domain: each for each in self.by_key.values() for domain in each.domains
        }

    def find_provider_of_mx(self, hosts: Iterable[str]) -> Provider | None:
        """Return the provider that one of ``hosts`` belongs to, or None.

        ``hosts`` are the most preferred MX hosts of a domain, in any case, with a final dot or without.
        """
        for host in hosts:
            labels = host.rstrip(".").lower().split(".")
            for first in range(len(labels)):
                if found := self._by_mx.get(".".join(labels[first:])):
                    return found
        return None

    def find_provider_of_domain(self, domain: str) -> Provider | None:
        """Return the provider whose own ``domain`` it is, in small letters and A-labels; None if nobody's."""
        return self.by_domain.get(domain)


@cache
def load_providers() -> ProviderTable:
    """The table that comes with the program."""
    return read_table(_TABLE.read_text(encoding="utf-8"))


def read_table(text: str) -> ProviderTable:
    """Read a table.

    Raises:
        ProviderTableError: it has mistakes; all of them are named.
        tomllib.TOMLDecodeError: it is no TOML.
    """
    problems: list[str] = []
    providers = [_RowReader(key, row, problems).read() for key, row in tomllib.loads(text).items()]
    _check_uniqueness(providers, problems)
    if problems:
        raise ProviderTableError(problems)
    return ProviderTable(providers)


def _check_uniqueness(providers: Iterable[Provider], problems: list[str]) -> None:
    """One host or domain cannot be two providers'."""
    owners: dict[tuple[str, str], str] = {}
    for each in providers:
        for kind, names in (("mx", each.mx), ("domains", each.domains)):
            for name in names:
                owner = owners.setdefault((kind, name), each.key)
                if owner != each.key:
                    problems.append(f"{each.key}: {kind}: {name} is already {owner}'s")


class _RowReader:
    """Reads one provider, and adds what is wrong with it to ``problems``."""

    _NOWHERE = Source(url="", date=date.min)

    def __init__(self, key: str, row: Any, problems: list[str]) -> None:
        self._key = key
        self._row: Mapping[str, Any] = row if isinstance(row, dict) else {}
        self._problems = problems
        if not isinstance(row, dict):
            self._complain("is not a table")
        for name in sorted(self._row.keys() - _KEYS):
            self._complain(f"{name}: there is no such key")
        self._sources = self._read_sources()

    def read(self) -> Provider:
        mx, domains = (self._read_names(name) for name in ("mx", "domains"))
        if not mx and not domains:
            self._complain("has neither mx nor domains, so nobody would be found")
        postmaster = self._row.get("postmaster", "")
        if postmaster:
            self._check_url("postmaster", postmaster)
        return Provider(
            key=self._key,
            name=self._read_text("name", self._row),
            mx=mx,
            domains=domains,
            found_by=self._find_source("found_by", self._row.get("found_by")),
            postmaster=postmaster,
            asks=tuple(ask for row in self._rows("asks") for ask in self._read_asks(row)),
            limits=tuple(self._read_limit(row) for row in self._rows("limits")),
            connections=self._read_connections(self._row.get("connections")),
            refusals=tuple(self._read_refusal(row) for row in self._rows("refusals")),
        )

    def _complain(self, problem: str) -> None:
        self._problems.append(f"{self._key}: {problem}")

    def _rows(self, name: str) -> list[Mapping[str, Any]]:
        rows = self._row.get(name, [])
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return rows
        self._complain(f"{name}: is not a list of tables")
        return []

    def _read_sources(self) -> dict[str, Source]:
        sources = self._row.get("sources", {})
        found = {}
        for name, row in sources.items() if isinstance(sources, dict) else ():
            url, day = (row.get("url"), row.get("date")) if isinstance(row, dict) else (None, None)
            self._check_url(f"sources.{name}", url)
            if not isinstance(day, date):
                self._complain(f"sources.{name}: has no date")
            found[name] = Source(url=str(url), date=day if isinstance(day, date) else date.min)
        if not found:
            self._complain("has no sources")
        return found

    def _check_url(self, where: str, url: Any) -> None:
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            self._complain(f"{where}: {url!r} is not an address of a page")

    def _find_source(self, where: str, name: Any) -> Source:
        found = self._sources.get(name) if isinstance(name, str) else None
        if found is None:
            self._complain(f"{where}: {name!r} is not among its sources")
        return found or self._NOWHERE

    def _read_text(self, where: str, row: Mapping[str, Any], name: str = "") -> str:
        text = row.get(name or where)
        if not isinstance(text, str) or not text.strip():
            self._complain(f"{where}: is missing or empty")
            return ""
        return text

    def _read_names(self, where: str) -> tuple[str, ...]:
        names = self._row.get(where, [])
        if not isinstance(names, list):
            self._complain(f"{where}: is not a list")
            return ()
        for name in names:
            if not isinstance(name, str) or name != name.lower().strip(".") or "." not in name:
                self._complain(f"{where}: {name!r} is not a name in small letters with a dot inside")
        return tuple(str(name) for name in names)

    def _read_asks(self, row: Mapping[str, Any]) -> list[Ask]:
        source = self._find_source("asks", row.get("source"))
        level = row.get("level")
        if level not in list(Level):
            self._complain(f"asks: level {level!r} is none of: {', '.join(Level)}")
            return []
        wanted = row.get("what") or []
        for name in wanted:
            if name not in list(Requirement):
                self._complain(f"asks: {name!r} is nothing that a provider can ask")
        return [
            Ask(requirement=Requirement(name), level=Level(level), source=source)
            for name in wanted
            if name in list(Requirement)
        ]

    def _read_limit(self, row: Mapping[str, Any]) -> Limit:
        per = row.get("per")
        if per not in list(Period):
            self._complain(f"limits: per {per!r} is none of: {', '.join(Period)}")
            per = Period.hour
        return Limit(
            messages=self._read_number("limits: messages", row.get("messages")),
            per=Period(per),
            source=self._find_source("limits", row.get("source")),
            note=row.get("note", ""),
        )

    def _read_connections(self, row: Any) -> Connections | None:
        if row is None:
            return None
        if not isinstance(row, dict):
            self._complain("connections: is not a table")
            return None
        return Connections(
            at_once=self._read_number("connections: at_once", row.get("at_once")),
            source=self._find_source("connections", row.get("source")),
        )

    def _read_number(self, where: str, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        self._complain(f"{where}: {value!r} is not a whole number above 0")
        return 1

    def _read_refusal(self, row: Mapping[str, Any]) -> KnownRefusal:
        codes = row.get("codes")
        if not isinstance(codes, list) or not codes or not all(isinstance(code, str) for code in codes):
            self._complain("refusals: codes: is not a list of texts")
            codes = []
        return KnownRefusal(
            codes=tuple(codes),
            means=self._read_text("refusals: means", row, "means"),
            advice=self._read_text("refusals: advice", row, "advice"),
            source=self._find_source("refusals", row.get("source")),
        )
