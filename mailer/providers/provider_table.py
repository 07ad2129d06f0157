"""The providers that receive mail, what they accept from one sender and ask of senders: ``providers.toml``.

Whatever is said of a provider carries its source and the date of that source.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from locales.phrase import gettext_noop

_Number = Annotated[int, Field(strict=True, gt=0)]
_TABLE = Path(__file__).with_name("providers.toml")


class Requirement(StrEnum):
    """What a provider may ask of those who send to it."""

    spf = "spf"
    """SPF allows the server that sends (RFC 7208)."""

    dkim = "dkim"
    dmarc = "dmarc"
    """The domain in From has a DMARC record (RFC 9989)."""

    alignment = "alignment"
    """SPF or DKIM passes for the domain in From itself."""

    ptr = "ptr"
    """The address of the sending server has a name that leads back to it."""

    tls = "tls"
    from_domain = "from_domain"
    """The domain in From can receive mail: it has an MX or an address."""

    one_click = "one_click"
    """The mail program can unsubscribe with one click (RFC 8058)."""

    unsubscribe_mailto = "unsubscribe_mailto"
    """List-Unsubscribe has a mail address to which leaving can be written."""

    unsubscribe_link = "unsubscribe_link"
    opt_in = "opt_in"
    few_complaints = "few_complaints"
    """Hardly anybody reports the mail as spam: under 0.3 %, better under 0.1 %."""

    clean_list = "clean_list"
    """Addresses that do not exist are removed at once."""

    imprint = "imprint"
    """The mail, and the sending server's website, say who the sender is and how to reach them."""

    complaint_loop = "complaint_loop"
    registration = "registration"
    """The sender or the sending server is registered with the provider or with an authority."""

    advertisement_label = "advertisement_label"

    @property
    def label(self) -> str:
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
    hour = "hour"
    day = "day"  # in UTC

    @property
    def seconds(self) -> int:
        return {"second": 1, "hour": 3600, "day": 86400}[self.value]


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _check_url(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("is not an address of a page")
    return url


def _check_name(name: str) -> str:
    if name != name.lower().strip(".") or "." not in name:
        raise ValueError("is not a name in small letters with a dot inside")
    return name


def _find_source(name: Any, info: ValidationInfo) -> Any:
    """Return the row of the source that the provider calls ``name``."""
    sources = (info.context or {}).get("sources", {})
    if name not in sources:
        raise ValueError("is not among its sources")
    return sources[name]


_Text = Annotated[str, AfterValidator(_check_text)]
_Url = Annotated[str, AfterValidator(_check_url)]
_Names = tuple[Annotated[str, AfterValidator(_check_name)], ...]


class _Row(BaseModel):
    """Something that the table says."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Row):
    """Where something is said. ``date`` is the page's own, or the day on which we read it."""

    url: _Url
    date: Annotated[date, Field(strict=True)]


_Sourced = Annotated[Source, BeforeValidator(_find_source)]


class Ask(_Row):
    """One thing that a provider asks of senders."""

    requirement: Requirement
    level: Level
    source: _Sourced


class Limit(_Row):
    """How many messages the provider accepts from one sending address. ``note`` says how it was found."""

    messages: _Number
    per: Period
    source: _Sourced
    note: str = ""


class Connections(_Row):
    """How many connections from one sending address the provider takes at the same time."""

    at_once: _Number
    source: _Sourced


class KnownRefusal(_Row):
    """A refusal by which a provider is known. ``codes`` are marks of which its words contain one ("5.7.26",
    "HL:IFC")."""

    codes: Annotated[tuple[str, ...], Field(min_length=1)]
    means: _Text
    advice: _Text
    source: _Sourced


def _split_asks(rows: Any) -> Any:
    """Return a row for each requirement; in the table, those of one source and level are one."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return rows
    return [
        {"requirement": name, **{key: value for key, value in row.items() if key != "what"}}
        for row in rows
        for name in row.get("what", ())
    ]


class Provider(_Row):
    """A provider, or a maker of gateways that stand before other servers. ``mx`` are ends of the names of its
    MX hosts, ``domains`` its own mail domains, which need no look-up; ``found_by`` is the source of both."""

    key: str
    name: _Text
    mx: _Names = ()
    domains: _Names = ()
    found_by: _Sourced
    postmaster: Literal[""] | _Url = ""
    asks: Annotated[tuple[Ask, ...], BeforeValidator(_split_asks)] = ()
    limits: tuple[Limit, ...] = ()
    connections: Connections | None = None
    refusals: tuple[KnownRefusal, ...] = ()
    sources: Annotated[dict[str, Source], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_places(self) -> Self:
        if not self.mx and not self.domains:
            raise ValueError("has neither mx nor domains, so nobody would be found")
        return self

    @property
    def rate(self) -> float | None:
        """Messages per second, or None if there is no published number."""
        rates = [each.messages / each.per.seconds for each in self.limits if each.per is not Period.day]
        return min(rates, default=None)

    @property
    def daily_limit(self) -> int | None:
        """Messages per day, or None if there is no published number."""
        return min((each.messages for each in self.limits if each.per is Period.day), default=None)


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
        """Return the provider that one of ``hosts`` belongs to, the most preferred MX hosts of a domain, in
        any case, with a final dot or without."""
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
    """Read the table that comes with the program."""
    return read_table(_TABLE.read_text(encoding="utf-8"))


def read_table(text: str) -> ProviderTable:
    """Read a table. Raise ProviderTableError if it has mistakes, which names all, and TOMLDecodeError if it
    is no TOML."""
    rows = tomllib.loads(text)
    problems: list[str] = []
    providers: list[Provider] = []
    for key, row in rows.items():
        try:
            providers.append(Provider.model_validate({"key": key, **row}, context=row))
        except ValidationError as error:
            problems += (_describe_problem(key, each) for each in error.errors())
    problems += _list_shared_names(rows)
    if problems:
        raise ProviderTableError(problems)
    return ProviderTable(providers)


def _describe_problem(key: str, problem: ErrorDetails) -> str:
    where = "".join(f" {step}:" for step in problem["loc"])
    given = "" if isinstance(problem["input"], dict) else f" {problem['input']!r}:"
    return f"{key}:{where}{given} {problem['msg'].removeprefix('Value error, ')}"


def _list_shared_names(rows: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong where one host or domain would be two providers'."""
    owners: dict[tuple[str, str], str] = {}
    for key, row in rows.items():
        for kind in ("mx", "domains"):
            for name in row.get(kind, ()):
                owner = owners.setdefault((kind, name), key)
                if owner != key:
                    yield f"{key}: {kind}: {name} is already {owner}'s"
