"""Who receives the mail of a domain, by the DNS."""

from datetime import timedelta

import pytest

from mailer.dns import make_resolver
from mailer.providers.domain_lookup import look_up_provider
from mailer.providers.provider_table import load_providers
from tests.servers.dns_server import running_dns_server

_RECORDS = {
    "partner.org": ["MX 0 partner-org.mail.protection.outlook.com."],
    "backed-up.org": ["MX 20 mx1.qq.com.", "MX 10 mail.backed-up.org."],
    "twins.org": ["MX 10 mail.twins.org.", "MX 10 mxbiz1.qq.com."],
    "alias.org": ["CNAME partner.org."],
    "closed.org": ["MX 0 ."],
    "without.org": ["A 192.0.2.1"],
}


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("partner.org", "microsoft_365"),
        ("alias.org", "microsoft_365"),
        ("backed-up.org", ""),
        ("twins.org", "qq"),
        ("closed.org", ""),
        ("without.org", ""),
        ("nobody.org", ""),
    ],
)
def test_the_most_preferred_server_says_who_receives(domain: str, provider: str) -> None:
    with running_dns_server(_RECORDS) as server:
        answer = look_up_provider(domain, make_resolver(server.settings), load_providers())
    assert (answer.domain, answer.provider, answer.is_answered) == (domain, provider, True)
    assert timedelta(days=1) <= answer.lasts <= timedelta(days=14)


@pytest.mark.parametrize("domain", ["broken.org", "silent.org", "a..b", "x" * 70 + ".org", "y.org" * 60])
def test_no_answer_says_nothing_and_is_asked_for_again_within_the_hour(domain: str) -> None:
    with running_dns_server({"any.org": ["A 192.0.2.1"]}) as server:
        server.broken.add("broken.org")
        server.silent.add("silent.org")
        resolver = make_resolver(server.settings.model_copy(update={"timeout": 0.2}))
        answer = look_up_provider(domain, resolver, load_providers())
    assert (answer.provider, answer.is_answered, answer.lasts) == ("", False, timedelta(hours=1))
