"""Which DMARC record holds for a domain, and what its organisational domain is: the examples of RFC 9989."""

import pytest

from mailer.dns import make_resolver
from mailer.doctor.dmarc_checks import discover_dmarc, is_aligned
from mailer.doctor.dns_lookups import Lookups
from tests.servers.dns_server import DnsServer, running_dns_server

REJECT, QUARANTINE = "v=DMARC1; p=reject", "v=DMARC1; p=quarantine"


def publish(server: DnsServer, records: dict[str, str]) -> Lookups:
    server.publish({f"_dmarc.{name}": [f'TXT "{text}"'] for name, text in records.items()})
    return Lookups(make_resolver(server.settings))


@pytest.mark.parametrize(
    ("domain", "records", "organisation", "policy"),
    [
        ("ministry.int", {"ministry.int": REJECT}, "ministry.int", "ministry.int"),
        ("news.ministry.int", {"ministry.int": REJECT}, "ministry.int", "ministry.int"),
        (
            "news.ministry.int",
            {"news.ministry.int": QUARANTINE, "ministry.int": REJECT},
            "ministry.int",
            "news.ministry.int",
        ),
        # psd=n: the domain is an organisation of its own.
        (
            "mail.office.ministry.int",
            {"office.ministry.int": f"{REJECT}; psd=n", "ministry.int": REJECT},
            "office.ministry.int",
            "office.ministry.int",
        ),
        # psd=y: a registry's record, and the organisation is one below it.
        ("news.ministry.gov", {"gov": f"{REJECT}; psd=y"}, "ministry.gov", "gov"),
        (
            "news.ministry.gov",
            {"gov": f"{REJECT}; psd=y", "ministry.gov": REJECT},
            "ministry.gov",
            "ministry.gov",
        ),
        ("news.ministry.int", {}, "news.ministry.int", None),
        # Two questions at most are spared in the middle of a long name (§4.10, eight questions).
        ("a.b.c.d.e.f.g.h.i.ministry.int", {"ministry.int": REJECT}, "ministry.int", "ministry.int"),
    ],
)
def test_the_tree_walk_finds(
    domain: str, records: dict[str, str], organisation: str, policy: str | None
) -> None:
    with running_dns_server() as server:
        found = discover_dmarc(domain, publish(server, records))
        assert found.organisational_domain == organisation
        assert (found.policy.domain if found.policy else None) == policy
        assert len(server.questions) <= 8


def test_several_records_at_one_name_count_as_none() -> None:
    with running_dns_server() as server:
        lookups = publish(server, {"ministry.int": REJECT})
        server.publish({"_dmarc.news.ministry.int": [f'TXT "{REJECT}"', f'TXT "{QUARANTINE}"']})
        found = discover_dmarc("news.ministry.int", lookups)
        assert (len(found.own), found.policy and found.policy.domain) == (2, "ministry.int")


@pytest.mark.parametrize(
    ("domain", "is_strict", "aligned"),
    [
        ("ministry.int", False, True),
        ("bounce.ministry.int", False, True),
        ("bounce.ministry.int", True, False),
        ("ministry.int", True, True),
        ("elsewhere.int", False, False),
        ("ministry.example", False, False),
    ],
)
def test_a_domain_counts_for_the_sender_if_the_organisation_is_the_same(
    domain: str, is_strict: bool, aligned: bool
) -> None:
    with running_dns_server() as server:
        lookups = publish(server, {"ministry.int": REJECT, "elsewhere.int": REJECT})
        assert is_aligned(domain, "ministry.int", lookups, is_strict=is_strict) is aligned
