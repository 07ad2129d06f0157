"""Whether an SPF record lets an address send, as RFC 7208 reads it."""

from ipaddress import IPv4Address, ip_network

import pytest
from checkdmarc import utils
from checkdmarc.spf import parse_spf_record
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.dns import make_resolver
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.spf_checks import SpfResult, evaluate_spf
from tests.servers.dns_server import running_dns_server

RECORDS = {
    "ministry.int": ["A 192.0.2.1", "MX 10 mx.ministry.int."],
    "mx.ministry.int": ["A 192.0.2.65", "AAAA 2001:db8::65", "MX 5 mx.ministry.int."],
    "partner.int": ['TXT "v=spf1 ip4:203.0.113.0/24 -all"'],
    "soft.int": ['TXT "v=spf1 include:partner.int ~all"'],
    "macro.int": ['TXT "v=spf1 exists:%{i}.ministry.int -all"'],
}


@pytest.mark.parametrize(
    ("record", "address", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/28 -all", "192.0.2.15", "passes"),
        ("v=spf1 ip4:192.0.2.0/28 -all", "192.0.2.16", "fails"),
        ("v=spf1 ip4:192.0.2.0/28 ~all", "192.0.2.16", "fails"),
        ("v=spf1 ip4:192.0.2.0/28 ?all", "192.0.2.16", "neutral"),
        ("v=spf1 ip4:192.0.2.0/28", "2001:db8::1", "neutral"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", "passes"),
        ("v=spf1 a -all", "192.0.2.1", "passes"),
        ("v=spf1 a/24 -all", "192.0.2.200", "passes"),
        ("v=spf1 a:mx.ministry.int -all", "2001:db8::65", "passes"),
        ("v=spf1 mx -all", "192.0.2.65", "passes"),
        ("v=spf1 mx -all", "192.0.2.66", "fails"),
        ("v=spf1 mx/26 -all", "192.0.2.126", "passes"),
        ("v=spf1 mx:mx.ministry.int mx/26//64 -all", "192.0.2.126", "passes"),
        ("v=spf1 mx:ministry.int/30 -all", "192.0.2.126", "fails"),
        ("v=spf1 include:partner.int -all", "203.0.113.9", "passes"),
        # The -all of an included record does not end the one that includes it.
        ("v=spf1 include:partner.int ip4:192.0.2.1 -all", "192.0.2.1", "passes"),
        ("v=spf1 include:soft.int -all", "203.0.113.9", "passes"),
        ("v=spf1 redirect=partner.int", "203.0.113.9", "passes"),
        ("v=spf1 redirect=partner.int", "192.0.2.1", "fails"),
        ("v=spf1 -ip4:192.0.2.1 +all", "192.0.2.1", "fails"),
        ("v=spf1 include:macro.int -all", "192.0.2.1", "unknown"),
        ("v=spf1 exists:%{i}.ministry.int ip4:192.0.2.1 -all", "192.0.2.1", "passes"),
    ],
)
def test_a_record_says_of_an_address(record: str, address: str, result: str) -> None:
    utils.DNS_CACHE.clear()
    with running_dns_server(RECORDS) as server:
        lookups = Lookups(make_resolver(server.settings))
        parsed = parse_spf_record(record, "ministry.int", resolver=lookups, retries=0)["parsed"]
        assert evaluate_spf(record, parsed, address, lookups.find_addresses) is SpfResult(result)


@settings(max_examples=40, deadline=None)
@given(
    networks=st.lists(st.tuples(st.ip_addresses(v=4), st.integers(8, 32)), min_size=1, max_size=8),
    address=st.ip_addresses(v=4),
    inside=st.booleans(),
)
def test_an_address_passes_if_a_network_holds_it(
    networks: list[tuple[IPv4Address, int]], address: IPv4Address, inside: bool
) -> None:
    named = [ip_network(f"{base}/{length}", strict=False) for base, length in networks]
    tried = named[0].network_address if inside else address
    record = f"v=spf1 {' '.join(f'ip4:{network}' for network in named)} -all"
    parsed = parse_spf_record(record, "ministry.int")["parsed"]
    passes = any(tried in network for network in named)
    expected = SpfResult.passes if passes else SpfResult.fails
    assert evaluate_spf(record, parsed, str(tried), lambda _: ()) is expected
