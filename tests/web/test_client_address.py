"""Whose address it is: read from the right of X-Forwarded-For, and only through proxies that are trusted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.network import parse_address, parse_network
from mailer.selfservice.confirmation import make_form_token
from mailer.selfservice.rate_limit import NETWORK
from mailer.web.access import find_client
from mailer.web.app import create_app
from mailer.workspace import Workspace
from tests.web.site import send_request, served

PROXIES = tuple(map(parse_network, ("127.0.0.1", "::1", "10.0.0.0/8", "2001:db8:aaaa::/48")))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("::1", ["198.51.100.7"], "198.51.100.7"),
        ("::ffff:127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        # A chain: the balancer, then nginx on this machine.
        ("127.0.0.1", ["198.51.100.7, 10.1.2.3"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7", "10.1.2.3"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7,2001:db8:aaaa::5"], "198.51.100.7"),
        # All of them are ours: somebody in the house.
        ("127.0.0.1", ["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        # What a stranger wrote stands left of the stranger's own address.
        ("127.0.0.1", ["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["192.0.2.1", "127.0.0.1, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        # A stranger is no proxy.
        ("203.0.113.9", ["192.0.2.1"], "203.0.113.9"),
        ("11.0.0.1", ["127.0.0.1"], "11.0.0.1"),
        # Forms that proxies write.
        ("127.0.0.1", ["198.51.100.7:52011"], "198.51.100.7"),
        ("127.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("127.0.0.1", ["2001:DB8:0:0::7"], "2001:db8::7"),
        ("127.0.0.1", ["[2001:db8::7]:52011"], "2001:db8::7"),
        ("127.0.0.1", ["[2001:db8::7]"], "2001:db8::7"),
        ("127.0.0.1", ["fe80::7%eth0"], "fe80::7"),
        ("127.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7, ::ffff:10.1.2.3"], "198.51.100.7"),
        # A trusted proxy that does not know: its own address.
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7, _hidden, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7,"], "127.0.0.1"),
        ("not an address", ["198.51.100.7"], "not an address"),
    ],
)
def test_the_client_is_the_last_who_is_no_proxy_of_ours(peer: str, forwarded: list[str], client: str) -> None:
    assert find_client(peer, forwarded, PROXIES) == client


ADDRESSES = st.ip_addresses().map(str)
JUNK = st.one_of(
    st.text(max_size=30), ADDRESSES, st.sampled_from(["127.0.0.1", "::1", "10.0.0.1", "unknown"])
)


@given(st.lists(JUNK, max_size=5), st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_whatever_a_stranger_writes_a_proxy_that_adds_the_address_wins(
    lines: list[str], stranger: IPv4Address | IPv6Address
) -> None:
    address = parse_address(str(stranger))
    assert address is not None
    if any(address in network for network in PROXIES):
        return
    assert find_client("127.0.0.1", [*lines, str(stranger)], PROXIES) == str(address)
    assert find_client(str(stranger), lines, PROXIES) == str(address)


@given(st.lists(JUNK, max_size=5))
def test_the_client_is_always_an_address(lines: list[str]) -> None:
    ip_address(find_client("127.0.0.1", lines, PROXIES))


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
    ],
)
def test_a_trusted_network_is_an_address_or_a_network(text: str, network: str) -> None:
    assert str(parse_network(text)) == network


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("proxy.example.org", "192.0.2.1, 10.0.0.0/8 or 2001:db8::/32"),
        ("10.0.0.1/8", "Write 10.0.0.0/8 or only the address"),
        ("0.0.0.0/0", "Name your proxies only"),
        ("::/0", "Name your proxies only"),
        ("", "is not an address"),
    ],
)
def test_a_network_that_cannot_be_meant_is_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        parse_network(text)


def ask_for_links(workspace: Workspace, *forwarded: str) -> list[int]:
    """The statuses of requests for a link, each with its X-Forwarded-For."""
    with served(create_app(workspace)) as running:
        fixed = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
        stamp = make_form_token(workspace.keys.suppression, datetime.now(UTC) - timedelta(minutes=1))
        body = urlencode({"email": "lin@example.org", "stamp": stamp}).encode()
        return [
            send_request(running.url, "POST", "/link", body, {**fixed, "x-forwarded-for": line}).status
            for line in forwarded
        ]


def test_the_throttle_is_per_visitor_behind_a_proxy(workspace: Workspace) -> None:
    first = ["192.0.2.1, 198.51.100.7"] * NETWORK.maximum
    # What the same visitor makes up at the left changes nothing; another visitor is another.
    after = ["192.0.2.77, 198.51.100.7", "198.51.100.8"]
    statuses = ask_for_links(workspace, *first, *after)
    assert statuses == [200] * NETWORK.maximum + [429, 200]


def test_nobody_is_believed_who_is_not_trusted(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    # uvicorn's own variable is not a setting of ours.
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    settings = workspace.settings
    web = settings.web.model_copy(update={"trusted_proxies": ("192.0.2.1",)})
    untrusting = replace(workspace, settings=settings.model_copy(update={"web": web}))
    made_up = [f"198.51.100.{number}" for number in range(NETWORK.maximum + 1)]
    assert ask_for_links(untrusting, *made_up) == [200] * NETWORK.maximum + [429]
