"""The checks of the DNS in set-ups beside the usual one: examples, folders, services, several relays."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mailer.doctor import Diagnosis, Health
from mailer.doctor.dns_checks import check_dns
from mailer.doctor.mail_identity import find_relay_service, read_relay_services
from mailer.settings import Settings
from mailer.workspace import Workspace
from tests.servers.dns_server import DnsServer, running_dns_server

RECORDS = {
    "ministry.int": [
        "SOA ns.ministry.int. h.ministry.int. 1 2 3 4 5",
        'TXT "v=spf1 mx -all"',
        "MX 10 mx.ministry.int.",
    ],
    "mx.ministry.int": ["A 198.51.100.26"],
    "_dmarc.ministry.int": ['TXT "v=DMARC1; p=reject; rua=mailto:dmarc@ministry.int"'],
    "s1._domainkey.ministry.int": ["CNAME s1.relay-service.int."],
    "s1.relay-service.int": ['TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="'],
    "spf.protection.outlook.com": ['TXT "v=spf1 ip4:192.0.2.0/24 -all"'],
}


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with running_dns_server(RECORDS) as server:
        yield server


def look(workspace: Workspace, server: DnsServer, **sections: dict[str, Any]) -> list[Diagnosis]:
    """What the DNS says of a sender at ministry.int, with ``sections`` of the settings."""
    values = workspace.settings.model_dump(mode="json", exclude_unset=True)
    values["sender"] |= {"address": "news@ministry.int"}
    values["dns"] = server.settings.model_dump(mode="json")
    values["dkim"] = {"selector": "s1"}
    for name, changed in sections.items():
        values[name] = {**values.get(name, {}), **changed}
    return list(check_dns(replace(workspace, settings=Settings.model_validate(values))))


def find(findings: list[Diagnosis], subject: str) -> Diagnosis:
    (finding,) = [finding for finding in findings if finding.subject == subject]
    return finding


@pytest.mark.parametrize(
    "sections",
    [
        {"sender": {"address": "news@beijing.example.org"}},
        {"sender": {"address": "news@office.test"}},
        {"smtp": {"url": "maildir:received"}},
        {"smtp": {"url": "nonsense"}},
    ],
)
def test_nothing_is_asked_where_no_real_mail_can_leave(
    workspace: Workspace, dns: DnsServer, sections: dict[str, dict[str, Any]]
) -> None:
    assert look(workspace, dns, **sections) == []
    assert dns.questions == []


def test_a_machine_without_a_dns_server_is_one_finding(workspace: Workspace, dns: DnsServer) -> None:
    (finding,) = look(workspace, dns, dns={"resolver": ""})
    assert (finding.subject, finding.code) == ("dns", "dns-silent")


def test_a_service_that_signs_and_is_included_is_good(workspace: Workspace, dns: DnsServer) -> None:
    dns.publish(
        {"ministry.int": ['TXT "v=spf1 include:spf.protection.outlook.com -all"', "MX 10 mx.ministry.int."]}
    )
    findings = look(workspace, dns, smtp={"url": "smtp://news@smtp.office365.com:587"})
    assert find(findings, "spf").message == "ministry.int lets Microsoft 365 send"
    assert find(findings, "dkim").verdict is Health.good
    assert "SPF and DKIM speak for the domain" in find(findings, "alignment").message
    assert "ptr" not in {finding.subject for finding in findings}


def test_a_service_that_is_not_included_is_named_with_what_to_add(
    workspace: Workspace, dns: DnsServer
) -> None:
    finding = find(look(workspace, dns, smtp={"url": "smtp://news@smtp.office365.com:587"}), "spf")
    assert finding.code == "spf-relay-missing"
    assert finding.record == 'ministry.int. IN TXT "v=spf1 mx include:spf.protection.outlook.com -all"'


def test_a_service_with_a_return_path_of_its_own_needs_no_record_of_ours(
    workspace: Workspace, dns: DnsServer
) -> None:
    dns.publish({"ministry.int": ["MX 10 mx.ministry.int."]})
    findings = look(workspace, dns, smtp={"url": "smtp://key@smtp.postmarkapp.com:587"})
    assert find(findings, "spf").verdict is Health.good
    assert find(findings, "alignment").message == "DKIM speaks for the domain that readers see, ministry.int"


def test_each_of_several_relays_must_be_named(workspace: Workspace, dns: DnsServer) -> None:
    relays = [
        {"name": "office", "url": "smtp://127.0.0.1:25", "sending_addresses": ["198.51.100.26"]},
        {"name": "spare", "url": "smtp://127.0.0.1:26", "sending_addresses": ["198.51.100.77"]},
    ]
    findings = look(workspace, dns, smtp={"relays": relays})
    spf = [finding for finding in findings if finding.subject == "spf"]
    assert [finding.code for finding in spf] == ["", "spf-relay-missing"]
    assert spf[1].record == 'ministry.int. IN TXT "v=spf1 mx ip4:198.51.100.77 -all"'


def test_a_relay_of_others_is_only_suspected_by_its_name(workspace: Workspace, dns: DnsServer) -> None:
    dns.publish({"mail.provider.int": ["A 203.0.113.5"]})
    finding = find(look(workspace, dns, smtp={"url": "smtp://mail.provider.int:587"}), "spf")
    assert (finding.code, finding.verdict) == ("spf-relay-unknown", Health.doubtful)
    assert "sending_addresses" in finding.message


def test_the_record_to_begin_with_names_the_relay(workspace: Workspace, dns: DnsServer) -> None:
    dns.publish({"ministry.int": ["MX 10 mx.ministry.int."], "_dmarc.ministry.int": ['TXT "hello"']})
    smtp = {"url": "smtp://127.0.0.1:25", "sending_addresses": ["198.51.100.26", "2001:db8::26"]}
    findings = look(workspace, dns, smtp=smtp)
    record = find(findings, "spf").record
    assert record == 'ministry.int. IN TXT "v=spf1 ip4:198.51.100.26 ip6:2001:db8::26 ~all"'
    first_step = '_dmarc.ministry.int. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@ministry.int"'
    assert find(findings, "dmarc").record == first_step


@pytest.mark.parametrize(
    ("mailbox", "exchanger", "is_elsewhere"),
    [
        ("outlook.office365.com", "ministry-int.mail.protection.outlook.com", False),
        ("outlook.office365.com", "aspmx.l.google.com", True),
        # A filter in front of the mailbox, or a server of one's own, may pass mail on.
        ("outlook.office365.com", "mx1.filter.int", False),
        ("imap.ministry.int", "aspmx.l.google.com", False),
    ],
)
def test_bounces_that_arrive_at_another_provider_than_the_mailbox_are_noticed(
    workspace: Workspace, dns: DnsServer, mailbox: str, exchanger: str, is_elsewhere: bool
) -> None:
    dns.publish({"bounce.ministry.int": ["MX 10 " + exchanger + "."], exchanger: ["A 192.0.2.77"]})
    feedback = {"bounce_address": "news@bounce.ministry.int", "imap": f"imaps://news@{mailbox}/INBOX"}
    codes = {finding.code for finding in look(workspace, dns, feedback=feedback)}
    assert ("return-path-elsewhere" in codes) is is_elsewhere


def test_a_domain_in_other_letters_is_asked_for_in_ascii(workspace: Workspace, dns: DnsServer) -> None:
    (finding,) = look(workspace, dns, sender={"address": "news@министерство.рф"})
    assert finding.code == "domain-missing"
    assert dns.questions[0].startswith("xn--")


def test_a_policy_of_the_organisation_holds_for_a_sender_below_it(
    workspace: Workspace, dns: DnsServer
) -> None:
    dns.publish(
        {
            "news.ministry.int": ['TXT "v=spf1 ip4:198.51.100.26 -all"', "MX 10 mx.ministry.int."],
            "_dmarc.ministry.int": ['TXT "v=DMARC1; p=reject; sp=none; rua=mailto:dmarc@ministry.int"'],
        }
    )
    smtp = {"sending_addresses": ["198.51.100.26"]}
    finding = find(look(workspace, dns, sender={"address": "a@news.ministry.int"}, smtp=smtp), "dmarc")
    assert (finding.code, "says sp=none" in finding.message) == ("dmarc-policy-none", True)
    assert "sp=quarantine" in finding.record


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("smtp.office365.com", "microsoft-365"),
        ("SMTP-RELAY.gmail.com", "google"),
        ("email-smtp.eu-west-1.amazonaws.com", "amazon-ses"),
        ("mail.ministry.int", None),
        ("smtp.office365.com.ministry.int", None),
    ],
)
def test_a_service_is_known_by_the_name_of_its_relay(host: str, key: str | None) -> None:
    service = find_relay_service(host)
    assert (service.key if service else None) == key


def test_every_service_says_where_that_stands() -> None:
    for service in read_relay_services():
        assert service.source.startswith("https://"), service.key
        assert service.include or service.replaces_return_path, service.key
