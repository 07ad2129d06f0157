"""Finds the DMARC record that holds for a domain, and its organisational domain: the tree walk of RFC 9989
§4.10.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mailer.doctor.dns_lookups import Lookups

_MOST_QUERIES = 8


@dataclass(frozen=True, kw_only=True)
class DmarcRecord:
    """A record, and the domain it was found at (without ``_dmarc.``)."""

    domain: str
    text: str


@dataclass(frozen=True, kw_only=True)
class DmarcDiscovery:
    """What a tree walk found.

    ``own`` are the records at the domain itself: several count as none. ``policy`` is the record that holds.
    """

    domain: str
    own: tuple[str, ...]
    organisational_domain: str
    policy: DmarcRecord | None


def discover_dmarc(domain: str, lookups: Lookups) -> DmarcDiscovery:
    """Walk from ``domain`` towards the root.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    own = _find_records(domain, lookups)
    walked = list(_walk(domain, own, lookups))
    organisation = _choose_organisation(domain, walked)
    by_domain = {record.domain: record for record in walked}
    policy = by_domain.get(domain) or by_domain.get(organisation)
    if policy is None and walked:
        # Only the record of a public suffix is left, which holds for those below it (§4.10.1).
        policy = walked[-1]
    return DmarcDiscovery(domain=domain, own=own, organisational_domain=organisation, policy=policy)


def _find_records(domain: str, lookups: Lookups) -> tuple[str, ...]:
    return tuple(text for text in lookups.find_texts(f"_dmarc.{domain}") if is_dmarc(text))


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is meant as one of DMARC: it begins with the version."""
    return "".join(text.split()).lower().startswith("v=dmarc1")


def _walk(domain: str, own: tuple[str, ...], lookups: Lookups) -> Iterator[DmarcRecord]:
    """Every valid record from ``domain`` upwards, until one says ``psd=``."""
    labels = domain.split(".")
    # The first question is for the domain itself; of a long name, the middle is left out.
    first = max(1, len(labels) - _MOST_QUERIES + 1)
    names = [domain, *(".".join(labels[index:]) for index in range(first, len(labels)))]
    for name in names:
        records = own if name == domain else _find_records(name, lookups)
        if len(records) != 1:
            continue
        yield DmarcRecord(domain=name, text=records[0])
        if _read_psd(records[0]) in {"y", "n"}:
            return


def _read_psd(text: str) -> str:
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "psd":
            return value.strip().lower()
    return "u"


def _choose_organisation(domain: str, walked: list[DmarcRecord]) -> str:
    """The organisational domain (§4.10.2)."""
    if not walked:
        return domain
    last = walked[-1]
    if _read_psd(last.text) == "y" and last.domain != domain:
        below = len(domain.split(".")) - len(last.domain.split(".")) - 1
        return ".".join(domain.split(".")[below:])
    return last.domain
