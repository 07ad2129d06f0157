"""Questions to the DNS: the resolver in the settings answers, within the time they allow."""

import pytest
from dns.resolver import NXDOMAIN, LifetimeTimeout, NoNameservers
from pydantic import ValidationError

from mailer.dns import make_resolver
from mailer.settings import DnsSettings
from tests.servers.dns_server import running_dns_server

LONG = 'TXT "' + '" "'.join(["x" * 200] * 10) + '"'


def test_the_resolver_in_the_settings_is_asked() -> None:
    with running_dns_server({"example.org": ["MX 10 mail.example.org.", LONG]}) as server:
        resolver = make_resolver(server.settings)
        assert [answer.exchange.to_text() for answer in resolver.resolve("example.org", "MX")] == [
            "mail.example.org."
        ]
        # Too long for a datagram of 1,232 bytes, which is what dnspython offers, so it is asked by TCP.
        assert len(b"".join(resolver.resolve("example.org", "TXT")[0].strings)) == 2000


def test_a_name_that_does_not_exist_is_told_from_a_server_that_fails_or_is_silent() -> None:
    with running_dns_server({"example.org": ["A 192.0.2.1"]}) as server:
        server.broken.add("broken.example.org")
        server.silent.add("silent.example.org")
        resolver = make_resolver(server.settings.model_copy(update={"timeout": 0.2}))
        with pytest.raises(NXDOMAIN):
            resolver.resolve("nothing.example.org", "A")
        with pytest.raises(NoNameservers):
            resolver.resolve("broken.example.org", "A")
        with pytest.raises(LifetimeTimeout):
            resolver.resolve("silent.example.org", "A")


@pytest.mark.parametrize("text", ["192.0.2.53", "/run/dns", "dns.example.org"])
def test_a_resolver_has_an_address_and_a_port(text: str) -> None:
    with pytest.raises(ValidationError, match="Write, for example"):
        DnsSettings(resolver=text)
