"""Questions of the doctor to the DNS: an answer, none, or silence that ends."""

import pytest
from dns.exception import Timeout

from mailer.dns import make_resolver
from mailer.doctor.dns_lookups import DnsUnansweredError, Lookups
from tests.servers.dns_server import DnsServer, running_dns_server

RECORDS = {
    "ministry.int": ['TXT "v=spf1 " "-all"', "MX 20 b.ministry.int.", "MX 10 a.ministry.int."],
    "a.ministry.int": ["A 192.0.2.1", "AAAA 2001:db8::1"],
    "mute.int": ["MX 0 ."],
    "1.2.0.192.in-addr.arpa": ["PTR a.ministry.int."],
    "alias.int": ["CNAME ministry.int."],
}


def make_lookups(server: DnsServer, timeout: float = 5) -> Lookups:
    return Lookups(make_resolver(server.settings.model_copy(update={"timeout": timeout})))


def test_records_are_read_as_receivers_read_them() -> None:
    with running_dns_server(RECORDS) as server:
        lookups = make_lookups(server)
        assert lookups.find_texts("ministry.int") == ("v=spf1 -all",)
        assert lookups.find_texts("alias.int") == ("v=spf1 -all",)
        assert lookups.find_mail_servers("ministry.int") == ((10, "a.ministry.int"), (20, "b.ministry.int"))
        assert lookups.find_mail_servers("mute.int") == ((0, ""),)
        assert lookups.find_addresses("a.ministry.int") == ("192.0.2.1", "2001:db8::1")
        assert lookups.find_host_names("192.0.2.1") == ("a.ministry.int",)
        assert lookups.find_texts("gone.int") == lookups.find_addresses("gone.int") == ()
        assert (lookups.has_name("ministry.int"), lookups.has_name("gone.int")) == (True, False)
        asked = len(server.questions)
        lookups.find_texts("ministry.int")
        assert len(server.questions) == asked


def test_a_failure_and_silence_are_told_apart_and_neither_is_taken_for_none() -> None:
    with running_dns_server(RECORDS) as server:
        server.broken.add("ministry.int")
        server.silent.add("mute.int")
        lookups = make_lookups(server, timeout=0.2)
        with pytest.raises(DnsUnansweredError) as broken:
            lookups.find_texts("ministry.int")
        with pytest.raises(DnsUnansweredError) as silent:
            lookups.find_mail_servers("mute.int")
        assert (broken.value.question, broken.value.is_silence) == ("ministry.int TXT", False)
        assert (silent.value.question, silent.value.is_silence) == ("mute.int MX", True)


def test_a_silent_dns_is_not_waited_for_without_end() -> None:
    with running_dns_server() as server:
        names = [f"n{number}.int" for number in range(30)]
        server.silent.update(names)
        lookups = make_lookups(server, timeout=0.05)
        for name in names:
            with pytest.raises(DnsUnansweredError):
                lookups.find_texts(name)
        assert len({question.split()[0] for question in server.questions}) < len(names)


def test_what_a_library_swallows_comes_to_light() -> None:
    with running_dns_server() as server:
        server.silent.add("mute.int")
        lookups = make_lookups(server, timeout=0.1)
        lookups.forget_unanswered()
        with pytest.raises(Timeout):
            lookups.resolve("mute.int", "A")
        with pytest.raises(DnsUnansweredError, match=r"mute\.int A"):
            lookups.raise_unanswered()
        lookups.forget_unanswered()
        lookups.raise_unanswered()
